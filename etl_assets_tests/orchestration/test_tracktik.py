"""TrackTik from the service to the marts, through `etl run`, held against what the company says it billed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.warehouse.connection import TRANSFORMER, connect
from etl_assets_tests.explained_cells import differing_cells, unlisted_parts
from etl_assets_tests.orchestration.installation import Installation

FIVE = "2026_01..2026_05"
MEASURES = (
    "scheduled_hours", "clocked_hours", "approved_hours", "billable_hours", "payable_hours", "bill_overtime_hours",
    "pay_overtime_hours", "bill_overtime_impact", "bill_holiday_impact", "bill_premium_impact", "bill_discount_impact",
    "bill_total", "pay_total",
)  # fmt: skip
MIDST = datetime(2026, 2, 12, 17, tzinfo=UTC)
"""In the midst of 2026_04."""
LATER = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company()


@pytest.fixture(scope="module")
def tracktik(installation: Installation, company: Company) -> Iterator[Installation]:
    """An installation with the service at hand, and five billing periods loaded from it."""
    with serve(company) as service:
        reached = {**service.credentials, "ETL_TRACKTIK_CALLS_PER_MINUTE": "100000"}
        ready = replace(installation, environment={**installation.environment, **reached})
        ready.etl("run", "tracktik", "--period", FIVE)
        yield ready


def in_the_warehouse(tracktik: Installation) -> dict[str, dict[str, object]]:
    """The totals of each billing period. What is cancelled was planned, and is not counted."""
    sums = ", ".join(f"sum({name})" for name in MEASURES)
    rows = tracktik.query(
        f"select billing_period_id, {sums} from tracktik.fact_shifts where status = 'ACTIVE' group by 1 order by 1"
    )
    return {period: dict(zip(MEASURES, values, strict=True)) for period, *values in rows}


def said_by(company: Company) -> dict[str, dict[str, object]]:
    return {
        name: {measure: getattr(period.amounts, measure) for measure in MEASURES}
        for name, period in company.billed().periods.items()
    }


def test_hours_and_money_of_every_period_are_what_was_billed_to_the_cent(tracktik, company) -> None:
    assert in_the_warehouse(tracktik) == said_by(company)


def test_both_ways_of_billing_were_taken(tracktik) -> None:
    """The newest shifts have no summary yet, and what they bill is computed here."""
    basis = dict(
        tracktik.query("select bill_basis, count(*) from tracktik.fact_shifts where bill_total > 0 group by 1")
    )
    assert set(basis) == {"summary", "computed"}
    assert min(basis.values()) > 100


def test_what_we_compute_is_what_the_service_sums_up(tracktik) -> None:
    """But for premiums, of which only a summary knows."""
    differing = tracktik.query(
        "select shift_id from tracktik.fact_shifts"
        " where bill_basis = 'summary' and computed_bill_total <> bill_total - bill_premium_impact"
    )
    assert differing == []


def test_running_again_changes_nothing(tracktik) -> None:
    before = tracktik.fingerprint()
    assert "tracktik.fact_shifts_2026_01" in before
    told = tracktik.etl("run", "tracktik", "--period", FIVE)
    assert tracktik.fingerprint() == before
    assert "0 rows changed" in told


def test_the_totals_follow_when_people_change_things(tracktik, company) -> None:
    shifts = [shift for shift in company.shifts() if shift.status == "ACTIVE" and shift.employee and shift.approved]
    moved, cancelled, deleted, corrected = shifts[100], shifts[200], shifts[300], shifts[-1]
    company.move_shift(moved.id, 14, at=LATER)
    company.cancel_shift(cancelled.id, at=LATER)
    company.delete_shift(deleted.id, at=LATER)
    company.approve_hours(corrected.id, 11.5, at=LATER)
    vacant = next(shift for shift in company.shifts() if shift.status == "ACTIVE" and shift.employee is None)
    company.assign_shift(vacant.id, shifts[0].employee, at=LATER)
    before = tracktik.query("select employee_id, region_name from tracktik.v_current_employees order by 1")
    someone = max(shifts, key=lambda shift: sum(each.employee == shift.employee for each in shifts)).employee
    other = next(region for employee, region in before if employee != someone)
    regions = {document["name"]: number for number, document in company.documents("regions").items()}
    company.move_employee(someone, regions[other], at=MIDST)

    tracktik.etl("run", "tracktik", "--period", FIVE)
    assert in_the_warehouse(tracktik) == said_by(company)
    where = tracktik.query("select billing_period_id from tracktik.fact_shifts where shift_id = %s", moved.id)
    assert len(where) == 1
    assert tracktik.query("select 1 from tracktik.fact_shifts where shift_id = %s", deleted.id) == []

    versions = tracktik.query(
        "select distinct shift.start_datetime >= %s, employee.region_name"
        " from tracktik.fact_shifts as shift join tracktik.dim_employees as employee on surrogate_key = employee_key"
        " where shift.employee_id = %s order by 1",
        MIDST,
        someone,
    )
    assert versions == [(False, dict(before)[someone]), (True, other)]

    # What is renamed later does not reach back.
    held = "select shift_id, employee_key, region_key, xmin::text from tracktik.fact_shifts order by 1"
    history = tracktik.query(held)
    company.rename_region(regions[other], "Renamed", at=datetime.now(UTC) + timedelta(days=1))
    tracktik.etl("run", "tracktik", "--period", "2026_05")
    assert tracktik.query(held) == history
    assert ("Renamed",) in tracktik.query("select region_name from tracktik.v_current_employees")


def test_every_cell_is_what_its_rows_give(tracktik) -> None:
    """Of a full load and of builds of what changed."""
    with connect(tracktik.settings, role=TRANSFORMER) as connection:
        assert differing_cells(connection, "tracktik") == {}
        assert unlisted_parts(connection, "tracktik") == {}


def test_a_cell_is_explained_down_to_the_record_and_the_broken_rule(tracktik) -> None:
    [(period, client, position, shift, session)] = tracktik.query(
        "select fact.billing_period_id, fact.client_id, fact.position_id, fact.shift_id, issue.key"
        " from etl.quality_issue as issue"
        " inner join tracktik_typed.stg_work_sessions as session on issue.key = session.work_session_id::text"
        " inner join tracktik.fact_shifts as fact on session.shift_id = fact.shift_id"
        " where issue.relation = 'tracktik_staging.work_sessions' and issue.status = 'open'"
        " and fact.status = 'ACTIVE' and not fact.is_vacant order by fact.shift_id limit 1"
    )
    where = f"billing_period_id={period} and client_id={client} and position_id={position}"
    words = ("tracktik.mart_hours", "--where", where, "--column", "shifts", "--most", "1000")
    lines = tracktik.etl("explain", *words, expected=0).splitlines()
    [at] = [at for at, line in enumerate(lines) if f"shift_id {shift}: shifts 1" in line]
    of_shift = lines[at + 1 : at + 4]
    assert of_shift[0].startswith(f"    tracktik_staging.shifts id {shift}: batch ")
    assert of_shift[1].startswith(f"    tracktik_staging.work_sessions id {session}: batch ")
    assert "SessionNeverEnded (endedOn)" in of_shift[2]
