"""Type 2 history of a source that says its current state and never its past. Each case is a member of one table."""

from datetime import UTC, datetime
from typing import NamedTuple

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import Dbt

NOW = "now"
"""The moment of a run: no day of January."""


class Row(NamedTuple):
    """A row of the model: a member as it is now, with the day of January of its stamp."""

    day: int | None
    region: str | None = "n"
    phone: str = "1"


Version = tuple[int | str, str | None, str, bool]
"""From a day of January, or from the run: region, phone, whether the member is gone."""

AHEAD = 40_000
# case: (row of the first run, row of the second, versions expected after both)
CASES: dict[str, tuple[Row | None, Row | None, list[Version]]] = {
    "an equal row changes nothing": (Row(1), Row(1), [(1, "n", "1", False)]),
    "a stamp that moves alone changes nothing": (Row(1), Row(2), [(1, "n", "1", False)]),
    "a change counts from its stamp": (Row(1), Row(2, "s"), [(1, "n", "1", False), (2, "s", "1", False)]),
    "a change whose stamp did not move counts from now": (
        Row(3),
        Row(3, "s"),
        [(3, "n", "1", False), (NOW, "s", "1", False)],
    ),
    "a change whose stamp went back counts from now": (
        Row(3),
        Row(1, "s"),
        [(3, "n", "1", False), (NOW, "s", "1", False)],
    ),
    "a change whose stamp lies ahead counts from now": (
        Row(3),
        Row(AHEAD, "s"),
        [(3, "n", "1", False), (NOW, "s", "1", False)],
    ),
    "a new member whose stamp lies ahead counts from now": (None, Row(AHEAD), [(NOW, "n", "1", False)]),
    "a new member without a stamp counts from now": (Row(None), Row(None), [(NOW, "n", "1", False)]),
    "a value can become null": (Row(1), Row(2, None), [(1, "n", "1", False), (2, None, "1", False)]),
    "a member that the state lacks is gone": (Row(1), None, [(1, "n", "1", False), (NOW, "n", "1", True)]),
    "what is not tracked is overwritten": (Row(1), Row(2, phone="2"), [(1, "n", "2", False)]),
    "what is not tracked is overwritten though no stamp moved": (Row(3), Row(1, phone="2"), [(3, "n", "2", False)]),
}


def set_source(warehouse: psycopg.Connection, number: int) -> None:
    """Let the source have the rows of this run, the first or the second, and no others."""
    warehouse.execute("truncate operating_room.source_state")
    with warehouse.cursor() as cursor:
        cursor.executemany(
            "insert into operating_room.source_state"
            " values (%s, %s, %s, timestamptz '2026-01-01Z' + (%s - 1) * interval '1 day')",
            [
                (name, row.region, row.phone, row.day)
                for name, case in CASES.items()
                if (row := case[number]) is not None
            ],
        )


def table_versions(warehouse: psycopg.Connection) -> dict[str, list[Version]]:
    """The versions of each member, in their order; what began since the first run began now."""
    rows = warehouse.execute(
        "select member, valid_from, region, phone, is_gone from operating_room.current_state"
        " where member is not null order by member, valid_from"
    )
    versions: dict[str, list[Version]] = {}
    for name, begun, *rest in rows:
        in_january = begun < datetime(2026, 2, 1, tzinfo=UTC)
        versions.setdefault(name, []).append((begun.day if in_january else NOW, *rest))
    return versions


class Runs(NamedTuple):
    """What was held after the second run, what the next run wrote, and the current versions once all came back."""

    second: dict[str, list[Version]]
    rows_again: int | None
    again: dict[str, list[Version]]
    back: dict[str, Version]
    broken: int


@pytest.fixture(scope="module")
def runs(warehouse: psycopg.Connection, trial: Dbt) -> Runs:
    warehouse.execute("""
        set role etl_transformer;
        create table operating_room.source_state (member text, region text, phone text, changed_at timestamptz);
        reset role
    """)
    set_source(warehouse, 0)
    trial("run", "--select", "current_state")
    set_source(warehouse, 1)
    trial("run", "--select", "current_state")
    second = table_versions(warehouse)
    again = trial("run", "--select", "current_state")["current_state"]
    versions_again = table_versions(warehouse)
    set_source(warehouse, 0)
    trial("run", "--select", "current_state")
    current = {name: versions[-1] for name, versions in table_versions(warehouse).items()}
    broken = warehouse.execute("""
        select count(*) from (
            select *, lead(valid_from) over (partition by member order by valid_from) as next
            from operating_room.current_state
        ) as versions
        where valid_to is distinct from next or is_current <> (next is null) or valid_to <= valid_from
    """).fetchone()
    assert broken is not None
    return Runs(second, again.rows, versions_again, current, broken[0])


@pytest.mark.parametrize("case", CASES)
def test_the_state_becomes_the_current_version(runs: Runs, case: str) -> None:
    assert runs.second[case] == CASES[case][2]


def test_the_same_state_again_writes_nothing(runs: Runs) -> None:
    assert (runs.rows_again, runs.again) == (0, runs.second)


@pytest.mark.parametrize("case", CASES)
def test_what_was_before_can_come_back(runs: Runs, case: str) -> None:
    first = CASES[case][0]
    assert runs.back[case][1:] == ((first.region, first.phone, False) if first else ("n", "1", True))


def test_every_timeline_is_one(runs: Runs) -> None:
    assert runs.broken == 0
