"""Who there is and what happened, whatever the schema it is written in: the facts, and how many there are of each.

Rows are made of these facts in `rows` and `records`; counts come from the facts, so models can be held against them.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from zoneinfo import ZoneInfo

from etl_assets.sandbox.lacrei_saude.vocabulary import NORONHA, SAO_PAULO, State

TODAY = date(2026, 2, 27)
NOW = datetime(2026, 2, 27, 18, tzinfo=UTC)
"""What is after it is yet to come."""
START = datetime(2024, 9, 1, 12, tzinfo=UTC)
"""Since when people sign up: eighteen months."""
CLIENT, PROFESSIONAL = "client", "professional"
"""Whose privacy document somebody accepted, in the newer schema's words."""
PENDING, CONFIRMED, CANCELED, COMPLETED = "pending", "confirmed", "canceled", "completed"
IN_PERSON, ONLINE = "in_person", "online"


@dataclass(frozen=True)
class Traits:
    """What somebody answered of themselves, as codes of the newer schema; None is no answer."""

    ethnic_group: str | None = None
    gender_identity: str | None = None
    sexuality: str | None = None
    pronoun: str | None = None
    disability_types: tuple[str, ...] = ()
    own_words: tuple[tuple[str, str], ...] = ()
    """What was written where the answer is another one: attribute and text."""


@dataclass
class Person:
    """An account, and its profile."""

    key: str
    profile_key: str
    first_name: str
    last_name: str
    birth_date: date | None
    state: State
    phone: str
    cpf: str
    email: str
    created: datetime
    traits: Traits
    privacy: str | None = CLIENT
    is_active: bool = True
    is_staff: bool = False

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.first_name} {self.last_name}"


@dataclass
class Clinic:
    """Where, and at what price, a professional receives people."""

    key: str
    name: str | None
    city: str | None
    state: State | None
    in_person: bool
    online: bool
    price: Decimal

    @property
    def zone(self) -> ZoneInfo:
        """The clock on its wall."""
        if self.city == NORONHA:
            return ZoneInfo("America/Noronha")
        return self.state.zone if self.state else SAO_PAULO


@dataclass
class Practitioner:
    """A professional: an account that receives people."""

    key: str
    person: Person
    full_name: str
    state: State
    profession: str
    specialty: str | None
    status: str
    is_active: bool
    pix: tuple[str, str] | None
    """The kind of the key for payments, and the key."""
    clinic: Clinic | None
    created: datetime


@dataclass
class Report:
    """What somebody said of an appointment."""

    key: str
    author: str
    """`user` or `professional`."""
    rating: int
    feedback: str
    created: datetime


@dataclass
class Cancellation:
    """That an appointment was called off."""

    key: str
    author: str
    reason: str
    created: datetime


@dataclass
class Agreement:
    """Somebody's health plan."""

    key: str
    person: Person
    name: str
    number: str
    expires: date | None


@dataclass
class Visit:
    """An appointment."""

    key: str
    practitioner: Practitioner
    patient: Person
    start: datetime
    created: datetime
    status: str
    type: str
    rescheduled: bool = False
    agreement: Agreement | None = None
    reports: list[Report] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)

    @property
    def local_start(self) -> datetime:
        """When it is by the clock it is kept by: the clinic's in person, São Paulo's online."""
        clinic = self.practitioner.clinic
        return self.start.astimezone(clinic.zone if clinic and self.type == IN_PERSON else SAO_PAULO)

    @property
    def month(self) -> date:
        """The first day of its month, by that clock."""
        return self.local_start.date().replace(day=1)

    @property
    def waiting_minutes(self) -> int:
        """From when it was booked, in whole minutes; below zero where it was entered afterwards."""
        return (self.start - self.created) // timedelta(minutes=1)


@dataclass
class Community:
    """All of them."""

    seed: int
    people: list[Person] = field(default_factory=list)
    """Every account: patients, professionals, and one of the staff."""
    practitioners: list[Practitioner] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """The keys of what is odd on purpose, by what is odd."""

    @property
    def patients(self) -> list[Person]:
        """The accounts that accepted the patients' privacy document."""
        return [person for person in self.people if person.privacy == CLIENT]

    @property
    def reports(self) -> list[Report]:
        """All reports."""
        return [report for visit in self.visits for report in visit.reports]

    def count(self, of: str, *attributes: str) -> Counter[tuple[object, ...]]:
        """How many there are of each combination of attributes.

        Args:
            of: What is counted: `patients`, `practitioners`, `visits`, `reports` ...
            attributes: Of it, or of what it refers to: `status`, `practitioner.state.code`, `traits.ethnic_group`.
        """
        read = [attrgetter(attribute) for attribute in attributes]
        return Counter(tuple(one(item) for one in read) for item in getattr(self, of))
