"""Runs as the daemon starts them: real processes, forked from a real fork server, over a real database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus

from etl_assets.orchestration.run_launcher import PRELOADED, WORKER_TAG, PreloadedRunLauncher
from etl_assets.settings import PROJECT

JOB = """
    import os, sys, time
    import dagster as dg

    LOADED = {name for name in sys.modules if name in ("dbt.cli.main", "etl_assets.definitions")}

    @dg.op
    def act(context: dg.OpExecutionContext) -> None:
        context.instance.add_run_tags(context.run_id, {"pid": str(os.getpid()), "loaded": " ".join(sorted(LOADED))})
        ACTION

    @dg.job(executor_def=dg.in_process_executor)
    def job():
        act()
"""
SLEEP = "time.sleep(120)"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def dagster_url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def instance(tmp_path: Path, dagster_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """As the project's own dagster.yaml makes it."""
    monkeypatch.setenv("ETL_HOME", str(tmp_path))
    monkeypatch.setenv("ETL_DAGSTER_URL", dagster_url)
    monkeypatch.setenv("ETL_WAREHOUSE_URL", dagster_url)
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance
        for run in instance.get_runs():
            if "pid" in run.tags and is_alive(run.tags["pid"]):
                os.kill(int(run.tags["pid"]), signal.SIGKILL)


def create(instance: dg.DagsterInstance, folder: Path, action: str) -> dg.DagsterRun:
    """A run of a job that does one thing, as the code says that lies in the folder now."""
    path = folder / "code.py"
    path.write_text(dedent(JOB).replace("ACTION", action))
    job = ReconstructableJob.for_file(str(path), "job")
    return instance.create_run_for_job(job.get_definition(), job_code_origin=job.get_python_origin())


def launch(instance: dg.DagsterInstance, folder: Path, action: str = "pass") -> str:
    run = create(instance, folder, action)
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    return run.run_id


def wait_for(instance: dg.DagsterInstance, run_id: str, found: Callable[[dg.DagsterRun], bool]) -> dg.DagsterRun:
    give_up = time.monotonic() + PATIENCE
    while not found(run := instance.get_run_by_id(run_id)):
        assert time.monotonic() < give_up, run.status
        time.sleep(0.05)
    return run


def is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_end_of(pid: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while is_alive(pid):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_run_is_a_process_of_its_own_that_finds_the_libraries_imported_and_not_our_code(instance, tmp_path) -> None:
    assert isinstance(instance.run_launcher, PreloadedRunLauncher)
    run = wait_for(instance, launch(instance, tmp_path), lambda run: run.is_finished)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert run.tags["loaded"] == "dbt.cli.main"
    assert int(run.tags["pid"]) != os.getpid()
    wait_for_end_of(run.tags["pid"])


def test_a_run_reads_the_code_as_it_is_now(instance, tmp_path) -> None:
    first = launch(instance, tmp_path, "raise dg.Failure('as it is told to', allow_retries=False)")
    assert wait_for(instance, first, lambda run: run.is_finished).status is dg.DagsterRunStatus.FAILURE
    second = launch(instance, tmp_path)
    assert wait_for(instance, second, lambda run: run.is_finished).status is dg.DagsterRunStatus.SUCCESS


def test_a_run_that_is_terminated_ends_wherever_that_was_asked(instance, tmp_path) -> None:
    run = launch(instance, tmp_path, SLEEP)
    pid = wait_for(instance, run, lambda run: "pid" in run.tags).tags["pid"]
    with dg.DagsterInstance.from_ref(instance.get_ref()) as webserver:
        assert webserver.run_launcher.terminate(run)
    assert wait_for(instance, run, lambda run: run.is_finished).status is dg.DagsterRunStatus.CANCELED
    wait_for_end_of(pid)
    assert not instance.run_launcher.terminate(run)


def test_a_run_whose_process_was_killed_is_known(instance, tmp_path) -> None:
    run_id, launcher = launch(instance, tmp_path, SLEEP), instance.run_launcher
    run = wait_for(instance, run_id, lambda run: "pid" in run.tags)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    os.kill(int(run.tags["pid"]), signal.SIGKILL)
    wait_for(instance, run_id, lambda run: launcher.check_run_worker_health(run).status is not WorkerStatus.RUNNING)
    health = launcher.check_run_worker_health(run)
    assert (health.status, health.msg) == (WorkerStatus.FAILED, "Its process ended with exit code -9.")


def test_a_run_whose_daemon_was_killed_is_known_by_its_lock(instance, tmp_path) -> None:
    run_id = launch(instance, tmp_path, SLEEP)
    wait_for(instance, run_id, lambda run: {"pid", WORKER_TAG} <= run.tags.keys())
    with dg.DagsterInstance.from_ref(instance.get_ref()) as daemon:
        run, launcher = daemon.get_run_by_id(run_id), daemon.run_launcher
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
        os.kill(int(run.tags["pid"]), signal.SIGKILL)
        wait_for(daemon, run_id, lambda run: launcher.check_run_worker_health(run).status is WorkerStatus.FAILED)
        health = launcher.check_run_worker_health(run)
        assert health.msg.startswith(f"Its process {run.tags['pid']} of ")


def test_of_a_run_that_another_process_started_nothing_is_known(instance, tmp_path) -> None:
    """Such as one of the terminal; the sensor looks for its session."""
    run = create(instance, tmp_path, SLEEP)
    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_the_daemon_leaves_no_run_behind(instance, tmp_path, dagster_url) -> None:
    run = create(instance, tmp_path, SLEEP)
    daemon = (
        "import os, time, dagster as dg; from dagster._core.launcher.base import LaunchRunContext\n"
        f"with dg.DagsterInstance.from_config({str(tmp_path)!r}) as instance:\n"
        f"    run = instance.get_run_by_id({run.run_id!r})\n"
        "    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))\n"
        f"    while 'pid' not in instance.get_run_by_id({run.run_id!r}).tags: time.sleep(0.1)\n"
    )
    subprocess.run([sys.executable, "-c", daemon], cwd=PROJECT, check=True, timeout=2 * PATIENCE)
    ended = instance.get_run_by_id(run.run_id)
    assert not is_alive(ended.tags["pid"])
    assert ended.status is dg.DagsterRunStatus.FAILURE, "and not canceled: it is tried again"


def test_what_is_imported_beforehand_is_there() -> None:
    """A name that is none would cost each run the import, without a word."""
    assert [name for name in PRELOADED if find_spec(name) is None] == []
