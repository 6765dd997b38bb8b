"""Whole runs on two Celery workers: the same rows as on one machine, and a worker that is killed loses none."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from etl_assets.declare.dates import Span
from etl_assets.orchestration.celery_launcher import WORKER_TAG
from etl_assets.orchestration.partitions import recent_span, tags_of, whole_periods
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.settings import PROJECT
from etl_assets.sources import SOURCES
from etl_assets.warehouse import embedded
from etl_assets_tests.orchestration.celery_cluster import Cluster, children_of, cluster, end, wait_until
from etl_assets_tests.orchestration.installation import Installation, install

FIRST = date(2026, 1, 5)
PERIODS = Span(date(2026, 1, 5), date(2026, 1, 11))
NAMES = ("operating_room", "tracktik", "lacrei_saude")
BY_NAME = {source.name: source for source in SOURCES}
WORKERS = ("one", "two")


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
            "ETL_SOURCES": ",".join(NAMES),
        }


@pytest.fixture(scope="module")
def alone(tmp_path_factory, server: Path, new_database: Callable[[], str], reached) -> Installation:
    """The same sources, loaded and built by one process after the other on one machine."""
    made = install(tmp_path_factory.mktemp("alone"), new_database, embedded.server_url(server, "postgres"))
    made = replace(made, environment={**made.environment, **reached})
    import time; t=time.time()
    made.etl("migrate"); print("migrate",time.time()-t)
    write_files(made.landing, start=FIRST, days=3, rooms=3)
    made.etl("run", "operating_room"); print("or",time.time()-t)
    made.etl("run", "tracktik", "--from", f"{PERIODS.first}", "--to", f"{PERIODS.last}")
    print("or,tt",time.time()-t)
    made.etl("run", "lacrei_saude"); print("la",time.time()-t)
    return made


@pytest.fixture(scope="module")
def workers(tmp_path_factory, installation: Installation, reached) -> Iterator[Cluster]:
    ready = replace(installation, environment={**installation.environment, **reached})
    ready.etl("migrate")
    folder = tmp_path_factory.mktemp("cluster")
    with cluster(ready, folder, workers=WORKERS) as made:
        daemon = Path(sys.executable).with_name("dagster-daemon")
        process = made.start("daemon", str(daemon), "run", "-w", str(PROJECT / "workspace.yaml"))
        yield made
        end(process)


def launch(instance: dg.DagsterInstance, name: str, span: Span) -> str:
    """Launch the job of a source, as the UI does."""
    repository = ReconstructableRepository.for_module("etl_assets.definitions", "defs", str(PROJECT))
    job = repository.get_reconstructable_job(name)
    source = BY_NAME[name]
    run = instance.create_run_for_job(
        job.get_definition(),
        job_code_origin=job.get_python_origin(),
        tags=tags_of(source, whole_periods(source, span)),
    )
    instance.launch_run(run.run_id, workspace=None)
    return run.run_id


def wait_for_runs(instance: dg.DagsterInstance, sources: set[str]) -> list[dg.DagsterRun]:
    """The runs, once there is one of each of these sources and all have ended."""

    def have_ended() -> bool:
        runs = instance.get_runs()
        loaded = {key.path[0] for run in runs for key in run.asset_selection or ()} | {run.job_name for run in runs}
        return all(run.is_finished for run in runs) and len([1 for source in sources if {source, BY_NAME[source].schema} & loaded]) == len(sources)

    wait_until(have_ended, lambda: str([(run.job_name, run.status) for run in instance.get_runs()]))
    return list(instance.get_runs())


def test_two_workers_run_the_whole_graph_and_hold_the_rows_of_one_machine(workers: Cluster, alone: Installation) -> None:
    installation = workers.installation
    with workers.instance() as instance, pytest.MonkeyPatch.context() as patch:
        for word, value in installation.environment.items():
            if word.startswith("ETL_"):
                patch.setenv(word, value)
        launch(instance, "tracktik", PERIODS)
        launch(instance, "lacrei_saude", recent_span(BY_NAME["lacrei_saude"], 1))
        write_files(installation.landing, start=FIRST, days=3, rooms=3)  # the daemon's sensor finds them
        made = wait_for_runs(instance, set(NAMES))
        assert {run.status for run in made} == {dg.DagsterRunStatus.SUCCESS}
        assert {run.tags[WORKER_TAG].split("@")[0] for run in made} == set(WORKERS)
    urls = [each.environment["ETL_WAREHOUSE_URL"] for each in (installation, alone)]
    words = [sys.executable, "-m", "benchmarks.same_rows", *urls]
    compared = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    print(compared.stdout)
