"""Which path gives which records: lists that are computed as far as they are read, and single records."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from etl_assets.readers.rest.specification import Specification
from etl_assets.sandbox.trialsync.books import PATIENT, SITE, STUDY, Books, Subject
from etl_assets.sandbox.trialsync.directory import MONITOR, ORGANIZATION, ROOM, SCHEDULE, SPONSOR, STAFF, Directory
from etl_assets.sandbox.trialsync.numbers import Offsets, draw, uid
from etl_assets.sandbox.trialsync.trials import ARMS, Trials

API = "/api/v1/"
_NUMBER = re.compile(r"(?<=/)\d+(?=/|$)")
STUDY_STATUSES = (
    "01. Prospect", "02. Feasibility", "03. Selection", "04. Contract", "05. Start-up", "06. Activation",
    "07. Enrollment", "08. Follow-up", "09. Closeout", "10. Closed", "11. Cancelled", "12. Declined", "13. Lost",
    "14. On hold", "15. Archived",
)  # fmt: skip
_SETTINGS = {
    "system/allergies/odata": 24, "system/conditions/odata": 18, "system/medications/odata": 40,
    "system/procedures/odata": 15, "system/immunizations/odata": 9, "system/devices/odata": 30,
    "system/social-history/odata": 8, "system/document-types": 7, "system/action-categories": 5,
    "system/study-categories": 6, "system/study-subcategories": 4, "system/patient-customfields": 3,
    "system/study-customfields": 0, "providers/odata": 9, "engagements/odata": 7, "site-payments/odata": 11,
}  # fmt: skip
"""What an installation has set up, or nothing more is known of here than its shape: how many there are."""
_OF_STUDIES = {"documents/odata": 4, "actions/odata": 4, "milestones/odata": 5, "notes/odata": 3}
"""The same of each study: how many it has at most."""
_OF_PATIENTS = (
    "allergies", "conditions", "devices", "family-history", "immunizations", "medications", "procedures", "providers",
    "social-history", "touches/campaign", "touches/referral",
)  # fmt: skip
_HAVE_ANY = 9
"""Of so many patients one has any of a kind."""
_LOOKUP_LISTS = ("Countries", "Ethnicities", "Languages", "Marital Statuses", "Races", "Regions", "Titles", "Units")
_MOST_QUERIES = 4


@dataclass(frozen=True)
class Listing:
    """A list of records, read as far as it is wanted."""

    size: int
    render: Callable[[int, int], Iterator[str]]
    """The records from one position to before another, as JSON."""
    order: tuple[str, ...] = ("id",)
    """What it is ordered by."""


Found = Listing | str
"""A list, or the one record that a path is the address of."""


class Lists:
    """All lists of an instance."""

    def __init__(self, books: Books, shapes: Specification, instance_type: str) -> None:
        self.books, self._shapes, self._type = books, shapes, instance_type
        self.directory = Directory(books, shapes)
        self.trials = Trials(self.directory)
        self._finders = dict(self._declare())

    @staticmethod
    def generalise(path: str) -> tuple[str, tuple[int, ...]]:
        """A path below the API with {} for each number in it, and the numbers."""
        return _NUMBER.sub("{}", path), tuple(map(int, _NUMBER.findall(path)))

    @property
    def paths(self) -> Collection[str]:
        """All that there are, with {} for each id."""
        return self._finders.keys()

    def find(self, pattern: str, numbers: tuple[int, ...]) -> Found | None:
        """What a path gives; None where a record that it names is not there.

        Raises:
            KeyError: There is no such path.
        """
        return self._finders[pattern](*numbers)

    def _declare(self) -> Iterator[tuple[str, Callable[..., Found | None]]]:
        directory, trials, scale = self.directory, self.trials, self.books.scale
        numbered: dict[str, tuple[int, int, Callable[[int], str]]] = {
            "sites": (SITE, scale.sites, directory.site),
            "studies": (STUDY, scale.studies, directory.study),
            "studies/odata": (STUDY, scale.studies, directory.study),
            "staff/odata": (STAFF, directory.staff, directory.staff_member),
            "sponsors/odata": (SPONSOR, directory.sponsors, directory.sponsor),
            "sponsor-divisions": (SPONSOR, directory.sponsors, directory.division),
            "sponsor-teams": (SPONSOR, directory.sponsors, directory.team),
            "monitors": (MONITOR, directory.monitors, directory.monitor),
            "system/organizations": (1, 1, lambda _: ORGANIZATION),
            "rooms/odata": (ROOM, directory.rooms, self._drawn("rooms/odata", ROOM, "Room")),
            "room-groups": (ROOM, scale.sites // 2, self._drawn("room-groups", ROOM, "Room group")),
            "schedules/odata": (SCHEDULE, directory.schedules, self._drawn("schedules/odata", SCHEDULE, "Schedule")),
            "system/study-statuses": (1, len(STUDY_STATUSES), self._study_status),
            **{path: (1, size, self._drawn(path, 1, path.split("/")[-2 if "odata" in path else -1]))
               for path, size in _SETTINGS.items()},
        }  # fmt: skip
        for path, (first, size, record) in numbered.items():
            yield path, partial(self._numbered, path, first, size, record)
        yield "elements/odata", partial(self._of_all_studies, lambda _: trials.pool, trials.element)
        yield "patients/odata", lambda: self._numbered("patients", PATIENT, self.books.patients, directory.patient)
        yield "patients/{}", partial(self._of_patient, find=directory.patient)
        for name in _OF_PATIENTS:
            yield f"patients/{{}}/{name}", partial(self._of_patient, find=self._children(name))
        yield from self._declare_studies()
        yield "subject-statuses/odata", self._statuses
        yield "patient-visits/odata", lambda: self._walk("visits", trials.patient_visit)
        yield "patient-visits/{}/elements", partial(self._of_visit, find=self._visit_elements)
        yield "patient-visits/{}/stipends", partial(self._of_visit, find=self._stipends)
        yield "appointments/odata", lambda: Listing(self.books.offsets("appointments").size, self._appointments)
        yield "monitor-queries/odata", partial(self._of_all_studies, self._queries, trials.monitor_query)
        yield "system/lookup-lists", lambda: _many(len(_LOOKUP_LISTS), lambda at: f'"{_LOOKUP_LISTS[at]}"')
        yield "instance/details", self._details
        yield "instance/topology", self._topology

    def _declare_studies(self) -> Iterator[tuple[str, Callable[..., Found | None]]]:
        trials, books = self.trials, self.books
        lists: dict[str, tuple[Callable[[int], int], Callable[[int, int], str], tuple[str, ...]]] = {
            "visits/odata": (books.visits, trials.visit, ("id",)),
            "monitor-queries/odata": (self._queries, trials.monitor_query, ("id",)),
            "protocol-versions": (lambda study: 1 + study % 2, trials.protocol_version, ("id",)),
            "arms": (lambda _: len(ARMS), trials.arm, ("Id",)),
            "roles": (lambda _: 3, trials.role, ("id",)),
            "personnel": (lambda _: 3, trials.personnel, ()),
            "warnings": (lambda study: study % 3, trials.warning, ()),
            **{name: (self._share(name), self._child_of_study(name), ("id",)) for name in _OF_STUDIES},
        }
        for name, (share, record, order) in lists.items():
            yield f"studies/{{}}/{name}", self._of_study(partial(_of_parent, share, record, order))
        yield "studies/{}", self._of_study(self.directory.study)
        integration = partial(self.directory.record, "StudyIntegrationInfoViewModel", values={})
        yield "studies/{}/integration-info", self._of_study(integration)
        yield "studies/{}/subjects/odata", self._of_study(self._subjects)
        yield "studies/{}/subjects/{}/patient-visits", self._of_study(self._visits_of_subject)
        yield "studies/{}/visits/{}/elements/odata", self._of_study(self._elements_of_visit)
        yield "studies/{}/actions/{}/unit-completions", self._of_study(lambda _study, _action: _many(0, str))

    def _of_study(self, find: Callable[..., Found | None]) -> Callable[..., Found | None]:
        def found(identity: int, *others: int) -> Found | None:
            is_there = STUDY <= identity < STUDY + self.books.scale.studies
            is_there &= not self.books.is_deleted("studies", identity)
            return find(identity - STUDY, *others) if is_there else None

        return found

    def _of_all_studies(self, share: Callable[[int], int], record: Callable[[int, int], str]) -> Listing:
        gone = self.books.deleted.get("studies", ())
        offsets = Offsets(0 if STUDY + study in gone else share(study) for study in range(self.books.scale.studies))
        return _many(offsets.size, lambda position: record(*offsets.locate(position)))

    def _of_patient(self, identity: int, find: Callable[[int], Found]) -> Found | None:
        is_there = PATIENT <= identity < PATIENT + self.books.patients
        return find(identity - PATIENT) if is_there and not self.books.is_deleted("patients", identity) else None

    def _of_visit(self, identity: int, find: Callable[[Subject, int], Listing]) -> Listing | None:
        subject, visit = self.books.find_subject(identity // 100), identity % 100 - 1
        return find(subject, visit) if subject and 0 <= visit < subject.visits else None

    def _numbered(self, path: str, first: int, size: int, record: Callable[[int], str]) -> Listing:
        """Records with ids in a row, some of which may be deleted."""
        gone = sorted(each - first for each in self.books.deleted.get(path.removesuffix("/odata"), ()))
        if not gone:
            return _many(size, record)
        left = Offsets(0 if number in set(gone) else 1 for number in range(size))
        return _many(left.size, lambda position: record(left.locate(position)[0]))

    def _walk(self, what: str, record: Callable[[Subject, int], str], order: tuple[str, ...] = ("id",)) -> Listing:
        """Records that subjects have."""
        return Listing(
            self.books.offsets(what).size,
            lambda first, end: (record(subject, place) for subject, place in self.books.walk(what, first, end)),
            order,
        )

    def _statuses(self) -> Listing:
        return self._walk("events", self.trials.status, ("study/id", "subject/Id", "status", "eventDate"))

    def _appointments(self, first: int, end: int) -> Iterator[str]:
        last, texts = None, []
        for subject, place in self.books.walk("appointments", first, end):
            if subject is not last:
                last, texts = subject, self.trials.appointments(subject)
            yield texts[place]

    def _subjects(self, study: int) -> Listing:
        everybody = (self.books.subject_id(study, number) for number in range(self.books.subjects.share(study)))
        there = [subject for subject in map(self.books.find_subject, everybody) if subject]
        return _many(len(there), lambda at: self.trials.subject(there[at]))

    def _visits_of_subject(self, study: int, identity: int) -> Listing | None:
        subject = self.books.find_subject(identity)
        if subject is None or subject.study != study:
            return None
        return _many(subject.visits, lambda visit: self.trials.patient_visit(subject, visit))

    def _elements_of_visit(self, study: int, identity: int) -> Listing | None:
        visit = identity - (study + 1) * 100 - 1
        if not 0 <= visit < self.books.visits(study):
            return None
        elements = self.books.scale.elements
        return _many(elements, lambda at: self.trials.visit_element(study, visit, at), ("visit/id", "element/id"))

    def _visit_elements(self, subject: Subject, visit: int) -> Listing:
        return _many(self.books.scale.elements, lambda at: self.trials.patient_visit_element(subject, visit, at))

    def _stipends(self, subject: Subject, visit: int) -> Listing:
        return _many(int(self.trials.was_paid(subject, visit)), lambda _: self.trials.stipend(subject, visit))

    def _children(self, name: str) -> Callable[[int], Listing]:
        """What few patients have any of."""
        kind, model = len(name) * 100 + ord(name[-3]), self._model(f"patients/{{}}/{name}")

        def children(patient: int) -> Listing:
            chance = draw(self.books.seed, kind, patient)
            count = 1 + chance // 64 % 2 if chance % _HAVE_ANY == 0 else 0
            known_as, first = (f"patients/{name}", PATIENT + patient), (patient + 1) * 10
            return _many(count, lambda at: self.directory.record(model, at + patient, {"id": first + at}, known_as))

        return children

    def _queries(self, study: int) -> int:
        return draw(self.books.seed, 19, study) % (_MOST_QUERIES + 1)

    def _share(self, name: str) -> Callable[[int], int]:
        return lambda study: draw(self.books.seed, len(name), study) % (_OF_STUDIES[name] + 1)

    def _child_of_study(self, name: str) -> Callable[[int, int], str]:
        model = self._model(f"studies/{{}}/{name}")
        return lambda study, at: self.directory.record(model, study + at, {"id": (study + 1) * 100 + at + 1})

    def _drawn(self, path: str, first: int, word: str) -> Callable[[int], str]:
        """Records with an id, and a name of its own where the model has names."""
        model, kind = self._model(path), path.removesuffix("/odata")
        has_name = "name" in self._shapes.models[model]

        def record(number: int) -> str:
            name = {"name": f'"{word} {number + 1}"'} if has_name else {}
            values = {"id": first + number, **name}
            return self.directory.record(model, number, values, (kind, first + number))

        return record

    def _study_status(self, number: int) -> str:
        values = {"id": number + 1, "name": f'"{STUDY_STATUSES[number]}"', "isActive": "true"}
        return self.directory.record("StudyStatusTypeViewModel", number, values)

    def _details(self) -> str:
        values = {"instanceUID": uid(self.books.seed, 99, 1), "instanceType": f'"{self._type}"'}
        return self.directory.record("InstanceDetails", 0, values)

    def _topology(self) -> str:
        sites = ",".join(
            f'{{"siteID":{SITE + site},"siteUID":{uid(self.books.seed, 2, SITE + site)}}}'
            for site in range(self.books.scale.sites)
        )
        own = f'"applicationUrl":"https://conductor.example","instanceUID":{uid(self.books.seed, 99, 1)}'
        return f'{{"cce":null,"ccs":[{{{own},"sites":[{sites}]}}],"pubSubId":null}}'

    def _model(self, path: str) -> str:
        operation = self._shapes.find(API + path)
        if operation is None:
            raise KeyError(path)
        return operation.model


def _of_parent(
    share: Callable[[int], int], record: Callable[[int, int], str], order: tuple[str, ...], parent: int
) -> Listing:
    return _many(share(parent), partial(record, parent), order)


def _many(size: int, record: Callable[[int], str], order: tuple[str, ...] = ("id",)) -> Listing:
    return Listing(size, lambda first, end: map(record, range(first, min(end, size))), order)
