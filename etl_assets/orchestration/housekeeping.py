"""Retention of records, Dagster's and the ledger's: what is old and over is deleted; sums of keys are added up."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.warehouse.alerts import forget_alerts
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger_retention import forget_quiet_history
from etl_assets.warehouse.preview import drop_stale_previews
from etl_assets.warehouse.proof import fold_key_digests

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.op
def forget_old_runs(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    """Delete runs of long ago and what they logged; those that made what the UI shows today keep just that."""
    from etl_assets.orchestration.storage import KeptEventLogStorage  # SQLAlchemy, which the declarations do without

    instance, before = context.instance, datetime.now(UTC) - timedelta(days=warehouse.settings().dagster_keep_days)
    storage = instance.event_log_storage
    if not isinstance(storage, KeptEventLogStorage):
        raise dg.Failure("Dagster's records are in another storage than dagster.yaml of this project names.")
    in_force = storage.runs_in_force()
    old = set(instance.get_run_ids(dg.RunsFilter(created_before=before, statuses=ENDED)))
    for run_id in old - in_force:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    storage.keep_only_in_force(old & in_force)
    results = storage.forget_check_results(before)
    storage.forget_runless_events(before)
    context.log.info(
        f"{len(old - in_force)} runs and {results} results of checks from before {before:%Y-%m-%d} deleted;"
        f" {len(old & in_force)} runs made what is shown today, and keep that."
    )


@dg.op
def add_up_key_digests(warehouse: WarehouseResource) -> None:
    """Add up the lines of `etl.key_digest`: each statement of a load writes some."""
    with connect(warehouse.settings(), autocommit=True) as connection:
        fold_key_digests(connection)


@dg.op
def forget_old_alerts(warehouse: WarehouseResource) -> None:
    """Delete alerts, messages and silences that were over long ago."""
    with connect(warehouse.settings(), autocommit=True) as connection:
        forget_alerts(connection)


@dg.op
def forget_old_ledger(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    """Delete from the ledger what says that nothing happened long ago: each hour writes some of each table."""
    settings = warehouse.settings()
    with connect(settings, autocommit=True) as connection:
        rows = forget_quiet_history(connection, settings.ledger_keep_days)
    context.log.info(f"{rows:,} rows of the ledger of more than {settings.ledger_keep_days:g} days ago deleted.")


@dg.op
def drop_left_preview(warehouse: WarehouseResource) -> None:
    """Drop the schemas of a preview that was killed: they hold copies of tables, of persons' rows too."""
    with connect(warehouse.settings(), role=None, autocommit=True) as connection:
        drop_stale_previews(connection)


@dg.job(
    description="Delete what Dagster keeps of runs of long ago, and of the ledger what says that nothing happened then."
)
def housekeeping() -> None:
    """Delete old records, and keep the proof of completeness short."""
    forget_old_runs()
    add_up_key_digests()
    forget_old_alerts()
    forget_old_ledger()
    drop_left_preview()
