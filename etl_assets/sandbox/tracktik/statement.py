"""What the company billed and paid: a line for each shift, and the totals of each billing period."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from etl_assets.sandbox.tracktik.billing import Settled, Side
from etl_assets.sandbox.tracktik.money import NO_HOURS, NO_MONEY, to_hours, to_money
from etl_assets.sandbox.tracktik.summaries import Summary


@dataclass(frozen=True, slots=True)
class Amounts:
    """Hours with four decimals, money with two; of one shift, or of many."""

    scheduled_hours: Decimal = NO_HOURS
    clocked_hours: Decimal = NO_HOURS
    approved_hours: Decimal = NO_HOURS
    billable_hours: Decimal = NO_HOURS
    payable_hours: Decimal = NO_HOURS
    bill_overtime_hours: Decimal = NO_HOURS
    bill_overtime_impact: Decimal = NO_MONEY
    bill_holiday_hours: Decimal = NO_HOURS
    bill_holiday_impact: Decimal = NO_MONEY
    bill_premium_impact: Decimal = NO_MONEY
    bill_discount_impact: Decimal = NO_MONEY
    bill_total: Decimal = NO_MONEY
    pay_overtime_hours: Decimal = NO_HOURS
    pay_overtime_impact: Decimal = NO_MONEY
    pay_holiday_hours: Decimal = NO_HOURS
    pay_holiday_impact: Decimal = NO_MONEY
    pay_premium_impact: Decimal = NO_MONEY
    pay_total: Decimal = NO_MONEY
    nbot_hours: Decimal = NO_HOURS
    """Overtime that is paid and not billed."""
    nbot_cost: Decimal = NO_MONEY
    non_billed_hours: Decimal = NO_HOURS
    loss: Decimal = NO_MONEY


@dataclass(frozen=True, slots=True)
class Line:
    """One shift."""

    shift_id: int
    employee_id: int | None
    position_id: int
    client_id: int | None
    """None where the position is of no list."""
    day: date
    status: str
    bill_basis: str
    """`summary` where its components are the service's own, else `computed`."""
    bill_rate_regular: Decimal
    bill_rate_effective: Decimal | None
    pay_rate_regular: Decimal
    amounts: Amounts

    @property
    def counts(self) -> bool:
        """Whether it is part of totals: a cancelled shift keeps its planned hours, and is none."""
        return self.status == "ACTIVE"


@dataclass(frozen=True)
class Period:
    """A billing period, and the sum of its shifts that count."""

    id: str
    shifts: int
    amounts: Amounts


@dataclass(frozen=True)
class Statement:
    """Everything that was billed."""

    periods: Mapping[str, Period]
    shifts: Mapping[int, Line]


NAMES = tuple(field.name for field in fields(Amounts))


def line_of(settled: Settled, summary: Summary | None, client: int | None) -> Line:
    """One shift's line. A summary is believed where it speaks of the hours that we find, and else left alone."""
    shift, bill, pay, basis = settled.shift, settled.bill, settled.pay, "computed"
    if summary is not None and shift.works and summary.bill.hours == settled.work.billable:
        bill, pay, basis = summary.bill, summary.pay, "summary"
    return Line(
        shift_id=shift.id,
        employee_id=shift.employee,
        position_id=shift.position,
        client_id=client,
        day=shift.day,
        status=shift.status,
        bill_basis=basis,
        bill_rate_regular=bill.base,
        bill_rate_effective=bill.effective,
        pay_rate_regular=pay.base,
        amounts=_amounts(settled, bill, pay),
    )


def total(lines: Iterable[Line]) -> Amounts:
    """The sum of lines, field by field."""
    amounts = [line.amounts for line in lines]
    zero = Amounts()
    return Amounts(**{name: sum((getattr(each, name) for each in amounts), getattr(zero, name)) for name in NAMES})


def _amounts(settled: Settled, bill: Side, pay: Side) -> Amounts:
    work = settled.work
    nbot_hours, non_billed = pay.overtime_hours - bill.overtime_hours, work.payable - work.billable
    # Multiplied before it is divided: a quotient cut off in its last digit can turn half a cent either way.
    cost = to_money(pay.overtime_impact * nbot_hours / pay.overtime_hours) if pay.overtime_hours else NO_MONEY
    return Amounts(
        scheduled_hours=work.scheduled,
        clocked_hours=work.clocked,
        approved_hours=work.approved,
        billable_hours=work.billable,
        payable_hours=work.payable,
        bill_overtime_hours=bill.overtime_hours,
        bill_overtime_impact=bill.overtime_impact,
        bill_holiday_hours=bill.holiday_hours,
        bill_holiday_impact=bill.holiday_impact,
        bill_premium_impact=bill.premium_impact,
        bill_discount_impact=bill.discount_impact,
        bill_total=bill.total,
        pay_overtime_hours=pay.overtime_hours,
        pay_overtime_impact=pay.overtime_impact,
        pay_holiday_hours=pay.holiday_hours,
        pay_holiday_impact=pay.holiday_impact,
        pay_premium_impact=pay.premium_impact,
        pay_total=pay.total,
        nbot_hours=to_hours(nbot_hours),
        nbot_cost=cost,
        non_billed_hours=to_hours(non_billed),
        loss=to_money(pay.base * non_billed),
    )
