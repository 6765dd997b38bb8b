"""What the clock starts."""

import dagster as dg

from etl_assets.orchestration.housekeeping import housekeeping
from etl_assets.orchestration.jobs import RETRIES, everything_of, models_of
from etl_assets.orchestration.partitions import Span, recent, tags_of, today
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.spec.source import Service, Source
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
    """When a service is asked: often for the open billing periods, and seldom for all of a year.

    A correction of a closed period moves nothing that the service could be asked by; the sweep finds it.
    """
    service = source.reader
    if not isinstance(service, Service) or source.calendar is None:
        return []
    open_periods = _reading(
        source,
        f"{source.name}_open_periods",
        cron=service.cron,
        periods=OPEN_PERIODS,
        what="the open billing period and the one before",
    )
    sweep = _reading(
        source,
        f"{source.name}_sweep",
        cron=service.sweep_cron,
        periods=source.calendar.periods_in_year,
        what="the billing periods of a year, for what was corrected late",
    )
    return [open_periods, sweep]


def _reading(source: Source, name: str, *, cron: str, periods: int, what: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        target=everything_of(source),
        cron_schedule=cron,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.title}: read {what}, check them and build what follows.",
    )
    def tick(warehouse: WarehouseResource) -> dg.RunRequest | dg.SkipReason:
        missing = source.unset(warehouse.settings().of_source(source.name))
        if missing:
            return dg.SkipReason(f"{source.title} cannot be reached: not set is {', '.join(missing)}.")
        return dg.RunRequest(tags={**RETRIES, **tags_of(source, recent(source, periods))})

    return tick


nightly_housekeeping = dg.ScheduleDefinition(
    name="nightly_housekeeping",
    job=housekeeping,
    cron_schedule="15 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
