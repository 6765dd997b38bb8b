"""A guard company that changes at random: shifts, who is on them, and what was agreed; today, and long after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.shifts import Session, Shift

FIRST, PERIODS = date(2025, 12, 26), 4
LAST = FIRST + timedelta(days=14 * PERIODS - 1)
NIGHT_BEFORE_FRIDAY = timedelta(days=13, hours=22)
"""From the first day of two work weeks: their last night, which is the day after by the clock of UTC."""


@dataclass
class CompanyWorld:
    """Changes a company as its people do."""

    random: Random
    company: Company = field(init=False)
    held: set[int] = field(default_factory=set)
    """Shifts whose sums stay as they are."""

    def __post_init__(self) -> None:
        self.company = Company(
            self.random.randrange(1000), first=FIRST, periods=PERIODS, clients=12, positions=14, shifts_a_day=3
        )
        for _ in range(6):
            self._add_shift()

    def change(self) -> Sequence[str]:
        """Change something, anywhere; returns the tables that tell of it."""
        of_shifts = ["shifts", "work_sessions", "shift_summaries"]
        changes: list[tuple[Callable[[], None], Sequence[str]]] = [
            *[(each, of_shifts) for each in (self._add_shift, self._edit_shift, self._approve, self._move_shift)],
            *[(each, of_shifts) for each in (self._clock_in, self._assign, self._end_shift)],
            (self._clock_in, ["work_sessions"]),
            (self._hold_summary, ["shift_summaries"]),
            *[(self._person, ["employees"]), (self._position, ["positions"])] * 3,
            (self._hire, self.random.choice([["shifts"], ["shifts", "employees"]])),
            (self._profile, ["employment_profiles"]),
            *[(self._client, ["clients"])] * 2,
            (self._region, ["regions"]),
            (self._overtime_rule, ["overtime_rules"]),
            (self._back_office, ["back_office_settings"]),
        ]
        make, tables = self.random.choice(changes)
        make()
        return tables

    def _moment(self) -> datetime:
        """When somebody changes something: any time, so that some of it is told late and out of order."""
        return datetime(2025, 12, 20, tzinfo=UTC) + timedelta(minutes=self.random.randrange(14 * PERIODS * 1440))

    def _one(self, path: str) -> int:
        return self.random.choice(sorted(self.company.documents(path)))

    def _shift(self) -> Shift:
        return self.random.choice(self.company.shifts())

    def _add_shift(self) -> None:
        start = datetime.combine(FIRST, datetime.min.time()) + timedelta(
            days=self.random.randrange(14 * PERIODS), hours=self.random.choice([0, 6, 18, 22, 23])
        )
        if self.random.random() < 0.2:
            start = datetime.combine(FIRST, datetime.min.time()) + NIGHT_BEFORE_FRIDAY
            start += timedelta(days=14 * self.random.randrange(PERIODS))
        self.company.add_shift(
            self._one("positions"),
            self.random.choice([None, self._one("employees"), self._one("employees")]),
            start,
            self.random.choice([4, 8, 12]),
            at=self._moment(),
            approved=self.random.choice([None, Decimal(4), Decimal(11)]),
            clocked_hours=self.random.choice([None, Decimal(8)]),
        )

    def _edit_shift(self) -> None:
        changes = self.random.choice(
            [
                {"break_minutes": self.random.choice([0, 30, 60])},
                {"billable": bool(self.random.randrange(2))},
                {"paid_time_off": bool(self.random.randrange(2))},
                {"holiday_hours": Decimal(self.random.choice([0, 2]))},
                {"bill_rate": self.random.choice([None, Decimal(45)])},
                {"position": self._one("positions")},
            ]
        )
        self.company.change_shift(self._shift().id, at=self._moment(), **changes)

    def _clock_in(self) -> None:
        """A clock-in days from its shift, for the shift was moved since, or far too late to count."""
        shift = self._shift()
        start = shift.start + timedelta(days=self.random.choice([-20, -13, -1, 0, 0, 12, 14, 20]))
        session = Session(start, start + timedelta(hours=self.random.choice([3, 9])))
        self.company.change_shift(shift.id, at=self._moment(), sessions=[*shift.sessions, session])

    def _approve(self) -> None:
        hours = self.random.choice([None, Decimal(0), Decimal(7), Decimal(13)])
        self.company.approve_hours(self._shift().id, hours, at=self._moment())

    def _move_shift(self) -> None:
        """By days, within its period or out of it, its clock-ins with it; or without them."""
        shift, days = self._shift(), self.random.choice([-15, -3, -1, 1, 5, 14, 21])
        if not FIRST <= shift.day + timedelta(days=days) <= LAST:
            return
        if self.random.random() < 0.5:
            self.company.move_shift(shift.id, days, at=self._moment())
        else:
            by = timedelta(days=days)
            self.company.change_shift(shift.id, at=self._moment(), start=shift.start + by, end=shift.end + by)

    def _assign(self) -> None:
        employee = self.random.choice([None, self._one("employees")])
        self.company.assign_shift(self._shift().id, employee, at=self._moment())

    def _end_shift(self) -> None:
        shift = self._shift().id
        self.held.discard(shift)
        self.random.choice([self.company.cancel_shift, self.company.delete_shift])(shift, at=self._moment())

    def _hold_summary(self) -> None:
        """A sum that stays behind its shift, or that follows again."""
        shift = self._shift()
        if shift.id in self.held:
            self.held.remove(shift.id)
            self.company.release_summary(shift.id)
        elif self.company.summary(shift) is not None:
            self.held.add(shift.id)
            self.company.hold_summary(shift.id)
        else:
            self.company.sum_up(self._moment().date())

    def _person(self) -> None:
        change = self.random.choice(
            [{"firstName": f"Ada{self.random.randrange(9)}"}, {"region": self._one("regions")}, {"primaryPhone": "5"}]
        )
        self.company.change_employee(self._one("employees"), at=self._moment(), **change)

    def _hire(self) -> None:
        """Somebody new, who is on a shift of long ago at once."""
        hired = self.company.hire(self._one("regions"), at=self._moment())
        self.company.assign_shift(self._shift().id, hired, at=self._moment())

    def _profile(self) -> None:
        change = self.random.choice(
            [
                {"overtimeExempt": bool(self.random.randrange(2))},
                {"overtimeRule": self.random.choice([None, self._one("overtime-rules")])},
            ]
        )
        self.company.change_profile(self._one("employees"), **change)

    def _position(self) -> None:
        position = self._one("positions")
        before = datetime.fromisoformat(self.company.documents("positions")[position]["updatedOn"])
        at = max(self._moment(), before + timedelta(minutes=1))
        if self.random.random() < 0.5:
            self.company.change_position(position, at=at, billing={"rate": Decimal(self.random.randrange(30, 60))})
        else:
            change = {"account": self._one("clients")} if self.random.random() < 0.5 else {"name": "Stand by"}
            self.company.change_position(position, at=at, **change)

    def _client(self) -> None:
        change = self.random.choice([{"name": f"C{self.random.randrange(9)}"}, {"region": self._one("regions")}])
        self.company.change_client(self._one("clients"), at=self._moment(), **change)

    def _region(self) -> None:
        self.company.rename_region(self._one("regions"), f"R{self.random.randrange(9)}", at=self._moment())

    def _overtime_rule(self) -> None:
        number = self._one("overtime-rules")
        items = self.company.documents("overtime-rules")[number]["rules"]
        threshold = Decimal(self.random.choice([4, 8, 30]))
        self._write("overtime-rules", number, rules=[{**item, "threshold": threshold} for item in items[:1]])

    def _back_office(self) -> None:
        self._write(
            "back-office-settings", self._one("back-office-settings"), payrollOvertimeRule=self._one("overtime-rules")
        )

    def _write(self, path: str, number: int, **changes: object) -> None:
        """Change a record that nobody changes in the company itself: it is told, and bills nothing otherwise."""
        with self.company.lock:
            self.company.documents(path)[number].update(changes)
            self.company.version += 1
