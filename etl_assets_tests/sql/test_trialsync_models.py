"""TrialSync's models on a handful of records: each is one that an earlier attempt read wrongly, or might."""

import json
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from etl_assets_tests.explained_cells import differing_cells
from etl_assets_tests.sql.column_types import check_column_types
from etl_assets_tests.sql.dbt_runs import Dbt, Outcome
from etl_assets_tests.sql.trialsync_records import SOUTH, put, take, vanish

AS_OF = "2026-02-15"
MODELS = ("--select", "path:models/trialsync", "path:tests/trialsync")
LONG_CODE = "Prefers to describe in their own words, however many these are " * 5
DEMOGRAPHICS = {"id": 7, "firstName": "Ada", "lastName": "Example", "dateOfBirth": "1990-03-01T00:00:00-06:00"}


def subject(number: int, status: str, **more: Any) -> dict[str, Any]:
    of = {"study": {"id": 1}, "site": {"id": 5}, "patient": DEMOGRAPHICS}
    return {"id": number, "status": status, **of, **more}


def event(number: int, status: str, day: str, *, current: bool = False) -> dict[str, Any]:
    return {
        "study": {"id": 1},
        "subject": {"Id": number},
        "status": status,
        "eventDate": day,
        "isCurrentStatus": current,
    }


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """The models, with their tests."""
    put(
        warehouse,
        "studies",
        {
            "id": 1, "name": "Heart 1", "status": "07. Enrollment",
            "managingSite": {"id": 5, "name": "Mill"}, "site": {"id": 99}, "principalInvestigator": "Nobody",
            "leadership": [
                {"id": 1, "name": "Coordinator", "staff": {"id": 3, "displayName": "Other, One"}},
                {"id": 2, "name": "Principal Investigator", "staff": {"id": 4, "displayName": "Leader, The"}},
            ],
            "customFields": [{"name": "Budget", "value": "9"}, {"name": "Enrollment Target", "value": "20"}],
            "createdOn": "2025-01-01T08:00:00", "lastUpdatedOn": "soon",
        },
        {"id": 2, "name": "Lung", "status": "05. Start-up", "leadership": None, "customFields": {"name": "none"}},
    )  # fmt: skip
    put(warehouse, "studies", {"id": 1, "name": "Of the south", "status": "09. Closeout"}, instance=SOUTH)
    put(warehouse, "sites", {"id": 5, "name": "Mill", "timeZone": "America/Chicago"})
    put(warehouse, "sites", {"id": 6, "name": "Hill", "timeZone": "Central Standard Time"})
    put(
        warehouse, "patients",
        {"id": 7, "status": "Active", "genderCode": LONG_CODE, "state": LONG_CODE, "primarySite": {"id": 5},
         "phone1": {"number": None, "rawNumber": "5550100"}, "weight": {"value": 71.5, "unit": "kgs"}},
    )  # fmt: skip
    put(
        warehouse, "subjects",
        subject(11, "Completed", enrollmentDate="2026-01-05T23:30:00-06:00", genderCode="F"),
        subject(12, "ScreenFailed"),
        subject(13, "Prescreened", dateOfBirth="1901-01-01", randomizationDate="2026-01-01", sponsor={"id": 1}),
        study_id=1,
    )  # fmt: skip
    put(
        warehouse, "subject_statuses",
        event(11, "Screened", "2026-01-02T09:00:00Z"), event(11, "Randomized", "2026-01-10T09:00:00Z"),
        event(11, "Completed", "2026-02-03T09:00:00Z", current=True),
        event(12, "Screened", "2026-01-03T09:00:00Z"), event(12, "ScreenFailed", "2026-01-04T09:00:00Z", current=True),
    )  # fmt: skip
    put(
        warehouse, "appointments",
        {"id": 21, "status": "Completed", "plannedStart": "2026-01-11T03:00:00Z", "site": {"id": 5}},
        {"id": 22, "status": "NoShow", "plannedStart": "2026-01-11T03:00:00", "site": {"id": 6}},
        {"id": 23, "status": "Pending", "plannedStart": "tomorrow", "site": {"id": 6}},
    )  # fmt: skip
    put(
        warehouse, "patient_visits",
        {"id": 31, "study": {"id": 1}, "subject": {"Id": 11}, "visitId": 41, "status": "Completed",
         "targetDueDate": "2026-01-10T00:00:00-06:00",
         "appointments": [{"status": "Cancelled", "scheduledStart": "2026-01-08T10:00:00Z"},
                          {"status": "Completed", "scheduledStart": "2026-01-11T03:00:00Z"}]},
        {"id": 32, "study": {"id": 1}, "subject": {"Id": 11}, "visitId": 41, "status": "Pending", "appointments": None,
         "targetDueDate": "2026-02-10"},
    )  # fmt: skip
    put(
        warehouse, "patient_visit_elements",
        {"id": 51, "name": "ECG", "completedOn": "2026-01-11T03:00:00Z"},
        {"id": 52, "name": "MRI", "completedOn": None},
        patient_visit_id=31,
    )  # fmt: skip
    put(warehouse, "study_arms", {"Id": 61, "Name": "A"}, study_id=1)
    put(warehouse, "study_arms", {"Id": 61, "Name": "B"}, study_id=2)
    warehouse.execute("set search_path to trialsync")
    return dbt("build", *MODELS, as_of=AS_OF)


