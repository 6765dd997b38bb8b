"""The published data set, whose answers were computed elsewhere and by other means."""

import csv
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from etl_assets_tests.sql.dbt_runs import OPERATING_ROOM, Dbt, Outcome
from etl_assets_tests.sql.staging_rows import put

MOMENTS = {
    "sched_start_time": "OR Schedule",
    "or_in": "Wheels In",
    "proc_start": "Start Time",
    "proc_end": "End Time",
    "or_out": "Wheels Out",
}
HOSPITALS = ("EAST", "NORTH", "SOUTH", "WEST")


@pytest.fixture(scope="module")
def built(real_data: Path, warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """The models on the published file, its columns meaning what feeds.yaml says: four hospitals of the same ids."""
    with (real_data / "operating_room" / "2022_q1_or_utilization.csv").open(newline="") as file:
        cases = [as_case(row) for row in csv.DictReader(file)]
    for hospital in HOSPITALS:
        put(warehouse, "or_case", ({**case, "location_id": hospital} for case in cases))
    return dbt("build", *OPERATING_ROOM)


def as_case(row: dict[str, str]) -> dict[str, object]:
    """A row of the published file as staging holds it."""
    moments = {name: datetime.strptime(row[header], "%m/%d/%y %I:%M %p") for name, header in MOMENTS.items()}  # noqa: DTZ007
    return {
        **moments,
        "case_id": row["Encounter ID"],
        "surgery_date": datetime.strptime(row["Date"], "%m/%d/%y").date(),  # noqa: DTZ007
        "room_id": row["OR Suite"],
        "case_service": row["Service"],
        "primary_procedure_code": row["CPT Code"],
        "sched_duration": row["Booked Time (min)"],
        "sched_status": "Completed",
        "time_zone": "America/New_York",
    }


ANSWERS = {
    "cases, dates and minutes in the room": (
        "select count(*), count(distinct surgery_date), sum(in_room_minutes)::integer, min(in_room_minutes)::integer,"
        " max(in_room_minutes)::integer from fact_case",
        (2172, 62, 173102, 19, 173),
    ),
    "turnovers: 1,676 successions less 8 overlaps": (
        "select count(*), percentile_cont(0.5) within group (order by turnover_minutes),"
        " round(avg(turnover_minutes), 1)::float, percentile_cont(0.9) within group (order by turnover_minutes),"
        " max(turnover_minutes)::integer from fact_turnover",
        (1668, 29, 30.1, 38, 45),
    ),
    "room-days, their mean minutes, and prime time": (
        "select count(*), round(avg(in_room_minutes), 1)::float,"
        " round(100 * sum(prime_time_minutes) / sum(staffed_minutes), 2)::float, min(in_room_minutes)::integer,"
        " max(in_room_minutes)::integer, sum(outside_prime_time_minutes)::integer from fact_prime_time_utilization",
        (496, 349.0, 58.17, 251, 452, 0),
    ),
    "first cases: late by none, 5, 15 minutes at most, and the latest": (
        "select count(*), count(*) filter (where minutes_late <= 0), count(*) filter (where is_on_time),"
        " count(*) filter (where minutes_late <= 15), max(minutes_late)::integer from fact_first_case_start",
        (496, 0, 230, 478, 28),
    ),
    "rooms by month": (
        "select count(distinct room_id), sum(cases)::integer, sum(turnovers)::integer, sum(first_cases)::integer"
        " from mart_monthly_by_room",
        (8, 2172, 1668, 496),
    ),
    "the morning's board": (
        "select count(*), sum(performed_cases)::integer, sum(turnovers)::integer from mart_daily_board",
        (496, 2172, 1668),
    ),
}


@pytest.mark.parametrize("hospital", HOSPITALS)
@pytest.mark.parametrize("what", ANSWERS)
def test_the_answer_is_known_of_each_hospital(
    warehouse: psycopg.Connection, built: dict[str, Outcome], what: str, hospital: str
) -> None:
    query, answer = ANSWERS[what]
    of_this_one = sql.SQL("operating_room.{} where site_id = {}")
    relation = query.rpartition("from ")[2]
    asked = sql.SQL(query.removesuffix(relation)) + of_this_one.format(sql.Identifier(relation), sql.Literal(hospital))
    assert warehouse.execute(asked).fetchone() == answer


def test_rooms_of_four_hospitals_are_four_times_as_many(
    warehouse: psycopg.Connection, built: dict[str, Outcome]
) -> None:
    rooms = (
        "select count(*), count(distinct room_id) from operating_room.dim_room where is_current and room_id is not null"
    )
    assert warehouse.execute(rooms).fetchone() == (4 * 8, 8)


@pytest.mark.usefixtures("built")
def test_services_are_common_to_all(warehouse: psycopg.Connection) -> None:
    services = (
        "select sum(cases)::integer, sum(turnovers)::integer, count(distinct service_code)"
        " from operating_room.mart_monthly_by_service"
    )
    assert warehouse.execute(services).fetchone() == (4 * 2172, 4 * 1668, 10)


def test_all_tests_of_the_project_pass(built: dict[str, Outcome]) -> None:
    broken = {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass", "warn"}}
    assert broken == {}
