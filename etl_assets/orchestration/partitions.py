"""Schedule dates as Dagster partitions, and the spans of them that runs are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from etl_assets.spec.table import PerFile

# A quarter's file has no Sundays in it; it is still one run. Longer gaps, and gaps that others' data lie in, divide.
BRIDGE = timedelta(days=14)


@dataclass(frozen=True, order=True)
class Span:
    """Consecutive schedule dates, both ends included."""

    first: date
    last: date

    @property
    def tags(self) -> dict[str, str]:
        """The tags that make a run one of these partitions."""
        return {
            "dagster/asset_partition_range_start": self.first.isoformat(),
            "dagster/asset_partition_range_end": self.last.isoformat(),
        }


def schedule_dates(load: PerFile) -> dg.DailyPartitionsDefinition:
    """One partition a schedule date, as far ahead as files may speak of."""
    # Dagster's own last partition is yesterday's.
    return dg.DailyPartitionsDefinition(start_date=load.start.isoformat(), end_offset=load.horizon_days + 1)


def spans(dates: Iterable[date], held: Iterable[date] = ()) -> list[Span]:
    """The fewest spans that cover the dates, over gaps of up to a fortnight in which nothing is held.

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


def span_of(tags: Mapping[str, str]) -> Span | None:
    """The schedule dates that a run's tags name; None for a run without partitions."""
    single = tags.get("dagster/partition")
    first = tags.get("dagster/asset_partition_range_start", single)
    last = tags.get("dagster/asset_partition_range_end", single)
    if not first or not last:
        return None
    return Span(date.fromisoformat(first), date.fromisoformat(last))


def _bridged(earlier: date, later: date, held: Sequence[date]) -> bool:
    return later - earlier <= BRIDGE and not any(earlier < day < later for day in held)
