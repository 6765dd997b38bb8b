"""What the rules of TrialSync find, and what they leave alone. Each case is one record beside good ones."""

import json
from uuid import UUID

import pytest

from etl_assets.declare.rules import Finds
from etl_assets.quality.run import WITHHELD, run_rule
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch

NORTH, SOUTH = 1, 2
GOOD = {
    "studies": {
        "name": "Heart 1", "status": "07. Enrollment", "sponsor": {"id": 1}, "managingSite": {"id": 1},
        "createdOn": "2025-01-01T00:00:00Z", "lastUpdatedOn": "2025-01-01T00:00:00Z",
    },
    "sites": {"name": "Mill", "timeZone": "America/Chicago"},
    "sponsors": {"name": "Payer"},
    "patients": {
        "status": "Active", "displayName": "Example, Ada", "mrn": "M-1", "primarySite": {"id": 1},
        "dateOfBirth": "1990-01-01T00:00:00Z", "dateOfDeath": None,
    },
    "subjects": {
        "status": "Randomized", "screeningNumber": "S-1", "site": {"id": 1},
        "patient": {"id": 1, "dateOfBirth": "1990-01-01T00:00:00Z"}, "enrollmentDate": "2026-01-02T12:00:00Z",
        "study": {"id": 1},
    },
    "subject_statuses": {"status": "Randomized", "eventDate": "2026-01-03T09:30:00Z"},
    "visits": {"name": "Visit 1"},
    "patient_visits": {
        "status": "Pending", "study": {"id": 1}, "subject": {"Id": 1}, "visitId": 1,
        "targetDueDate": "2026-01-10T00:00:00Z", "minDueDate": "2026-01-08T00:00:00Z",
        "maxDueDate": "2026-01-12T00:00:00Z",
    },
    "appointments": {
        "status": "Pending", "study": {"id": 1}, "site": {"id": 1}, "patient": {"id": 1},
        "plannedStart": "2026-01-10T09:00:00Z", "plannedEnd": "2026-01-10T10:00:00Z",
    },
    "elements": {"name": "Consent", "study": {"id": 1}},
    "patient_visit_elements": {"elementId": 1, "completedOn": "2026-01-10T09:30:00Z"},
}  # fmt: skip
"""A record of each table, of id 1 in study 1 and visit 1, at the instance in the north."""
# table, rule, what is different about the record, the fields that are found
BROKEN = [
    ("studies", "MissingRequiredFields", {"name": " "}, ["name"]),
    ("studies", "StatusWithoutPlace", {"status": "Enrollment"}, ["status"]),
    ("studies", "InvalidTimeSequence", {"lastUpdatedOn": "2024-01-01T00:00:00Z"}, ["created_on > last_updated_on"]),
    ("studies", "UnknownSponsor", {"sponsor": {"id": 77}}, ["sponsor.id"]),
    ("studies", "UnknownSite", {"managingSite": {"id": 77}}, ["managingSite.id"]),
    ("sites", "MissingRequiredFields", {"timeZone": None}, ["time_zone"]),
    ("sites", "UnknownTimeZone", {"timeZone": "Central Standard Time"}, ["timeZone"]),
    ("patients", "MissingRequiredFields", {"status": None}, ["status"]),
    ("patients", "InvalidStatus", {"status": "active"}, ["status"]),
    ("patients", "ImpossibleBirthDate", {"dateOfBirth": "1066-01-01T00:00:00Z"}, ["date_of_birth"]),
    ("patients", "DiedBeforeBirth", {"dateOfDeath": "1989-12-31T00:00:00Z"}, ["date_of_death"]),
    ("patients", "UnknownSite", {"primarySite": {"id": 77}}, ["primarySite.id"]),
    ("patients", "DuplicateMrn", {}, ["mrn", "mrn"]),
    ("subjects", "MissingRequiredFields", {"patient": None}, ["patient_id"]),
    ("subjects", "InvalidStatus", {"status": "Screen Failure"}, ["status"]),
    ("subjects", "UnknownStudy", {"study_id": 77}, ["study.id"]),
    ("subjects", "UnknownSite", {"site": {"id": 77}}, ["site.id"]),
    ("subjects", "UnknownPatient", {"patient": {"id": 77}}, ["patient.id"]),
    ("subjects", "EnrolledBeforeBirth", {"enrollmentDate": "1990-01-01T00:00:00Z"}, ["enrollmentDate"]),
    ("subjects", "RandomizedWithoutEnrollment", {"enrollmentDate": None}, ["enrollmentDate"]),
    ("subjects", "DuplicateScreeningNumber", {}, ["screeningNumber", "screeningNumber"]),
    ("subject_statuses", "InvalidStatus", {"status": "Gone"}, ["status"]),
    ("subject_statuses", "InvalidEventDate", {"eventDate": "soon"}, ["eventDate"]),
    ("subject_statuses", "InvalidEventDate", {"eventDate": "2126-01-01T00:00:00Z"}, ["eventDate"]),
    ("subject_statuses", "UnknownSubject", {"subject_id": 77}, ["subject.Id"]),
    ("subject_statuses", "UnknownSubject", {"study_id": 77}, ["subject.Id"]),
    ("visits", "MissingRequiredFields", {"name": None}, ["name"]),
    ("visits", "UnknownStudy", {"study_id": 77}, ["study.id"]),
    ("patient_visits", "MissingRequiredFields", {"targetDueDate": None}, ["target_due_date"]),
    ("patient_visits", "InvalidStatus", {"status": "NoShow"}, ["status"]),
    (
        "patient_visits",
        "InvalidDateSequence",
        {"minDueDate": "2026-01-11T00:00:00Z"},
        ["min_due_date > target_due_date"],
    ),
    (
        "patient_visits",
        "InvalidDateSequence",
        {"targetDueDate": None, "maxDueDate": "2026-01-07T00:00:00Z"},
        ["min_due_date > max_due_date"],
    ),
    ("patient_visits", "UnknownSubject", {"subject": {"Id": 77}}, ["subject.Id"]),
    ("patient_visits", "UnknownVisit", {"study": {"id": 77}}, ["visitId"]),
    ("appointments", "MissingRequiredFields", {"plannedStart": None}, ["planned_start"]),
    ("appointments", "InvalidStatus", {"status": "Held"}, ["status"]),
    ("appointments", "EndsBeforeItBegins", {"plannedEnd": "2026-01-10T09:00:00Z"}, ["plannedEnd"]),
    ("appointments", "UnknownStudy", {"study": {"id": 77}}, ["study.id"]),
    ("appointments", "UnknownSite", {"site": {"id": 77}}, ["site.id"]),
    ("appointments", "UnknownPatient", {"patient": {"id": 77}}, ["patient.id"]),
    ("elements", "MissingRequiredFields", {"name": None}, ["name"]),
    ("elements", "UnknownStudy", {"study": {"id": 77}}, ["study.id"]),
    ("patient_visit_elements", "DoneAhead", {"completedOn": "2126-01-10T00:00:00Z"}, ["completedOn"]),
    ("patient_visit_elements", "UnknownPatientVisit", {"patient_visit_id": 77}, ["patient visit"]),
    ("patient_visit_elements", "UnknownElement", {"elementId": 77}, ["elementId"]),
]
FINE = [
    ("studies", "InvalidTimeSequence", {"lastUpdatedOn": "2025-01-01T00:00:00Z"}),
    ("patients", "DuplicateMrn", {"mrn": ""}),
    ("patients", "DuplicateMrn", {"instance": SOUTH}),  # numbers of another organisation
    ("patients", "DiedBeforeBirth", {"dateOfDeath": "2020-01-01T00:00:00Z"}),
    ("subjects", "DuplicateScreeningNumber", {"study_id": 2}),
    ("subjects", "DuplicateScreeningNumber", {"instance": SOUTH}),
    ("subjects", "RandomizedWithoutEnrollment", {"status": "ScreenFailed", "enrollmentDate": None}),
    ("subjects", "EnrolledBeforeBirth", {"patient": {"id": 1}}),
    ("subjects", "UnknownSite", {"site": None}),  # missing, and not unknown
    ("patient_visits", "InvalidDateSequence", {"minDueDate": None, "maxDueDate": None}),
    (
        "patient_visits",
        "InvalidDateSequence",
        {"minDueDate": "2026-01-10T00:00:00Z", "maxDueDate": "2026-01-10T23:00:00Z"},
    ),
    ("appointments", "UnknownStudy", {"study": None}),
    ("patient_visit_elements", "DoneAhead", {"completedOn": None}),
]
EVENTS = {
    "the last event has the status": (
        [("Screened", "2026-01-01T09:00:00Z"), ("Randomized", "2026-01-02T09:00:00Z")],
        [],
    ),
    "two at one moment, of which one is it": (
        [("Randomized", "2026-01-02T09:00:00Z"), ("Screened", "2026-01-02T10:00:00+01:00")],
        [],
    ),
    "the order is that of moments, and not of their text": (
        [("Randomized", "2026-01-02T09:00:00+05:00"), ("Dropped", "2026-01-02T06:00:00Z")],
        ["is Randomized, and the last of its statuses is Dropped"],
    ),
    "no event at all": ([], []),
    "an event of no moment is not the last": (
        [("Randomized", "2026-01-02T09:00:00Z"), ("Dropped", "soon")],
        [],
    ),
}


