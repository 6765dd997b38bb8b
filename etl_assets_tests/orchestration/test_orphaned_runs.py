"""Runs whose process was killed, at whatever moment, do not stay unfinished."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
import psycopg
import pytest

from etl_assets.orchestration import orphaned_runs
from etl_assets.orchestration.orphaned_runs import SESSION_TAG, START_TIMEOUT, fail_orphaned_runs
from etl_assets.orchestration.run_launcher import NO_WORKER, WORKER_TAG
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.sessions import open_session

RUNNING = {
    dg.DagsterRunStatus.STARTING: dg.DagsterEventType.PIPELINE_STARTING,
    dg.DagsterRunStatus.STARTED: dg.DagsterEventType.RUN_START,
}


@dg.job
def nothing() -> None:
    """No step."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def ledger(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as connection:
        yield connection


def left_behind(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    *,
    session: str | None = None,
    parent: str | None = None,
) -> str:
    run = instance.create_run_for_job(
        nothing, tags={SESSION_TAG: session} if session else {}, parent_run_id=parent, root_run_id=parent
    )
    if status in RUNNING:
        event = dg.DagsterEvent(event_type_value=RUNNING[status].value, job_name=run.job_name)
        instance.run_storage.handle_run_event(run.run_id, event)
    return run.run_id


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
)
def test_a_run_is_failed_once_its_process_is_gone_and_not_before(instance, ledger, settings, status) -> None:
    with open_session(settings) as session:
        run = left_behind(instance, status, session=session)
        assert instance.get_run_by_id(run).tags[SESSION_TAG] == session
        assert fail_orphaned_runs(instance, ledger) == []
        assert instance.get_run_by_id(run).status is status
    assert fail_orphaned_runs(instance, ledger) == [run]
    assert instance.get_run_by_id(run).status is dg.DagsterRunStatus.FAILURE
    assert fail_orphaned_runs(instance, ledger) == []


def test_a_run_that_is_run_again_is_of_another_process(instance, ledger, settings) -> None:
    with open_session(settings) as session:
        run = left_behind(instance, dg.DagsterRunStatus.STARTED, parent=None, session=session)
        again = left_behind(instance, dg.DagsterRunStatus.STARTED, parent=run, session=session)
    assert fail_orphaned_runs(instance, ledger) == [run]
    assert instance.get_run_by_id(again).status is dg.DagsterRunStatus.STARTED


def test_a_run_whose_process_died_before_it_could_begin_is_failed(instance, ledger, settings, monkeypatch) -> None:
    waits, dies, lives = (left_behind(instance, dg.DagsterRunStatus.STARTING) for _ in range(3))
    for run, worker in ((waits, NO_WORKER), (dies, "process 1 of it"), (lives, "process 2 of it")):
        instance.add_run_tags(run, {WORKER_TAG: worker})
    with open_session(settings, lives):
        assert fail_orphaned_runs(instance, ledger) == [], "it may be about to take its lock"
        monkeypatch.setattr(orphaned_runs, "LOCK_TIMEOUT", timedelta(0))
        assert fail_orphaned_runs(instance, ledger) == [dies]


@pytest.mark.parametrize(
    ("age", "status", "failed"),
    [
        (START_TIMEOUT * 2, dg.DagsterRunStatus.NOT_STARTED, True),
        (timedelta(0), dg.DagsterRunStatus.NOT_STARTED, False),
        (START_TIMEOUT * 2, dg.DagsterRunStatus.STARTED, False),
    ],
)
def test_a_run_of_no_session_is_failed_when_it_did_not_start_for_long(  # noqa: PLR0917 (fixtures and cases)
    instance, ledger, monkeypatch, age, status, failed
) -> None:
    run = left_behind(instance, status)

    class Later(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return datetime.now(tz) + age

    monkeypatch.setattr(orphaned_runs, "datetime", Later)
    assert fail_orphaned_runs(instance, ledger) == ([run] if failed else [])
