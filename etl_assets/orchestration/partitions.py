"""Schedule dates and billing periods as Dagster partitions, and the spans of them that runs are made of."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from etl_assets.declare.dates import Span
from etl_assets.declare.hours import source_zone
from etl_assets.declare.source import Source
from etl_assets.settings import Settings

# A quarter's file has no Sundays in it; it is still one run. Longer gaps, and gaps that others' data lie in, divide.
BRIDGE = timedelta(days=14)


def today() -> date:
    """The date in UTC."""
    return datetime.now(UTC).date()


def partitions_of(source: Source) -> dg.PartitionsDefinition[str]:
    """One partition a billing period, where the source has a calendar, or one a schedule date."""
    if source.calendar:
        # Cron cannot say every fourteen days, and Dagster would forget a mapping of our own making.
        return dg.StaticPartitionsDefinition(list(source.calendar.by_id))
    possible = source.dates(today())
    # Dagster's own last partition is yesterday's.
    return dg.DailyPartitionsDefinition(
        start_date=possible.first.isoformat(), end_offset=(possible.last - today()).days + 1
    )


def whole_periods(source: Source, span: Span) -> Span:
    """The span, with the rest of the billing periods that it begins and ends in.

    Raises:
        EtlError: It lies outside of the calendar.
    """
    if source.calendar is None:
        return span
    return Span(source.calendar.period_of(span.first).first, source.calendar.period_of(span.last).last)


def recent_span(source: Source, periods: int) -> Span:
    """The billing period (or, without a calendar, the day) of today and those before it, so many in all."""
    if source.calendar is None:
        begins = max(today() - timedelta(days=periods - 1), source.dates(today()).first)
        return Span(min(begins, today()), today())
    place = source.calendar.periods.index(source.calendar.period_of(today()))
    return Span(source.calendar.periods[max(place - periods + 1, 0)].first, source.calendar.periods[place].last)


def tags_of(source: Source, span: Span) -> dict[str, str]:
    """The tags that make a run that of these partitions; of a billing period that is touched, all is run."""
    first, last = span.first.isoformat(), span.last.isoformat()
    if source.calendar:
        first, last = source.calendar.period_of(span.first).id, source.calendar.period_of(span.last).id
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def spans(dates: Iterable[date], held: Iterable[date] = ()) -> list[Span]:
    """Merge dates into the fewest spans that cover them, over gaps of up to a fortnight without other data.

    Args:
        dates: Those to cover.
        held: Dates that others' data lie in; no span may cover one that is not asked for.
    """
    wanted = sorted(set(dates))
    between = sorted(set(held) - set(wanted))
    found: list[Span] = []
    for day in wanted:
        if found and _bridged(found[-1].last, day, between):
            found[-1] = Span(found[-1].first, day)
        else:
            found.append(Span(day, day))
    return found


def span_of(source: Source, tags: Mapping[str, str]) -> Span | None:
    """The dates that a run's tags name; None for a run without partitions."""
    single = tags.get("dagster/partition")
    first = tags.get("dagster/asset_partition_range_start", single)
    last = tags.get("dagster/asset_partition_range_end", single)
    if not first or not last:
        return None
    if source.calendar:
        return Span(source.calendar.named(first).first, source.calendar.named(last).last)
    return Span(date.fromisoformat(first), date.fromisoformat(last))


def local_day(settings: Settings, source: Source, moment: datetime) -> date:
    """The day that it is at a source, by its setting `timezone`: in the evening another one than in UTC.

    Raises:
        EtlError: The setting names no time zone.
    """
    return moment.astimezone(source_zone(settings.of_source(source.name), f"ETL_{source.name}".upper())).date()


def with_local_day(span: Span | None, as_of: date, moment: datetime) -> Span | None:
    """The span of a run; one that has today in it, by UTC, has the source's own day in it too."""
    if span is None or not span.first <= moment.date() <= span.last:
        return span
    return Span(min(span.first, as_of), max(span.last, as_of))


def _bridged(earlier: date, later: date, held: Sequence[date]) -> bool:
    return later - earlier <= BRIDGE and not any(earlier < day < later for day in held)
