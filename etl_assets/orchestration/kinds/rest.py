"""Services: their lists and open windows are read often, and the windows of a year seldom."""

from collections.abc import Iterator, Sequence

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.loading.guards import allowed_hours
from etl_assets.loading.load import LoadOptions
from etl_assets.loading.rest.budget import Budget
from etl_assets.loading.rest.forecast import forecast
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.orchestration.kinds.kind import Kind, LoadSchedule
from etl_assets.orchestration.partitions import recent_span
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.rest.job_ledger import active_jobs, instance_numbers

A_YEAR_OF_DAYS = 365
HOURS_OF_DAY = 24


def open_windows_due(settings: Settings, source: Source) -> list[tuple[Span, str]]:
    """A service is always asked for its open billing periods, or days."""
    del settings
    return [(recent_span(source, source.service.open_windows), f"the open {_windows(source)}")]


def service_schedules(source: Source) -> Sequence[LoadSchedule]:
    """Often for what is likely to have changed, and seldom for all.

    A correction of a window that is closed moves nothing that the service could be asked by; the sweep finds it. A
    service of lists alone needs no sweep: each read is of everything.
    """
    service = source.service
    if source.jobs:
        return phase_schedules(source)
    if not any(table.partition_column for table in source.tables):
        return [LoadSchedule(name="lists", cron=service.cron, what="every list")]
    year = source.calendar.periods_in_year if source.calendar else A_YEAR_OF_DAYS
    number = {1: "last", 2: "last two"}.get(service.open_windows, f"last {service.open_windows}")
    return [
        LoadSchedule(
            name="open_periods" if source.calendar else "open_days",
            cron=service.cron,
            windows=service.open_windows,
            what=f"the {number} {_windows(source)}",
        ),
        LoadSchedule(
            name="sweep",
            cron=service.sweep_cron,
            windows=service.sweep_windows or year,
            what=f"a year's {_windows(source)}",
        ),
    ]


def phase_schedules(source: Source) -> Sequence[LoadSchedule]:
    """One phase of jobs an hour, from the hour of the service's own schedule on, and a run for each instance.

    What is built follows the last phase: before, tables of one night would meet those of the night before.
    """
    minute, hour, *rest = source.service.cron.split()
    phases = sorted({job.phase for job in source.jobs})
    return [
        LoadSchedule(
            name=f"phase_{phase}",
            cron=" ".join([minute, str((int(hour) + place) % HOURS_OF_DAY), *rest]),
            what=f"the jobs of phase {phase}",
            options={"jobs": [job.id for job in jobs]},
            tables=sorted({job.table for job in jobs}),
            builds=phase == phases[-1],
            each_instance=source.service.instances,
        )
        for place, phase in enumerate(phases)
        if (jobs := [job for job in source.jobs if job.phase == phase and not job.replaced_by])
    ]


def describe_requests(settings: Settings, source: Source, tables: Sequence[str], options: LoadOptions) -> Iterator[str]:
    """What configured jobs are expected to cost at each instance; nothing is asked of the service."""
    if not source.jobs:
        return
    given = source.service.settings_by_instance(settings.of_source(source.name))
    with connect(settings, autocommit=True) as connection:
        chosen = set(options.jobs) or active_jobs(connection, source.name)
        jobs = [job for job in source.jobs if job.id in chosen and (not tables or job.table in tables)]
        numbers = instance_numbers(connection, source.name)
        for name in options.instances or given:
            if name not in numbers:
                yield f"  {name}: never loaded, so there is nothing to forecast from."
                continue
            budget = Budget.of(given[name], f"ETL_{source.name}_{name}".upper())
            found = forecast(connection, source, jobs, numbers[name], budget)
            for each in found.jobs:
                rows = f" for {each.parents:,} rows" * bool(each.parents)
                minutes = each.time.total_seconds() / 60
                job = f"{each.job.id:>4} {each.job.name:28}"
                yield f"  {name}  {job} {each.requests:>9,} requests{rows}, {minutes:,.1f} min"
            hours = found.time.total_seconds() / 3600
            nights = f"{found.nights:,} night{'s' * (found.nights != 1)}"
            yield f"  {name}: {found.requests:,} requests, {hours:,.2f} hours, {nights}. Nothing was asked."


def _windows(source: Source) -> str:
    return "billing periods" if source.calendar else "days"


def instances_of(settings: Settings, source: Source) -> dict[str, dict[str, str]]:
    """What is set of each instance of a service, by its name; raises as `Service.settings_by_instance`."""
    return source.service.settings_by_instance(settings.of_source(source.name))


REST = Kind(
    icon="json",
    strategy=RestStrategy,
    due=open_windows_due,
    schedules=service_schedules,
    setting_checks=(allowed_hours, instances_of),
    plan=describe_requests,
)
