"""The practice's own books: what it produced, took in, wrote off and is owed, noted down as it happens.

Nothing here reads a row: the books are what whatever is computed from the tables must come to, to the cent.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

CENT = Decimal("0.01")
NOTHING = Decimal("0.00")
_MONTH = timedelta(days=30)

# What the flows are called in `Day`.
PRODUCTION, CAPITATION, ADJUSTMENTS, WRITE_OFFS = "production", "capitation_write_offs", "adjustments", "write_offs"
INSURANCE_INCOME, PATIENT_INCOME = "insurance_income", "patient_income"

Key = TypeVar("Key")
Slot = tuple[date, int, int]
"""A day, a provider (ProvNum) and a clinic (ClinicNum)."""


@dataclass(frozen=True)
class Flow:
    """Money that a day of a provider is measured by."""

    kind: str
    day: date
    provider: int
    clinic: int
    cents: int


@dataclass(frozen=True)
class Movement:
    """What a patient owes more from a day on, or less where it is below zero. Each is one transaction of the ledger."""

    day: date
    patient: int
    cents: int


@dataclass
class Expected:
    """What a claim is expected to bring for a procedure: payment and write-off together."""

    patient: int
    day: date
    cents: int
    received: date | None = None


@dataclass(frozen=True)
class Day:
    """Money of a day, a provider, or both; every figure in dollars and cents.

    Production counts on the day of the procedure, and so do capitation write-offs; adjustments, write-offs and the
    patients' money on their own days; the insurances' money on the date of the check, so what no check has paid yet is
    not in it. Prepayments are the patients' money unless their type is hidden.
    """

    production: Decimal = NOTHING
    capitation_write_offs: Decimal = NOTHING
    adjustments: Decimal = NOTHING
    write_offs: Decimal = NOTHING
    insurance_income: Decimal = NOTHING
    patient_income: Decimal = NOTHING

    @property
    def net_production(self) -> Decimal:
        """Production less what was written off or adjusted."""
        return self.production - self.capitation_write_offs + self.adjustments - self.write_offs

    @property
    def income(self) -> Decimal:
        """What came in."""
        return self.insurance_income + self.patient_income


@dataclass(frozen=True)
class Aged:
    """What a family owes, by the age of its charges; credits went to the oldest charges first.

    Where credits exceed the charges all four are zero and the total is negative.
    """

    bal_0_30: Decimal
    bal_31_60: Decimal
    bal_61_90: Decimal
    bal_over_90: Decimal
    total: Decimal
    insurance_estimate: Decimal
    """What claims that are not received are expected to bring."""
    plan_due: Decimal = NOTHING
    """What payment plans have charged and nobody has paid. It is part of the total already."""


NOTHING_OWED = Aged(*[NOTHING] * 6)


class Books:
    """What has been noted down so far."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self.movements: list[Movement] = []
        self.expected: list[Expected] = []
        self.plan_movements: list[Movement] = []
        self.guarantors: dict[int, int] = {}
        """The family's guarantor of each patient, as it is now."""

    def flow(self, kind: str, day: date, place: tuple[int, int], cents: int) -> None:
        """Note money of a day, and of a provider and clinic."""
        if cents:
            self.flows.append(Flow(kind, day, *place, cents))

    def move(self, day: date, patient: int, cents: int) -> None:
        """Note one transaction of a patient's account."""
        if cents:
            self.movements.append(Movement(day, patient, cents))

    def due(self, day: date, patient: int, cents: int) -> None:
        """Note what a payment plan charges, or what is paid on it, below zero; `move` is told besides."""
        self.plan_movements.append(Movement(day, patient, cents))

    def expect(self, patient: int, day: date, cents: int) -> Expected:
        """Note what a procedure of a day is expected to bring from a claim."""
        self.expected.append(Expected(patient, day, cents))
        return self.expected[-1]

    def daily(self) -> dict[Slot, Day]:
        """The money of each day, provider and clinic that had any."""
        return self._summed(lambda flow: (flow.day, flow.provider, flow.clinic))

    def by_day(self) -> dict[date, Day]:
        """The money of each day."""
        return self._summed(lambda flow: flow.day)

    def by_provider(self) -> dict[int, Day]:
        """The money of each provider (ProvNum)."""
        return self._summed(lambda flow: flow.provider)

    def total(self) -> Day:
        """All of it."""
        return self._summed(lambda _: None).get(None, Day())

    def aged(self, as_of: date) -> dict[int, Aged]:
        """What each family with an account owed at the end of a day, by guarantor (PatNum)."""
        charges: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        credits_, expected, due = (defaultdict[int, int](int) for _ in range(3))
        for movement in self.movements:
            if movement.day > as_of:
                continue
            family = self.guarantors[movement.patient]
            if movement.cents > 0:
                charges[family][_bucket(movement.day, as_of)] += movement.cents
            else:
                credits_[family] -= movement.cents
        for one in self.expected:
            if one.day <= as_of and (one.received is None or one.received > as_of):
                expected[self.guarantors[one.patient]] += one.cents
        for movement in self.plan_movements:
            if movement.day <= as_of:
                due[self.guarantors[movement.patient]] += movement.cents
        families = sorted({*charges, *credits_, *expected, *due})
        return {family: _aged(charges[family], credits_[family], expected[family], due[family]) for family in families}

    def balances(self, as_of: date) -> dict[int, Decimal]:
        """What each patient with an account owed at the end of a day, family or not."""
        found = defaultdict[int, int](int)
        for movement in self.movements:
            if movement.day <= as_of:
                found[movement.patient] += movement.cents
        return {patient: dollars(cents) for patient, cents in sorted(found.items())}

    def _summed(self, key_of: Callable[[Flow], Key]) -> dict[Key, Day]:
        found: dict[Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for flow in self.flows:
            found[key_of(flow)][flow.kind] += flow.cents
        return {key: _day(cents) for key, cents in found.items()}


def dollars(cents: int) -> Decimal:
    """Cents in dollars, with two decimals."""
    return Decimal(cents) * CENT


def _day(cents: Mapping[str, int]) -> Day:
    return Day(**{field.name: dollars(cents.get(field.name, 0)) for field in fields(Day)})


def _bucket(day: date, as_of: date) -> int:
    """Which of over 90, 61 to 90, 31 to 60 and up to 30 days: 0 to 3."""
    return sum(day >= as_of - _MONTH * months for months in (3, 2, 1))


def _aged(charges: list[int], credit: int, expected: int, due: int) -> Aged:
    total = sum(charges) - credit
    left = []
    for charge in charges:
        paid = min(charge, credit)
        left.append(dollars(charge - paid))
        credit -= paid
    over_90, to_90, to_60, to_30 = left
    return Aged(to_30, to_60, to_90, over_90, dollars(total), dollars(expected), dollars(due))
