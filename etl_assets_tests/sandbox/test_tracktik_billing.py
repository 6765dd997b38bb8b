"""What the invented company bills, held against weeks that were worked out on paper."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from etl_assets.sandbox.tracktik import directory as listed
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.money import to_hours, to_money
from etl_assets.sandbox.tracktik.statement import NAMES, Amounts, Line, Statement

BEFORE, AFTER = datetime(2025, 12, 24, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC)
PLAIN, RULELESS, DAILY, LATE, AT_A_RATE, BIWEEKLY = 4001, 4002, 4003, 4004, 4006, 4007
GUARD = 5001
# The work week from Friday 2 to Thursday 8 January 2026; the first of January is the Thursday before.
FRI, SAT, SUN, MON, TUE, WED, THU = (datetime.fromisoformat(f"2026-01-{day:02}T07:00") for day in range(2, 9))
NEW_YEAR, NEXT_FRI = (datetime.fromisoformat(f"2026-01-{day}T07:00") for day in ("01", "09"))


@pytest.fixture
def company() -> Company:
    """A company without shifts, whose positions are billed at 30 and paid at 20 an hour."""
    made = Company(shifts_a_day=0, employees=1, periods=2)
    for position, rule in (
        (PLAIN, listed.BILL_WEEKLY),
        (RULELESS, None),
        (DAILY, listed.BILL_DAILY),
        (LATE, listed.BILL_LATE),
        (AT_A_RATE, listed.BILL_AT_A_RATE),
        (BIWEEKLY, listed.BILL_BIWEEKLY),
    ):
        agree(made, position, billing={"overtimeRule": rule})
    made.change_profile(GUARD, overtimeRule=None, overtimeExempt=False)
    return made


def agree(company: Company, position: int, *, billing=None, payroll=None, at: datetime = BEFORE, **changes) -> None:
    company.change_position(
        position,
        at=at,
        billing={
            "rate": Decimal("30.00"),
            "discountRate": None,
            "billBreaks": "NONE",
            "holiday": "REGULAR",
            "holidayRate": None,
            "holidayMultiplier": Decimal("1.5"),
            **(billing or {}),
        },
        payroll={"positionHourlyRate": Decimal("20.00"), "payBreaks": "NONE", **(payroll or {})},
        nonBillable=changes.pop("nonBillable", False),
        **changes,
    )


def work(company: Company, start: datetime, hours: float, position: int = PLAIN, **changes) -> int:
    """A shift that is approved as it was planned."""
    approved = to_hours(Decimal(str(hours)))
    employee = changes.pop("employee", GUARD)
    return company.add_shift(position, employee, start, hours, at=BEFORE, **{"approved": approved, **changes})


def line(company: Company, shift: int) -> Line:
    return company.billed().shifts[shift]


def amounts(company: Company) -> Amounts:
    return company.billed("2026_01").periods["2026_01"].amounts


def said(found: Amounts, *names: str) -> list[str]:
    return [str(getattr(found, name)) for name in names]


OVERTIME = ("billable_hours", "bill_overtime_hours", "bill_overtime_impact", "bill_total")


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        pytest.param(
            [(FRI, 11, PLAIN), (SAT, 11, PLAIN), (MON, 11, PLAIN), (TUE, 11, PLAIN)],
            ["44.0000", "4.0000", "60.00", "1380.00"],
            id="four hours over forty earn half of the rate on top",
        ),
        pytest.param([(FRI, 14, DAILY)], ["14.0000", "6.0000", "120.00", "540.00"], id="over eight, and over twelve"),
        pytest.param(
            [(FRI, 10, DAILY), (SAT, 10, DAILY), (SUN, 10, DAILY), (MON, 10, DAILY), (TUE, 10, DAILY)],
            ["50.0000", "10.0000", "150.00", "1650.00"],
            id="overtime of a day does not count again towards the week",
        ),
        pytest.param(
            [(day, 10, DAILY) for day in (FRI, SAT, SUN, MON, TUE, WED)],
            ["60.0000", "20.0000", "300.00", "2100.00"],
            id="over forty without the overtime of days",
        ),
        pytest.param(
            [(FRI, 6, DAILY), (FRI.replace(hour=14), 4, DAILY)],
            ["10.0000", "2.0000", "30.00", "330.00"],
            id="two shifts of one day",
        ),
        pytest.param(
            [(FRI, 12, RULELESS), (SAT, 12, RULELESS), (SUN, 12, RULELESS), (MON, 10, PLAIN)],
            ["46.0000", "6.0000", "90.00", "1470.00"],
            id="hours without a rule count towards the week",
        ),
        pytest.param(
            [(FRI, 20, LATE), (SUN, 20, LATE), (TUE, 22, LATE)],
            ["62.0000", "14.0000", "240.00", "2100.00"],
            id="a second step pays the difference",
        ),
        pytest.param(
            [(FRI, 25, AT_A_RATE), (MON, 25, AT_A_RATE)],
            ["50.0000", "10.0000", "650.00", "2150.00"],
            id="at a rate of its own",
        ),
        pytest.param(
            [(NEW_YEAR, 50, BIWEEKLY), (SAT, 40, BIWEEKLY)],
            ["90.0000", "10.0000", "150.00", "2850.00"],
            id="over eighty in two weeks",
        ),
        pytest.param(
            [(MON, 24, PLAIN), (WED, 15, PLAIN), (NEXT_FRI, 24, PLAIN)],
            ["39.0000", "0.0000", "0.00", "1170.00"],
            id="a new week begins on Friday, and a new period with it",
        ),
    ],
)
def test_overtime_on_the_bill(company: Company, shifts, expected) -> None:
    for start, hours, position in shifts:
        work(company, start, hours, position)
    assert said(amounts(company), *OVERTIME) == expected


def test_overtime_falls_on_the_shift_that_passes_the_threshold_and_its_rate(company: Company) -> None:
    for start in (SUN, SAT, FRI):
        work(company, start, 12)
    last = work(company, MON, 8, bill_rate=Decimal("41.25"))
    assert said(line(company, last).amounts, "bill_overtime_hours", "bill_overtime_impact", "bill_total") == [
        "4.0000", "82.50", "412.50",
    ]  # fmt: skip


def test_shifts_that_begin_at_once_are_taken_by_their_ids(company: Company) -> None:
    work(company, FRI, 38)
    first, second = work(company, MON, 2), work(company, MON, 2)
    assert [str(line(company, shift).amounts.bill_overtime_hours) for shift in (first, second)] == ["0.0000", "2.0000"]


def test_overtime_that_is_paid_and_not_billed(company: Company) -> None:
    agree(company, 4005, billing={"overtimeRule": None})
    work(company, FRI, 22, 4005)
    work(company, MON, 22, 4005)
    found = amounts(company)
    assert said(found, "bill_overtime_hours", "pay_overtime_hours", "nbot_hours") == ["0.0000", "4.0000", "4.0000"]
    assert said(found, "pay_overtime_impact", "nbot_cost", "pay_total", "bill_total") == [
        "40.00", "40.00", "920.00", "1320.00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, ["4.0000", "40.00"], id="the default of the company"),
        pytest.param({"overtimeRule": listed.PAY_DAILY}, ["28.0000", "480.00"], id="a rule of one's own"),
        pytest.param({"overtimeRule": listed.PAY_DAILY, "overtimeExempt": True}, ["0.0000", "0.00"], id="exempt"),
    ],
)
def test_overtime_is_paid_by_the_guards_own_rule(company: Company, changes, expected) -> None:
    company.change_profile(GUARD, **changes)
    work(company, FRI, 22)
    work(company, MON, 22)
    assert said(amounts(company), "pay_overtime_hours", "pay_overtime_impact") == expected
    assert said(amounts(company), "bill_overtime_hours", "bill_overtime_impact") == ["4.0000", "60.00"]


def test_time_off_is_paid_not_billed_and_makes_no_overtime(company: Company) -> None:
    work(company, FRI, 8, paid_time_off=True)
    for start in (SAT, SUN, MON, TUE):
        work(company, start, 10)
    found = amounts(company)
    assert said(found, "billable_hours", "payable_hours", "non_billed_hours", "loss") == [
        "40.0000", "48.0000", "8.0000", "160.00",
    ]  # fmt: skip
    assert said(found, "bill_overtime_hours", "pay_overtime_hours", "pay_total") == ["0.0000", "0.0000", "960.00"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"status": "CANCELLED"}, ["0.0000", "0.0000", "0.0000", "0.00", "0.00"], id="cancelled"),
        pytest.param({"employee": None}, ["0.0000", "0.0000", "0.0000", "0.00", "0.00"], id="vacant"),
        pytest.param({"approved": None}, ["0.0000", "0.0000", "0.0000", "0.00", "0.00"], id="not approved"),
        pytest.param({"billable": False}, ["8.0000", "0.0000", "8.0000", "0.00", "160.00"], id="not billable"),
        pytest.param({"payable": False}, ["8.0000", "8.0000", "0.0000", "240.00", "0.00"], id="not payable"),
        pytest.param(
            {"billable": False, "says_hours": False, "billable_hours": Decimal("8.0000")},
            ["8.0000", "0.0000", "8.0000", "0.00", "160.00"],
            id="not billable whatever somebody wrote",
        ),
        pytest.param(
            {"billable_hours": Decimal("7.5000"), "payable_hours": Decimal("8.2500")},
            ["8.0000", "7.5000", "8.2500", "225.00", "165.00"],
            id="put right by hand",
        ),
        pytest.param(
            {"break_minutes": 600}, ["8.0000", "0.0000", "0.0000", "0.00", "0.00"], id="a break longer than the shift"
        ),
    ],
)
def test_what_of_a_shift_is_billed_and_paid(company: Company, changes, expected) -> None:
    shift = work(company, FRI, 8, **changes)
    found = line(company, shift).amounts
    assert said(found, "approved_hours", "billable_hours", "payable_hours", "bill_total", "pay_total") == expected
    assert str(found.scheduled_hours) == "8.0000"


def test_a_cancelled_shift_is_in_no_total_but_has_its_planned_hours(company: Company) -> None:
    shift = work(company, FRI, 8, status="CANCELLED")
    for start in (SAT, SUN, MON, TUE):
        work(company, start, 10)
    period = company.billed().periods["2026_01"]
    assert (period.shifts, str(period.amounts.scheduled_hours)) == (4, "40.0000")
    assert str(period.amounts.bill_overtime_hours) == "0.0000"
    assert not line(company, shift).counts


def test_training_is_paid_and_not_billed(company: Company) -> None:
    agree(company, 4005, nonBillable=True)
    work(company, FRI, 4, 4005)
    assert said(amounts(company), "billable_hours", "payable_hours", "loss") == ["0.0000", "4.0000", "80.00"]


@pytest.mark.parametrize(
    ("breaks", "hours"), [("NONE", "7.5000"), ("ALL", "8.0000"), ("REST_ONLY", "7.5000"), ("MEAL_ONLY", "8.0000")]
)
@pytest.mark.parametrize("says_hours", [True, False])
def test_our_break_is_a_meal_break(company: Company, breaks: str, hours: str, says_hours: bool) -> None:
    agree(company, 4005, billing={"billBreaks": breaks}, payroll={"payBreaks": breaks})
    work(company, FRI, 8, 4005, break_minutes=30, says_hours=says_hours)
    assert said(amounts(company), "billable_hours", "payable_hours") == [hours, hours]


@pytest.mark.parametrize(
    ("billing", "holiday_hours", "expected"),
    [
        pytest.param({}, "8.0000", ["8.0000", "120.00", "360.00"], id="half of the rate on top"),
        pytest.param(
            {"holiday": "RATE", "holidayRate": Decimal("50.00"), "holidayMultiplier": None},
            "8.0000",
            ["8.0000", "160.00", "400.00"],
            id="a rate of its own",
        ),
        pytest.param({}, "12.0000", ["8.0000", "120.00", "360.00"], id="no more hours than are billed"),
        pytest.param({"holidayMultiplier": None}, "8.0000", ["8.0000", "0.00", "240.00"], id="nothing agreed"),
    ],
)
def test_hours_on_a_holiday(company: Company, billing, holiday_hours: str, expected) -> None:
    agree(company, 4005, billing={"overtimeRule": None, **billing})
    work(company, NEW_YEAR, 8, 4005, holiday_hours=Decimal(holiday_hours))
    assert said(amounts(company), "bill_holiday_hours", "bill_holiday_impact", "bill_total") == expected


def test_a_discount_is_taken_off_the_base_alone(company: Company) -> None:
    agree(company, 4005, billing={"discountRate": Decimal("2.50"), "overtimeRule": listed.BILL_WEEKLY})
    work(company, FRI, 44, 4005)
    assert said(amounts(company), "bill_overtime_impact", "bill_discount_impact", "bill_total") == [
        "60.00", "33.00", "1347.00",
    ]  # fmt: skip
    assert str(line(company, company.shifts()[0].id).bill_rate_effective) == "30.6136"


def test_half_a_cent_goes_away_from_zero() -> None:
    assert [str(to_money(Decimal(text))) for text in ("0.005", "-0.005", "0.004999", "2.675")] == [
        "0.01", "-0.01", "0.00", "2.68",
    ]  # fmt: skip


def test_the_rate_is_that_in_force_when_the_shift_begins(company: Company) -> None:
    agree(company, PLAIN, billing={"rate": Decimal("36.00")}, at=datetime(2026, 1, 4, 12, tzinfo=UTC))
    # Seven in the morning in New York is noon in UTC: Sunday's shift begins at the very moment.
    shifts = [work(company, start, 8, says_rates=says) for start in (SAT, SUN) for says in (True, False)]
    assert [str(line(company, shift).bill_rate_regular) for shift in shifts] == ["30.00", "30.00", "36.00", "36.00"]


def test_a_summary_is_believed_and_its_premium_is_billed(company: Company) -> None:
    shift = work(company, FRI, 8, bill_premium=Decimal("12.50"), pay_premium=Decimal("7.00"))
    company.sum_up(THU.date())
    found = line(company, shift)
    assert found.bill_basis == "summary"
    assert said(found.amounts, "bill_premium_impact", "bill_total", "pay_total") == ["12.50", "252.50", "167.00"]
    company.sum_up(NEW_YEAR.date())
    found = line(company, shift)
    assert found.bill_basis == "computed"
    assert said(found.amounts, "bill_premium_impact", "bill_total", "pay_total") == ["0.00", "240.00", "160.00"]


def test_a_summary_that_lags_is_believed_only_while_its_hours_are_right(company: Company) -> None:
    shift = work(company, FRI, 8)
    company.sum_up(THU.date())
    company.hold_summary(shift)
    company.change_shift(shift, at=AFTER, bill_rate=Decimal("40.00"))
    assert (line(company, shift).bill_basis, str(line(company, shift).amounts.bill_total)) == ("summary", "240.00")
    company.approve_hours(shift, 9, at=AFTER)
    assert (line(company, shift).bill_basis, str(line(company, shift).amounts.bill_total)) == ("computed", "360.00")
    company.release_summary(shift)
    assert (line(company, shift).bill_basis, str(line(company, shift).amounts.bill_total)) == ("summary", "360.00")


def test_clocked_hours_are_those_of_closed_sessions_else_what_was_written_down(company: Company) -> None:
    shifts = Company(periods=1).shifts()
    twice = next(shift for shift in shifts if len(shift.sessions) > 1 and shift.works)
    assert twice.clocked == sum(session.hours or 0 for session in twice.sessions)
    written = next(shift for shift in shifts if shift.clocked_hours)
    assert (written.sessions, written.clocked) == ([], written.planned)
    still_open = next(shift for shift in shifts if any(session.end is None for session in shift.sessions))
    assert still_open.clocked is None


@pytest.fixture(scope="module")
def lived() -> Statement:
    return Company().billed()


def test_totals_are_the_sums_of_the_shifts_that_count(lived: Statement) -> None:
    counted = [one.amounts for one in lived.shifts.values() if one.counts]
    for name in NAMES:
        by_period = sum(getattr(period.amounts, name) for period in lived.periods.values())
        assert by_period == sum(getattr(amounts, name) for amounts in counted)
    assert sum(period.shifts for period in lived.periods.values()) == len(counted)


@pytest.mark.parametrize(
    "holds",
    [
        pytest.param(lambda a: a.bill_total == to_money(a.bill_total), id="cents"),
        pytest.param(lambda a: a.billable_hours >= 0 <= a.payable_hours, id="no hours below nought"),
        pytest.param(lambda a: a.bill_overtime_hours <= a.billable_hours, id="no more overtime than hours"),
        pytest.param(lambda a: bool(a.bill_overtime_hours) == bool(a.bill_overtime_impact), id="overtime costs"),
        pytest.param(lambda a: a.non_billed_hours == a.payable_hours - a.billable_hours, id="what is not billed"),
        pytest.param(lambda a: a.billable_hours or not a.bill_total, id="no money without hours"),
    ],
)
def test_what_is_true_of_every_shift(lived: Statement, holds: Callable[[Amounts], bool]) -> None:
    assert [one for one in lived.shifts.values() if not holds(one.amounts)] == []


def test_there_is_overtime_that_is_paid_and_not_billed_and_a_loss(lived: Statement) -> None:
    for period in lived.periods.values():
        assert period.amounts.nbot_hours > 100
        assert period.amounts.nbot_cost > 1000
        assert period.amounts.loss > 1000
        assert 0.05 < period.amounts.bill_overtime_hours / period.amounts.billable_hours < 0.25
