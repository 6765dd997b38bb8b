"""Sensors that run alone: new files start runs, and what is upstream starts what is built on it."""

from collections.abc import Iterator

import dagster as dg

from etl_assets.loading.intake import take_stock
from etl_assets.orchestration.jobs import RETRIES, everything_of, models_of
from etl_assets.orchestration.pending import Work, pending_work
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.spec.source import Source
from etl_assets.warehouse.connection import connect

LOOK_SECONDS = 20
"""A tick that takes a minute is cut off; what it entered into the ledger by then stays."""
MOST_RUNS = 10
"""Runs that one tick starts at the most: they are made one after another, six a second."""
ATTEMPTS = 3
FILES_TAG = "etl/files"


def file_sensor(source: Source) -> dg.SensorDefinition:
    """Watches the landing folder of a source, and starts a run for each span of dates that waiting files speak of."""

    @dg.sensor(
        name=f"{source.name}_files",
        asset_selection=everything_of(source),
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks for new and changed files of {source.title.lower()} and starts runs for their dates.",
    )
    def look(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult | dg.SkipReason:
        settings = warehouse.settings()
        with connect(settings, autocommit=True) as connection:
            stock = take_stock(settings, source, connection, seconds=LOOK_SECONDS)
            for name, reason in stock.failed.items():
                context.log.error(f"{name} cannot be taken in: {reason}")
            work = pending_work(connection, source)
        requests = list(_requests(context, source, work))[:MOST_RUNS]
        if requests:
            return dg.SensorResult(run_requests=requests)
        return dg.SkipReason(
            f"{len(stock.entered)} new files, {len(stock.duplicates)} seen before, {len(stock.failed)} unreadable,"
            f" {len(stock.left_alone)} still being written; {len(work)} spans under way."
            + ("" if stock.complete else " There are more; the next look goes on.")
        )

    return look


def _requests(context: dg.SensorEvaluationContext, source: Source, work: list[Work]) -> Iterator[dg.RunRequest]:
    for each in work:
        earlier = context.instance.get_runs(dg.RunsFilter(tags={FILES_TAG: each.digest}))
        if any(not run.is_finished for run in earlier):
            continue
        if len(earlier) >= ATTEMPTS:
            context.log.error(
                f"{each.span.first} to {each.span.last}: {ATTEMPTS} runs have not loaded the {len(each.files)} files"
                f" that wait. Look at the last run, {earlier[0].run_id}; then materialise the dates by hand."
            )
            continue
        chosen = dg.AssetSelection.assets(*each.selection(source)) | models_of(source)
        yield dg.RunRequest(
            run_key=f"{each.digest}:{len(earlier)}",
            tags={**RETRIES, **each.span.tags, FILES_TAG: each.digest},
            run_config={"ops": {f"load_{source.name}": {"config": {"again": False}}}},
            asset_selection=sorted(chosen.resolve(context.repository_def.asset_graph)),
        )


def follow_sensor() -> dg.AutomationConditionSensorDefinition:
    """Builds what is downstream of an asset that somebody materialised by hand."""
    return dg.AutomationConditionSensorDefinition(
        "follow_upstream",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        run_tags=dict(RETRIES),
        description="Builds models whose upstream has been materialised without them.",
    )
