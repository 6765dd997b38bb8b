"""Two sites whose files have the same ids in them, of everything: what is built of one is what would be built alone."""

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import OPERATING_ROOM, Dbt, Outcome
from etl_assets_tests.sql.staging_rows import put
from etl_assets_tests.sql.test_operating_room_models import BLOCKS, BOOKINGS, CASES, EXPECTED

SURGEONS = {"EAST": "Ann", "WEST": "Bob"}
"""By the site, who is called `ann` there."""
OF_NO_SITE = {
    "a month by service",
    "federal holidays on the day on which they are observed",
    "ISO weeks over a new year",
}


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """All models on the files of both; in the west all happens a little later. Views `east` show what the east has."""
    for site, surgeon in SURGEONS.items():
        for table, rows in (("or_case", CASES), ("block_schedule", BLOCKS), ("or_schedule", BOOKINGS)):
            put(warehouse, table, ({**row, "location_id": site} for row in rows))
        warehouse.execute(
            "update stg.or_case set primary_surgeon = %s where primary_surgeon is not null and site_id = %s",
            [surgeon, site],
        )
    times = ("sched_start_time", "or_in", "proc_start", "proc_end", "or_out")
    later = ", ".join(f"{name} = {name} + interval '20 minutes'" for name in times)
    warehouse.execute(f"update stg.or_case set {later} where site_id = 'WEST'")
    outcomes = dbt("build", *OPERATING_ROOM)
    warehouse.execute("create schema east")
    of_sites = warehouse.execute(
        "select table_name from information_schema.columns"
        " where table_schema = 'operating_room' and column_name = 'site_id'"
    )
    for (relation,) in of_sites.fetchall():
        warehouse.execute(
            f"create view east.{relation} as select * from operating_room.{relation} where site_id = 'EAST'"
        )
    return outcomes


def test_the_project_builds_and_all_its_tests_pass(built: dict[str, Outcome]) -> None:
    assert {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass"}} == {}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("what", sorted(EXPECTED.keys() - OF_NO_SITE))
def test_a_site_is_as_it_would_be_alone(warehouse: psycopg.Connection, what: str) -> None:
    query, rows = EXPECTED[what]
    warehouse.execute("set search_path to east, operating_room")
    found = warehouse.execute(query).fetchall()
    assert sorted(found, key=lambda row: tuple(map(str, row))) == rows


@pytest.mark.usefixtures("built")
def test_surgeons_of_two_sites_with_one_id_are_two_surgeons(warehouse: psycopg.Connection) -> None:
    found = warehouse.execute(
        "select fact.site_id, surgeon_name from operating_room.fact_case as fact"
        " join operating_room.dim_surgeon on surgeon_key = surrogate_key where case_id = 'plain1' order by 1"
    )
    assert dict(found.fetchall()) == SURGEONS
