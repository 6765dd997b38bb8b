"""Billing calendars: the one definition that Dagster's partitions, the warehouse's table and the sandbox are made from.

A calendar is a row of periods without a gap and without an overlap. A period belongs to the fiscal year in which it
ends; so fourteen days at a time, every eleventh year or so has 27 periods (2032 is the first), and none begins anew.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from etl_assets.errors import EtlError

PERIODS_PER_YEAR = {"biweekly": 26, "weekly": 52, "semi-monthly": 24, "monthly": 12, "4-4-5": 12}
"""The kinds of calendars, and the periods of an ordinary year of each."""
WEEKS_PER_PERIOD = (4, 4, 5)


@dataclass(frozen=True, order=True)
class Span:
    """Consecutive dates, both ends included."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def extended(self, by: timedelta) -> "Span":
        """The span with so many days more at either end."""
        return Span(self.first - by, self.last + by)


def bounds_of(span: Span | None) -> tuple[date, date] | tuple[None, None]:
    """First and last date, as parameters of a statement; both null where every date is meant."""
    return (span.first, span.last) if span else (None, None)


@dataclass(frozen=True, order=True)
class Period:
    """One billing period, both ends included."""

    first: date
    last: date
    fiscal_year: int
    number: int

    @property
    def id(self) -> str:
        """`YYYY_PP`, such as 2025_12."""
        return f"{self.fiscal_year}_{self.number:02}"


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The billing periods of some years."""

    kind: str
    """biweekly, weekly, semi-monthly (1st to 15th, 16th to the end), monthly or 4-4-5."""
    anchor: date
    """The first day of any one period; its weekday is that of all periods that are made of weeks. For 4-4-5 the
    fiscal year ends on the last such eve of December."""
    first_year: int
    last_year: int

    def __post_init__(self) -> None:
        if self.kind not in PERIODS_PER_YEAR:
            raise ValueError(f"calendar {self.kind!r} is none of {', '.join(PERIODS_PER_YEAR)}")
        if self.first_year > self.last_year:
            raise ValueError(f"a calendar cannot go from {self.first_year} to {self.last_year}")

    @property
    def periods_in_year(self) -> int:
        """Periods of an ordinary year: 26, 52, 24 or 12."""
        return PERIODS_PER_YEAR[self.kind]

    @cached_property
    def periods(self) -> tuple[Period, ...]:
        """Every period, in order."""
        found = []
        year, number = self.first_year, 0
        for first, last in self._spans():
            ends_in = self._fiscal_year(last)
            if not self.first_year <= ends_in <= self.last_year:
                continue
            year, number = (year, number + 1) if ends_in == year else (ends_in, 1)
            found.append(Period(first, last, year, number))
        return tuple(found)

    @cached_property
    def by_id(self) -> dict[str, Period]:
        """The periods by their ids, in order."""
        return {period.id: period for period in self.periods}

    def period_of(self, day: date) -> Period:
        """The period in which a date lies.

        Raises:
            EtlError: The date lies outside of the calendar.
        """
        place = bisect_right(self.periods, day, key=lambda period: period.first) - 1
        if place < 0 or day > self.periods[place].last:
            raise EtlError(
                f"{day} is in no billing period: the calendar goes from {self.periods[0].first} to"
                f" {self.periods[-1].last}. Is the date right? If so, widen the calendar's years."
            )
        return self.periods[place]

    def named(self, period_id: str) -> Period:
        """The period of that id.

        Raises:
            EtlError: There is none.
        """
        if period_id not in self.by_id:
            raise EtlError(
                f"no billing period {period_id!r}; there are {self.periods[0].id} to {self.periods[-1].id},"
                f" {self.kind}."
            )
        return self.by_id[period_id]

    def between(self, first: date, last: date) -> tuple[Period, ...]:
        """The periods that share a day with a span of dates, both ends included; none outside of the calendar."""
        return tuple(period for period in self.periods if period.first <= last and period.last >= first)

    def _spans(self) -> Iterator[tuple[date, date]]:
        """First and last days, from before the first year's start to after the last one's end."""
        begin, end = date(self.first_year - 1, 1, 1), date(self.last_year + 1, 12, 31)
        if self.kind in {"monthly", "semi-monthly"}:
            starts = _month_starts(begin, end, halves=self.kind == "semi-monthly")
        elif self.kind == "4-4-5":
            starts = self._quarter_starts()
        else:
            starts = _every(timedelta(days=14 if self.kind == "biweekly" else 7), self.anchor, begin, end)
        previous = None
        for start in starts:
            if previous is not None:
                yield previous, start - timedelta(days=1)
            previous = start

    def _quarter_starts(self) -> Iterator[date]:
        """Quarters of 4, 4 and 5 weeks; a year of 53 weeks has its extra week in the last period."""
        for year in range(self.first_year - 1, self.last_year + 2):
            start = self._year_end(year - 1) + timedelta(days=1)
            for weeks in WEEKS_PER_PERIOD * 4:
                yield start
                start += timedelta(weeks=weeks)

    def _year_end(self, year: int) -> date:
        """The last day of December that is the eve of the anchor's weekday."""
        last = date(year, 12, 31)
        return last - timedelta(days=(last.weekday() - (self.anchor.weekday() - 1)) % 7)

    def _fiscal_year(self, last: date) -> int:
        if self.kind != "4-4-5":
            return last.year
        return last.year if last <= self._year_end(last.year) else last.year + 1


def _every(step: timedelta, anchor: date, begin: date, end: date) -> Iterator[date]:
    start = anchor + step * ((begin - anchor) // step)
    while start <= end:
        yield start
        start += step


def _month_starts(begin: date, end: date, *, halves: bool) -> Iterator[date]:
    for year in range(begin.year, end.year + 1):
        for month in range(1, 13):
            yield date(year, month, 1)
            if halves:
                yield date(year, month, 16)
