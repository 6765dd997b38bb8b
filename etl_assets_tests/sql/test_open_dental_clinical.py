"""Open Dental's dimensions, clinical facts and marts on a handful of rows: each is one that was once read wrongly."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from etl_assets_tests.explained_cells import differing_cells
from etl_assets_tests.sql.column_types import check_column_types
from etl_assets_tests.sql.dbt_runs import Dbt, Outcome
from etl_assets_tests.sql.open_dental_rows import change, make_staging, put_all, take

AS_OF = "2026-03-10"
MODELS = (
    "open_dental__enumeration", "+open_dental__mart_schedule_utilisation", "+open_dental__mart_care_continuity",
    "+open_dental__fact_appointment_event", "+open_dental__fact_communication", "+open_dental__fact_security_event",
    "+open_dental__dim_insurance_plan", "+open_dental__bridge_patient_coverage", "+open_dental__dim_fee",
    "+open_dental__dim_referral",
)  # fmt: skip

# The rules of the views hold of hand-made rows anyway.
OTHERS = "resource_type:test,path:models/open_dental/staging"


def at(day: str, time: str = "08:00") -> datetime:
    """A moment of the practice's wall clock."""
    return datetime.fromisoformat(f"{day} {time}")


PRACTICE: dict[str, list[dict[str, Any]]] = {
    "definition": [
        {"DefNum": 10, "Category": 4, "ItemName": "Standard"},
        {"DefNum": 11, "Category": 35, "ItemName": "Hygiene"},
        {"DefNum": 12, "Category": 29, "ItemName": "Hidden prepayment", "ItemValue": "X"},
        {"DefNum": 13, "Category": 27, "ItemName": "Recall"},
    ],
    "patient": [
        # 1900-01-01 is a day of birth; the practice has known this one for long.
        {"PatNum": 1, "PatStatus": 0, "Birthdate": date(1900, 1, 1), "Guarantor": 1, "BillingType": 10, "PriProv": 1},
        {"PatNum": 2, "PatStatus": 4, "Guarantor": 1},
        {"PatNum": 3, "PatStatus": 5, "Guarantor": 1, "DateTimeDeceased": at("2025-06-01")},
        {"PatNum": 4, "PatStatus": 3, "Guarantor": 4},
        {"PatNum": 5, "PatStatus": 0, "Guarantor": 5},
    ],
    "patientlink": [
        {"PatientLinkNum": 1, "PatNumFrom": 4, "PatNumTo": 1, "LinkType": 1},
        {"PatientLinkNum": 2, "PatNumFrom": 1, "PatNumTo": 5, "LinkType": 2},
    ],
    "provider": [
        {"ProvNum": 1, "Abbr": "DOC"},
        {"ProvNum": 2, "Abbr": "HYG", "IsSecondary": 1, "Specialty": 11},
        {"ProvNum": 3, "Abbr": "LAB", "IsNotPerson": 1, "IsHidden": 1},
    ],
    "operatory": [
        {"OperatoryNum": 1, "OpName": "Room 1", "ProvDentist": 1},
        {"OperatoryNum": 2, "OpName": "Room 2", "ProvHygienist": 2, "IsHygiene": 1},
    ],
    "procedurecode": [
        {"CodeNum": 1, "ProcCode": "D2740", "ProcTime": "/XXXXXX/", "ProcCat": 10, "TreatArea": 2},
        {"CodeNum": 2, "ProcCode": "D9986"},
        {"CodeNum": 3, "ProcCode": "N1"},
        {"CodeNum": 4, "ProcCode": "n1"},
    ],
    "procedurelog": [
        # done on the 2nd, and only known to be complete on the 9th; three units
        {"ProcNum": 1, "PatNum": 1, "ProvNum": 1, "CodeNum": 1, "AptNum": 1, "ProcStatus": 2, "ProcFee": 100.0,
         "UnitQty": 2, "BaseUnits": 1, "ProcDate": date(2026, 3, 2), "DateComplete": date(2026, 3, 9),
         "DateTP": date(2026, 2, 1)},
        {"ProcNum": 2, "PatNum": 1, "CodeNum": 1, "ProcStatus": 6, "ProcFee": 500.0, "DateTP": date(2026, 2, 1)},
        {"ProcNum": 3, "PatNum": 1, "CodeNum": 1, "ProcStatus": 8, "ProcFee": 700.0, "DateTP": date(2026, 2, 1)},
        {"ProcNum": 4, "PatNum": 1, "CodeNum": 1, "ProcStatus": 4, "ProcFee": 900.0, "ProcDate": date(2026, 3, 2)},
        {"ProcNum": 5, "PatNum": 1, "CodeNum": 1, "ProcStatus": 1, "ProcFee": 200.0, "AptNum": 4,
         "DateTP": date(2026, 2, 1)},
        {"ProcNum": 6, "PatNum": 1, "CodeNum": 2, "ProcStatus": 2, "AptNum": 3, "ProcDate": date(2026, 3, 3)},
        {"ProcNum": 7, "PatNum": 1, "CodeNum": 3, "ProcStatus": 2, "ProcFee": 10.0, "ProcDate": date(2019, 5, 1)},
    ],
    "appointment": [
        # came, was seated, and left; nobody said when the next one came, who was there all the same
        {"AptNum": 1, "PatNum": 1, "AptStatus": 2, "Pattern": "/XXXXXX/", "Op": 1, "ProvNum": 1, "ProvHyg": 2,
         "AptDateTime": at("2026-03-02"), "DateTimeArrived": at("2026-03-02", "07:50"), "IsNewPatient": 1,
         "DateTimeSeated": at("2026-03-02", "08:05"), "DateTimeDismissed": at("2026-03-02", "08:45")},
        {"AptNum": 2, "PatNum": 1, "AptStatus": 2, "Pattern": "XXXX", "Op": 2, "ProvNum": 1, "ProvHyg": 2,
         "IsHygiene": 1, "AptDateTime": at("2026-03-02", "09:00"), "DateTimeArrived": at("2026-03-02", "00:00")},
        {"AptNum": 3, "PatNum": 1, "AptStatus": 5, "Pattern": "XXXX", "Op": 1, "ProvNum": 1,
         "AptDateTime": at("2026-03-02", "10:00")},
        {"AptNum": 4, "PatNum": 1, "AptStatus": 1, "Pattern": "XXXX", "Op": 1, "ProvNum": 1,
         "AptDateTime": at("2026-04-02")},
        {"AptNum": 5, "PatNum": 1, "AptStatus": 6, "Pattern": "XXXXXXXXXXXX"},
        {"AptNum": 6, "PatNum": 0, "AptStatus": 7, "Pattern": "XX", "Op": 1, "AptDateTime": at("2026-03-02", "11:00")},
    ],
    "histappointment": [
        {"HistApptNum": 1, "AptNum": 7, "PatNum": 1, "AptStatus": 1, "Pattern": "XX", "HistApptAction": 0,
         "HistUserNum": 1, "HistDateTStamp": at("2026-03-01"), "AptDateTime": at("2026-03-02", "12:00")},
        {"HistApptNum": 2, "AptNum": 7, "PatNum": 1, "AptStatus": 1, "Pattern": "XX", "HistApptAction": 4,
         "HistUserNum": 1, "HistDateTStamp": at("2026-03-01", "09:00"), "AptDateTime": at("2026-03-03", "12:00")},
    ],
    "userod": [{"UserNum": 1, "UserName": "front", "EmployeeNum": 1}],
    "employee": [{"EmployeeNum": 1}],
    "usergroup": [{"UserGroupNum": 1, "Description": "Front desk"}, {"UserGroupNum": 2, "Description": "Admin"}],
    "usergroupattach": [
        {"UserGroupAttachNum": 1, "UserNum": 1, "UserGroupNum": 1},
        {"UserGroupAttachNum": 2, "UserNum": 1, "UserGroupNum": 2},
    ],
    "carrier": [{"CarrierNum": 1, "CarrierName": "Invented Mutual"}],
    "employer": [{"EmployerNum": 1, "EmpName": "Invented Mills"}],
    # No two of the numbers on the way from a patient to a plan are the same.
    "insplan": [{"PlanNum": 21, "CarrierNum": 1, "EmployerNum": 1, "PlanType": "c"}],
    "inssub": [{"InsSubNum": 31, "PlanNum": 21, "Subscriber": 1, "DateEffective": date(2025, 1, 1)}],
    "patplan": [
        {"PatPlanNum": 41, "PatNum": 1, "InsSubNum": 31, "Ordinal": 1},
        {"PatPlanNum": 42, "PatNum": 5, "InsSubNum": 31, "Ordinal": 1, "Relationship": 2},
    ],
    "feesched": [{"FeeSchedNum": 1, "Description": "Standard"}],
    "fee": [
        {"FeeNum": 1, "FeeSched": 1, "CodeNum": 1, "Amount": 100.0},
        {"FeeNum": 2, "FeeSched": 1, "CodeNum": 2, "Amount": -1.0},
        {"FeeNum": 3, "FeeSched": 1, "CodeNum": 3, "Amount": 50.0, "DateEffective": date(2026, 1, 1)},
        {"FeeNum": 4, "FeeSched": 1, "CodeNum": 3, "Amount": 60.0, "DateEffective": date(2026, 12, 1)},
    ],
    "recalltype": [{"RecallTypeNum": 1, "Description": "Prophy", "DefaultInterval": 393217}],
    "recall": [
        {"RecallNum": 1, "PatNum": 1, "RecallTypeNum": 1, "RecallInterval": 393217, "DateDue": date(2026, 3, 1)},
        {"RecallNum": 2, "PatNum": 1, "RecallTypeNum": 1, "IsDisabled": 1, "DateDue": date(2026, 3, 1)},
        {"RecallNum": 3, "PatNum": 3, "RecallTypeNum": 1, "DateDue": date(2026, 3, 1)},
    ],
    "commlog": [
        {"CommlogNum": 1, "PatNum": 1, "CommDateTime": at("2026-03-02"), "Mode_": 3, "SentOrReceived": 1,
         "CommType": 13, "Note": "asked for her sister's number"},
        {"CommlogNum": 2, "PatNum": 0, "CommDateTime": at("2026-03-02")},
    ],
    "securitylog": [
        {"SecurityLogNum": 1, "PermType": 26, "UserNum": 1, "PatNum": 1, "LogDateTime": at("2026-03-02"),
         "LogText": "moved"},
        {"SecurityLogNum": 2, "PermType": 1, "LogDateTime": at("2026-02-28", "23:59")},
    ],
    "securityloghash": [{"SecurityLogHashNum": 9, "SecurityLogNum": 1, "LogHash": "abc"}],
    "schedule": [
        {"ScheduleNum": 1, "SchedType": 1, "ProvNum": 1, "SchedDate": date(2026, 3, 2), "StartTime": timedelta(hours=8),
         "StopTime": timedelta(hours=12)},
        {"ScheduleNum": 2, "SchedType": 0, "Status": 2, "SchedDate": date(2026, 3, 9), "Note": "Staff day"},
    ],
    "scheduleop": [{"ScheduleOpNum": 1, "ScheduleNum": 1, "OperatoryNum": 1}],
    "referral": [
        {"ReferralNum": 1, "LName": "Invented", "IsDoctor": 1}, {"ReferralNum": 2, "LName": "Radio", "NotPerson": 1},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    make_staging(warehouse)
    put_all(warehouse, PRACTICE)
    warehouse.execute("set search_path to open_dental_mart")
    return dbt("build", "--select", *MODELS, "--exclude", OTHERS, as_of=AS_OF)


@pytest.fixture(scope="module")
def rebuilt(warehouse: psycopg.Connection, dbt: Dbt, built: dict[str, Outcome]) -> list[dict[str, Outcome]]:
    """Two more builds: with nothing new, and after the source changed without a stamp that moved."""
    # The views show by themselves what changed.
    models = ("run", "--select", *MODELS, "--exclude", "path:models/open_dental/staging")
    again = dbt(*models, as_of=AS_OF)
    take(warehouse, "patplan", 42)
    take(warehouse, "fee", 1)
    take(warehouse, "usergroupattach", 2)
    take(warehouse, "appointment", 3)
    change(warehouse, "carrier", 1, CarrierName="Invented & Sons")
    change(warehouse, "patient", 5, PatStatus=2, DateTStamp=datetime(2026, 3, 1, tzinfo=UTC))
    return [again, dbt(*models, as_of=AS_OF)]


def rows(warehouse: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(query).fetchall()


def test_every_model_is_built_and_every_rule_holds(built: dict[str, Outcome]) -> None:
    assert {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass"}} == {}


def test_what_is_built_has_statistics_before_the_next_model_is_planned(
    warehouse: psycopg.Connection, built: dict[str, Outcome]
) -> None:
    never = rows(
        warehouse,
        "select relname from pg_class where relkind = 'r' and pg_stat_get_last_analyze_time(oid) is null"
        " and relnamespace in ('open_dental_mart'::regnamespace, 'open_dental_typed'::regnamespace)",
    )
    # A partition is none of the models, and has rows.
    models = {name.removeprefix("open_dental__"): outcome for name, outcome in built.items()}
    assert [name for (name,) in never if name not in models or models[name].rows] == []
    assert built["open_dental__dim_patient"].rows


# By the question: a query, and its answer.
ANSWERS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "flags are numbers and not words": (
        "select abbreviation, is_hygienist, is_person, is_hidden, specialty from dim_provider"
        " where provider_num is not null order by provider_num",
        [("DOC", False, True, False, None), ("HYG", True, True, False, "Hygiene"), ("LAB", False, False, True, None)],
    ),
    "4 is a deleted patient and 5 a deceased one": (
        "select patient_num, patient_status, birth_year, merged_into_patient_num, clone_of_patient_num from dim_patient"
        " where patient_num is not null and patient_num < 5 or patient_status = 'Inactive' order by 1",
        [(1, "Patient", 1900, None, None), (2, "Deleted", None, None, None), (3, "Deceased", None, None, None),
         (4, "Archived", None, 1, None)],
    ),
    "codes differ by upper and lower case": (
        "select procedure_code, minutes from dim_procedure_code where code_num > 2 or code_num = 1 order by code_num",
        [("D2740", 40), ("N1", None), ("n1", None)],
    ),
    "the plan of a patient is their subscription's": (
        "select patient_num, c.plan_num, relationship, carrier_name, employer_name, plan_type"
        " from bridge_patient_coverage as c inner join dim_insurance_plan as p on c.plan_num = p.plan_num"
        " where c.patient_plan_num = 41",
        [(1, 21, "Self", "Invented Mutual", "Invented Mills", "Capitation")],
    ),
    "a fee of -1 is blank, and one for a later date is not in force": (
        "select code_num, amount, is_blank from dim_fee where code_num > 1 order by 1",
        [(2, None, True), (3, 50, False)],
    ),
    "a practice without clinics has its headquarters": (
        "select (select name from dim_clinic where clinic_num = 0), count(*) filter (where clinic_key = -1), count(*)"
        " from fact_procedure",
        [("Headquarters", 0, 7)],
    ),
    "only status 2 is production, of all units, by the date of the procedure and however old": (
        "select procedure_num, procedure_date, gross_production from fact_procedure"
        " where gross_production <> 0 order by 1",
        [(1, date(2026, 3, 2), 300), (7, date(2019, 5, 1), 10)],
    ),
    "6 is deleted, 8 an inactive plan, 4 another provider's work": (
        "select procedure_num, procedure_status, is_deleted, is_inactive_plan, is_completed from fact_procedure"
        " where procedure_status_code in (4, 6, 8) order by 1",
        [(2, "D", True, False, False), (3, "TPi", False, True, False), (4, "EO", False, False, False)],
    ),
    "a character of the pattern is five minutes": (
        "select appointment_num, minutes, provider_minutes, wait_minutes, chair_minutes, is_new_patient"
        " from fact_appointment where appointment_num < 3 order by 1",
        [(1, 40, 30, 15, 40, True), (2, 20, 20, None, None, False)],
    ),
    "who did not come is not whom nobody marked as come": (
        "select appointment_num, is_completed, is_broken, broken_how from fact_appointment"
        " where appointment_num in (2, 3) order by 1",
        [(2, True, False, None), (3, False, True, "Missed")],
    ),
    "an appointment is worth what is to be done at it": (
        "select appointment_num, booked_production, completed_production from fact_appointment"
        " where appointment_num in (1, 2, 4) order by 1",
        [(1, 300, 300), (2, 0, 0), (4, 200, 0)],
    ),
    "a deleted appointment is what its history says": (
        "select is_deleted, is_on_schedule, deleted_at, schedule_date, minutes from fact_appointment"
        " where appointment_num = 7",
        [(True, False, at("2026-03-01", "09:00"), date(2026, 3, 3), 10)],
    ),
    "a change tells from when to when": (
        "select action, from_starts_at, to_starts_at, is_moved, user_name from fact_appointment_event"
        " inner join dim_user on user_key = surrogate_key order by appointment_event_num",
        [("Created", None, at("2026-03-02", "12:00"), False, "front"),
         ("Deleted", at("2026-03-02", "12:00"), at("2026-03-03", "12:00"), True, "front")],
    ),
    "an interval is days, weeks, months and years": (
        "select recall_num, interval_months, interval_days, recall_interval, recall_state, overdue_days"
        " from fact_recall order by 1",
        [(1, 6, 1, timedelta(days=181), "overdue", 9), (2, 0, 0, timedelta(), "disabled", None),
         (3, 0, 0, timedelta(), "inactive", None)],
    ),
    "a communication with nobody is none that is lost": (
        "select communication_num, patient_key = -1, mode, direction, communication_type, duration_minutes"
        " from fact_communication order by 1",
        [(1, False, "Phone", "Sent", "Recall", None), (2, True, "None", "Neither", None, None)],
    ),
    "an entry of the audit trail lies in its month": (
        "select tableoid::regclass::text, security_log_num, permission, user_key = -1, hash_count"
        " from fact_security_event order by 2",
        [("fact_security_event_2026_03", 1, "AppointmentMove", False, 1),
         ("fact_security_event_2026_02", 2, "AppointmentsModule", True, 0)],
    ),
    "a day on which the practice is closed is a holiday": (
        "select date_day, is_federal_holiday, is_practice_holiday, holiday_name, is_business_day from dim_date"
        " where date_day in ('2026-03-09', '2026-12-25', '2026-03-10') order by 1",
        [(date(2026, 3, 9), False, True, "Staff day", False), (date(2026, 3, 10), False, False, None, True),
         (date(2026, 12, 25), True, False, "Christmas Day", False)],
    ),
    "planned appointments, notes and deleted ones take no time": (
        "select operatory_num, provider, open_minutes, booked_minutes, completed_minutes, broken_minutes, appointments,"
        " no_show_share from mart_schedule_utilisation where schedule_date = '2026-03-02' order by 1",
        [(1, "DOC", 240, 40, 40, 20, 2, 0.5), (2, "HYG", 0, 20, 20, 0, 1, 0)],
    ),
    "what was presented is accepted when it is done or scheduled": (
        "select month_start, is_new_patient, presented_amount, accepted_amount, completed_amount, is_reappointed,"
        " recalls_overdue from mart_care_continuity where patient_num = 1 order by 1",
        [(date(2019, 5, 1), True, 0, 0, 0, None, 0), (date(2026, 2, 1), False, 1200, 500, 300, None, 0),
         (date(2026, 3, 1), False, 0, 0, 0, True, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("question", ANSWERS)
def test_it_is_read_as_the_vendor_means_it(
    warehouse: psycopg.Connection, built: dict[str, Outcome], question: str
) -> None:
    query, answer = ANSWERS[question]
    assert rows(warehouse, query) == answer


def test_a_build_with_nothing_new_writes_nothing(rebuilt: list[dict[str, Outcome]]) -> None:
    assert {outcome.status for outcome in rebuilt[0].values()} == {"success"}
    assert {name: outcome.rows for name, outcome in rebuilt[0].items() if outcome.rows} == {}


# What changed at the source, and the versions that tell of it: without a stamp that moved, from now on.
VERSIONS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a plan that was dropped is closed and not removed": (
        "select plan_num, is_gone, is_current, valid_from < '2026-04-01' from bridge_patient_coverage"
        " where patient_plan_num = 42 order by valid_from",
        [(21, False, False, True), (21, True, True, False)],
    ),
    "a fee that is not known any more is gone": (
        "select amount, is_gone, is_current from dim_fee where code_num = 1 order by valid_from",
        [(100, False, False), (100, True, True)],
    ),
    "a login leaves a group": (
        "select groups, is_current from dim_user where user_num = 1 order by valid_from",
        [("Admin, Front desk", False), ("Front desk", True)],
    ),
    "a carrier is renamed": (
        "select carrier_name, is_current from dim_insurance_plan where plan_num = 21 order by valid_from",
        [("Invented Mutual", False), ("Invented & Sons", True)],
    ),
    "a change counts from its stamp": (
        "select patient_status, valid_from from dim_patient where patient_num = 5 order by valid_from",
        [("Patient", datetime(2024, 1, 1, tzinfo=UTC)), ("Inactive", datetime(2026, 3, 1, tzinfo=UTC))],
    ),
    "an appointment that vanished without a word in its history is no appointment": (
        "select appointment_num from fact_appointment where appointment_num = 3",
        [],
    ),
}


@pytest.mark.parametrize("happening", VERSIONS)
def test_what_changes_is_told(warehouse: psycopg.Connection, rebuilt: list[dict[str, Outcome]], happening: str) -> None:
    query, versions = VERSIONS[happening]
    assert rows(warehouse, query) == versions


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select patient_num from open_dental_mart.fact_procedure", id="a patient"),
        pytest.param("select birth_year from open_dental_mart.dim_patient", id="a year of birth"),
        pytest.param("select patient_num from open_dental_mart.fact_security_event_2026_03", id="a partition"),
        pytest.param("select last_name from open_dental_mart.dim_referral", id="a name"),
        pytest.param("select appointment_num from open_dental_typed.stg_appointment", id="a typed view"),
        pytest.param("select note from open_dental.commlog", id="a table of the source"),
    ],
)
def test_a_reader_is_refused(warehouse: psycopg.Connection, built: dict[str, Outcome], query: str) -> None:
    warehouse.execute("set role etl_reader")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute(query)
    warehouse.execute("reset role")


def test_columns_have_the_types_that_the_ui_shows(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    check_column_types(warehouse, "open_dental_typed", "open_dental_mart")


def test_no_note_and_no_text_leaves_staging(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    for relation in ("fact_communication", "fact_security_event", "dim_patient"):
        found = str(rows(warehouse, f"select to_jsonb(t) from {relation} as t"))
        assert "sister" not in found
        assert "moved" not in found


def test_every_cell_is_what_its_rows_give(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    assert differing_cells(warehouse, "open_dental", ("mart_schedule_utilisation", "mart_care_continuity")) == {}
