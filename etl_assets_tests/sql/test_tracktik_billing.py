"""What is billed and paid for a shift, to the cent: hand-made weeks whose answers were worked out on paper."""

from typing import Any

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import Dbt, Outcome
from etl_assets_tests.sql.tracktik_documents import (
    client,
    employee,
    make_staging,
    position,
    region,
    rule,
    say,
    session,
    shift,
    summary,
)

# The work week from Friday 30 May to Thursday 5 June 2025, in the billing period 2025_12.
FRI, SAT, SUN, MON, TUE, WED, THU = (f"2025-{day}T08:00:00" for day in
    ("05-30", "05-31", "06-01", "06-02", "06-03", "06-04", "06-05"))

RULES = [
    rule(501, ("PERIOD", 40, 1.5)),
    rule(503, ("DAILY", 8, 1.5), ("DAILY", 12, 2), ("PERIOD", 40, 1.5)),
]
PLAIN, RULELESS, DAILY, BREAKS, MEALS, REBATE, HOLIDAY_RATE, FREE, CENTS, PAID_ONLY = range(1001, 1011)
POSITIONS = [
    position(PLAIN, 11, rules=(501, 501)),
    position(RULELESS, 11, rate=20),
    position(DAILY, 11, rate=25.5, rules=(503, 503)),
    position(BREAKS, 11, billing={"billBreaks": "NONE"}, payroll={"payBreaks": "REST_ONLY"}),
    position(MEALS, 11, billing={"billBreaks": "MEAL_ONLY"}, payroll={"payBreaks": "NONE"}),
    position(REBATE, 11, rate=33.33, billing={"discountRate": 12.5}),
    position(HOLIDAY_RATE, 11, billing={"holiday": "RATE", "holidayRate": 50}),
    position(FREE, 11, nonBillable=True),
    position(CENTS, 11, rate=0.05),
    position(PAID_ONLY, 11, rules=(None, 501)),
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
    # Nights on which the clocks change, without planned hours.
    shift(1150, "2025-11-01T22:00:00", 9, 115, PLAIN, endDateTime="2025-11-02T06:00:00-05:00", plannedDurationHours=None),
    shift(1151, "2025-03-08T22:00:00", 7, 115, PLAIN, "-05:00", endDateTime="2025-03-09T06:00:00-04:00", plannedDurationHours=None),
    # Words where numbers are meant.
    shift(1160, FRI, 8, 116, PLAIN, approvedHours="eight", billRate="NaN", breakInMinutes="", clockedHours=True),
    shift(1161, SAT, 8, {"id": 116}, PLAIN, approvedHours="8.0", endDateTime="soon"),
]
SESSIONS = [
    session(1, 1140, "2025-05-30T07:55:00-04:00", "2025-05-30T12:00:00-04:00"),
    session(2, 1140, "2025-05-30T12:30:20-04:00", "2025-05-30T16:00:00-04:00"),
    session(3, 1140, "2025-05-30T16:10:00-04:00", None),
]
SUMMARIES = [
    summary(
        1130, "2025-05-30", 8, 262.34,
        billBaseRate=31, billOvertimeHours=1, billOvertimeImpact=15.5, billHolidayHours=0, billHolidayImpact=0,
        billPremiumImpact=3.84, billDiscountImpact=5, payBaseRate=21, payOvertimeHours=1, payOvertimeImpact=10.5,
        payHolidayImpact=0, payPremiumImpact=1.25, payTotal=179.75,
    ),
    summary(1131, "2025-05-30", 8, 240, billBaseRate=30),
    summary(1132, "2025-05-30", 8, 240, billBaseRate=30),
]


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """The models and their tests, on these weeks."""
    make_staging(warehouse)
    say(warehouse, "regions", region(1, "North"))
    say(warehouse, "clients", client(11, "Harbour", 1))
    say(warehouse, "employees", *(employee(key) for key in range(101, 117)))
    say(warehouse, "overtime_rules", *RULES)
    say(warehouse, "positions", *POSITIONS)
    say(warehouse, "shifts", *SHIFTS)
    say(warehouse, "work_sessions", *SESSIONS)
    say(warehouse, "shift_summaries", *SUMMARIES)
    return dbt("build", "--select", "path:models/tracktik")
