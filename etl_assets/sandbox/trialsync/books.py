"""What must agree of an instance: studies, their subjects, and what befell each of them, as of a day.

Nothing is kept but a few numbers a study and a subject; all else is computed by number. The day moves on by `advance`:
new subjects come, statuses and visits happen that were ahead. What happened before stays as it was.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from threading import RLock
from typing import NamedTuple

from etl_assets.sandbox.trialsync.numbers import Offsets, draw

NOW = date(2026, 2, 1)
AHEAD = timedelta(days=21)
"""How long before it is due a visit gets its appointment."""
BETWEEN_VISITS = 14
STUDY, SITE, PATIENT = 1001, 11, 20_001
"""The ids of the first."""

_EPOCH = date(2022, 1, 10)
_ENDS = {"ScreenFailed", "NonQualified", "RunInFailed", "Dropped", "Completed"}
_STARTING_UP = 11
"""Of each dozen studies one has no subjects yet."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much there is. Patient visits are about `subjects` times `visits`, and appointments half of these."""

    patients: int = 120
    studies: int = 12
    sites: int = 6
    subjects: int = 160
    visits: int = 8
    """Of a study's protocol, about."""
    elements: int = 4
    """Done at a visit."""

    def __post_init__(self) -> None:
        if min(self.patients, self.studies, self.sites, self.visits) < 1:
            raise ValueError("there must be patients, studies, sites and visits")
        if self.visits > 90 or self.elements > 900:  # noqa: PLR2004 (ids have so much room)
            raise ValueError("a protocol has at most 90 visits, and a visit 900 elements")


class Subject(NamedTuple):
    """A patient in a study, and what became of that until now."""

    study: int
    """Number of the study, from 0 on, as of everything here but `id`."""
    number: int
    id: int
    patient: int
    site: int
    events: tuple[tuple[str, date], ...]
    """Statuses in the order of their dates; the last is the subject's."""
    enrolled: date | None
    visits: int
    """Of the protocol, each of which the subject has a patient visit for."""
    held: int
    """Visits, the first ones, that have an appointment: until now or shortly, and none after a subject's end."""

    @property
    def status(self) -> str:
        """The current one."""
        return self.events[-1][0]

    def due(self, visit: int) -> date:
        """When a visit is due."""
        return self.events[0][1] + timedelta(days=BETWEEN_VISITS * visit)

    def on(self, status: str) -> date | None:
        """When the subject came to a status."""
        return next((day for each, day in self.events if each == status), None)

    def missed(self, visit: int) -> bool:
        """Whether a visit's first appointment came to nothing, and a second was made."""
        return 2 <= visit < self.held and (self.id + visit) % 9 == 0  # noqa: PLR2004 (the first were not planned before)

    @property
    def appointments(self) -> int:
        """How many there are in all."""
        return self.held + sum(map(self.missed, range(self.held)))


@dataclass
class Enrolment:
    """What happened at one site of a study in one month; subjects, counted by the date of the event."""

    enrolled: int = 0
    """By the date of enrolment."""
    screened: int = 0
    screen_failed: int = 0
    randomised: int = 0
    completed: int = 0


_COUNTED = {
    "Screened": "screened",
    "ScreenFailed": "screen_failed",
    "Randomized": "randomised",
    "Completed": "completed",
}


