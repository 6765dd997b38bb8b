"""From staging to marts: what the files say, and what the facts make of it."""

from typing import Any

import psycopg
import pytest

from etl_assets_tests.explained_cells import differing_cells
from etl_assets_tests.sql.dbt_runs import OPERATING_ROOM, Dbt, Outcome
from etl_assets_tests.sql.staging_rows import BOOKING, block, case, put

CASES = [
    # A plain day of one room: two cases and a third one that was cancelled.
    case(
        "plain1",
        "2026-03-02 07:35",
        "2026-03-02 09:00",
        room_id="plain",
        room_name=" OR 1 ",
        primary_surgeon_prov_id="ann",
        primary_surgeon="Ann",
        case_service="Eye",
        sched_start_time="2026-03-02 07:30",
        sched_duration=80,
        proc_start="2026-03-02 08:00",
        proc_end="2026-03-02 08:50",
    ),
    case(
        "plain2",
        "2026-03-02 09:25",
        "2026-03-02 10:25",
        room_id="plain",
        primary_surgeon_prov_id="ann",
        case_service="EYE",
        sched_start_time="2026-03-02 09:00",
        sched_duration=120,
        proc_start="2026-03-02 09:45",
        proc_end="2026-03-02 10:20",
    ),
    case("plain3", surgery_date="2026-03-02", room_id="plain", sched_status="Canceled", case_service="Eye"),
    # The room has another name a week later, and the surgeon another specialty.
    case("renamed", "2026-03-09 08:00", "2026-03-09 09:00", room_id="plain", room_name="OR 1 East"),
    # Nobody knows the surgeon, and no file but this one the service.
    case("strange", "2026-03-03 08:00", "2026-03-03 09:00", room_id="strange", case_service="Nobody Else Knows"),
    # Times that cannot be.
    case("backwards", "2026-03-03 10:00", "2026-03-03 09:30", room_id="strange"),
    case("no_room", "2026-03-03 10:00", "2026-03-03 11:00", room_id=None),
    # Over midnight: the next case is of the next date, half an hour after.
    case("night1", "2026-03-04 22:00", "2026-03-04 23:50", room_id="night", case_service="Eye"),
    case("night2", "2026-03-05 00:20", "2026-03-05 01:20", room_id="night", case_service="Eye"),
    case("morning", "2026-03-05 07:30", "2026-03-05 08:30", room_id="night", case_service="Eye"),
    # The nights on which the clocks change.
    case("forward", "2026-03-08 01:30", "2026-03-08 03:30", room_id="clock", case_service="Eye"),
    case("back", "2026-11-01 00:30", "2026-11-01 03:30", room_id="clock", case_service="Eye"),
]
BLOCKS = [
    block("plain", "2026-03-02", "07:00", "12:00", room_name="Room one"),
    block("night", "2026-03-04", "21:00", "07:00"),
    block("clock", "2026-03-08", "00:00", "04:00"),
    block("clock", "2026-11-01", "00:00", "04:00"),
    block("given_back", "2026-03-02", "07:00", "12:00", released_at="2026-02-23 12:00"),
    block("too_late", "2026-03-02", "07:00", "12:00", released_at="2026-02-24 12:00"),
    block("ahead", "2026-12-01", "07:00", "12:00", service_code="UNHEARD OF"),
]
BOOKINGS = [
    {
        **BOOKING,
        "or_case_id": "plain3",
        "surgery_date": "2026-03-02",
        "sched_status": "Canceled",
        "cancel_date": "2026-03-01 18:00",
        "case_cancel_reason": "No bed",
    },
    {
        **BOOKING,
        "or_case_id": "only_booked",
        "surgery_date": "2026-03-02",
        "sched_status": "Canceled",
        "cancel_date": "2026-02-20 18:00",
        "room_name": "or 1",
    },
    {**BOOKING, "or_case_id": "plain1", "surgery_date": "2026-03-02", "sched_status": "Canceled"},
]


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> dict[str, Outcome]:
    """All of its models, with their tests, on what the files say."""
    put(warehouse, "or_case", CASES)
    put(warehouse, "block_schedule", BLOCKS)
    put(warehouse, "or_schedule", BOOKINGS)
    return dbt("build", *OPERATING_ROOM)


