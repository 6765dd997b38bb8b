"""What the clock starts."""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from etl_assets.declare.source import Database, Service, Source
from etl_assets.orchestration.housekeeping import housekeeping
from etl_assets.orchestration.jobs import everything_of, models_of
from etl_assets.orchestration.partitions import Span, recent, tags_of, today
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.retries import RETRIES
from etl_assets.orchestration.staging_assets import hours_of, load_config
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import reach

OPEN_PERIODS = 2
"""The billing period of today and the one before, whose hours are still being approved."""


def reconciliation(source: Source) -> dg.ScheduleDefinition:
    """Builds every date once a night: a dimension's history that changed late reaches the facts of other dates."""

    @dg.schedule(
        name=f"{source.name}_reconciliation",
        target=models_of(source),
        cron_schedule="30 2 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.title}: build all dates again; only what differs is written.",
    )
    def tick(warehouse: WarehouseResource) -> dg.RunRequest | dg.SkipReason:
        with connect(warehouse.settings(), autocommit=True) as connection:
            dates = reach(connection, source.name, *source.dates(today()))
        if dates is None:
            return dg.SkipReason(f"Nothing of {source.title.lower()} has been loaded yet.")
        return dg.RunRequest(tags=tags_of(source, Span(*dates)))

    return tick


def readings(source: Source) -> list[dg.ScheduleDefinition]:
    """When a source is asked that does not send: often for what is likely to have changed, and seldom for all.

    A service's correction of a closed period moves nothing that it could be asked by, and neither does a database's row
    that is deleted or written past its stamp; the sweep finds them.
    """
    reader = source.reader
    if isinstance(reader, Service) and source.calendar:
        year = source.calendar.periods_in_year
        return [
            _reading(source, "open_periods", reader.cron, periods=OPEN_PERIODS, what="the last two billing periods"),
            _reading(source, "sweep", reader.sweep_cron, periods=year, what="a year's billing periods"),
        ]
    if isinstance(reader, Database):
        return [
            _reading(source, "changes", reader.cron, what="what changed"),
            _reading(source, "sweep", reader.sweep_cron, what="every row, compared", config={"sweep": True}),
        ]
    return []


def _reading(
    source: Source, name: str, cron: str, *, what: str, periods: int = 1, config: Mapping[str, bool] | None = None
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{source.name}_{name}",
        target=everything_of(source),
        cron_schedule=cron,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.title}: read {what}, check it and build what follows.",
    )
    def tick(warehouse: WarehouseResource) -> dg.RunRequest | dg.SkipReason:
        settings = warehouse.settings()
        missing = source.unset(settings.of_source(source.name))
        if missing:
            return dg.SkipReason(f"{source.title} cannot be reached: not set is {', '.join(missing)}.")
        hours = hours_of(settings, source)
        if hours and not hours.allow(datetime.now(UTC)):
            return dg.SkipReason(f"{source.title} is read at {hours} only.")
        tables = [table.name for table in source.tables]
        return dg.RunRequest(
            tags={**RETRIES, **tags_of(source, recent(source, periods))},
            run_config=load_config(source, tables, config) if config else {},
        )

    return tick


nightly_housekeeping = dg.ScheduleDefinition(
    name="nightly_housekeeping",
    job=housekeeping,
    cron_schedule="15 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
