"""What comes of a shift: who clocks in and when, what is approved, what is put right by hand."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from etl_assets.sandbox.seeded_random import SeededRandom
from etl_assets.sandbox.tracktik.clock import days_from, hours_of, later, seconds_between
from etl_assets.sandbox.tracktik.directory import is_holiday, noon
from etl_assets.sandbox.tracktik.money import NO_HOURS, to_hours
from etl_assets.sandbox.tracktik.shifts import Session, Shift

_QUARTER = Decimal("0.25")
_ROUND_THE_CLOCK = 20
_CLOCKS = ("KIOSK", "KIOSK", "GUARD_APP", "PHONE")


@dataclass(frozen=True)
class Calendars:
    """Of which days the company tells, and how far its office has come with them."""

    first: date
    last: date
    now: datetime
    approved_until: date


def come_about(rng: SeededRandom, shift: Shift, calendars: Calendars, *, holidays: bool) -> None:
    """Let a planned shift happen: all of it is drawn, whether the office has come to it yet or not."""
    _mark(rng, shift)
    if holidays:
        shift.holiday_hours = hours_on_holidays(shift.start, shift.end)
    if shift.works and not shift.paid_time_off and not shift.missed:
        _clock(rng, shift, calendars.now)
    approved = _approved(rng, shift)
    _put_right(rng, shift)
    if shift.day <= calendars.approved_until:
        shift.approved = approved
        shift.modified = noon(shift.day + timedelta(days=3))


def hours_on_holidays(start: datetime, end: datetime) -> Decimal:
    """Real hours of a span that lie on holidays of its zone."""
    zone, seconds = start.tzinfo, 0
    for day in days_from(start.date(), end.date()):
        if is_holiday(day):
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            seconds += max(0, seconds_between(max(start, midnight), min(end, midnight + timedelta(days=1))))
    return hours_of(seconds)


def _mark(rng: SeededRandom, shift: Shift) -> None:
    """What the office knows beforehand: cancelled, offered, time off, not billed, not paid, and what is not told."""
    if rng.chance(0.03):
        shift.status = "CANCELLED"
        shift.modified = noon(shift.day - timedelta(days=1))
    shift.on_shift_board = shift.vacant and rng.chance(0.6)
    if not shift.vacant and rng.chance(0.015):
        shift.paid_time_off = True
        shift.billable = rng.chance(0.5)  # the flag is often forgotten; time off is not billed for all that
    if rng.chance(0.01):
        shift.billable = False
    if rng.chance(0.004):
        shift.payable = False
    shift.missed = rng.chance(0.012)
    shift.says_planned = not rng.chance(0.02)
    shift.says_hours = not rng.chance(0.1)
    shift.says_rates = not rng.chance(0.15)


def _clock(rng: SeededRandom, shift: Shift, now: datetime) -> None:
    """Clock-ins some minutes off the plan; one of seven shifts has two, around a break, and one of eighty none.

    Nobody is clocked in for a day and a night at once.
    """
    method = rng.choice(_CLOCKS)
    begin = shift.start + timedelta(seconds=60 * rng.randint(-9, 6) + rng.randint(0, 59))
    end = shift.end + timedelta(seconds=60 * rng.randint(-8, 14) + rng.randint(0, 59))
    broken = rng.chance(0.15) or shift.planned >= _ROUND_THE_CLOCK
    forgotten, pause = rng.chance(0.0125), rng.randint(20, 40) * 60
    if begin > now:
        return
    if end > now:
        shift.sessions = [Session(begin, None, method, None)]
    elif forgotten:
        shift.clocked_hours = shift.planned
    elif broken:
        middle = later(shift.start, seconds_between(shift.start, shift.end) // 2)
        shift.sessions = [
            Session(begin, middle, method, "BREAK"),
            Session(later(middle, pause), end, "BREAK", method),
        ]
    else:
        shift.sessions = [Session(begin, end, method, method)]


def _approved(rng: SeededRandom, shift: Shift) -> Decimal | None:
    """What will be approved: mostly the plan, else what was clocked, to the quarter hour or to the second."""
    how = rng.randint(1, 100)
    if shift.vacant:
        return None
    if shift.status != "ACTIVE":
        # Some were approved and then cancelled: whoever sums up approved hours alone bills them.
        return shift.planned if how <= 20 else None  # noqa: PLR2004 (percent)
    if shift.missed:
        return NO_HOURS
    clocked = shift.clocked
    if shift.paid_time_off or clocked is None or how <= 66:  # noqa: PLR2004
        return shift.planned
    if how <= 92:  # noqa: PLR2004
        return to_hours((clocked / _QUARTER).quantize(Decimal(1), ROUND_HALF_UP) * _QUARTER)
    return clocked


def _put_right(rng: SeededRandom, shift: Shift) -> None:
    """Rates, hours and premiums of single shifts."""
    if rng.chance(0.03):
        shift.bill_rate = Decimal(rng.randint(3000, 7500)).scaleb(-2)
    if rng.chance(0.02):
        shift.pay_rate = Decimal(rng.randint(1700, 4200)).scaleb(-2)
    if rng.chance(0.02) and not shift.missed:
        shift.says_hours = True
        shift.billable_hours = shift.planned - _QUARTER * rng.randint(0, 3)
    if rng.chance(0.01) and not shift.missed:
        shift.says_hours = True
        shift.payable_hours = shift.planned + _QUARTER * rng.randint(0, 1)
    if rng.chance(0.02):
        shift.bill_premium = Decimal(rng.randint(500, 4000)).scaleb(-2)
        shift.pay_premium = Decimal(rng.randint(300, 2000)).scaleb(-2)


def office_time(day: date) -> datetime:
    """Six in the evening of a day, UTC: when the company's clock stands if nobody sets it."""
    return datetime(day.year, day.month, day.day, 18, tzinfo=UTC)
