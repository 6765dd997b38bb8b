"""Shift summaries: what the service itself worked out of a shift, once it has come to it."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from etl_assets.sandbox.tracktik.billing import Settled, Side
from etl_assets.sandbox.tracktik.clock import week_of
from etl_assets.sandbox.tracktik.money import NO_HOURS, as_hours
from etl_assets.sandbox.tracktik.terms import Document


@dataclass(frozen=True, slots=True)
class Place:
    """Where a shift belongs; None where its position is of no list."""

    account: int | None = None
    region: int | None = None
    contract: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A shift's summary."""

    shift: int
    employee: int | None
    position: int
    place: Place
    period_date: date
    """The Friday of its work week."""
    planned: Decimal
    actual: Decimal
    bill: Side
    pay: Side
    zone: str


def summary_of(settled: Settled, place: Place) -> Summary:
    """The summary of a shift as it is now, with the premiums that nothing else tells."""
    shift, bill, pay = settled.shift, settled.bill, settled.pay
    if bill.hours and shift.bill_premium:
        bill = replace(bill, premium_impact=shift.bill_premium)
    if pay.hours and shift.pay_premium:
        pay = replace(pay, premium_impact=shift.pay_premium)
    return Summary(
        shift=shift.id,
        employee=shift.employee,
        position=shift.position,
        place=place,
        period_date=week_of(shift.day),
        planned=settled.work.scheduled,
        actual=settled.work.clocked,
        bill=bill,
        pay=pay,
        zone=shift.zone,
    )


def summary_document(summary: Summary) -> Document:
    """The summary as the service gives it."""
    return {
        "id": summary.shift,
        "shift": summary.shift,
        "account": summary.place.account,
        "employee": summary.employee,
        "region": summary.place.region,
        "contract": summary.place.contract,
        "position": summary.position,
        "periodDate": summary.period_date.isoformat(),
        "durationPlanned": as_hours(summary.planned),
        "durationActual": as_hours(summary.actual),
        **_side("pay", summary.pay),
        **_side("bill", summary.bill),
        "payRegularHours": as_hours(summary.pay.hours - summary.pay.overtime_hours - summary.pay.holiday_hours),
        "billDiscountImpact": summary.bill.discount_impact,
        "billDiscountHours": as_hours(summary.bill.discount_hours),
        "timeZone": summary.zone,
    }


def _side(word: str, side: Side) -> Document:
    return {
        f"{word}Total": side.total,
        f"{word}BaseRate": side.base,
        f"{word}EffectiveRate": side.effective,
        f"{word}OvertimeImpact": side.overtime_impact,
        f"{word}HolidayImpact": side.holiday_impact,
        f"{word}PremiumImpact": side.premium_impact,
        f"{word}Hours": as_hours(side.hours),
        f"{word}OvertimeHours": as_hours(side.overtime_hours),
        f"{word}HolidayHours": as_hours(side.holiday_hours),
        f"{word}PremiumHours": as_hours(side.hours if side.premium_impact else NO_HOURS),
    }
