"""What two work weeks come to: hours, overtime, holidays, discount and totals, on the bill and on the pay.

Written from the definitions alone, with `Decimal` and plain loops, to be held against what the warehouse computes in
SQL. Money is rounded to cents, each component by itself; hours have four decimals; halves go away from zero.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from etl_assets.sandbox.tracktik.clock import week_of
from etl_assets.sandbox.tracktik.money import NO_HOURS, NO_MONEY, to_hours, to_money, to_rate
from etl_assets.sandbox.tracktik.shifts import Shift
from etl_assets.sandbox.tracktik.terms import Agreement, Overtime, Step, Terms


@dataclass(frozen=True, slots=True)
class Work:
    """The hours of a shift."""

    scheduled: Decimal
    clocked: Decimal = NO_HOURS
    approved: Decimal = NO_HOURS
    billable: Decimal = NO_HOURS
    payable: Decimal = NO_HOURS


@dataclass(frozen=True, slots=True)
class Side:
    """A shift on the bill, or on the pay."""

    base: Decimal
    """Money an hour."""
    hours: Decimal = NO_HOURS
    overtime_hours: Decimal = NO_HOURS
    overtime_impact: Decimal = NO_MONEY
    """The premium only: what overtime costs on top of its hours at the base rate."""
    holiday_hours: Decimal = NO_HOURS
    holiday_impact: Decimal = NO_MONEY
    premium_impact: Decimal = NO_MONEY
    discount_hours: Decimal = NO_HOURS
    discount_impact: Decimal = NO_MONEY

    @property
    def total(self) -> Decimal:
        """All of it."""
        extras = self.overtime_impact + self.holiday_impact + self.premium_impact - self.discount_impact
        return to_money(self.base * self.hours) + extras

    @property
    def effective(self) -> Decimal | None:
        """Money for each hour, all in all; none where there is no hour."""
        return to_rate(self.total / self.hours) if self.hours else None


@dataclass(frozen=True, slots=True)
class Settled:
    """A shift as it was worked out."""

    shift: Shift
    work: Work
    bill: Side
    pay: Side


@dataclass(slots=True)
class _Tally:
    """What an employee has so far in two weeks, in hours that count."""

    both_weeks: Decimal = NO_HOURS
    weeks: dict[date, Decimal] = field(default_factory=lambda: defaultdict(lambda: NO_HOURS))
    days: dict[date, Decimal] = field(default_factory=lambda: defaultdict(lambda: NO_HOURS))

    def add(self, day: date, hours: Decimal, rule: Overtime | None, base: Decimal) -> tuple[Decimal, Decimal]:
        """Count a shift's hours; gives those that are overtime by its rule, and what these earn on top.

        Hours that are overtime of their day do not count again towards the week, or both weeks where the rule adds up
        over two. Without a rule none is overtime, and all count.
        """
        week, before = week_of(day), self.days[day]
        self.days[day] = before + hours
        by_day, day_premium = _climb(rule.daily if rule else (), before, hours, base)
        so_far = self.both_weeks if rule and rule.is_biweekly else self.weeks[week]
        by_period, period_premium = _climb(rule.of_period if rule else (), so_far, hours - by_day, base)
        self.weeks[week] += hours - by_day
        self.both_weeks += hours - by_day
        return by_day + by_period, to_money(day_premium + period_premium)


def settle(
    shifts: Iterable[Shift], agreed: Callable[[Shift], Agreement], pay_overtime: Callable[[Shift], Overtime | None]
) -> list[Settled]:
    """Work out the shifts of two work weeks that belong together, all employees together.

    Args:
        shifts: Every shift that begins in them by its site's own date; cancelled and vacant ones too.
        agreed: What is in force of the shift's position when it begins.
        pay_overtime: By which rule overtime is paid to its employee.
    """
    ordered = sorted(shifts, key=lambda shift: (shift.start.timestamp(), shift.id))
    bills: dict[int | None, _Tally] = defaultdict(_Tally)
    pays: dict[int | None, _Tally] = defaultdict(_Tally)
    return [
        _settle(shift, agreed(shift), pay_overtime(shift), bills[shift.employee], pays[shift.employee])
        for shift in ordered
    ]


def said_billable(shift: Shift, agreement: Agreement) -> Decimal | None:
    """The billable hours that the service tells; none where it does not, or before the shift is approved."""
    is_billed = shift.billable and agreement.billed and not shift.paid_time_off
    return _said(shift, shift.billable_hours if is_billed else NO_HOURS, agreement.bill)


def said_payable(shift: Shift, agreement: Agreement) -> Decimal | None:
    """The payable hours that the service tells."""
    return _said(shift, shift.payable_hours if shift.payable else NO_HOURS, agreement.pay)


def work_of(shift: Shift, agreement: Agreement) -> Work:
    """The hours of a shift: all but the scheduled ones are nought where it is cancelled or vacant."""
    if not shift.works:
        return Work(shift.planned)
    clocked = shift.clocked or NO_HOURS
    if shift.approved is None:
        return Work(shift.planned, clocked)
    billable, payable = said_billable(shift, agreement), said_payable(shift, agreement)
    if billable is None:
        billable = less_breaks(shift, shift.approved, agreement.bill)
    if payable is None:
        payable = less_breaks(shift, shift.approved, agreement.pay)
    is_billed = shift.billable and agreement.billed and not shift.paid_time_off
    return Work(
        scheduled=shift.planned,
        clocked=clocked,
        approved=shift.approved,
        billable=billable if is_billed else NO_HOURS,
        payable=payable if shift.payable else NO_HOURS,
    )


def less_breaks(shift: Shift, hours: Decimal, terms: Terms) -> Decimal:
    """Hours without the breaks that do not count; never under nought."""
    if terms.breaks_count:
        return hours
    return max(NO_HOURS, to_hours(hours - Decimal(shift.break_minutes) / 60))


def _said(shift: Shift, by_hand: Decimal | None, terms: Terms) -> Decimal | None:
    if shift.approved is None or not shift.says_hours:
        return None
    return less_breaks(shift, shift.approved, terms) if by_hand is None else by_hand


def _settle(shift: Shift, agreement: Agreement, pay_overtime: Overtime | None, bills: _Tally, pays: _Tally) -> Settled:
    bill_rate = agreement.bill.rate if shift.bill_rate is None else shift.bill_rate
    pay_rate = agreement.pay.rate if shift.pay_rate is None else shift.pay_rate
    work = work_of(shift, agreement)
    if not shift.works:
        return Settled(shift, work, Side(bill_rate), Side(pay_rate))
    return Settled(
        shift=shift,
        work=work,
        bill=_side(shift, work.billable, bill_rate, agreement.bill, bills),
        pay=_side(shift, work.payable, pay_rate, replace(agreement.pay, overtime=pay_overtime), pays),
    )


def _side(shift: Shift, hours: Decimal, base: Decimal, terms: Terms, tally: _Tally) -> Side:
    if not hours:
        return Side(base)
    counting = NO_HOURS if shift.paid_time_off else hours  # overtime is made of work
    overtime_hours, overtime_impact = tally.add(shift.day, counting, terms.overtime, base)
    holiday_hours = min(hours, shift.holiday_hours or NO_HOURS)
    more = base * (terms.holiday_multiplier - 1) if terms.holiday_rate is None else terms.holiday_rate - base
    return Side(
        base=base,
        hours=hours,
        overtime_hours=overtime_hours,
        overtime_impact=overtime_impact,
        holiday_hours=holiday_hours,
        holiday_impact=to_money(holiday_hours * more) if holiday_hours else NO_MONEY,
        discount_hours=hours if terms.discount else NO_HOURS,
        discount_impact=to_money(base * hours * terms.discount / 100) if terms.discount else NO_MONEY,
    )


def _climb(steps: Sequence[Step], before: Decimal, hours: Decimal, base: Decimal) -> tuple[Decimal, Decimal]:
    """Hours beyond the lowest step, and the sum over all steps of the hours beyond each times what it gives more."""
    lowest, premium = NO_HOURS, NO_HOURS
    for place, step in enumerate(steps):
        beyond = max(NO_HOURS, before + hours - step.threshold) - max(NO_HOURS, before - step.threshold)
        if place == 0:
            lowest = beyond
        premium += beyond * (step.more_times * base + step.more_money)
    return lowest, premium
