"""What is agreed of a position: rates, breaks, holidays, discount and overtime, for the bill and for the pay."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from etl_assets.sandbox.tracktik.money import ZERO

Document = dict[str, Any]

_BREAKS_COUNT = {"ALL", "MEAL_ONLY"}
"""Ours is one meal break a shift; where breaks are `NONE` or `REST_ONLY`, it is taken off."""


@dataclass(frozen=True)
class Step:
    """From so many hours on, an hour earns more than on the step below: so many times its rate, and so much money."""

    threshold: Decimal
    more_times: Decimal
    more_money: Decimal


@dataclass(frozen=True)
class Overtime:
    """An overtime rule: steps by the day and by the period, which is a week or two; lowest first."""

    daily: tuple[Step, ...] = ()
    of_period: tuple[Step, ...] = ()
    is_biweekly: bool = False


@dataclass(frozen=True)
class Terms:
    """One side of a position: what the client is billed, or what the guard is paid (overtime is the guard's own)."""

    rate: Decimal = ZERO
    breaks_count: bool = False
    overtime: Overtime | None = None
    holiday_rate: Decimal | None = None
    """Of an hour on a holiday, where that is agreed in money."""
    holiday_multiplier: Decimal = Decimal(1)
    discount: Decimal = ZERO
    """Percent."""


@dataclass(frozen=True)
class Agreement:
    """Both sides of a position, as they were agreed at one time."""

    bill: Terms = Terms()
    pay: Terms = Terms()
    billed: bool = True


NOTHING_AGREED = Agreement()
"""Of a position that nobody knows; its shifts say their rates themselves."""


@dataclass
class History:
    """What was agreed of a position over time. The first agreement holds for all time before it, too."""

    moments: list[datetime] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)

    def agree(self, moment: datetime, agreement: Agreement) -> None:
        """From this moment on, which is after all others."""
        if self.moments and moment <= self.moments[-1]:
            raise ValueError(f"{moment} is not after {self.moments[-1]}, when the position was changed last")
        self.moments.append(moment)
        self.agreements.append(agreement)

    def at(self, moment: datetime) -> Agreement:
        """The agreement in force."""
        return self.agreements[max(0, bisect_right(self.moments, moment) - 1)]


def overtime_of(rule: Document) -> Overtime:
    """The steps of an overtime rule's document."""
    return Overtime(
        daily=_steps(rule, "DAILY"),
        of_period=_steps(rule, "PERIOD"),
        is_biweekly=rule["periodLength"] == "BI-WEEKLY",
    )


def agreement_of(position: Document, rules: Mapping[int | None, Overtime]) -> Agreement:
    """What a position's document says."""
    bill, pay = position["billingSetting"], position["payrollSetting"]
    return Agreement(
        bill=_terms(bill, bill["rate"], bill["billBreaks"], rules),
        pay=_terms(pay, pay["positionHourlyRate"], pay["payBreaks"], rules),
        billed=not position["nonBillable"],
    )


def _steps(rule: Document, kind: str) -> tuple[Step, ...]:
    items = [item for item in rule["rules"] if item["ruleType"] == kind]
    steps, times_below, money_below = [], Decimal(1), ZERO
    for item in sorted(items, key=lambda item: item["threshold"]):
        times, money = (
            (item["rateMultiplier"], ZERO) if item["rateType"] == "MULTIPLIER" else (ZERO, item["rateAmount"])
        )
        steps.append(Step(item["threshold"], times - times_below, money - money_below))
        times_below, money_below = times, money
    return tuple(steps)


def _terms(setting: Document, rate: Decimal, breaks: str, rules: Mapping[int | None, Overtime]) -> Terms:
    by_rate = setting["holiday"] == "RATE"
    return Terms(
        rate=rate,
        breaks_count=breaks in _BREAKS_COUNT,
        overtime=rules.get(setting.get("overtimeRule")),
        holiday_rate=setting["holidayRate"] if by_rate else None,
        holiday_multiplier=setting["holidayMultiplier"] or Decimal(1),
        discount=setting.get("discountRate") or ZERO,
    )