def test_the_project_builds_and_all_its_tests_pass(built: dict[str, Outcome]) -> None:
    assert {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass"}} == {}


def test_every_cell_is_what_its_rows_give(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    assert differing_cells(warehouse, "operating_room") == {}


EXPECTED: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "minutes in the room and of surgery, and what was booked": (
        "select case_id, in_room_minutes::float, surgical_minutes::float, start_delay_minutes::float,"
        " duration_error_minutes::float, is_duration_accurate"
        " from fact_case where room_id = 'plain' and surgery_date = '2026-03-02'",
        [
            ("plain1", 85.0, 50.0, 5.0, 5.0, True),
            ("plain2", 60.0, 35.0, 25.0, -60.0, False),
            ("plain3", None, None, None, None, None),
        ],
    ),
    "times that cannot be have no minutes and are flagged": (
        "select case_id, has_valid_times, in_room_minutes::float, is_performed from fact_case"
        " where surgery_date = '2026-03-03'",
        [("backwards", False, None, False), ("no_room", True, 60.0, True), ("strange", True, 60.0, True)],
    ),
    "minutes over a clock change are those that went by": (
        "select case_id, in_room_minutes::float from fact_case where room_id = 'clock'",
        [("back", 240.0), ("forward", 60.0)],
    ),
    "a case has the name its room had on its date": (
        "select case_id, room_name from fact_case join dim_room on room_key = surrogate_key"
        " where fact_case.room_id = 'plain' and is_performed",
        [("plain1", "OR 1"), ("plain2", "OR 1"), ("renamed", "OR 1 East")],
    ),
    "a room is called what cases call it, and else what the block schedule does": (
        "select room_id, room_name from dim_room where room_id in ('plain', 'ahead') and is_current",
        [("ahead", None), ("plain", "OR 1 East")],
    ),
    "what nobody knows is member -1, and an unknown service code is kept": (
        "select surgeon_key, service_code from fact_case join dim_service on service_key = surrogate_key"
        " where case_id = 'strange'",
        [(-1, "NOBODY ELSE KNOWS")],
    ),
    "turnovers, over midnight too, but not over the rest of the night": (
        "select case_id, next_case_id, surgery_date::text, turnover_minutes::float, is_same_surgeon, is_overnight,"
        " is_counted from fact_turnover",
        [
            ("night1", "night2", "2026-03-04", 30.0, None, True, True),
            ("night2", "morning", "2026-03-05", 370.0, None, False, False),
            ("plain1", "plain2", "2026-03-02", 25.0, True, False, True),
        ],
    ),
    "blocks, over midnight and over a clock change": (
        "select room_id, surgery_date::text, available_minutes::float, owner_minutes::float,"
        " turnover_credit_minutes::float, raw_utilization::float, adjusted_utilization::float"
        " from fact_block_utilization where room_id in ('plain', 'night', 'clock')",
        [
            ("clock", "2026-03-08", 180.0, 60.0, 0.0, 0.3333, 0.3333),
            ("clock", "2026-11-01", 300.0, 240.0, 0.0, 0.8, 0.8),
            ("night", "2026-03-04", 600.0, 170.0, 30.0, 0.2833, 0.3333),
            ("plain", "2026-03-02", 300.0, 145.0, 25.0, 0.4833, 0.5667),
        ],
    ),
    "a block given back in time leaves the denominator, and one ahead is not an unused one": (
        "select room_id, available_minutes::float, released_minutes::float, is_measured, raw_utilization::float"
        " from fact_block_utilization where room_id in ('given_back', 'too_late', 'ahead')",
        [
            ("ahead", 300.0, 0.0, False, None),
            ("given_back", 0.0, 300.0, True, None),
            ("too_late", 300.0, 0.0, True, 0.0),
        ],
    ),
    "prime time of business days, minutes on the day on which they were spent": (
        "select room_id, surgery_date::text, in_room_minutes::float, prime_time_minutes::float, staffed_minutes::float"
        " from fact_prime_time_utilization where room_id in ('night', 'clock', 'plain', 'given_back')",
        [
            ("clock", "2026-03-08", 60.0, 0.0, 0.0),
            ("clock", "2026-11-01", 240.0, 0.0, 0.0),
            ("given_back", "2026-03-02", 0.0, 0.0, 600.0),
            ("night", "2026-03-04", 110.0, 0.0, 600.0),
            ("night", "2026-03-05", 120.0, 60.0, 600.0),
            ("plain", "2026-03-02", 145.0, 145.0, 600.0),
            ("plain", "2026-03-09", 60.0, 60.0, 600.0),
        ],
    ),
    "first cases": (
        "select room_id, case_id, minutes_late::float, is_on_time from fact_first_case_start",
        [("plain", "plain1", 5.0, True)],
    ),
    "a cancelled case once, and none that took place": (
        "select booking_id, case_id, is_same_day, cancel_reason, coalesce(room_id, '?')"
        " from fact_cancellation join dim_room on room_key = surrogate_key",
        [("only_booked", None, False, None, "plain"), ("plain3", "plain3", True, "No bed", "plain")],
    ),
    "a month by service": (
        "select service_code, cases, in_room_minutes::float, canceled_cases, same_day_cancellation_rate::float"
        " from mart_monthly_by_service where month = '2026-03-01'",
        [("EYE", 6, 435.0, 1, 0.1429), ("NOBODY ELSE KNOWS", 1, 60.0, 0, 0.0), ("UNKNOWN", 2, 120.0, 1, 0.0)],
    ),
    "federal holidays on the day on which they are observed": (
        "select date_day::text, holiday_name from dim_date"
        " where year in (2020, 2021, 2022) and month in (1, 5, 6, 12) and is_holiday",
        [
            ("2020-01-01", "New Year's Day"),
            ("2020-01-20", "Birthday of Martin Luther King, Jr."),
            ("2020-05-25", "Memorial Day"),
            ("2020-12-25", "Christmas Day"),
            ("2021-01-01", "New Year's Day"),
            ("2021-01-18", "Birthday of Martin Luther King, Jr."),
            ("2021-05-31", "Memorial Day"),
            ("2021-06-18", "Juneteenth"),
            ("2021-12-24", "Christmas Day"),
            ("2021-12-31", "New Year's Day"),
            ("2022-01-17", "Birthday of Martin Luther King, Jr."),
            ("2022-05-30", "Memorial Day"),
            ("2022-06-20", "Juneteenth"),
            ("2022-12-26", "Christmas Day"),
        ],
    ),
    "ISO weeks over a new year": (
        "select date_day::text, iso_year, iso_week, iso_weekday, is_business_day from dim_date"
        " where date_day in ('2020-12-31', '2021-01-01', '2021-01-04')",
        [("2020-12-31", 2020, 53, 4, True), ("2021-01-01", 2020, 53, 5, False), ("2021-01-04", 2021, 1, 1, True)],
    ),
    "the owners of blocks": (
        "select month::text, owner_id, blocks, released_blocks, available_minutes::float, raw_utilization::float"
        " from mart_monthly_by_block_owner",
        [("2026-03-01", "EYE", 5, 1, 1380.0, 0.2717), ("2026-11-01", "EYE", 1, 0, 300.0, 0.8)],
    ),
}


@pytest.mark.parametrize("what", EXPECTED)
def test_a_relation_holds(warehouse: psycopg.Connection, built: dict[str, Outcome], what: str) -> None:
    query, rows = EXPECTED[what]
    warehouse.execute("set search_path to operating_room")
    found = warehouse.execute(query).fetchall()
    assert sorted(found, key=lambda row: tuple(map(str, row))) == rows


@pytest.fixture(scope="module")
def corrected(warehouse: psycopg.Connection, dbt: Dbt, built: dict[str, Outcome]) -> dict[str, dict[str, Outcome]]:
    """A second build; then a corrected file for 5 March, built for that date alone; then all of it again."""
    again = dbt("run", *OPERATING_ROOM)
    warehouse.execute("update stg.or_case set or_in = '2026-03-05 00:10' where case_id = 'night2'")
    warehouse.execute("delete from stg.or_case where case_id = 'morning'")
    window = {"start_date": "2026-03-05", "end_date": "2026-03-05"}
    date = dbt("run", "--select", "tag:daily,path:models/operating_room", **window)
    return {"again": again, "date": date, "whole": dbt("run", *OPERATING_ROOM)}


def test_a_second_build_changes_no_row(corrected: dict[str, dict[str, Outcome]]) -> None:
    assert {
        name: outcome.rows
        for name, outcome in corrected["again"].items()
        if "__stg_" not in name and (outcome.rows or 0) > 0
    } == {}


def test_a_corrected_file_of_one_date_changes_the_date_before_where_it_reaches_into_it(
    warehouse: psycopg.Connection, corrected: dict[str, dict[str, Outcome]]
) -> None:
    turnovers = warehouse.execute(
        "select case_id, surgery_date::text, turnover_minutes::float from operating_room.fact_turnover"
        " where room_id = 'night'"
    )
    assert turnovers.fetchall() == [("night1", "2026-03-04", 20.0)]
    used = warehouse.execute(
        "select owner_minutes::float, turnover_credit_minutes::float from operating_room.fact_block_utilization"
        " where room_id = 'night'"
    )
    assert used.fetchall() == [(180.0, 20.0)]


def test_building_the_date_alone_was_as_good_as_building_everything(
    corrected: dict[str, dict[str, Outcome]],
) -> None:
    assert {
        name: outcome.rows
        for name, outcome in corrected["whole"].items()
        if "__fact_" in name and (outcome.rows or 0) > 0
    } == {}
    assert corrected["date"]["operating_room__fact_case"].rows == len(["night2 changed", "morning deleted"])