@pytest.fixture(scope="module")
def warehouse(module_settings):
    """A warehouse in which each table holds one good record."""
    with connect(module_settings, autocommit=True) as connection:
        for table, document in GOOD.items():
            put(connection, table, 1, document)
        yield connection


@pytest.fixture(scope="module")
def batch(module_settings):
    with open_batch(module_settings, "trialsync", "check") as batch:
        yield batch


def put(connection, table: str, number: int, document: dict) -> None:
    """Put a record into staging; the columns of its key may be among what it says."""
    declared = SOURCE.rest_table(f"dim_{table}_staging")
    instance = document.get("instance", NORTH)
    own = {"entity_id": number, "status": document.get("status"), "event_date": document.get("eventDate")}
    keys = {name: document.get(name, own.get(name, 1)) for name in declared.keys}
    columns = {
        **keys,
        "data": json.dumps({"id": number, **document}),
        "source_id": str(instance),
        "source_instance_id": instance,
        "etl_job_id": 1,
        "etl_run_id": number,
        "etl_batch_id": UUID(int=7),
    }
    connection.execute(
        f"insert into trialsync_staging.{declared.name} ({', '.join(columns)})"
        f" values ({', '.join(['%s'] * len(columns))})",
        list(columns.values()),
    )


def take(connection, table: str) -> None:
    connection.execute(f"delete from trialsync_staging.dim_{table}_staging where etl_run_id = 2")


