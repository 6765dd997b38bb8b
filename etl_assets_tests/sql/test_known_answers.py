"""The published data set, whose answers were computed elsewhere and by other means."""

import csv
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import OPERATING_ROOM, Dbt, Outcome
from etl_assets_tests.sql.staging_rows import put

MOMENTS = {
    "sched_start_time": "OR Schedule",
    "or_in": "Wheels In",
    "proc_start": "Start Time",
    "proc_end": "End Time",
    "or_out": "Wheels Out",
}


@pytest.fixture(scope="module")
def built(real_data: Path, warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """The models on the published file, its columns meaning what feeds.yaml says."""
    with (real_data / "operating_room" / "2022_q1_or_utilization.csv").open(newline="") as file:
        put(warehouse, "or_case", map(as_case, csv.DictReader(file)))
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
        "location_id": "MAIN",
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
    "services by month add up": (
        "select sum(cases)::integer, sum(turnovers)::integer, count(distinct service_code)"
        " from mart_monthly_by_service",
        (2172, 1668, 10),
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_the_answer_is_known(warehouse: psycopg.Connection, built: dict[str, Outcome], what: str) -> None:
    query, answer = ANSWERS[what]
    warehouse.execute("set search_path to operating_room")
    assert warehouse.execute(query).fetchone() == answer


def test_all_tests_of_the_project_pass(built: dict[str, Outcome]) -> None:
    broken = {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass", "warn"}}
    assert broken == {}