@dataclass
class Books:
    """An instance's books. Another seed tells of others under the same ids."""

    seed: int = 1
    scale: Scale = field(default_factory=Scale)
    now: date = NOW
    versions: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often a record was changed, by what it is and its id."""
    deleted: dict[str, set[int]] = field(default_factory=dict)
    """Ids that are gone."""

    def __post_init__(self) -> None:
        self.lock, self.revision = RLock(), 0
        """Held by whoever changes or reads; the revision moves on with every change."""
        self._first_day, studies = self.now, range(self.scale.studies)
        weights = [0 if self._is_starting_up(study) else 1 + (study * 7 + self.seed) % 5 for study in studies]
        shares, total = Offsets(weights), max(sum(weights), 1)
        ends = [0] + [self.scale.subjects * (shares.first(study) + weights[study]) // total for study in studies]
        self._first_counts = [after - before for before, after in pairwise(ends)]
        self._first_patients = Offsets(self._first_counts)
        self.block: int = 10 ** len(str(2 * max(self._first_counts)))
        """Ids that a study has for its subjects."""
        self._settle()

    def _settle(self) -> None:
        """Find anew what follows from the day and from what was deleted."""
        self.revision += 1
        self._newcomers = list(self._arrivals())
        added = Counter(study for study, _ in self._newcomers)
        self._patient_of_newcomer = {who: self.scale.patients + place for place, who in enumerate(self._newcomers)}
        counts = [count + added[study] for study, count in enumerate(self._first_counts)]
        self.subjects = Offsets(counts)
        self._offsets: dict[str, Offsets] = {}
        self.subject = lru_cache(2_000)(self._make_subject)

    @property
    def patients(self) -> int:
        """How many there are or were, newcomers among them."""
        return self.scale.patients + len(self._newcomers)

    def advance(self, days: int) -> None:
        """Let some days go by."""
        with self.lock:
            self.now += timedelta(days=days)
            self._settle()

    def change(self, kind: str, number: int) -> None:
        """Let a record say something else from now on; `kind` is a list's path without `/api/v1/` and `/odata`."""
        with self.lock:
            self.versions[kind, number] += 1
            self.revision += 1

    def delete(self, kind: str, number: int) -> None:
        """Delete a record by its id: of `subjects` or `studies`, with all below, `patients`, or of what is set up."""
        with self.lock:
            self.deleted.setdefault(kind, set()).add(number)
            self._settle()

    def is_deleted(self, kind: str, number: int) -> bool:
        """Whether `delete` was called for it."""
        return number in self.deleted.get(kind, ())

    def begins(self, study: int) -> date:
        """When a study took its first subject."""
        return _EPOCH + timedelta(days=draw(self.seed, 2, study) % 1_300)

    def visits(self, study: int) -> int:
        """Of the protocol."""
        more: int = (study * 5 + self.seed) % 5
        return max(1, self.scale.visits - 2 + more)

    def study_status(self, study: int) -> str:
        """Free text with its place in front, as the vendor has it."""
        if self._is_starting_up(study):
            return "05. Start-up"
        return "07. Enrollment" if self._is_enrolling(study) else "09. Closeout"

    def subject_id(self, study: int, number: int) -> int:
        """Of a study's subject by its number."""
        return (study + 1) * self.block + number + 1

    def find_subject(self, identity: int) -> Subject | None:
        """A subject by its id; None where there is none."""
        study, number = identity // self.block - 1, identity % self.block - 1
        if not 0 <= study < self.scale.studies or not 0 <= number < self.subjects.share(study):
            return None
        return None if self._is_gone(study, number) else self.subject(study, number)

    def offsets(self, what: str) -> Offsets:
        """Where each subject's records begin in the list of all `events`, `visits`, `appointments` or `subjects`."""
        if what not in self._offsets:
            self._offsets[what] = Offsets(self._shares(what))
        return self._offsets[what]

    def walk(self, what: str, first: int, end: int) -> Iterator[tuple[Subject, int]]:
        """The subjects of a span of such a list, each with the place among its own records."""
        for owner, place in self.offsets(what).walk(first, end):
            yield self.subject(*self.subjects.locate(owner)), place

    def active_studies(self, patient: int) -> list[int]:
        """Studies that a patient is in and has not ended; of newcomers, the one they came for."""
        if patient >= self.scale.patients:
            found = [self._newcomers[patient - self.scale.patients]]
        else:
            places = range(patient, self._first_patients.size, self.scale.patients)
            found = [self._first_patients.locate(place) for place in places]
        subjects = (self.find_subject(self.subject_id(*each)) for each in found)
        return [each.study for each in subjects if each and each.status not in _ENDS]

    def enrolment(self) -> dict[tuple[int, int, str], Enrolment]:
        """What a mart must come to, by ids of study and site and month (2025-03); without months that had nothing."""
        months: dict[tuple[int, int, str], Enrolment] = {}
        for subject, _ in self.walk("subjects", 0, self.offsets("subjects").size):
            happened = [(_COUNTED.get(status), day) for status, day in subject.events]
            for what, day in [*happened, ("enrolled", subject.enrolled)]:
                if what and day:
                    key = (STUDY + subject.study, SITE + subject.site, f"{day:%Y-%m}")
                    month = months.setdefault(key, Enrolment())
                    setattr(month, what, getattr(month, what) + 1)
        return months

    def _shares(self, what: str) -> Iterator[int]:
        for study in range(self.scale.studies):
            for number in range(self.subjects.share(study)):
                if self._is_gone(study, number):
                    yield 0
                elif what == "subjects":
                    yield 1
                elif what == "visits":
                    yield self.visits(study)
                else:
                    subject = self._make_subject(study, number)
                    yield len(subject.events) if what == "events" else subject.appointments

    def _is_gone(self, study: int, number: int) -> bool:
        is_gone = self.is_deleted("subjects", self.subject_id(study, number))
        return is_gone or self.is_deleted("studies", STUDY + study)

    def _arrivals(self) -> Iterator[tuple[int, int]]:
        """Subjects who came after the first day, in the order in which they came."""
        came = []
        for study, count in enumerate(self._first_counts):
            number = count
            has_room = bool(count) and self._is_enrolling(study)
            while has_room and number < self.block - 1 and self._came(study, number) <= self.now:
                came.append((self._came(study, number), study, number))
                number += 1
        for _, study, number in sorted(came):
            yield study, number

    def _is_starting_up(self, study: int) -> bool:
        return study % 12 == _STARTING_UP

    def _is_enrolling(self, study: int) -> bool:
        return not self._is_starting_up(study) and draw(self.seed, 3, study) % 10 < 7  # noqa: PLR2004 (of ten)

    def _came(self, study: int, number: int) -> date:
        """Subjects come one after the other, at even distances until the first day, and on."""
        begins = self.begins(study)
        return begins + timedelta(
            days=(self._first_day - begins).days * (number + 1) // max(self._first_counts[study], 1)
        )

    def _make_subject(self, study: int, number: int) -> Subject:
        identity, visits = self.subject_id(study, number), self.visits(study)
        events, enrolled = self._history(study, number, visits)
        ended = events[-1][1] if events[-1][0] in _ENDS else None
        held = ((ended or self.now + AHEAD) - events[0][1]).days // BETWEEN_VISITS + 1
        newcomer = self._patient_of_newcomer.get((study, number))
        place = self._first_patients.first(study) + number
        return Subject(
            study=study,
            number=number,
            id=identity,
            patient=place % self.scale.patients if newcomer is None else newcomer,
            site=(study + draw(self.seed, 4, identity) % 3) % self.scale.sites,
            events=events,
            enrolled=enrolled,
            visits=visits,
            held=min(visits, held),
        )

    def _history(self, study: int, number: int, visits: int) -> tuple[tuple[tuple[str, date], ...], date | None]:
        """A subject's statuses with their dates, and the date of enrolment, as far as they have come."""
        fate, day = draw(self.seed, 5, study, number), self._came(study, number)
        part = fate % 100
        screened = day + timedelta(days=3 + fate // 128 % 12)
        decided = screened + timedelta(days=2 + fate // 4096 % 14)
        completed = day + timedelta(days=max(BETWEEN_VISITS * (visits - 1), 35) + 3)
        events = [("Prescreened", day)]
        if part < 8:  # noqa: PLR2004 (percent, as those below)
            events.append(("NonQualified", screened))
        elif part < 30:  # noqa: PLR2004
            events += [("Screened", screened), ("ScreenFailed", decided)]
        elif part < 34:  # noqa: PLR2004
            events += [("Screened", screened), ("RunIn", decided), ("RunInFailed", decided + timedelta(days=7))]
        else:
            events += [("Screened", screened), ("Randomized", decided)]
            if part < 48:  # noqa: PLR2004
                events.append(("Dropped", decided + timedelta(days=1 + fate // 65_536 % 60)))
            else:
                events += [("FollowUp", completed - timedelta(days=2))] * (part > 85)  # noqa: PLR2004
                events.append(("Completed", completed))
        enrolled = screened + timedelta(days=1) if part >= 30 else None  # noqa: PLR2004
        past = tuple(event for event in events if event[1] <= self.now)
        return past, enrolled if enrolled and enrolled <= self.now else None