def run(warehouse, batch, table: str, name: str):
    declared = next(each for each in SOURCE.rules if (each.table, each.name) == (f"dim_{table}_staging", name))
    return run_rule(warehouse, batch, SOURCE, declared, None)


def found(warehouse, batch, table: str, name: str, document: dict) -> list[str]:
    """The fields that the rule finds with a second record beside the good one; the record is taken out again."""
    put(warehouse, table, 2, document)
    try:
        return [row.field for row in run(warehouse, batch, table, name).sample]
    finally:
        take(warehouse, table)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case[0]}.{case[1]} {case[2]}"[:60])
def test_what_is_wrong_is_found_by_field(warehouse, batch, case) -> None:
    table, rule, difference, fields = case
    document = {**GOOD[table], **difference}
    if table == "subject_statuses" and difference.keys() <= {"subject_id", "study_id"}:
        document = {**document, "status": "Dropped"}
    assert found(warehouse, batch, table, rule, document) == fields


@pytest.mark.parametrize("case", FINE, ids=lambda case: f"{case[0]}.{case[1]} {case[2]}"[:60])
def test_what_only_looks_wrong_is_left_alone(warehouse, batch, case) -> None:
    table, rule, difference = case
    assert found(warehouse, batch, table, rule, {**GOOD[table], **difference}) == []


@pytest.mark.parametrize("rule", SOURCE.rules, ids=lambda rule: f"{rule.table}.{rule.name}")
def test_a_good_record_is_found_by_no_rule(warehouse, batch, rule) -> None:
    assert run_rule(warehouse, batch, SOURCE, rule, None).sample == []


def test_every_rule_has_a_record_that_breaks_it() -> None:
    tried = {(f"dim_{table}_staging", rule) for table, rule, *_ in BROKEN}
    assert {(rule.table, rule.name) for rule in SOURCE.rules if not isinstance(rule, Finds)} == tried


@pytest.mark.parametrize("case", EVENTS)
def test_a_subject_is_what_its_last_status_says(warehouse, batch, case) -> None:
    events, messages = EVENTS[case]
    put(warehouse, "subjects", 2, {**GOOD["subjects"], "screeningNumber": "S-2"})
    for status, sent in events:
        put(warehouse, "subject_statuses", 2, {"status": status, "eventDate": sent, "subject_id": 2})
    # The same ids at another instance are another subject's.
    put(
        warehouse,
        "subject_statuses",
        2,
        {"status": "Completed", "eventDate": "2026-02-01Z", "subject_id": 2, "instance": SOUTH},
    )
    try:
        assert [row.message for row in run(warehouse, batch, "subjects", "StatusIsNotTheLast").sample] == messages
    finally:
        take(warehouse, "subjects")
        take(warehouse, "subject_statuses")


@pytest.mark.parametrize(
    ("table", "rule", "difference"),
    [
        ("patients", "DuplicateMrn", {}),
        ("patients", "ImpossibleBirthDate", {"dateOfBirth": "1066-01-01T00:00:00Z"}),
        ("patients", "DiedBeforeBirth", {"dateOfDeath": "1989-12-31T00:00:00Z"}),
    ],
)
def test_a_finding_shows_nothing_of_a_patient(warehouse, batch, table, rule, difference) -> None:
    put(warehouse, table, 2, {**GOOD[table], **difference})
    try:
        sample = run(warehouse, batch, table, rule).sample
    finally:
        take(warehouse, table)
    assert {row.value for row in sample} == {WITHHELD}
    of_patients = ("M-1", "1066", "1989-12-31", "1990-01-01", "Ada")
    assert [row.message for row in sample if any(value in row.message for value in of_patients)] == []


def test_the_id_of_another_instance_is_no_known_one(warehouse, batch) -> None:
    assert found(warehouse, batch, "subjects", "UnknownSite", {**GOOD["subjects"], "instance": SOUTH}) == ["site.id"]


def test_a_record_that_vanished_is_not_looked_at(warehouse, batch) -> None:
    put(warehouse, "elements", 2, {**GOOD["elements"], "name": None})
    warehouse.execute("update trialsync_staging.dim_elements_staging set vanished_at = now() where etl_run_id = 2")
    try:
        assert run(warehouse, batch, "elements", "MissingRequiredFields").sample == []
    finally:
        take(warehouse, "elements")
