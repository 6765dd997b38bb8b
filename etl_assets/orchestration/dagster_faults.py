"""What Dagster's own records say is wrong: ticks that fail, runs that failed before they did anything, dead daemons."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.tags import (
    MAX_RETRIES_TAG,
    ROOT_RUN_ID_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
    WILL_RETRY_TAG,
)
from dagster._daemon.types import DaemonStatus
from dagster_shared.error import SerializableErrorInfo

from etl_assets.warehouse.alerts import Member

YOUNG = timedelta(minutes=2)
"""How old a daemon's heartbeat may be: they send one every half minute."""
LOOK_BACK = timedelta(days=1)
MOST_RUNS = 50


def is_alive(instance: dg.DagsterInstance) -> bool:
    """Whether every daemon that there is to be has lately given a sign of life."""
    oldest = (datetime.now(UTC) - YOUNG).timestamp()
    return all(_has_beaten(status, oldest) for status in instance.get_daemon_statuses().values() if status.required)


def _has_beaten(status: DaemonStatus, oldest: float) -> bool:
    return status.last_heartbeat is not None and status.last_heartbeat.timestamp > oldest


def retry_is_pending(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run, or the one that tries it again, is under way or is still to be tried again by itself."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return False
    again = instance.get_runs(dg.RunsFilter(tags={ROOT_RUN_ID_TAG: run.tags.get(ROOT_RUN_ID_TAG, run_id)}), limit=1)
    last = again[0] if again else run
    if not last.is_finished:
        return last is not run or int(run.tags.get(MAX_RETRIES_TAG, "0")) > 0
    return last.tags.get(WILL_RETRY_TAG) == "true"


def dagster_faults(
    instance: dg.DagsterInstance, now: datetime, *, with_batches: Callable[[list[str]], set[str]]
) -> list[Member]:
    """What is wrong now, each with a `rule` that says of what.

    `with_batches` gives those of some runs that began their work: what became of that the ledger knows itself.
    """
    return [*_failed_ticks(instance, now), *_failed_runs(instance, now, with_batches)]


def _failed_ticks(instance: dg.DagsterInstance, now: datetime) -> Iterator[Member]:
    """Schedules and sensors whose last tick failed."""
    states = {state.selector_id: state for state in instance.all_instigator_state() if state.is_running}
    latest = instance.get_batch_ticks(list(states), limit=1) if states else {}
    for selector, ticks in latest.items():
        for tick in ticks:
            moment = datetime.fromtimestamp(tick.timestamp, UTC)
            if tick.status == TickStatus.FAILURE and now - moment < LOOK_BACK:
                why = _root_cause(tick.error) if tick.error else "its tick failed"
                yield Member(relation="", rule=f"tick of {states[selector].instigator_name}", why=why, since=moment)


def _failed_runs(
    instance: dg.DagsterInstance, now: datetime, with_batches: Callable[[list[str]], set[str]]
) -> Iterator[Member]:
    """Runs that failed, are not tried again, and of which the ledger knows nothing: they did not come to their work."""
    failed = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - LOOK_BACK), limit=MOST_RUNS
    )
    known = with_batches([record.dagster_run.run_id for record in failed])
    found: dict[str, Member] = {}
    for record in failed:
        run = record.dagster_run
        if run.run_id in known or run.tags.get(WILL_RETRY_TAG) == "true":
            continue
        who = {name: run.tags[name] for name in (SCHEDULE_NAME_TAG, SENSOR_NAME_TAG) if name in run.tags}
        name = next(iter(who.values()), run.job_name)
        better = dg.RunsFilter(
            job_name=run.job_name,
            tags=who,
            statuses=[dg.DagsterRunStatus.SUCCESS],
            created_after=record.create_timestamp,
        )
        if name not in found and not instance.get_run_records(better, limit=1):
            why = f"run {run.run_id} failed before it did anything"
            found[name] = Member(relation="", rule=f"run of {name}", why=why, since=record.create_timestamp)
    yield from found.values()


def _root_cause(error: SerializableErrorInfo) -> str:
    """The root error; of those that are not ours their kind alone, for their words may hold a value."""
    while error.cause:
        error = error.cause
    is_ours = error.cls_name in {"EtlError", "TransientError", "Failure"}
    return error.message.strip().splitlines()[0].partition(": ")[2] if is_ours else error.cls_name or "an error"
