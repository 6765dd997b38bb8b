"""Orphaned runs: their process died without a word; the ledger knows of them, and Dagster may not.

A killed process leaves its run STARTED and its slots of a pool claimed, or NOT_STARTED where it had come no further.
The daemon frees them where it runs and saw the end; a run of the terminal has no daemon, and a host that went down took
it along. The next run would wait for ever.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from etl_assets.orchestration.run_launcher import NO_WORKER, WORKER_TAG
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.ledger import abandoned_runs
from etl_assets.warehouse.sessions import is_session_alive

SESSION_TAG = "etl/session"
"""The tag of a run of the terminal: the session of its process."""
START_TIMEOUT = timedelta(minutes=10)
"""How long a run that is in no queue may take to start; dagster.yaml gives it half of that where a daemon runs."""
LOCK_TIMEOUT = timedelta(minutes=1)
"""How long the process of a run may take until it holds its lock: it is the first thing that it does."""
MOST_RUNS = 1000
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def fail_orphaned_runs(instance: dg.DagsterInstance, connection: Connection) -> list[str]:
    """Fail the runs whose process died, and free their concurrency slots.

    Known by their batch, which was abandoned, or by the session of their process; or by not having started for long.

    Args:
        instance: Where the runs are.
        connection: In autocommit mode.

    Returns:
        The runs' ids.
    """
    abandoned = set(abandoned_runs(connection))
    records = instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED), limit=MOST_RUNS)
    orphaned = [
        record.dagster_run
        for record in records
        if record.dagster_run.run_id in abandoned or _is_orphaned(record, connection)
    ]
    for run in orphaned:
        instance.report_run_failed(run, "Its process died; what it had not committed was rolled back.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in orphaned]


def _is_orphaned(record: dg.RunRecord, connection: Connection) -> bool:
    run = record.dagster_run
    session = run.tags.get(SESSION_TAG)
    if session and run.parent_run_id is None:  # one that is run again has the tags of the first, and another process
        return not is_session_alive(connection, session)
    if run.status is dg.DagsterRunStatus.STARTING and run.tags.get(WORKER_TAG, NO_WORKER) != NO_WORKER:
        return _age(record.update_timestamp) > LOCK_TIMEOUT and not is_session_alive(connection, run.run_id)
    return run.status is dg.DagsterRunStatus.NOT_STARTED and _age(record.create_timestamp) > START_TIMEOUT


def _age(moment: datetime) -> timedelta:
    return datetime.now(UTC) - moment.replace(tzinfo=moment.tzinfo or UTC)
