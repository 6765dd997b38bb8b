"""What the rules of the operating room say of two sites whose rooms, cases and blocks have the same ids."""

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from etl_assets.declare.dates import Span
from etl_assets.quality.run import run_rule
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Batch, open_batch
from etl_assets_tests.sql.staging_rows import block, case, put

DAY = date(2026, 3, 2)
EAST = [("08:00", "09:00"), ("09:30", "10:30"), ("11:00", "18:00")]
WEST = [("09:05", "10:05"), ("10:35", "11:35"), ("12:00", "19:00")]
"""A good day of a room each; in one room they would overlap, follow too soon on each other, and be too much."""
OF_ROOMS = (
    "OverlappingCases",
    "TurnoverTimeAnomaly",
    "RoomUtilizationOutlier",
    "OverlappingBlocks",
    "BlockUtilizationAnomaly",
)


def day_of(site: str, times: list[tuple[str, str]], *, numbers_from: int = 0) -> list[dict[str, object]]:
    return [
        case(f"C{number}", f"{DAY} {coming}", f"{DAY} {out}", location_id=site)
        for number, (coming, out) in enumerate(times, numbers_from)
    ]


@pytest.fixture
def warehouse(settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as connection:
        put(connection, "or_case", day_of("EAST", EAST))
        put(connection, "block_schedule", [block("r", str(DAY), "07:00", "15:00", site_id="EAST")])
        yield connection


@pytest.fixture
def batch(settings) -> Iterator[Batch]:
    with open_batch(settings, SOURCE.name, "check") as batch:
        yield batch


def broken(warehouse: psycopg.Connection, batch: Batch) -> list[str]:
    """The rules of rooms that find something."""
    rules = [rule for rule in SOURCE.rules if rule.name in OF_ROOMS]
    assert len(rules) == len(OF_ROOMS)
    return [rule.name for rule in rules if run_rule(warehouse, batch, SOURCE, rule, Span(DAY, DAY)).open]


def test_rooms_of_two_sites_with_one_id_are_two_rooms(warehouse, batch) -> None:
    put(warehouse, "or_case", day_of("WEST", WEST))
    put(warehouse, "block_schedule", [block("r", str(DAY), "07:00", "15:00", site_id="WEST")])
    assert broken(warehouse, batch) == []


def test_in_one_room_the_same_is_found(warehouse, batch) -> None:
    put(warehouse, "or_case", day_of("EAST", WEST, numbers_from=len(EAST)))
    put(warehouse, "block_schedule", [block("r", str(DAY), "07:30", "15:00", site_id="EAST")])
    assert sorted(broken(warehouse, batch)) == sorted(OF_ROOMS)
