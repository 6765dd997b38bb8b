"""Records of what goes on in a study: its protocol, its subjects, their statuses, visits, appointments and stipends."""

import json
from collections.abc import Iterator
from datetime import date, timedelta

from etl_assets.sandbox.trialsync.books import Subject
from etl_assets.sandbox.trialsync.directory import Directory
from etl_assets.sandbox.trialsync.numbers import draw, moment, uid

ARMS = ("Placebo", "Verum")
MORE_ELEMENTS = 3
"""A study has so many more than are done at one visit."""
_ELEMENTS = ("Consent", "Vitals", "Blood draw", "ECG", "Questionnaire", "Physical exam", "Urinalysis", "MRI")
_TOO_EARLY = timedelta(days=25)
"""How long before a visit its first appointment was, where that came to nothing."""


class Trials:
    """Makes records of an instance."""

    def __init__(self, directory: Directory) -> None:
        self.directory, self.books = directory, directory.books
        self._seed, self._record = directory.books.seed, directory.record
        self.pool = self.books.scale.elements + MORE_ELEMENTS
        """Elements that a study has."""

    def arm(self, study: int, number: int) -> str:
        """A preview, which is all there is; with capital letters, as the vendor has it."""
        identity = (study + 1) * 10 + number
        return f'{{"Id":{identity},"Uid":{uid(self._seed, 11, identity)},"Name":"{ARMS[number]}"}}'

    def protocol_version(self, study: int, number: int) -> str:
        """A version of a study's protocol."""
        identity = (study + 1) * 10 + number
        values = {"id": identity, "uid": uid(self._seed, 12, identity), "study": self.directory.study_preview(study)}
        return self._record("ProtocolVersionViewModel", identity, {**values, "name": f'"Version {number + 1}"'})

    def visit(self, study: int, number: int) -> str:
        """A visit of the protocol."""
        values = {
            "id": _visit_id(study, number), "uid": uid(self._seed, 13, _visit_id(study, number)),
            "name": f'"Visit {number + 1}"', "study": self.directory.study_preview(study),
            "protocolVersion": self._protocol_preview(study),
            "arms": f"[{self.arm(study, 0)},{self.arm(study, 1)}]",
        }  # fmt: skip
        return self._record("VisitViewModel", number, values, ("visits", _visit_id(study, number)))

    def element(self, study: int, number: int) -> str:
        """What may be done at a visit."""
        identity = _element_id(study, number)
        values = {
            "id": identity,
            "uid": uid(self._seed, 14, identity),
            "name": _element_name(number),
            "study": self.directory.study_preview(study),
        }
        return self._record("ElementViewModel", number, values, ("elements", identity))

    def elements_of_visit(self, visit: int) -> list[int]:
        """Numbers of the elements that are done at a visit of the protocol, in order."""
        return sorted((visit + place) % self.pool for place in range(self.books.scale.elements))

    def visit_element(self, study: int, visit: int, place: int) -> str:
        """An element in a visit of the protocol; it has no id of its own."""
        number = self.elements_of_visit(visit)[place]
        identity = _element_id(study, number)
        return (
            f'{{"visit":{self._visit_preview(study, visit)},"element":{{"id":{identity},'
            f'"uid":{uid(self._seed, 14, identity)},"name":{_element_name(number)},"sequence":{place + 1},'
            '"isRequired":true}}'
        )

    def subject(self, subject: Subject) -> str:
        """A subject as it stands now."""
        study, randomized = subject.study, subject.on("Randomized")
        chance = draw(self._seed, 15, subject.id)
        values = {
            "id": subject.id, "uid": uid(self._seed, 15, subject.id), "study": self.directory.study_preview(study),
            "site": self.directory.site_preview(subject.site),
            "patient": self.directory.demographics(subject.patient), "status": f'"{subject.status}"',
            "protocolVersion": self._protocol_preview(study),
            "arm": self.arm(study, chance % len(ARMS)) if randomized else "null",
            "enrollmentDate": _day(subject.enrolled), "screeningNumber": f'"S-{subject.id}"',
            "randomizationNumber": f'"R-{subject.id}"' if randomized else "null",
            "treatmentStart": _day(randomized),
        }  # fmt: skip
        return self._record("SubjectViewModel", chance, values, ("subjects", subject.id))

    def status(self, subject: Subject, place: int) -> str:
        """One of a subject's statuses, by their names: a record without an id."""
        status, day = sorted(subject.events)[place]
        values = {
            "status": f'"{status}"', "isCurrentStatus": "true" if status == subject.status else "false",
            "eventDate": moment(day, 9 + subject.id % 8, 30), "study": self.directory.study_preview(subject.study),
            "site": self.directory.site_preview(subject.site), "subject": self._subject_preview(subject),
        }  # fmt: skip
        return self._record("SubjectStatusModel", subject.id, values)

    def patient_visit(self, subject: Subject, visit: int) -> str:
        """A subject's visit with its appointments."""
        identity, due = visit_of(subject, visit), subject.due(visit)
        appointments = ",".join(
            f'{{"id":{2 * identity + attempt},"status":"{status}","scheduledStart":{begins},"scheduledEnd":{ends}}}'
            for attempt, status, begins, ends in self._planned(subject, visit)
        )
        values = {
            "id": identity, "uid": uid(self._seed, 16, identity), "sequence": visit + 1,
            "visitId": _visit_id(subject.study, visit), "visitName": f'"Visit {visit + 1}"',
            "status": f'"{self._visit_status(subject, visit)}"', "targetDueDate": moment(due),
            "minDueDate": moment(due - timedelta(days=3)), "maxDueDate": moment(due + timedelta(days=3)),
            "appointments": f"[{appointments}]", "study": self.directory.study_preview(subject.study),
            "subject": self._subject_preview(subject),
        }  # fmt: skip
        return self._record("PatientVisitPreview", identity, values)

    def appointments(self, subject: Subject) -> list[str]:
        """All appointments of a subject."""
        texts, directory = [], self.directory
        who = {
            "study": directory.study_preview(subject.study), "site": directory.site_preview(subject.site),
            "patient": directory.patient_preview(subject.patient),
        }  # fmt: skip
        for visit in range(subject.held):
            for attempt, status, begins, ends in self._planned(subject, visit):
                identity = 2 * visit_of(subject, visit) + attempt
                values = {
                    "id": identity, "status": f'"{status}"', "plannedStart": begins, "plannedEnd": ends, **who,
                    "visit": self._visit_preview(subject.study, visit),
                }  # fmt: skip
                texts.append(self._record("AppointmentViewModel", identity, values, ("appointments", identity)))
        return texts

    def patient_visit_element(self, subject: Subject, visit: int, place: int) -> str:
        """What is done at a subject's visit, or was."""
        number, is_done = self.elements_of_visit(visit)[place], self._visit_status(subject, visit) == "Completed"
        room = 10 if self.books.scale.elements < 10 else 1000  # noqa: PLR2004
        identity = visit_of(subject, visit) * room + place
        values = {
            "id": identity, "uid": uid(self._seed, 17, identity), "sequence": place + 1,
            "elementId": _element_id(subject.study, number), "name": _element_name(number),
            "completedOn": moment(subject.due(visit), 11) if is_done else "null",
        }  # fmt: skip
        return self._record("PatientVisitElementPreview", place, values)

    def stipend(self, subject: Subject, visit: int) -> str:
        """What a subject was paid for a visit."""
        identity = visit_of(subject, visit)
        values = {
            "id": identity, "patientVisitId": identity, "patientStudyId": subject.id,
            "patientStudyStatus": f'"{subject.status}"', "stipendType": '"Visit"', "amount": "50.0",
            "paymentOn": moment(subject.due(visit), 15),
        }  # fmt: skip
        return self._record("PatientPaymentViewModel", identity, values)

    def was_paid(self, subject: Subject, visit: int) -> bool:
        """Every second visit that took place was paid for."""
        return visit % 2 == 0 and self._visit_status(subject, visit) == "Completed"

    def monitor_query(self, study: int, number: int) -> str:
        """A question of a monitor; one of three is closed."""
        identity = (study + 1) * 100 + number + 1
        created = self.books.begins(study) + timedelta(days=1 + draw(self._seed, 18, identity) % 30)
        values = {
            "id": identity, "study": self.directory.study_preview(study),
            "assignedToMonitor": self.directory.monitor(identity % self.directory.monitors),
            "createdOn": moment(created, 10),
            "closedOn": moment(created + timedelta(days=9), 16) if identity % 3 == 0 else "null",
        }  # fmt: skip
        return self._record("MonitorQueryPreviewModel", identity, values, ("monitor-queries", identity))

    def personnel(self, study: int, number: int) -> str:
        """A role with those who have it, with capital letters and without an id of its own."""
        role = f'{{"Id":{number + 1},"RoleName":"Role {number + 1}","Coordinator":{json.dumps(number == 0)}}}'
        first = (study + number) % self.directory.staff
        staff = ",".join(self.directory.staff_resource((first + place) % self.directory.staff) for place in range(2))
        return f'{{"Role":{role},"Staff":[{staff}]}}'

    def role(self, study: int, number: int) -> str:
        """A role of a study; its id is that of the role, so that it is in every study."""
        return self._record("StudyRoleViewModel", study, {"id": number + 1, "name": f'"Role {number + 1}"'})

    def warning(self, study: int, number: int) -> str:
        """Something that is wrong with a visit of the protocol; it has no id."""
        values = {
            "type": '"Visit"',
            "description": f'"Visit {number + 1} has no budget"',
            "visit": self._visit_preview(study, 0),
            "element": "null",
        }
        return self._record("StudyWarningModel", number, values)

    def _planned(self, subject: Subject, visit: int) -> Iterator[tuple[int, str, str, str]]:
        """A visit's appointments: 0 or 1 for the first and the second attempt, status, beginning and end."""
        if visit >= subject.held:
            return
        due, hour = subject.due(visit), 8 + (subject.id + visit) % 9
        if subject.missed(visit):
            day = due - _TOO_EARLY
            yield 0, ("Cancelled", "NoShow")[subject.id % 2], moment(day, hour), moment(day, hour + 1)
        status = "Completed" if due <= self.books.now else "Pending"
        yield 1, status, moment(due, hour), moment(due, hour + 1)

    def _visit_status(self, subject: Subject, visit: int) -> str:
        return "Completed" if visit < subject.held and subject.due(visit) <= self.books.now else "Pending"

    def _subject_preview(self, subject: Subject) -> str:
        return f'{{"Id":{subject.id},"Uid":{uid(self._seed, 15, subject.id)},"Name":"S-{subject.id}"}}'

    def _visit_preview(self, study: int, visit: int) -> str:
        identity = _visit_id(study, visit)
        return f'{{"id":{identity},"uid":{uid(self._seed, 13, identity)},"name":"Visit {visit + 1}"}}'

    def _protocol_preview(self, study: int) -> str:
        identity = (study + 1) * 10
        return f'{{"id":{identity},"uid":{uid(self._seed, 12, identity)},"name":"Version 1"}}'


def visit_of(subject: Subject, visit: int) -> int:
    """The id of a subject's visit."""
    return subject.id * 100 + visit + 1


def _visit_id(study: int, visit: int) -> int:
    return (study + 1) * 100 + visit + 1


def _element_id(study: int, number: int) -> int:
    return (study + 1) * 1000 + number + 1


def _element_name(number: int) -> str:
    return f'"{_ELEMENTS[number % len(_ELEMENTS)]} {number + 1}"'


def _day(day: date | None) -> str:
    return moment(day, 12) if day else "null"
