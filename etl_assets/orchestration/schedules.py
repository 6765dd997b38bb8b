"""Schedules: when sources are read, models rebuilt and old records deleted."""

from datetime import UTC, datetime

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.loading.guards import allowed_hours
from etl_assets.orchestration.asset_keys import asset_key
from etl_assets.orchestration.housekeeping import housekeeping
from etl_assets.orchestration.jobs import everything_of, models_of
from etl_assets.orchestration.kinds import kind_of
from etl_assets.orchestration.kinds.kind import LoadSchedule
from etl_assets.orchestration.models.dbt_assets import MODE_TAG
from etl_assets.orchestration.partitions import recent_span, tags_of, today
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.retries import RETRIES
from etl_assets.orchestration.staging_assets import load_config
from etl_assets.orchestration.staleness import failed_keys, stale_in
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import date_bounds


def nightly_rebuild(source: Source) -> dg.ScheduleDefinition:
    """Builds every date once a night, as a proof: what it finds to change was missed by the builds of the day."""

    @dg.schedule(
        name=f"{source.name}_nightly_rebuild",
        target=models_of(source),
        cron_schedule="30 2 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.title}: build all dates again; only what differs is written, and told of.",
    )
    def tick(context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource) -> dg.RunRequest | dg.SkipReason:
        with connect(warehouse.settings(), autocommit=True) as connection:
            dates = date_bounds(connection, source.name, source.dates(today()))
            failed = failed_keys(connection, source)
        if dates is None:
            return dg.SkipReason(f"Nothing of {source.title.lower()} has been loaded yet.")
        if not failed:
            return dg.RunRequest(tags={**tags_of(source, dates), MODE_TAG: "full"})
        graph = context.repository_def.asset_graph
        models = models_of(source).resolve(graph)
        return dg.RunRequest(
            tags={**tags_of(source, dates), MODE_TAG: "full"},
            asset_selection=sorted(models - stale_in(graph, models, failed)),
        )

    return tick


def load_schedules(source: Source) -> list[dg.ScheduleDefinition]:
    """When a source is read that does not deliver by itself; its kind says when, and what of it."""
    return [_load_schedule(source, each) for each in kind_of(source).schedules(source)]


def _load_schedule(source: Source, schedule: LoadSchedule) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{source.name}_{schedule.name}",
        target=everything_of(source),
        cron_schedule=schedule.cron,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.title}: read {schedule.what}, check it and build what follows.",
    )
    def tick(warehouse: WarehouseResource) -> list[dg.RunRequest] | dg.SkipReason:
        settings = warehouse.settings()
        missing = source.missing_settings(settings.of_source(source.name))
        if missing:
            return dg.SkipReason(f"{source.title} cannot be reached: not set is {', '.join(missing)}.")
        hours = allowed_hours(settings, source)
        if hours and not hours.allows(datetime.now(UTC)):
            return dg.SkipReason(f"{source.title} is read at {hours} only.")
        given = settings.of_source(source.name)
        names = list(source.service.settings_by_instance(given)) if schedule.each_instance else [""]
        return [_run_request(source, schedule, name) for name in names]

    return tick


def _run_request(source: Source, schedule: LoadSchedule, instance: str) -> dg.RunRequest:
    """The run that a schedule asks for, of one instance where one is named."""
    tables = schedule.tables or [table.name for table in source.tables]
    options = {**schedule.options, **({"instances": [instance]} if instance else {})}
    return dg.RunRequest(
        run_key=instance or None,  # of a tick's several runs; each tick has its own
        tags={**RETRIES, **tags_of(source, recent_span(source, schedule.windows))},
        run_config=load_config(source, tables, options) if options else {},
        asset_selection=_chosen_assets(source, schedule),
    )


def _chosen_assets(source: Source, schedule: LoadSchedule) -> list[dg.AssetKey] | None:
    """What a schedule's run is of; everything where None."""
    if schedule.builds:
        return None
    return sorted(asset_key(source, name) for name in schedule.tables)


nightly_housekeeping = dg.ScheduleDefinition(
    name="nightly_housekeeping",
    job=housekeeping,
    cron_schedule="15 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
