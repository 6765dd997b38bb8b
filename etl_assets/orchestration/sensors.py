"""Sensors that run alone: new files start runs, and so does staging whose models are behind."""

import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.loading.files.landing import ScanResult
from etl_assets.orchestration.checks import check_keys
from etl_assets.orchestration.jobs import everything_of, models_of
from etl_assets.orchestration.kinds import kind_of
from etl_assets.orchestration.models.dbt_assets import MODE_TAG
from etl_assets.orchestration.orphaned_runs import fail_orphaned_runs
from etl_assets.orchestration.partitions import tags_of
from etl_assets.orchestration.pending import Work, digest_of, pending_work
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.retries import RETRIES
from etl_assets.orchestration.staging_assets import load_config
from etl_assets.orchestration.staleness import failed_keys, stale_in
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import abandon_dead_batches

FILES_SECONDS = 4
"""The daemon comes by every five seconds; asked for just these, it passes over a look that it is a moment early for."""
MODELS_SECONDS = 14
"""Of a source that no files are dropped for: a look costs 0.1 s of CPU, daemon and databases included."""
ORPHANS_SECONDS = 60.0
"""How often runs whose process died are looked for while nothing is to be done: that opens Dagster's records anew,
which takes 65 ms of CPU, and all else that a look does takes 15."""
LOOK_SECONDS = 20
"""A tick that takes a minute is cut off; what it entered into the ledger by then stays."""
MOST_RUNS = 10
"""Runs that one tick starts at the most: they are made one after another, six a second."""
ATTEMPTS = 3
WORK_TAG = "etl/work"


def work_sensor(source: Source) -> dg.SensorDefinition:
    """Starts a run for each span of dates that there is work on: of files that came, of models that are behind."""
    scan_deliveries = kind_of(source).scan
    delivers = scan_deliveries is not None

    @dg.sensor(
        name=f"{source.name}_{'files' if delivers else 'models'}",
        asset_selection=everything_of(source),
        minimum_interval_seconds=FILES_SECONDS if delivers else MODELS_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"{source.title}: "
        + "looks for new and changed files and starts runs for their dates; " * delivers
        + "builds the models of dates that were loaded without them.",
    )
    def look(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult | dg.SkipReason:
        settings = warehouse.settings()
        with connect(settings, autocommit=True) as connection:
            abandoned = abandon_dead_batches(connection)
            scan = ScanResult()
            if scan_deliveries:
                # What was just dropped is waited for here, and not until the next look.
                settle_seconds = min(settings.file_quiet_seconds, LOOK_SECONDS)
                scan = scan_deliveries(
                    settings, source, connection, seconds=LOOK_SECONDS, settle_seconds=settle_seconds
                )
            for reason in scan.failed.values():
                context.log.error(reason)
            work = pending_work(connection, settings, source)
            if work or abandoned or _orphans_are_due(context.cursor):
                fail_orphaned_runs(context.instance, connection)
                context.update_cursor(f"{time.time():.0f}")
            failed = failed_keys(connection, source) if work else set()
        requests = list(_requests(context, source, work, failed))[:MOST_RUNS] if work else []
        if requests:
            return dg.SensorResult(run_requests=requests)
        files = (
            f"{len(scan.registered)} new files, {len(scan.duplicates)} seen before, {len(scan.failed)} unreadable,"
            f" {len(scan.unsettled)} still being written; "
        )
        return dg.SkipReason(
            files * delivers
            + f"{len(work)} spans wait or are under way."
            + ("" if scan.complete else " There are more; the next look goes on.")
        )

    return look


def _orphans_are_due(cursor: str | None) -> bool:
    """Whether orphaned runs were not looked for lately; the sensor's cursor is when they were."""
    return cursor is None or not 0 <= time.time() - float(cursor) < ORPHANS_SECONDS


def _requests(
    context: dg.SensorEvaluationContext, source: Source, work: list[Work], failed: AbstractSet[dg.AssetKey]
) -> Iterator[dg.RunRequest]:
    graph = context.repository_def.asset_graph  # type: ignore[union-attr]  # a sensor in use has one
    for each in work:
        models = models_of(source).resolve(graph) if each.files else each.models
        # What is loaded now may be what had failed; what is only built is not built on it.
        chosen = models if each.files else models - stale_in(graph, models, failed)
        digest = (
            each.digest
            if chosen == models
            else f"{each.digest} without {digest_of(key.to_user_string() for key in failed)}"
        )
        earlier = context.instance.get_runs(dg.RunsFilter(tags={WORK_TAG: digest}))
        if any(not run.is_finished for run in earlier) or (not each.files and _at_work(context.instance, models)):
            continue
        if not chosen or (chosen != models and any(run.is_success for run in earlier)):
            continue
        if len(earlier) >= ATTEMPTS:
            context.log.error(
                f"{each.span.first} to {each.span.last}: {ATTEMPTS} runs have not done what waits there. Look at the"
                f" last one, {earlier[0].run_id}, mend what it says, and materialise the dates by hand."
            )
            continue
        yield dg.RunRequest(
            run_key=f"{digest}:{len(earlier)}",
            tags={**RETRIES, **tags_of(source, each.span), WORK_TAG: digest, MODE_TAG: "changed"},
            run_config=load_config(source, {file.table_name for file in each.files}, {"reload": False}),
            asset_selection=sorted(each.staging(source) | chosen),
            # Where nothing is loaded, the rules of staging still stand between it and what is built on it.
            asset_check_keys=None
            if each.files
            else [*check_keys(source), *(key for key in graph.asset_check_keys if key.asset_key in chosen)],
        )


def _at_work(instance: dg.DagsterInstance, models: AbstractSet[dg.AssetKey]) -> bool:
    """Whether some run that has not ended will build models: what it leaves behind, the next look finds."""
    unfinished = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    runs = instance.get_runs(dg.RunsFilter(statuses=[*unfinished, dg.DagsterRunStatus.NOT_STARTED]))
    return any(run.asset_selection is None or run.asset_selection & models for run in runs)
