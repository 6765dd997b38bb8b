"""What is billed and paid for a shift, to the cent: hand-made weeks whose answers were worked out on paper."""

from typing import Any

import psycopg
import pytest

from etl_assets_tests.explained_cells import differing_cells
from etl_assets_tests.sql.dbt_runs import Dbt, Outcome
from etl_assets_tests.sql.tracktik_documents import (
    back_office,
    client,
    employee,
    make_staging,
    position,
    profile,
    put,
    region,
    rule,
    session,
    shift,
    summary,
)

# The work week from Friday 30 May to Thursday 5 June 2025, in the billing period 2025_12.
FRI, SAT, SUN, MON, TUE, WED, THU = (
    f"2025-{day}T08:00:00" for day in ("05-30", "05-31", "06-01", "06-02", "06-03", "06-04", "06-05")
)

RULES = [
    rule(501, ("PERIOD", 40, 1.5)),
    rule(503, ("DAILY", 8, 1.5), ("DAILY", 12, 2), ("PERIOD", 40, 1.5)),
]
PAY_RULE = {102: 503, 106: 503}
"""Of the employees who have one of their own; the others are paid by the default of their region, 501."""
PLAIN, RULELESS, DAILY, BREAKS, MEALS, REBATE, HOLIDAY_RATE, FREE, CENTS, PAID_ONLY = range(1001, 1011)
POSITIONS = [
    position(PLAIN, 11, rule=501),
    position(RULELESS, 11, rate=20),
    position(DAILY, 11, rate=25.5, rule=503),
    position(BREAKS, 11, billing={"billBreaks": "NONE"}, payroll={"payBreaks": "REST_ONLY"}),
    position(MEALS, 11, billing={"billBreaks": "MEAL_ONLY"}, payroll={"payBreaks": "NONE"}),
    position(REBATE, 11, rate=33.33, billing={"discountRate": 12.5}),
    position(HOLIDAY_RATE, 11, billing={"holiday": "RATE", "holidayRate": 50}),
    position(FREE, 11, nonBillable=True),
    position(CENTS, 11, rate=0.05),
    position(PAID_ONLY, 11),
]


def week(number: int, hours: float, employee: int, position: int, *days: str) -> list[dict[str, Any]]:
    """Shifts of so many hours each, numbered from `number` on."""
    return [shift(number + place, day, hours, employee, position) for place, day in enumerate(days)]


