"""Whole runs on two Celery workers: the same rows as on one machine, and a worker that is killed loses none."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus

from etl_assets.declare.dates import Span
from etl_assets.errors import TransientError
from etl_assets.orchestration.celery_launcher import TASK, WORKER_TAG, WorkerRunLauncher
from etl_assets.orchestration.partitions import recent_span, tags_of, whole_periods
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.settings import PROJECT
from etl_assets.sources import SOURCES
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets_tests.orchestration.celery_cluster import Cluster, children_of, cluster, end, free_port, wait_until
from etl_assets_tests.orchestration.installation import Installation, install
from etl_assets_tests.orchestration.test_run_launcher import SLEEP, create, is_alive, wait_for, wait_for_end_of

FIRST = date(2026, 1, 5)
PERIOD = Span(FIRST, FIRST)
BY_NAME = {source.name: source for source in SOURCES if source.name in {"operating_room", "tracktik", "lacrei_saude"}}
WORKERS = ("one", "two")
ROWS = 500


@pytest.fixture(scope="module")
def reached(empty_database: Callable[[], str]) -> Iterator[dict[str, str]]:
    """How the sandbox sources are reached, which both installations load from."""
    url = empty_database()
    fill(url, patients=20)
    with serve(Company()) as service:
        yield {
            **service.credentials,
            "ETL_TRACKTIK_CALLS_PER_MINUTE": "100000",
            "ETL_LACREI_SAUDE_URL": url,
            "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "a secret of the tests, and of nobody else",
            "ETL_LACREI_SAUDE_ERASURE_KEY": "another secret of the tests, and nobody else's",
            "ETL_SOURCES": ",".join(BY_NAME),
        }


@pytest.fixture(scope="module")
def alone(tmp_path_factory, server: Path, new_database: Callable[[], str], reached) -> Installation:
    """The same sources, loaded and built on one machine, one after the other."""
    made = install(tmp_path_factory.mktemp("alone"), new_database, embedded.server_url(server, "postgres"))
    made = replace(made, environment={**made.environment, **reached})
    made.etl("migrate")
    write_files(made.landing, start=FIRST, days=3, rooms=3)
    made.etl("run", "operating_room")
    made.etl("run", "tracktik", "--from", f"{PERIOD.first}", "--to", f"{PERIOD.last}")
    made.etl("run", "lacrei_saude")
    return made


@pytest.fixture(scope="module")
def workers(tmp_path_factory, installation: Installation, reached) -> Iterator[Cluster]:
    ready = replace(installation, environment={**installation.environment, **reached})
    ready.etl("migrate")
    with cluster(ready, tmp_path_factory.mktemp("cluster"), workers=WORKERS) as made:
        daemon = Path(sys.executable).with_name("dagster-daemon")
        process = made.start("daemon", str(daemon), "run", "-w", str(PROJECT / "workspace.yaml"))
        yield made
        end(process)


@pytest.fixture
def instance(workers: Cluster) -> Iterator[dg.DagsterInstance]:
    with workers.instance() as instance:
        yield instance


def launch_source(instance: dg.DagsterInstance, name: str, span: Span) -> None:
    """Launch the job of a source, as the UI does."""
    repository = ReconstructableRepository.for_module("etl_assets.definitions", "defs", str(PROJECT))
    job = repository.get_reconstructable_job(name)
    tags = tags_of(BY_NAME[name], whole_periods(BY_NAME[name], span))
    run = instance.create_run_for_job(job.get_definition(), job_code_origin=job.get_python_origin(), tags=tags)
    instance.launch_run(run.run_id, workspace=None)


def launch_op(instance: dg.DagsterInstance, folder: Path, action: str = "pass") -> str:
    """Launch a run of a job that does one thing."""
    run = create(instance, folder, action)
    instance.launch_run(run.run_id, workspace=None)
    return run.run_id


def worker_of(run: dg.DagsterRun) -> str:
    return run.tags[WORKER_TAG].split("@")[0]


def states(instance: dg.DagsterInstance) -> list[tuple[str, str, str]]:
    return [(run.job_name, run.status.value, run.tags.get(WORKER_TAG, "")) for run in instance.get_runs()]


def test_two_workers_run_the_whole_graph_and_hold_the_rows_of_one_machine(
    alone: Installation, workers: Cluster, instance: dg.DagsterInstance
) -> None:
    installation = workers.installation
    launch_source(instance, "tracktik", PERIOD)
    launch_source(instance, "lacrei_saude", recent_span(BY_NAME["lacrei_saude"], 1))
    write_files(installation.landing, start=FIRST, days=3, rooms=3)  # the daemon's sensor finds them

    def all_is_built() -> bool:
        (built,) = installation.query("select count(distinct relation) from etl.model_state")
        return built == modelled and all(run.is_finished for run in instance.get_runs())

    (modelled,) = alone.query("select count(distinct relation) from etl.model_state")
    wait_until(all_is_built, lambda: str(states(instance)), seconds=300)
    runs = instance.get_runs()
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}, states(instance)
    assert {worker_of(run) for run in runs} == set(WORKERS)
    urls = [each.environment["ETL_WAREHOUSE_URL"] for each in (installation, alone)]
    words = [sys.executable, "-m", "benchmarks.same_rows", *urls]
    compared = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert " 0 differ" in compared.stdout


def test_one_dbt_at_a_time_on_all_workers_together(instance) -> None:
    builds = sorted(
        (step.start_time, step.end_time)
        for run in instance.get_runs()
        for step in instance.get_run_step_stats(run.run_id)
        if step.step_key.startswith("build_")
    )
    assert len(builds) >= len(BY_NAME)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(builds)), builds


def test_what_a_run_prints_is_kept_by_its_worker_and_a_password_is_nowhere(workers, instance, tmp_path) -> None:
    run = wait_for(instance, launch_op(instance, tmp_path, "print('a word of the run')"), lambda run: run.is_finished)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    kept = (workers.folder / worker_of(run) / "dagster" / "storage" / run.run_id).rglob("*.out")
    assert any("a word of the run" in path.read_text() for path in kept)
    logs = {name: workers.log(name) for name in (*WORKERS, "daemon")}
    assert [name for name, log in logs.items() if workers.password in log] == []
    assert "transport:   redis://:**@" in logs["one"]
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if is_alive(path.parent.name)]
    assert any(b"--queues" in words or b"worker" in words for words in commands)
    assert [words for words in commands if workers.password.encode() in words] == []
    events = instance.event_log_storage.get_logs_for_run(run.run_id)
    assert all(workers.password not in event.to_json() for event in events)
    for home in (*WORKERS, "daemon"):
        assert workers.password not in (workers.folder / home / "dagster" / "dagster.yaml").read_text()


def test_a_run_is_terminated_on_whatever_worker_it_is(instance, tmp_path) -> None:
    run_id = launch_op(instance, tmp_path, SLEEP)
    pid = wait_for(instance, run_id, lambda run: "pid" in run.tags).tags["pid"]
    assert instance.run_launcher.terminate(run_id)
    assert wait_for(instance, run_id, lambda run: run.is_finished).status is dg.DagsterRunStatus.CANCELED
    wait_for_end_of(pid)
    assert not instance.run_launcher.terminate(run_id)


def test_a_run_whose_process_was_killed_is_failed_by_the_daemon_and_its_worker_goes_on(instance, tmp_path) -> None:
    """No ledger knows of this run: its lock alone tells."""
    run_id, launcher = launch_op(instance, tmp_path, SLEEP), instance.run_launcher
    run = wait_for(instance, run_id, lambda run: "pid" in run.tags)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    os.kill(int(run.tags["pid"]), signal.SIGKILL)
    ended = wait_for(instance, run_id, lambda run: run.is_finished)
    assert ended.status is dg.DagsterRunStatus.FAILURE
    health = launcher.check_run_worker_health(run)
    assert (health.status, health.msg) == (
        WorkerStatus.FAILED,
        f"Its process on {run.tags[WORKER_TAG]} holds its lock no more.",
    )
    for _ in range(2):  # the worker of the killed one takes the first or the second
        again = wait_for(instance, launch_op(instance, tmp_path), lambda run: run.is_finished)
        assert again.status is dg.DagsterRunStatus.SUCCESS


def test_of_a_run_that_no_worker_was_sent_nothing_is_known(instance, tmp_path) -> None:
    """Such as one of the terminal; the sensor looks for its session."""
    run = create(instance, tmp_path, "pass")
    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    instance.delete_run(run.run_id)


def test_a_message_that_comes_twice_starts_a_run_once(workers, instance, tmp_path) -> None:
    run_id = launch_op(instance, tmp_path, "time.sleep(2)")
    again = [instance.run_launcher.celery.send_task(TASK, args=(run_id,), queue="etl").id for _ in range(2)]
    assert wait_for(instance, run_id, lambda run: run.is_finished).status is dg.DagsterRunStatus.SUCCESS
    for task in again:
        wait_until(lambda: any(f"[{task}] succeeded" in workers.log(name) for name in WORKERS), lambda: "it waits")  # noqa: B023 (called at once)
    started = [event for event in instance.all_logs(run_id) if "Started process" in event.message]
    assert len(started) == 1


def test_a_run_that_was_terminated_while_it_waited_for_a_worker_never_begins(instance, tmp_path) -> None:
    run = create(instance, tmp_path, "pass")
    instance.add_run_tags(run.run_id, {"dagster-celery/queue": "nobody's"})
    instance.launch_run(run.run_id, workspace=None)
    assert instance.run_launcher.terminate(run.run_id)
    instance.run_launcher.celery.send_task(TASK, args=(run.run_id,), queue="etl")
    ended = wait_for(instance, run.run_id, lambda run: run.is_finished)
    assert ended.status is dg.DagsterRunStatus.CANCELED
    assert "pid" not in ended.tags


@pytest.mark.parametrize(
    ("signalled", "action", "ended"),
    [
        pytest.param(signal.SIGTERM, "time.sleep(3)", dg.DagsterRunStatus.SUCCESS, id="TERM waits for runs"),
        pytest.param(signal.SIGQUIT, SLEEP, dg.DagsterRunStatus.FAILURE, id="QUIT ends them"),
    ],
)
def test_a_worker_serves_its_queue_and_is_stopped(workers, instance, signalled, action, ended) -> None:
    name = f"aside-{signalled.name}"
    workers.start_worker(name, queues=name)
    run = create(instance, workers.folder, action)
    instance.add_run_tags(run.run_id, {"dagster-celery/queue": name})
    instance.launch_run(run.run_id, workspace=None)
    run = wait_for(instance, run.run_id, lambda run: "pid" in run.tags)
    assert worker_of(run) == name
    workers.workers[name].send_signal(signalled)
    assert wait_for(instance, run.run_id, lambda run: run.is_finished).status is ended
    assert workers.workers[name].wait(timeout=60) == 0
    wait_for_end_of(run.tags["pid"])


def test_a_broker_that_is_not_there_is_named_without_its_password(instance, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ETL_CELERY_BROKER_URL", f"redis://:a-secret@127.0.0.1:{free_port()}/0")
    launcher = WorkerRunLauncher.from_config_value(None, {})
    launcher.register_instance(instance)
    run = create(instance, tmp_path, "pass")
    with pytest.raises(TransientError, match=r"The broker cannot be reached.* See ETL_CELERY_BROKER_URL") as raised:
        launcher.launch_run(LaunchRunContext(run, workspace=None))
    assert "a-secret" not in str(raised.value)
    instance.delete_run(run.run_id)


def test_a_worker_that_is_killed_in_the_midst_of_a_run_loses_nothing_and_the_other_does_it_again(
    workers: Cluster, instance: dg.DagsterInstance
) -> None:
    installation = workers.installation
    before = {run.run_id for run in instance.get_runs()}
    with connect(installation.settings, role=None) as held:
        held.execute("lock table stg.or_case in share mode")  # the load gets as far as to its first row, and waits
        write_cases(installation.landing)
        waits = "select count(*) from pg_locks where relation = 'stg.or_case'::regclass and not granted"
        wait_until(lambda: installation.query(waits) == [(1,)], lambda: str(states(instance)))
        (run,) = (run for run in instance.get_runs() if run.run_id not in before and not run.is_finished)
        killed = worker_of(run)
        process = workers.workers[killed]
        children = children_of(process.pid)
        assert children
        os.kill(process.pid, signal.SIGKILL)  # the worker alone
        process.wait()
        for child in children:
            wait_for_end_of(str(child))
    loading = "select status from stg.file_tracking where file_name = 'or_case_later.csv'"
    assert installation.query(loading) == [("STARTED",)]

    later = "select count(*), count(distinct case_id) from {} where case_id like 'later%%'"
    wait_until(
        lambda: (
            installation.query(later.format("operating_room.fact_case")) == [(ROWS, ROWS)]
            and all(run.is_finished for run in instance.get_runs())
        ),
        lambda: str(states(instance)),
        seconds=300,
    )
    assert installation.query(later.format("stg.or_case")) == [(ROWS, ROWS)]
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    again = [each for each in instance.get_runs() if each.run_id not in {*before, run.run_id}]
    assert {worker_of(each) for each in again} == {*WORKERS} - {killed}
    assert {each.status for each in again} == {dg.DagsterRunStatus.SUCCESS}
    assert installation.query("select count(*) from etl.batch where status = 'abandoned'") == [(1,)]
    assert installation.query("select count(*) from etl.batch where status = 'running'") == [(0,)]


def write_cases(folder: Path) -> None:
    lines = ["case_id,surgery_date,room_id,or_in,or_out"]
    for number in range(ROWS):
        day = FIRST + timedelta(days=28 + number % 5)
        lines.append(f"later{number},{day},{number // 5},{day} 08:00,{day} 11:00")  # each in a room of its own
    (folder / "or_case_later.csv").write_text("\n".join(lines) + "\n")
