"""The practice as it stands and works: its clock, its rows, its books, and the people who work in it."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from etl_assets.sandbox.open_dental.books import Books, Expected
from etl_assets.sandbox.open_dental.catalogue import CODES, DEFINITIONS, Code
from etl_assets.sandbox.open_dental.rows import Row, Rows, Value, at_hour, number_of
from etl_assets.sandbox.seeded_random import SeededRandom

OPENS, CLOSES = 8, 17
FRIDAY = 4


@dataclass(eq=False)
class Provider:
    """Somebody who treats, or for whom is billed."""

    number: int
    name: str
    hygienist: bool
    works: tuple[int, ...]
    """Weekdays; Monday is 0."""
    fee_schedule: int
    user: int = 0


@dataclass(eq=False)
class Chair:
    """A room with a chair; it belongs to one provider."""

    number: int
    clinic: int
    provider: Provider
    free: dict[date, int] = field(default_factory=dict)
    """The first minute after midnight of a day that is not booked."""


@dataclass(eq=False)
class Plan:
    """An insurance plan, as far as it decides what is paid."""

    number: int
    carrier: int
    type: str
    allowed: int
    """Per cent of our fee."""
    maximum: int
    deductible: int
    fee_schedule: int


@dataclass(eq=False)
class Cover:
    """A patient's part in a plan, first or second, with what it has paid by year."""

    plan: Plan
    subscription: int
    row: Row
    paid: dict[int, int] = field(default_factory=dict)
    deducted: dict[int, int] = field(default_factory=dict)


@dataclass(eq=False)
class Person:
    """A patient who comes."""

    number: int
    row: Row
    guarantor: int
    born: date
    joined: date
    clinic: int
    dentist: Provider
    hygienist: Provider
    gums: bool
    covers: list[Cover] = field(default_factory=list)
    planned: list["Procedure"] = field(default_factory=list)
    """What was found and is not done yet."""
    done: list["Procedure"] = field(default_factory=list)
    prepaid: list[tuple[Row, int]] = field(default_factory=list)
    """Splits of money paid ahead, with the cents that are left of them."""
    recalls: dict[str, Row] = field(default_factory=dict)
    treatment_plans: dict[int, Row] = field(default_factory=dict)
    """By status."""
    visits: int = 0
    gone: bool = False

    def age(self, day: date) -> int:
        """Full years."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


@dataclass(eq=False)
class Procedure:
    """Something that is planned, done or was found."""

    row: Row
    code: Code
    person: Person
    place: tuple[int, int]
    """Provider and clinic."""
    gross: int
    """Cents."""
    owed: int = 0
    """What the patient has still to pay of it, in cents, as far as claims have been answered."""
    claims: int = 0
    """Claims on it that are not answered."""
    expected: list[Expected] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    """Its claimprocs."""
    attached: Row | None = None
    """The row that puts it onto a treatment plan."""

    @property
    def number(self) -> int:
        """ProcNum."""
        return number_of(self.row, "ProcNum")


class Office:
    """The practice at a moment. What is to happen is queued, and happens in its order until the evening of today."""

    def __init__(self, seed: int, first: date, today: date, holidays: Sequence[date], clinics: int) -> None:
        self.seed, self.first, self.today = seed, first, today
        self.holidays, self.clinics = frozenset(holidays), clinics
        self.now = at_hour(first, 7)
        self.rows, self.books = Rows(), Books()
        self.providers: list[Provider] = []
        self.chairs: list[Chair] = []
        self.people: list[Person] = []
        self.plans: list[Plan] = []
        self.nobody = 0
        """The provider that is no person: the practice itself."""
        self.users: list[int] = []
        self.codes = {code.code: code for code in CODES}
        self.code_numbers: dict[str, int] = {}
        self.definitions: dict[tuple[int, str], int] = {}
        self.checks: dict[int, list[Row]] = {}
        """Answered claimprocs that no check has paid, by carrier."""
        self.seen: list[tuple[datetime, int, int, int, str]] = []
        """What the audit log will say: moment, user, patient, permission and text."""
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._by_number: dict[int, Person] = {}
        self._order = itertools.count()
        self._draws = itertools.count()

    def rng(self, *words: object) -> SeededRandom:
        """A random generator of this practice alone, seeded with these words."""
        return SeededRandom(self.seed, *words)

    def draw(self, word: str) -> SeededRandom:
        """A random generator of which nobody has drawn yet."""
        return SeededRandom(self.seed, word, next(self._draws))

    def later(self, at: datetime, action: Callable[[], None]) -> None:
        """Have something happen at a moment, or now where that has passed."""
        heapq.heappush(self._queue, (max(at, self.now), next(self._order), action))

    def work(self) -> None:
        """Let everything happen until the evening of today; what is queued for later never does."""
        end = at_hour(self.today, 23)
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = end

    def add(self, table: str, **values: Value) -> Row:
        """Add a row now."""
        return self.rows.add(table, self.now, **values)

    def touch(self, table: str, row: Row, **values: Value) -> None:
        """Change a row now."""
        self.rows.touch(table, row, self.now, **values)

    def note(self, permission: int, patient: int, text: str, user: int | None = None) -> None:
        """Have the audit log say something of this moment."""
        self.seen.append((self.now, self.user() if user is None else user, patient, permission, text))

    def person(self, number: int) -> Person | None:
        """A patient who comes, by his PatNum."""
        for one in self.people[len(self._by_number) :]:
            self._by_number[one.number] = one
        return self._by_number.get(number)

    def user(self) -> int:
        """Somebody at the desk."""
        return self.draw("user").choice(self.users)

    def definition(self, category: int, name: str) -> int:
        """The DefNum of a definition."""
        return self.definitions[category, name]

    def any_definition(self, category: int, rng: SeededRandom) -> int:
        """The DefNum of a definition in use, any of a category."""
        names = [name for name, _, hidden in DEFINITIONS[category] if not hidden]
        return self.definitions[category, rng.choice(names)]

    def opens(self, day: date) -> bool:
        """Whether the practice works on a day."""
        return day.weekday() <= FRIDAY and day not in self.holidays

    def next_open(self, day: date, days: int = 0) -> date:
        """The first day on which the practice works, at least so many days after a day."""
        day += timedelta(days=days)
        while not self.opens(day):
            day += timedelta(days=1)
        return day

    def office_hour(self, day: date, word: str) -> datetime:
        """Some moment of a day's office hours."""
        rng = self.draw(word)
        return at_hour(day, rng.randint(OPENS, CLOSES - 1), rng.randint(0, 59), rng.randint(0, 59))
