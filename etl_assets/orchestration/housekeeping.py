"""Retention of Dagster's own records: old runs, events and dbt targets are deleted."""

import shutil
import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from etl_assets.orchestration.dbt_project import TARGET

KEEP_RUNS = timedelta(days=90)
KEEP_DBT_TARGETS = timedelta(days=2)
RUNS_AT_A_TIME = 1000
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.op
def forget_old_runs(context: dg.OpExecutionContext) -> None:
    """Delete runs of long ago with their events, but for those that made what a partition holds today."""
    before = datetime.now(UTC) - KEEP_RUNS
    needed = _runs_in_force(context.instance)
    old = context.instance.get_runs(dg.RunsFilter(created_before=before, statuses=ENDED), limit=RUNS_AT_A_TIME)
    gone = [run.run_id for run in old if run.run_id not in needed]
    for run_id in gone:
        context.instance.delete_run(run_id)
    context.log.info(f"{len(gone)} runs from before {before:%Y-%m-%d} deleted, {len(old) - len(gone)} still in force.")


@dg.op
def forget_old_dbt_targets(context: dg.OpExecutionContext) -> None:
    """Delete the folders that dbt left behind for each of its calls."""
    before = time.time() - KEEP_DBT_TARGETS.total_seconds()
    folders = [path for path in TARGET.glob("*") if path.is_dir() and path.stat().st_mtime < before]
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    context.log.info(f"{len(folders)} dbt targets deleted.")


@dg.job(description="Delete what Dagster and dbt keep of runs of long ago; the ledger in the warehouse stays.")
def housekeeping() -> None:
    """Delete old records."""
    forget_old_runs()
    forget_old_dbt_targets()


def _runs_in_force(instance: dg.DagsterInstance) -> set[str]:
    """The runs that last materialised an asset or one of its partitions: the UI shows a partition by its event."""
    keys = list(instance.all_asset_keys())
    newest = (record.asset_entry.last_materialization_record for record in instance.get_asset_records(keys))
    needed = {record.run_id for record in newest if record}
    for key in keys:
        by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        if by_partition:
            records = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, storage_ids=list(by_partition.values())), limit=len(by_partition)
            )
            needed |= {record.run_id for record in records.records}
    return needed
