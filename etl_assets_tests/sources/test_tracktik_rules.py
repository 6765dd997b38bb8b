"""What the rules of TrackTik find, and what they leave alone. Each case is one record beside good ones."""

import json
from datetime import date, timedelta
from uuid import uuid4

import pytest

from etl_assets.declare.dates import Span
from etl_assets.quality.run import run_rule
from etl_assets.sources.tracktik import SOURCE
from etl_assets.warehouse.calendars import write_calendar
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.relation import Relation

DAY = date(2026, 3, 2)
SHIFT = {
    "status": "ACTIVE",
    "attendanceStatus": "COMPLETED",
    "startDateTime": "2026-03-02T08:00:00-05:00",
    "endDateTime": "2026-03-02T16:00:00-05:00",
    "startsOn": 1772456400,
    "endsOn": 1772485200,
    "timeZone": "America/New_York",
    "employee": 1,
    "position": 1,
    "plannedDurationHours": 8,
    "clockedHours": 8,
    "approvedHours": 8,
    "billableHours": 8,
    "payableHours": 8,
}
SUMMARY = {
    "shift": 1, "periodDate": "2026-02-27", "billHours": 8, "billBaseRate": 20.0, "billTotal": 170.0,
    "billOvertimeImpact": 10.0, "billDiscountImpact": 0,
}  # fmt: skip
SESSION = {
    "status": "CLOSED", "shift": 1, "employee": 1, "startedOn": "2026-03-02T08:00:00-05:00",
    "endedOn": "2026-03-02T16:00:00-05:00", "durationHours": 8,
}  # fmt: skip
WEEKLY = {"ruleType": "PERIOD", "rateType": "MULTIPLIER", "threshold": 40, "rateMultiplier": 1.5}
RULE = {"name": "Over 40 a week", "periodLength": "WEEKLY", "method": "SEQUENTIAL", "rules": [WEEKLY]}
GOOD = {
    "overtime_rules": RULE,
    "employment_profiles": {"employee": 1, "overtimeExempt": False, "overtimeRule": 1},
    "back_office_settings": {"region": 1, "payrollOvertimeRule": 1, "payrollOvertimeDayOfWeek": "FRIDAY"},
    "regions": {"name": "North", "timeZone": "America/New_York", "parentRegion": None},
    "clients": {"name": "Mill", "status": "ACTIVE", "region": 1, "timeZone": "America/New_York"},
    "employees": {"firstName": "Ada", "lastName": "Example", "status": "ACTIVE", "customId": "E1", "region": 1},
    "positions": {"name": "Gate", "status": "ACTIVE", "account": 1, "billingSetting": {"rate": 20}},
    "shifts": SHIFT,
    "work_sessions": SESSION,
    "shift_summaries": SUMMARY,
}  # fmt: skip
# rule, table, what is different about the record, the fields that are found
BROKEN = [
    ("MissingRequiredFields", "shifts", {"position": None}, ["position"]),
    ("MissingRequiredFields", "shifts", {"timeZone": " "}, ["time_zone"]),
    ("MissingRequiredFields", "shifts", {"startDateTime": "2026-02-30"}, ["start_date_time"]),
    ("InvalidStatus", "shifts", {"status": "APPROVED"}, ["status"]),
    ("InvalidAttendanceStatus", "shifts", {"attendanceStatus": "GONE"}, ["attendance_status"]),
    (
        "InvalidTimeSequence",
        "shifts",
        {"endDateTime": "2026-03-02T07:00:00-05:00"},
        ["start_date_time > end_date_time"],
    ),
    ("TimesDisagree", "shifts", {"startDateTime": "2026-03-02T08:00:00+00:00"}, ["startDateTime"]),
    ("HoursOutOfRange", "shifts", {"approvedHours": -1}, ["approved hours"]),
    ("HoursOutOfRange", "shifts", {"plannedDurationHours": 9}, ["scheduled hours"]),
    ("HoursOutOfRange", "shifts", {"approvedHours": -1, "endDateTime": None}, ["approved hours"]),
    ("ApprovedFarFromClocked", "shifts", {"approvedHours": 12.5}, ["approvedHours"]),
    ("OverlappingShifts", "shifts", {"startDateTime": "2026-03-02T15:00:00-05:00"}, ["overlap"]),
    ("UnknownPosition", "shifts", {"position": 77}, ["position"]),
    ("UnknownEmployee", "shifts", {"employee": 77}, ["employee"]),
    ("SummaryBehindShift", "shift_summaries", {"billHours": 7}, ["billHours"]),
    ("SummaryDoesNotAddUp", "shift_summaries", {"billTotal": 170.02}, ["billTotal"]),
    ("InvalidTimeSequence", "work_sessions", {"endedOn": "2026-03-02T07:00:00-05:00"}, ["started_on > ended_on"]),
    # 8 and 7 in the morning
    (
        "InvalidTimeSequence",
        "work_sessions",
        {"startedOn": 1772456400, "endedOn": "1772452800"},
        ["started_on > ended_on"],
    ),
    ("SessionNeverEnded", "work_sessions", {"endedOn": None, "status": "OPEN"}, ["endedOn"]),
    ("UnknownShift", "work_sessions", {"shift": 77}, ["shift"]),
    ("MissingRequiredFields", "employees", {"lastName": None}, ["last_name"]),
    ("InvalidStatus", "employees", {"status": "RETIRED"}, ["status"]),
    ("UnknownRegion", "employees", {"region": 77}, ["region"]),
    ("DuplicateCustomId", "employees", {}, ["customId", "customId"]),
    ("MissingRequiredFields", "clients", {"region": None}, ["region"]),
    ("InvalidStatus", "clients", {"status": "GONE"}, ["status"]),
    ("UnknownRegion", "clients", {"region": 77}, ["region"]),
    ("UnknownTimeZone", "clients", {"timeZone": "EST5"}, ["timeZone"]),
    ("MissingRequiredFields", "positions", {"account": None}, ["account"]),
    ("UnknownClient", "positions", {"account": 77}, ["account"]),
    ("NoBillRate", "positions", {"billingSetting": {"rate": 0}}, ["billingSetting.rate"]),
    ("UnknownOvertimeRule", "positions", {"billingSetting": {"overtimeRule": 77}}, ["billingSetting.overtimeRule"]),
    ("UnknownOvertimeRule", "employment_profiles", {"overtimeRule": 77}, ["overtimeRule"]),
    ("UnknownOvertimeRule", "back_office_settings", {"payrollOvertimeRule": 77}, ["payrollOvertimeRule"]),
    ("AnotherWorkWeek", "back_office_settings", {"payrollOvertimeDayOfWeek": "MONDAY"}, ["payrollOvertimeDayOfWeek"]),
    ("NoEmploymentProfile", "employees", {}, ["employmentProfile"]),
    ("ParentIsNoRegion", "regions", {"parentRegion": 2}, ["parentRegion"]),
    ("ParentIsNoRegion", "regions", {"parentRegion": 77}, ["parentRegion"]),
]
FINE = [
    ("TimesDisagree", "shifts", {"startsOn": 9999999999999999}),  # no moment at all
    ("HoursOutOfRange", "shifts", {"startDateTime": "infinity", "endDateTime": "infinity"}),
    ("MissingRequiredFields", "shifts", {"position": 0}),  # zero is a value
    ("MissingRequiredFields", "shifts", {"employee": None, "vacant": True}),
    ("InvalidStatus", "shifts", {"status": "CANCELLED"}),
    ("HoursOutOfRange", "shifts", {"clockedHours": 8.4}),  # a late clock-out
    (
        "HoursOutOfRange",  # the day the clocks go back
        "shifts",
        {
            "startDateTime": "2026-11-01T00:00:00-04:00",
            "endDateTime": "2026-11-02T00:00:00-05:00",
            "plannedDurationHours": 25,
        },
    ),
    (
        "HoursOutOfRange",  # a live-in post
        "shifts",
        {"endDateTime": "2026-03-05T08:00:00-05:00", "plannedDurationHours": 72, "approvedHours": 72},
    ),
    ("OverlappingShifts", "shifts", {"startDateTime": "2026-03-02T16:00:00-05:00"}),  # one ends as the next begins
    ("OverlappingShifts", "shifts", {"status": "CANCELLED"}),
    ("OverlappingShifts", "shifts", {"employee": 2}),
    ("ApprovedFarFromClocked", "shifts", {"approvedHours": None}),
    ("SummaryDoesNotAddUp", "shift_summaries", {"billPremiumImpact": 5, "billTotal": 175.0}),
    ("NoBillRate", "positions", {"billingSetting": {"rate": None}, "nonBillable": True}),
    ("DuplicateCustomId", "employees", {"status": "TERMINATED"}),
    ("NoEmploymentProfile", "employees", {"status": "TERMINATED"}),
    ("UnknownOvertimeRule", "positions", {"billingSetting": {"overtimeRule": None}}),
    ("OvertimeNotComputed", "overtime_rules", {"periodLength": "BI-WEEKLY", "method": None}),
    ("OvertimeNotComputed", "overtime_rules", {"method": "BEST_OF"}),  # of one item
    ("OvertimeNotComputed", "overtime_rules", {"rules": []}),
    (
        "OvertimeNotComputed",
        "overtime_rules",
        {"rules": [{**WEEKLY, "rateType": "RATE", "rateAmount": "70.00"}, {**WEEKLY, "ruleType": "DAILY"}]},
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(module_settings):
    """A warehouse in which each table holds one good record, of id 1."""
    with connect(module_settings, autocommit=True) as connection:
        write_calendar(connection, SOURCE.calendar, Relation("tracktik", "billing_periods"))
        for table, document in GOOD.items():
            put(connection, table, 1, document)
        yield connection


@pytest.fixture(scope="module")
def batch(module_settings):
    with open_batch(module_settings, "tracktik", "check") as batch:
        yield batch


def put(connection, table: str, key: int, document: dict, day: date = DAY) -> None:
    sliced = SOURCE.table(table).is_windowed
    connection.execute(
        f"insert into tracktik_staging.{table} (id, raw_data, etl_batch_id{', slice' * sliced})"
        f" values (%s, %s, %s{', %s' * sliced})",
        [key, json.dumps({"id": key, **document}), uuid4(), *[day] * sliced],
    )


def found(warehouse, batch, rule: str, table: str, document: dict | None) -> list[tuple[str, str]]:
    """What the rule finds with a second record beside the good one; the record is taken out again."""
    if document is not None:
        put(warehouse, table, 2, document)
    declared = next(each for each in SOURCE.rules if (each.table, each.name) == (table, rule))
    try:
        result = run_rule(warehouse, batch, SOURCE, declared, Span(DAY, DAY + timedelta(days=1)))
    finally:
        warehouse.execute(f"delete from tracktik_staging.{table} where id = 2")
    return [(row.key, row.field) for row in result.sample]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case[1]}.{case[0]} {case[2]}"[:60])
def test_what_is_wrong_is_found_by_record_and_field(warehouse, batch, case) -> None:
    rule, table, difference, fields = case
    keys = ["1", "2"] if rule == "DuplicateCustomId" else ["2"] * len(fields)
    assert found(warehouse, batch, rule, table, {**GOOD[table], **difference}) == list(zip(keys, fields, strict=True))


@pytest.mark.parametrize("case", FINE, ids=lambda case: f"{case[1]}.{case[0]} {case[2]}"[:60])
def test_what_only_looks_wrong_is_left_alone(warehouse, batch, case) -> None:
    rule, table, difference = case
    assert found(warehouse, batch, rule, table, {**GOOD[table], **difference}) == []


NOT_COMPUTED = [
    ({"rules": None}, "the service does not say its items"),
    ({"rules": {"1": WEEKLY}}, "the service does not say its items"),
    ({"periodLength": "MONTHLY"}, "its periodLength is MONTHLY"),
    ({"periodLength": None}, "its periodLength is null"),
    ({"method": "BEST_OF", "rules": [WEEKLY, WEEKLY]}, "its method is BEST_OF"),
    ({"rules": [WEEKLY, {**WEEKLY, "ruleType": "HOLIDAY"}]}, "it has items of HOLIDAY by MULTIPLIER"),
    (
        {"rules": [{**WEEKLY, "ruleType": "CONSECUTIVE_DAYS"}, {**WEEKLY, "ruleType": "DAY_SPECIFIC"}]},
        "it has items of CONSECUTIVE_DAYS by MULTIPLIER, DAY_SPECIFIC by MULTIPLIER",
    ),
    ({"rules": [{**WEEKLY, "threshold": "NaN"}]}, "it has items of PERIOD by MULTIPLIER"),
    ({"rules": [{**WEEKLY, "rateMultiplier": None}]}, "it has items of PERIOD by MULTIPLIER"),
    ({"rules": [{**WEEKLY, "rateType": "RATE"}]}, "it has items of PERIOD by RATE"),
    ({"rules": [{**WEEKLY, "rateType": None}]}, "it has items of PERIOD"),
]


@pytest.mark.parametrize(("difference", "why"), NOT_COMPUTED, ids=[why for _, why in NOT_COMPUTED])
def test_an_overtime_rule_that_is_not_computed_is_found_with_the_reason(warehouse, batch, difference, why) -> None:
    put(warehouse, "overtime_rules", 2, {**RULE, **difference})
    declared = next(each for each in SOURCE.rules if each.name == "OvertimeNotComputed")
    try:
        result = run_rule(warehouse, batch, SOURCE, declared, None)
    finally:
        warehouse.execute("delete from tracktik_staging.overtime_rules where id = 2")
    assert [(row.key, row.message) for row in result.sample] == [("2", f"Over 40 a week is not computed: {why}")]


@pytest.mark.parametrize("rule", SOURCE.rules, ids=lambda rule: f"{rule.table}.{rule.name}")
def test_a_good_record_is_found_by_no_rule(warehouse, batch, rule) -> None:
    if rule.table in GOOD:
        assert found(warehouse, batch, rule.name, rule.table, None) == []


def test_a_shift_outside_of_the_calendar_is_told(warehouse, batch) -> None:
    put(warehouse, "shifts", 3, SHIFT, day=date(1970, 1, 1))
    try:
        assert found(warehouse, batch, "OutsideCalendar", "shifts", None) == [("3", "startDateTime")]
    finally:
        warehouse.execute("delete from tracktik_staging.shifts where id = 3")


def test_a_shift_that_the_list_no_longer_gives_is_told_and_one_that_was_deleted_is_not(warehouse, batch) -> None:
    for key, column in ((3, "vanished_at"), (4, "deleted_at")):
        put(warehouse, "shifts", key, SHIFT)
        warehouse.execute(f"update tracktik_staging.shifts set {column} = now() where id = %s", [key])
    try:
        assert found(warehouse, batch, "VanishedShifts", "shifts", None) == [("3", "id")]
    finally:
        warehouse.execute("delete from tracktik_staging.shifts where id in (3, 4)")
