"""The company as people change it: what was billed, the summaries and the documents follow."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from etl_assets.sandbox.tracktik.clock import CALENDAR, week_of
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.documents import document_of, documents
from etl_assets.sandbox.tracktik.resources import RESOURCES
from etl_assets.sandbox.tracktik.shifts import Shift

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
STAMP = "2026-03-01T09:30:00+00:00"


@pytest.fixture
def company() -> Company:
    return Company(periods=2, shifts_a_day=40)


def one(company: Company, wanted: Callable[[Shift], Any]) -> Shift:
    return next(shift for shift in company.shifts() if wanted(shift))


def billed_one(company: Company) -> Shift:
    lines = company.billed().shifts
    return one(
        company, lambda shift: lines[shift.id].amounts.bill_total > 0 and shift.employee and company.summary(shift)
    )


def document(company: Company, path: str, number: int) -> dict[str, Any] | None:
    return document_of(company, RESOURCES[path], number)


def test_an_employee_moves_to_another_region(company: Company) -> None:
    company.move_employee(5001, 118, at=AT)
    found = document(company, "employees", 5001)
    assert (found["region"], found["updatedOn"]) == (118, STAMP)


def test_a_region_gets_another_name(company: Company) -> None:
    company.rename_region(113, "Great Lakes and Prairie", at=AT)
    found = document(company, "regions", 113)
    assert (found["name"], found["updatedOn"]) == ("Great Lakes and Prairie", STAMP)


def test_a_client_is_lost_and_an_employee_let_go(company: Company) -> None:
    before = company.billed()
    company.deactivate_client(2003, at=AT)
    company.deactivate_employee(5003, at=AT)
    client, employee = document(company, "clients", 2003), document(company, "employees", 5003)
    assert (client["status"], client["closedDate"], client["updatedOn"]) == ("INACTIVE", "2026-03-01", STAMP)
    assert (employee["status"], employee["updatedOn"]) == ("TERMINATED", STAMP)
    profile = document(company, "employment-profiles", employee["employmentProfile"])
    assert (profile["employee"], profile["terminationDate"]) == (5003, "2026-03-01")
    assert company.billed() == before


def test_somebody_is_hired(company: Company) -> None:
    number = company.hire(112, at=AT, firstName="Nell", lastName="Rush", name="Nell Rush")
    found = document(company, "employees", number)
    assert (found["firstName"], found["region"], found["createdOn"], found["status"]) == ("Nell", 112, STAMP, "ACTIVE")
    assert document(company, "employment-profiles", found["employmentProfile"])["employee"] == number
    assert number == max(company.employees)
    assert document(company, "employees", number - 1)["firstName"] != "Nell"


def test_another_rate_holds_from_its_moment_on(company: Company) -> None:
    position = one(company, lambda shift: shift.works and not shift.bill_rate).position
    change = datetime(2026, 1, 8, 12, tzinfo=UTC)
    before = {number: line for number, line in company.billed().shifts.items() if line.position_id == position}
    company.change_position(position, at=change, billing={"rate": Decimal("99.10")}, name="Gate, north")
    found = document(company, "positions", position)
    assert (found["billingSetting"]["rate"], found["name"]) == (Decimal("99.10"), "Gate, north")
    assert found["updatedOn"] == "2026-01-08T12:00:00+00:00"
    after = company.billed().shifts
    for number, line in before.items():
        shift = company.shift(number)
        rate = Decimal("99.10") if shift.start >= change and not shift.bill_rate else line.bill_rate_regular
        assert after[number].bill_rate_regular == rate
    with pytest.raises(ValueError, match="is not after 2026-01-08"):
        company.change_position(position, at=change, billing={"rate": Decimal("98.00")})


def test_what_is_not_there_cannot_be_changed(company: Company) -> None:
    before = deepcopy(company.shifts())
    with pytest.raises(TypeError, match="clients 2002 has no nmae"):
        company.change_client(2002, at=AT, nmae="Larch")
    with pytest.raises(TypeError, match="billingSetting of position 4001 has no rte"):
        company.change_position(4001, at=AT, billing={"rte": 1})
    with pytest.raises(TypeError, match="nobody can change id of a shift"):
        company.change_shift(company.shifts()[0].id, at=AT, break_minutes=5, id=5)
    assert company.shifts() == before
    with pytest.raises(KeyError, match="employees 77"):
        company.move_employee(77, 111, at=AT)
    with pytest.raises(KeyError, match="shift 77"):
        company.cancel_shift(77, at=AT)
    with pytest.raises(ValueError, match="says no zone"):
        company.rename_region(111, "North", at=AT.replace(tzinfo=None))


def test_a_cancelled_shift_is_billed_no_longer(company: Company) -> None:
    shift = billed_one(company)
    period = CALENDAR.period_of(shift.day).id
    before, line = company.billed().periods[period], company.billed().shifts[shift.id]
    company.cancel_shift(shift.id, at=AT)
    after = company.billed().periods[period]
    assert after.shifts == before.shifts - 1
    assert after.amounts.scheduled_hours == before.amounts.scheduled_hours - line.amounts.scheduled_hours
    assert after.amounts.bill_total < before.amounts.bill_total
    assert company.billed().shifts[shift.id].amounts.bill_total == 0
    assert document(company, "shift-summaries", shift.id) is None
    found = document(company, "shifts", shift.id)
    assert (found["status"], found["modifiedOn"], found["summary"]) == ("CANCELLED", STAMP, None)
    assert found["approvedHours"] is not None


def test_a_deleted_shift_leaves_nothing_behind(company: Company) -> None:
    shift = one(company, lambda shift: shift.works and shift.sessions)
    company.delete_shift(shift.id, at=AT)
    assert shift.id not in company.billed().shifts
    for path, number in (("shifts", shift.id), ("shift-summaries", shift.id), ("work-sessions", shift.id * 10 + 1)):
        assert document(company, path, number) is None
    assert company.shift(shift.id) is None


def test_a_shift_moves_over_the_border_of_a_period_and_its_clock_ins_with_it(company: Company) -> None:
    shift = one(company, lambda s: s.works and s.sessions and s.day == date(2026, 1, 8) and company.summary(s))
    before = company.billed().periods
    start = shift.start
    company.move_shift(shift.id, 5, at=AT)
    after = company.billed().periods
    assert [after[key].shifts - before[key].shifts for key in ("2026_01", "2026_02")] == [-1, 1]
    found = document(company, "shifts", shift.id)
    assert found["startDateTime"] == (start + timedelta(days=5)).isoformat()
    assert found["modifiedOn"] == STAMP
    assert document(company, "work-sessions", shift.id * 10 + 1)["startedOn"] > "2026-01-12"
    assert document(company, "shift-summaries", shift.id)["periodDate"] == "2026-01-09"
    listed = documents(company, RESOURCES["shift-summaries"], (date(2026, 1, 2), date(2026, 1, 2)), extras=False)
    assert shift.id not in {summary["id"] for summary in listed}


def test_a_shift_may_move_out_of_the_days_that_were_made(company: Company) -> None:
    shift = billed_one(company)
    company.move_shift(shift.id, 60, at=AT)
    assert shift.day > company.last
    line = company.billed().shifts[shift.id]
    assert CALENDAR.period_of(line.day).id in company.billed().periods


def test_moved_shifts_stay_when_their_new_day_is_made_later(company: Company) -> None:
    shift = company.shifts(company.first, company.first)[0]
    company.move_shift(shift.id, 9, at=AT)
    day = company.first + timedelta(days=9)
    assert shift.id in {each.id for each in company.shifts(day, day)}
    assert len(company.shifts(day, day)) > 20


def test_a_vacant_shift_is_given_to_somebody_and_approved(company: Company) -> None:
    shift = one(company, lambda shift: shift.vacant and shift.status == "ACTIVE" and company.agreement(shift).billed)
    assert company.billed().shifts[shift.id].amounts.billable_hours == 0
    company.assign_shift(shift.id, 5001, at=AT)
    found = document(company, "shifts", shift.id)
    assert (found["employee"], found["vacant"], found["onShiftBoard"]) == (5001, False, False)
    assert company.billed().shifts[shift.id].amounts.approved_hours == 0
    company.approve_hours(shift.id, at=AT)
    assert company.billed().shifts[shift.id].amounts.approved_hours == shift.planned
    company.approve_hours(shift.id, 3.5, at=AT)
    assert company.billed().shifts[shift.id].amounts.approved_hours == Decimal("3.5")


def test_more_hours_of_one_shift_make_overtime_of_a_later_one() -> None:
    company = Company(shifts_a_day=0, employees=1, periods=1)
    early, late = (
        company.add_shift(4001, 5001, datetime.fromisoformat(day), 20, at=AT, approved=Decimal("20.0000"))
        for day in ("2026-01-02T08:00", "2026-01-05T08:00")
    )
    company.sum_up(company.last)
    before = document(company, "shift-summaries", late)
    company.approve_hours(early, 24, at=AT)
    after = document(company, "shift-summaries", late)
    assert (before["payOvertimeHours"], after["payOvertimeHours"]) == ("0", "4")
    assert document(company, "shifts", late)["modifiedOn"] == STAMP


def test_the_summaries_of_a_week_lie_under_its_friday(company: Company) -> None:
    friday = date(2026, 1, 2)
    found = list(documents(company, RESOURCES["shift-summaries"], (friday, friday), extras=False))
    assert {summary["periodDate"] for summary in found} == {"2026-01-02"}
    days = {company.shift(summary["id"]).day for summary in found}
    assert {week_of(day) for day in days} == {friday}
    assert len(days) > 4


def test_a_summary_that_is_held_back_stays_under_its_old_week(company: Company) -> None:
    shift = billed_one(company)
    old = document(company, "shift-summaries", shift.id)
    company.hold_summary(shift.id)
    company.move_shift(shift.id, 7, at=AT)
    assert document(company, "shift-summaries", shift.id) == old
    friday = date.fromisoformat(old["periodDate"])
    listed = documents(company, RESOURCES["shift-summaries"], (friday, friday), extras=False)
    assert shift.id in {summary["id"] for summary in listed}
    company.release_summary(shift.id)
    assert document(company, "shift-summaries", shift.id)["periodDate"] != old["periodDate"]
    with pytest.raises(ValueError, match="has no summary"):
        company.hold_summary(one(company, lambda shift: shift.vacant).id)


def test_what_is_deleted_is_in_no_list_and_has_no_address(company: Company) -> None:
    before = company.billed()
    position = one(company, lambda shift: shift.works).position
    for path, number in (("employees", 5001), ("positions", position), ("clients", 2002), ("regions", 113)):
        company.delete(path, number)
        assert document(company, path, number) is None
        assert number not in {each["id"] for each in documents(company, RESOURCES[path], extras=False)}
        with pytest.raises(KeyError):
            company.delete(path, number)
    assert company.billed() == before


def test_shifts_added_by_hand_have_ids_of_their_own(company: Company) -> None:
    start = datetime.fromisoformat("2026-01-05T08:00")
    numbers = [company.add_shift(4001, None, start, 8, at=AT) for _ in range(3)]
    assert len(set(numbers)) == 3
    assert set(numbers) <= {shift.id for shift in company.shifts(start.date(), start.date())}
    company.delete_shift(numbers[2], at=AT)
    assert company.add_shift(4001, None, start, 8, at=AT) not in numbers
    zone = company.clients[company.positions[4001]["account"]]["timeZone"]
    assert company.shift(numbers[0]).zone == zone