SHIFTS = [
    *week(1010, 11, 101, PLAIN, FRI, MON, TUE, THU),
    # Fourteen hours, then four days of eight, then five hours.
    shift(1020, FRI, 14, 102, DAILY),
    *week(1021, 8, 102, DAILY, SAT, SUN, MON, TUE),
    shift(1025, WED, 5, 102, DAILY),
    # Thirty-six hours where there is no rule, and ten where there is one.
    *week(1030, 12, 103, RULELESS, FRI, SAT, SUN),
    shift(1033, MON, 10, 103, PLAIN),
    # Paid time off does not count towards overtime.
    shift(1040, FRI, 8, 104, PLAIN, paidTimeOff=True, attendanceStatus="PTO"),
    *week(1041, 10, 104, PLAIN, SAT, SUN, MON, TUE),
    # Two shifts that begin at once: the higher number counts as the later one.
    *week(1050, 9, 105, PLAIN, FRI, SAT, SUN, MON),
    shift(1055, TUE, 4, 105, PLAIN),
    shift(1054, TUE, 4, 105, PLAIN),
    # Two shifts of one day over its limit.
    shift(1060, FRI, 6, 106, DAILY),
    shift(1061, "2025-05-30T16:00:00", 4, 106, DAILY),
    # A new week begins on Friday: nothing is carried over.
    *week(1070, 12, 107, PLAIN, MON, TUE, WED),
    shift(1073, "2025-06-06T08:00:00", 12, 107, PLAIN),
    # Paid overtime that is not billed.
    *week(1080, 22, 108, PAID_ONLY, MON, WED),
    # Not approved yet, though worked; vacant; cancelled; not to be billed; not to be paid.
    shift(1100, FRI, 8, 110, PLAIN, approvedHours=None),
    shift(1101, FRI, 8, None, PLAIN, attendanceStatus="SCHEDULED", clockedHours=None),
    shift(1102, FRI, 8, 110, PLAIN, status="CANCELLED"),
    shift(1103, SAT, 8, 110, PLAIN, billable=False),
    shift(1104, SUN, 8, 110, FREE),
    shift(1105, MON, 8, 110, PLAIN, payable=False),
    # A break of half an hour.
    shift(1110, FRI, 8, 111, BREAKS, breakInMinutes=30),
    shift(1111, SAT, 8, 111, MEALS, breakInMinutes=30),
    shift(1112, SUN, 8, 111, BREAKS, breakInMinutes=30, billableHours=7.25, payableHours=7.75),
    shift(1113, MON, 8, 111, BREAKS, breakInMinutes=600),
    # Rates, rounding, rebates, holidays.
    shift(1120, FRI, 8, 112, PLAIN, billRate=41.25, payRate=17.1),
    shift(1121, SAT, 7.3333, 112, REBATE),
    shift(1122, SUN, 0.1, 112, CENTS),
    shift(1123, MON, 8, 112, PLAIN, holidayHours=5),
    shift(1124, TUE, 8, 112, HOLIDAY_RATE, holidayHours=12),
    # What the service itself bills: of these hours, of others, and of a week's position that has no rate.
    shift(1130, FRI, 8, 113, PLAIN),
    shift(1131, SAT, 8, 113, PLAIN, approvedHours=9),
    shift(1132, SUN, 8, 113, PLAIN, status="CANCELLED"),
    # Clocked by its sessions, one of them still open.
    shift(1140, FRI, 8, 114, PLAIN, clockedHours=99),
    shift(1141, FRI, 8, 114, PLAIN, clockedHours=99, modifiedOn=1751328000),
    # Nights on which the clocks change, without planned hours.
    shift(
        1150, "2025-11-01T22:00:00", 9, 115, PLAIN, endDateTime="2025-11-02T06:00:00-05:00", plannedDurationHours=None
    ),
    shift(
        1151,
        "2025-03-08T22:00:00",
        7,
        115,
        PLAIN,
        offset="-05:00",
        endDateTime="2025-03-09T06:00:00-04:00",
        plannedDurationHours=None,
    ),
    # Words where numbers are meant.
    shift(1160, FRI, 8, 116, PLAIN, approvedHours="eight", billRate="NaN", breakInMinutes="", clockedHours=True),
    shift(1161, SAT, 8, {"id": 116}, PLAIN, approvedHours="8.0", endDateTime="soon"),
]
SESSIONS = [
    session(1, 1140, "2025-05-30T07:55:00-04:00", "2025-05-30T12:00:00-04:00"),
    session(2, 1140, "2025-05-30T12:30:20-04:00", "2025-05-30T16:00:00-04:00"),
    session(3, 1140, "2025-05-30T16:10:00-04:00", None),
    # In Unix time, as a number and in quotes; the second one begins on the next day in UTC.
    session(4, 1141, 1748606400, "1748628000"),
    session(5, 1141, 1748654400, 1748658600),
]
SUMMARIES = [
    summary(
        1130,
        "2025-05-30",
        8,
        262.34,
        billBaseRate=31,
        billOvertimeHours=1,
        billOvertimeImpact=15.5,
        billHolidayHours=0,
        billHolidayImpact=0,
        billPremiumImpact=3.84,
        billDiscountImpact=5,
        payBaseRate=21,
        payOvertimeHours=1,
        payOvertimeImpact=10.5,
        payHolidayImpact=0,
        payPremiumImpact=1.25,
        payTotal=179.75,
    ),
    summary(1131, "2025-05-30", 8, 240, billBaseRate=30),
    summary(1132, "2025-05-30", 8, 240, billBaseRate=30),
]


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """The models with their tests, on these weeks."""
    make_staging(warehouse)
    put(warehouse, "regions", region(1, "North"))
    put(warehouse, "clients", client(11, "Harbour", 1))
    put(warehouse, "employees", *(employee(key) for key in range(101, 117)))
    put(warehouse, "employment_profiles", *(profile(key, PAY_RULE.get(key)) for key in range(101, 117)))
    put(warehouse, "back_office_settings", back_office(1, 1, 501))
    put(warehouse, "overtime_rules", *RULES)
    put(warehouse, "positions", *POSITIONS)
    put(warehouse, "shifts", *SHIFTS)
    put(warehouse, "work_sessions", *SESSIONS)
    put(warehouse, "shift_summaries", *SUMMARIES)
    return dbt("build", "--select", "path:models/tracktik")