def rows(warehouse: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(query).fetchall()


def test_every_model_is_built_and_every_test_holds(built: dict[str, Outcome]) -> None:
    assert {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass"}} == {}
    assert len([name for name in built if "__fact_" in name or "__mart_" in name]) > 10


# By the question: a query, and its answer.
ANSWERS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "fault 1: a study's leaders and its managing site are what the service has of them": (
        "select study_id, managing_site_id, principal_investigator_id, principal_investigator_name, enrollment_target"
        " from dim_studies where source_instance_id = 1 order by 1",
        [(1, 5, 4, "Leader, The", 20), (2, None, None, None, None)],
    ),
    "fault 1: milestones and flags come of the statuses, and birth of the patient": (
        "select subject_id, is_screen_failure, is_randomized, is_completed, screened_date, randomized_date,"
        " completed_date, enrollment_date, age_at_enrollment from fact_enrollment order by 1",
        [(11, False, True, True, date(2026, 1, 2), date(2026, 1, 10), date(2026, 2, 3), date(2026, 1, 5), 35),
         (12, True, False, False, date(2026, 1, 3), None, None, None, None),
         (13, False, False, False, None, None, None, None, None)],
    ),
    "fault 1: the screen failure is counted": (
        "select sum(screen_failed), sum(enrolled) from mart_study_performance where source_instance_id = 1", [(1, 1)],
    ),
    "fault 2: records without an id are as many as they are": (
        "select subject_id, count(*) from fact_subject_status_changes group by 1 order by 1", [(11, 3), (12, 2)],
    ),
    "fault 11: a code is as long as it is": (
        "select distinct length(gender_code), length(state) from dim_patients where patient_id = 7",
        [(len(LONG_CODE.strip()),) * 2],
    ),
    "what the same id is at another instance": (
        "select source_instance_id, name from dim_studies where study_id = 1 order by 1",
        [(1, "Heart 1"), (2, "Of the south")],
    ),
    "an arm of the same id is another one in another study": (
        "select study_id, arm_id, name from dim_study_arms where arm_id is not null order by 1",
        [(1, 61, "A"), (2, 61, "B")],
    ),
    "a moment without an offset is read in the zone of the var, and what is none is null": (
        "select study_created_at, study_updated_at from dim_studies where study_id = 1 and source_instance_id = 1",
        [(datetime(2025, 1, 1, 8, tzinfo=UTC), None)],
    ),
    "a date is the day that is written": (
        "select birth_date, due_date, held_date from dim_subjects inner join fact_visit_timelines using (subject_id)"
        " where patient_visit_id = 31",
        [(date(1990, 3, 1), date(2026, 1, 10), date(2026, 1, 11))],
    ),
    "an appointment is on the day of its site, where the zone is known": (
        "select appointment_id, schedule_date, is_no_show from fact_appointments order by 1",
        [(21, date(2026, 1, 10), False), (22, date(2026, 1, 11), True), (23, None, False)],
    ),
    "a visit without bounds is late on the day after, and not due behind the subject's end": (
        "select patient_visit_id, timeliness from fact_visit_timelines order by 1", [(31, "late"), (32, "not due")],
    ),
    "only what was done is a completion": (
        "select patient_visit_element_id, category, subject_id from fact_element_completions", [(51, "procedure", 11)],
    ),
    "a telephone is its raw number where it has no other": (
        "select phone1, weight, weight_unit from dim_patients where patient_id = 7", [("5550100", 71.5, "kgs")],
    ),
    "a study without subjects is in the summary, and in no fact": (
        "select study_id, subjects, enrolled, percent_to_target from v_study_enrollment_summary"
        " where source_instance_id = 1 order by 1",
        [(1, 3, 1, 5), (2, 0, 0, None)],
    ),
    "the days of the calendar": (
        "select min(date_day), max(date_day), count(*) from dim_date",
        [(date(2020, 1, 1), date(2030, 12, 31), 4018)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("question", ANSWERS)
def test_what_the_models_say(warehouse: psycopg.Connection, built: dict[str, Outcome], question: str) -> None:
    query, answer = ANSWERS[question]
    assert rows(warehouse, query) == answer


def test_columns_have_the_types_that_the_ui_shows(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    check_column_types(warehouse, "trialsync", "trialsync_typed")


def test_readers_see_what_is_not_personal_and_no_staging(
    warehouse: psycopg.Connection, dbt: Dbt, built: dict[str, Outcome]
) -> None:
    nodes = json.loads((dbt.folder / "target" / "manifest.json").read_text())["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model" and node["schema"] == "trialsync"]
    assert len(models) > 20
    try:
        for role in ("etl_reader", "etl_personal_reader"):
            warehouse.execute(f"set role {role}")
            for node in models:
                seen = [
                    name
                    for name, column in node["columns"].items()
                    if role == "etl_personal_reader" or not column["meta"].get("personal")
                ]
                warehouse.execute(f"select {', '.join(seen)} from trialsync.{node['alias']} limit 1")
        warehouse.execute("set role etl_reader")
        for refused in (
            "phone1 from dim_patients", "mrn from dim_patients", "patient_id from fact_enrollment",
            "birth_date from dim_subjects", "display_name from dim_staff", "guardian from dim_patients",
            "arm_id from fact_enrollment",
            "study_id from trialsync_typed.stg_subjects",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                warehouse.execute(f"select {refused}")
    finally:
        warehouse.execute("reset role")


def test_every_column_there_is_is_described(warehouse: psycopg.Connection, dbt: Dbt, built: dict[str, Outcome]) -> None:
    nodes = json.loads((dbt.folder / "target" / "manifest.json").read_text())["nodes"].values()
    for node in nodes:
        if node["resource_type"] == "model" and node["name"].startswith("trialsync__") and "__int_" not in node["name"]:
            there = rows(
                warehouse,
                "select column_name from information_schema.columns"
                f" where table_schema = '{node['schema']}' and table_name = '{node['alias']}'",
            )
            assert {name for (name,) in there} == set(node["columns"]), node["name"]


def test_no_number_that_opens_an_account_is_in_any_column(
    warehouse: psycopg.Connection, built: dict[str, Outcome]
) -> None:
    named = rows(
        warehouse,
        "select table_name, column_name from information_schema.columns"
        " where table_schema in ('trialsync', 'trialsync_typed') and column_name ~ 'ssn|insurance|account'",
    )
    assert named == []


def version(status: str | None, first: str, until: str | None, *, gone: bool = False) -> tuple[Any, ...]:
    """A version of the first day of March, by its hours."""
    return (status, gone, first, until)


# What became of a patient before each of three builds: a status and when it was seen, or since when they are gone.
Steps = list[list[tuple[str | None, str] | str]]
HISTORIES: dict[str, tuple[Steps, list[tuple[Any, ...]]]] = {
    "changed twice in a day": (
        [[("Active", "08:00")], [("OnHold", "08:05")], [("Active", "08:06")]],
        [
            version("Active", "08:00", "08:05"),
            version("OnHold", "08:05", "08:06"),
            version("Active", "08:06", None),
        ],
    ),
    "became null, and was so again": (
        [[("Active", "08:00")], [(None, "09:00")], [(None, "10:00")]],
        [version("Active", "08:00", "09:00"), version(None, "09:00", None)],
    ),
    "was null": (
        [[(None, "08:00")], [("Active", "09:00")], []],
        [version(None, "08:00", "09:00"), version("Active", "09:00", None)],
    ),
    "is the same": (
        [[("Active", "08:00")], [("Active", "09:00")], [("Active", "10:00")]],
        [version("Active", "08:00", None)],
    ),
    "is gone": (
        [[("Active", "08:00")], ["09:00"], []],
        [version("Active", "08:00", "09:00"), version("Active", "09:00", None, gone=True)],
    ),
    "was gone, and came back": (
        [[("Active", "08:00")], ["09:00"], [("Active", "10:00")]],
        [
            version("Active", "08:00", "09:00"),
            version("Active", "09:00", "10:00", gone=True),
            version("Active", "10:00", None),
        ],
    ),
    "was gone and came back before anybody looked": (
        [[("Active", "08:00")], ["09:00", ("Active", "10:00")], []],
        [version("Active", "08:00", None)],
    ),
    "changed and was gone before anybody looked": (
        [[("Active", "08:00")], [("Inactive", "09:00"), "10:00"], []],
        [
            version("Active", "08:00", "09:00"),
            version("Inactive", "09:00", "10:00"),
            version("Inactive", "10:00", None, gone=True),
        ],
    ),
    "staging lacks it": (
        [[("Active", "08:00")], ["emptied"], []],
        [version("Active", "08:00", None)],
    ),
    "staging lacked it": (
        [[("Active", "08:00")], ["emptied"], [("Active", "10:00")]],
        [version("Active", "08:00", None)],
    ),
    "changed while staging lacked it": (
        [[("Active", "08:00")], ["emptied"], [("OnHold", "10:00")]],
        [version("Active", "08:00", "10:00"), version("OnHold", "10:00", None)],
    ),
}  # fmt: skip
FIRST_PATIENT = 100


@pytest.fixture(scope="module")
def rebuilt(warehouse: psycopg.Connection, dbt: Dbt, built: dict[str, Outcome]) -> list[int | None]:
    """The dimension of patients, built after each round and once more: how many rows each build wrote."""
    counts = []
    for at in range(3):
        for number, (steps, _) in enumerate(HISTORIES.values(), start=FIRST_PATIENT):
            for step in steps[at]:
                if step == "emptied":
                    take(warehouse, "patients", number)
                elif isinstance(step, str):
                    vanish(warehouse, "patients", number, at=f"2026-03-01T{step}:00Z")
                else:
                    put(warehouse, "patients", {"id": number, "status": step[0]}, at=f"2026-03-01T{step[1]}:00Z")
        counts.append(dbt("run", "--select", "trialsync__dim_patients")["trialsync__dim_patients"].rows)
    return [*counts, dbt("run", "--select", "trialsync__dim_patients")["trialsync__dim_patients"].rows]


@pytest.mark.parametrize("case", HISTORIES)
def test_fault_7_versions_follow_one_another_without_a_gap(
    warehouse: psycopg.Connection, rebuilt: list[int | None], case: str
) -> None:
    """Ends were a day or a second too early, nulls were compared with !=, and what was gone was never noticed."""
    number = FIRST_PATIENT + list(HISTORIES).index(case)
    assert (
        rows(
            warehouse,
            "select status, is_deleted, to_char(valid_from at time zone 'UTC', 'HH24:MI'),"
            " to_char(valid_to at time zone 'UTC', 'HH24:MI') from dim_patients"
            f" where patient_id = {number} order by valid_from",
        )
        == HISTORIES[case][1]
    )


def test_the_same_records_again_write_nothing(rebuilt: list[int | None]) -> None:
    assert rebuilt[-1] == 0
    assert min(rebuilt[:-1]) > 0


def test_every_cell_is_what_its_rows_give(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    assert differing_cells(warehouse, "trialsync") == {}
