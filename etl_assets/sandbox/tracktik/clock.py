"""Days and times: a shift begins and ends by the clock of its site, and lasts as long as the sun says."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from etl_assets.declare.dates import Calendar
from etl_assets.sandbox.tracktik.money import to_hours

CALENDAR = Calendar(kind="biweekly", anchor=date(2024, 12, 27), first_year=2015, last_year=2045)
"""The billing periods: fourteen days, Friday to Thursday."""
_FRIDAY = 4


@cache
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name."""
    return ZoneInfo(name)


def on_site(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """A minute after a day's midnight by the clock on the wall, which may be of a later day."""
    days, rest = divmod(minute, 24 * 60)
    hour, minute = divmod(rest, 60)
    if days:
        day += timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)


def later(moment: datetime, seconds: float) -> datetime:
    """So many real seconds later, by the clock of the same site."""
    return (moment.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(moment.tzinfo)


def seconds_between(start: datetime, end: datetime) -> int:
    """Real seconds, whatever the clocks did meanwhile."""
    return int(end.timestamp() - start.timestamp())


def hours_between(start: datetime, end: datetime) -> Decimal:
    """Real hours, with four decimals."""
    return hours_of(seconds_between(start, end))


@lru_cache(maxsize=50_000)
def hours_of(seconds: int) -> Decimal:
    """Seconds as hours, with four decimals."""
    return to_hours(Decimal(seconds) / 3600)


def week_of(day: date) -> date:
    """The first day, a Friday, of the work week in which a day lies."""
    return day - timedelta(days=(day.weekday() - _FRIDAY) % 7)


def fortnight_of(day: date) -> date:
    """The first day of the billing period, and so of the two work weeks, in which a day lies."""
    return CALENDAR.anchor + timedelta(days=14) * ((day - CALENDAR.anchor) // timedelta(days=14))


def days_from(first: date, last: date) -> list[date]:
    """Every day of a span, both ends included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