def test_the_models_build_and_all_their_tests_pass(built: dict[str, Outcome]) -> None:
    assert {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass", "warn"}} == {}


def test_what_the_service_bills_otherwise_than_we_do_is_told(built: dict[str, Outcome]) -> None:
    warned = {name: outcome.rows for name, outcome in built.items() if outcome.status == "warn"}
    assert set(warned) == {"tracktik__fact_shifts_total_of_the_service_is_the_one_we_compute"}


OVERTIME = {
    "44 hours of a week: four beyond 40, at half the rate more": {
        1010: (0, 0.0, 330.0, 0, 0.0, 220.0),
        1011: (0, 0.0, 330.0, 0, 0.0, 220.0),
        1012: (0, 0.0, 330.0, 0, 0.0, 220.0),
        1013: (4, 60.0, 390.0, 4, 40.0, 260.0),
    },
    "14 hours of a day: six beyond 8 at half the rate more, two of them beyond 12 at another half": {
        1020: (6, 102.0, 459.0, 6, 80.0, 360.0),
        1021: (0, 0.0, 204.0, 0, 0.0, 160.0),
        1024: (0, 0.0, 204.0, 0, 0.0, 160.0),
    },
    "what was daily overtime does not count again towards the week": {1025: (5, 63.75, 191.25, 5, 50.0, 150.0)},
    "hours without a rule count towards the week": {
        1032: (0, 0.0, 240.0, 0, 0.0, 240.0),
        1033: (6, 90.0, 390.0, 6, 60.0, 260.0),
    },
    "paid time off is paid, is not billed, and is no overtime": {
        1040: (0, 0.0, 0.0, 0, 0.0, 160.0),
        1044: (0, 0.0, 300.0, 0, 0.0, 200.0),
    },
    "of two that begin at once the higher number is the later": {
        1054: (0, 0.0, 120.0, 0, 0.0, 80.0),
        1055: (4, 60.0, 180.0, 4, 40.0, 120.0),
    },
    "a day in two shifts": {1060: (0, 0.0, 153.0, 0, 0.0, 120.0), 1061: (2, 25.5, 127.5, 2, 20.0, 100.0)},
    "a new week begins on Friday": {1072: (0, 0.0, 360.0, 0, 0.0, 240.0), 1073: (0, 0.0, 360.0, 0, 0.0, 240.0)},
    "overtime that is paid and not billed": {
        1080: (0, 0.0, 660.0, 0, 0.0, 440.0),
        1081: (0, 0.0, 660.0, 4, 40.0, 480.0),
    },
}


@pytest.mark.parametrize("what", OVERTIME)
def test_overtime(warehouse: psycopg.Connection, built: dict[str, Outcome], what: str) -> None:
    found = warehouse.execute(
        "select shift_id, bill_overtime_hours::integer, bill_overtime_impact::float, bill_total::float,"
        " pay_overtime_hours::integer, pay_overtime_impact::float, pay_total::float"
        " from tracktik.fact_shifts where shift_id = any(%s)",
        [list(OVERTIME[what])],
    )
    assert {number: tuple(rest) for number, *rest in found} == OVERTIME[what]


# Hours scheduled, clocked, approved, billable and payable; basis, rate, effective rate, and what is billed.
HOURS = {
    "not approved yet": (1100, [8.0, 8.0, 0.0, 0.0, 0.0], ("none", 30.0, None, 0.0)),
    "vacant": (1101, [8.0, 0.0, 0.0, 0.0, 0.0], ("none", 30.0, None, 0.0)),
    "cancelled": (1102, [8.0, 0.0, 0.0, 0.0, 0.0], ("none", 30.0, None, 0.0)),
    "a shift that is not billed": (1103, [8.0, 8.0, 8.0, 0.0, 8.0], ("computed", 30.0, None, 0.0)),
    "a position that is not billed": (1104, [8.0, 8.0, 8.0, 0.0, 8.0], ("computed", 30.0, None, 0.0)),
    "a shift that is not paid": (1105, [8.0, 8.0, 8.0, 8.0, 0.0], ("computed", 30.0, 30.0, 240.0)),
    "a break that is neither billed nor paid": (1110, [8.0, 8.0, 8.0, 7.5, 7.5], ("computed", 30.0, 30.0, 225.0)),
    "a break that is billed and not paid": (1111, [8.0, 8.0, 8.0, 8.0, 7.5], ("computed", 30.0, 30.0, 240.0)),
    "hours that the service says": (1112, [8.0, 8.0, 8.0, 7.25, 7.75], ("computed", 30.0, 30.0, 217.5)),
    "a break longer than the shift": (1113, [8.0, 8.0, 8.0, 0.0, 0.0], ("computed", 30.0, None, 0.0)),
    "rates of the shift's own": (1120, [8.0, 8.0, 8.0, 8.0, 8.0], ("computed", 41.25, 41.25, 330.0)),
    # 33.33 x 7.3333 is 244.418889, an eighth of which is 30.552361.
    "a rebate": (1121, [7.3333, 7.3333, 7.3333, 7.3333, 7.3333], ("computed", 33.33, 29.1642, 213.87)),
    "half a cent is rounded up": (1122, [0.1, 0.1, 0.1, 0.1, 0.1], ("computed", 0.05, 0.1, 0.01)),
    "a holiday at half the rate more": (1123, [8.0, 8.0, 8.0, 8.0, 8.0], ("computed", 30.0, 39.375, 315.0)),
    "a holiday at its own rate, for no more than all": (
        1124,
        [8.0, 8.0, 8.0, 8.0, 8.0],
        ("computed", 30.0, 50.0, 400.0),
    ),
    "what the service bills": (1130, [8.0, 8.0, 8.0, 8.0, 8.0], ("summary", 31.0, 32.7925, 262.34)),
    "a sum that lags behind": (1131, [8.0, 8.0, 9.0, 9.0, 9.0], ("computed", 30.0, 30.0, 270.0)),
    "a sum of a shift that was cancelled": (1132, [8.0, 0.0, 0.0, 0.0, 0.0], ("none", 30.0, None, 0.0)),
    "clock-ins that have ended": (1140, [8.0, 7.5777, 8.0, 8.0, 8.0], ("computed", 30.0, 30.0, 240.0)),
    "clock-ins in Unix time": (1141, [8.0, 7.1667, 8.0, 8.0, 8.0], ("computed", 30.0, 30.0, 240.0)),
    "the night the clocks go back": (1150, [9.0, 9.0, 9.0, 9.0, 9.0], ("computed", 30.0, 30.0, 270.0)),
    "the night the clocks go forward": (1151, [7.0, 7.0, 7.0, 7.0, 7.0], ("computed", 30.0, 30.0, 210.0)),
    "words where numbers are meant": (1160, [8.0, 0.0, 0.0, 0.0, 0.0], ("none", 30.0, None, 0.0)),
    "numbers in quotes": (1161, [8.0, 8.0, 8.0, 8.0, 8.0], ("computed", 30.0, 30.0, 240.0)),
}


@pytest.mark.parametrize("what", HOURS)
def test_hours_and_what_is_billed(warehouse: psycopg.Connection, built: dict[str, Outcome], what: str) -> None:
    number, hours, bill = HOURS[what]
    row = warehouse.execute(
        "select array[scheduled_hours, clocked_hours, approved_hours, billable_hours, payable_hours]::float[],"
        " bill_basis, bill_rate_regular::float, bill_rate_effective::float, bill_total::float"
        " from tracktik.fact_shifts where shift_id = %s",
        [number],
    ).fetchone()
    assert row == (hours, *bill)


def test_a_moment_in_unix_time_is_a_moment(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    found = warehouse.execute(
        "select distinct approved_at at time zone 'UTC' from tracktik.fact_shifts where shift_id in (1140, 1141)"
    )
    assert [moment.isoformat() for (moment,) in found] == ["2025-07-01T00:00:00"]


def test_the_parts_of_what_the_service_bills_are_its_own(
    warehouse: psycopg.Connection, built: dict[str, Outcome]
) -> None:
    row = warehouse.execute(
        "select bill_overtime_hours::float, bill_overtime_impact::float, bill_premium_impact::float,"
        " bill_discount_impact::float, computed_bill_total::float, pay_rate_regular::float, pay_overtime_impact::float,"
        " pay_premium_impact::float, pay_total::float from tracktik.fact_shifts where shift_id = 1130"
    ).fetchone()
    assert row == (1.0, 15.5, 3.84, 5.0, 240.0, 21.0, 10.5, 1.25, 179.75)


def test_overtime_that_is_paid_and_not_billed_is_told(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    found = warehouse.execute(
        "select employee_id, employee_name, region_name, client_name, payable_hours::float, pay_overtime_hours::float,"
        " nbot_hours::float, nbot_cost::float, nbot_share::float, nonbilled_hours::float, nonbilled_loss::float"
        " from tracktik.mart_overtime where employee_id in (104, 108) order by 1"
    ).fetchall()
    assert found == [
        (104, "First104 Last104", "North", "Harbour", 48.0, 0.0, 0.0, 0.0, 0.0, 8.0, 160.0),
        (108, "First108 Last108", "North", "Harbour", 44.0, 4.0, 4.0, 40.0, 0.0909, 0.0, 0.0),
    ]


def test_every_cell_is_what_its_rows_give(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    marts = ("mart_hours", "mart_billing_summary", "mart_overtime", "mart_unfilled_shifts", "v_current_employees")
    assert differing_cells(warehouse, "tracktik", marts) == {}
