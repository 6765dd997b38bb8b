"""Type 2 history, case by case. Each case is a member of one table, so dbt runs a handful of times for all of them."""

from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import Dbt, Outcome

FIRST, SECOND = UUID(int=1), UUID(int=2)


class Row(NamedTuple):
    """A row of the model: a member as it is from a day of January on."""

    day: int
    region: str | None = "n"
    level: str = "1"
    phone: str = "1"
    is_deleted: bool = False


class Version(NamedTuple):
    """A version: from a day, to a day (none while it is in force)."""

    start: int
    end: int | None = None
    region: str | None = "n"
    level: str = "1"
    phone: str = "1"
    is_deleted: bool = False


# case: (rows of the first run, rows of the second, versions expected after both)
CASES: dict[str, tuple[list[Row], list[Row], list[Version]]] = {
    "an equal row changes nothing": ([Row(1)], [Row(1)], [Version(1)]),
    "an equal row of a later moment changes nothing": ([Row(1)], [Row(2)], [Version(1)]),
    "a member without a row stays": ([Row(1)], [], [Version(1)]),
    "a new member is inserted": ([], [Row(2)], [Version(2)]),
    "a change closes one version and opens another": ([Row(1)], [Row(2, "s")], [Version(1, 2), Version(2, None, "s")]),
    "several changes in one batch are several versions": (
        [Row(1)],
        [Row(2, "s"), Row(3, "s"), Row(4, "w")],
        [Version(1, 2), Version(2, 4, "s"), Version(4, None, "w")],
    ),
    "several changes of a new member are several versions": (
        [],
        [Row(2, "s"), Row(3, "w")],
        [Version(2, 3, "s"), Version(3, None, "w")],
    ),
    "a change there and back is three versions": (
        [Row(1)],
        [Row(2, "s"), Row(3)],
        [Version(1, 2), Version(2, 3, "s"), Version(3)],
    ),
    "a late row is threaded in": (
        [Row(1), Row(10, "s")],
        [Row(5, "w")],
        [Version(1, 5), Version(5, 10, "w"), Version(10, None, "s")],
    ),
    "a late row that changes nothing makes no version": (
        [Row(1), Row(10, "s")],
        [Row(5)],
        [Version(1, 10), Version(10, None, "s")],
    ),
    "a row before the first becomes the first": ([Row(10)], [Row(5, "s")], [Version(5, 10, "s"), Version(10)]),
    "a restated moment is corrected in place": ([Row(1)], [Row(1, "s")], [Version(1, None, "s")]),
    "a restated moment of the past is corrected in place": (
        [Row(1), Row(5, "s")],
        [Row(1, "w")],
        [Version(1, 5, "w"), Version(5, None, "s")],
    ),
    "a correction and a change in one batch": (
        [Row(1)],
        [Row(1, "s"), Row(3, "w")],
        [Version(1, 3, "s"), Version(3, None, "w")],
    ),
    "a deletion is one more version": (
        [Row(1)],
        [Row(2, is_deleted=True)],
        [Version(1, 2), Version(2, is_deleted=True)],
    ),
    "a value can become null": ([Row(1)], [Row(2, None)], [Version(1, 2), Version(2, None, None)]),
    "a value can come back from null": ([Row(1, None)], [Row(2)], [Version(1, 2, None), Version(2)]),
    "null is null again": ([Row(1, None)], [Row(2, None)], [Version(1, None, None)]),
    "numbers are compared as numbers, not as text": (
        [Row(1, level="0.1")],
        [Row(2, level="0.100")],
        [Version(1, level="0.1")],
    ),
    "an untracked column is overwritten": ([Row(1)], [Row(2, phone="2")], [Version(1, phone="2")]),
    "an untracked column is overwritten in the version in force only": (
        [Row(1), Row(2, "s")],
        [Row(3, "s", phone="2")],
        [Version(1, 2), Version(2, None, "s", phone="2")],
    ),
    "the last word of a batch on an untracked column counts": (
        [Row(1)],
        [Row(2, phone="2"), Row(3, phone="3")],
        [Version(1, phone="3")],
    ),
    "a late row does not bring back an old phone": (
        [Row(1), Row(5, "s", phone="2")],
        [Row(3, phone="1")],
        [Version(1, 5), Version(5, None, "s", phone="2")],
    ),
    "a changed member takes the new untracked value along": (
        [Row(1)],
        [Row(2, "s", phone="2")],
        [Version(1, 2), Version(2, None, "s", phone="2")],
    ),
    "the same row twice in a batch is one row": (
        [Row(1)],
        [Row(2, "s"), Row(2, "s")],
        [Version(1, 2), Version(2, None, "s")],
    ),
    "history sent again with a row between is threaded": (
        [Row(1), Row(10, "s")],
        [Row(1), Row(5, "w"), Row(10, "s")],
        [Version(1, 5), Version(5, 10, "w"), Version(10, None, "s")],
    ),
    "news makes a version of what changed nothing before": (
        [Row(1), Row(7)],
        [Row(1), Row(5, "s"), Row(7)],
        [Version(1, 5), Version(5, 7, "s"), Version(7)],
    ),
    "a late row equal to the next version stays one of its own": (
        [Row(1), Row(10, "s")],
        [Row(5, "s")],
        [Version(1, 5), Version(5, 10, "s"), Version(10, None, "s")],
    ),
    "a late row and a new one in one batch": (
        [Row(1), Row(10, "s")],
        [Row(5, "w"), Row(12, "w")],
        [Version(1, 5), Version(5, 10, "w"), Version(10, 12, "s"), Version(12, None, "w")],
    ),
    "a row before the first and a new one in one batch": (
        [Row(5)],
        [Row(2, "w"), Row(8, "s")],
        [Version(2, 5, "w"), Version(5, 8), Version(8, None, "s")],
    ),
}


class Seen(NamedTuple):
    """A row of the model that has inferred members; without a name it is inferred."""

    day: int
    name: str | None = None


class Known(NamedTuple):
    """A version of a member that may be inferred."""

    start: int
    end: int | None = None
    name: str | None = None


INFERRED: dict[str, tuple[list[Seen], list[Seen], list[Known]]] = {
    "an inferred one is completed in place": ([Seen(5)], [Seen(5), Seen(8, "Ann")], [Known(5, None, "Ann")]),
    "an inferred one is completed from an earlier day": ([Seen(5)], [Seen(3, "Ann")], [Known(3, None, "Ann")]),
    "an inferred one met again stays one": ([Seen(5)], [Seen(5), Seen(9)], [Known(5)]),
    "an inferred one met earlier begins earlier": ([Seen(5)], [Seen(2), Seen(5)], [Known(2)]),
    "an inferred one met earlier is completed from there": (
        [Seen(5)],
        [Seen(2), Seen(8, "Ann")],
        [Known(2, None, "Ann")],
    ),
    "a known member is not made inferred": ([Seen(3, "Ann")], [Seen(1), Seen(7)], [Known(3, None, "Ann")]),
    "met and known in one batch": ([], [Seen(2), Seen(4, "Ann")], [Known(2, None, "Ann")]),
    "an inferred one is completed and changes in one batch": (
        [Seen(5)],
        [Seen(8, "Ann"), Seen(9, "Bea")],
        [Known(5, 9, "Ann"), Known(9, None, "Bea")],
    ),
    "a new inferred member": ([], [Seen(2)], [Known(2)]),
    "many times met, one inferred member": ([], [Seen(4), Seen(2), Seen(3)], [Known(2)]),
}
NUMBER = {case: number for number, case in enumerate([*CASES, *INFERRED], start=1)}

PAIRS = (
    [("a", 1, "x"), ("b", 1, "x")],
    [("a", 1, "y"), ("b", 1, "x"), ("b", 2, "x")],
    [("a", 1, "x", False), ("a", 1, "y", True), ("b", 1, "x", True), ("b", 2, "x", True)],
)


class History(NamedTuple):
    """What there was after the first run, after the second, and after the second again."""

    first: dict[str, list[tuple]]
    second: dict[str, list[tuple]]
    again: dict[str, list[tuple]]
    outcomes: dict[str, Outcome]


TABLES = """
    set role etl_transformer;
    create table operating_room.source_members (
        member integer, region text, level numeric, phone text, is_deleted boolean, changed_at timestamptz, mail text
    );
    create table operating_room.source_inferred (
        member integer, name text, is_inferred boolean, changed_at timestamptz
    );
    create table operating_room.source_pairs (site text, code integer, name text, changed_at timestamptz);
    reset role
"""


def arrive(warehouse: psycopg.Connection, run: int) -> None:
    """Let the source have the rows of one of the runs."""
    warehouse.execute(
        "truncate operating_room.source_members, operating_room.source_inferred, operating_room.source_pairs"
    )
    with warehouse.cursor() as cursor:
        cursor.executemany(
            "insert into operating_room.source_members"
            " values (%s, %s, %s, %s, %s, make_timestamptz(2026, 1, %s, 0, 0, 0))",
            [(NUMBER[case], *row[1:], row.day) for case, runs in CASES.items() for row in runs[run]],
        )
        cursor.executemany(
            "insert into operating_room.source_inferred values (%s, %s, %s, make_timestamptz(2026, 1, %s, 0, 0, 0))",
            [
                (NUMBER[case], row.name, row.name is None, row.day)
                for case, runs in INFERRED.items()
                for row in runs[run]
            ],
        )
        cursor.executemany(
            "insert into operating_room.source_pairs values (%s, %s, %s, make_timestamptz(2026, 1, %s, 0, 0, 0))",
            [(*row, run + 1) for row in PAIRS[run]],
        )


def rows_of(warehouse: psycopg.Connection) -> dict[str, list[tuple]]:
    """All rows of the three dimensions, with the transaction that wrote each."""
    return {
        name: warehouse.execute(f"select xmin::text, * from operating_room.{name} order by surrogate_key").fetchall()
        for name in ("members", "inferred", "pairs")
    }


@pytest.fixture(scope="module")
def history(warehouse: psycopg.Connection, trial: Dbt) -> History:
    warehouse.execute(TABLES)
    chosen = ("run", "--select", "members", "inferred", "pairs")
    arrive(warehouse, 0)
    trial(*chosen, batch_id=str(FIRST))
    first = rows_of(warehouse)
    arrive(warehouse, 1)
    outcomes = trial(*chosen, batch_id=str(SECOND))
    second = rows_of(warehouse)
    assert {outcome.rows for outcome in trial(*chosen).values()} == {0}
    return History(first, second, rows_of(warehouse), outcomes)


@pytest.mark.parametrize("case", CASES)
def test_a_member_has_the_versions_expected(warehouse: psycopg.Connection, history: History, case: str) -> None:
    versions = warehouse.execute(
        """
        select
            extract(day from valid_from)::integer, extract(day from valid_to)::integer, region, level::text, phone,
            is_deleted, is_current
        from operating_room.members
        where member = %s
        order by valid_from
        """,
        [NUMBER[case]],
    ).fetchall()
    assert versions == [(*version, version.end is None) for version in CASES[case][2]]


@pytest.mark.parametrize("case", INFERRED)
def test_an_inferred_member_is_completed_in_place(warehouse: psycopg.Connection, history: History, case: str) -> None:
    versions = warehouse.execute(
        """
        select extract(day from valid_from)::integer, extract(day from valid_to)::integer, name, is_inferred, is_current
        from operating_room.inferred
        where member = %s
        order by valid_from
        """,
        [NUMBER[case]],
    ).fetchall()
    assert versions == [(*version, version.name is None, version.end is None) for version in INFERRED[case][2]]


def test_a_member_may_have_two_keys(warehouse: psycopg.Connection, history: History) -> None:
    versions = warehouse.execute(
        "select site, code, name, is_current from operating_room.pairs where site is not null order by 1, 2, valid_from"
    ).fetchall()
    assert versions == PAIRS[2]


@pytest.mark.parametrize("name", ["members", "inferred", "pairs"])
def test_the_same_rows_again_write_nothing(history: History, name: str) -> None:
    assert history.again[name] == history.second[name]


def test_a_version_keeps_its_surrogate_key(warehouse: psycopg.Connection, history: History) -> None:
    before = {(row[1], row[2]) for name in ("members", "inferred") for row in history.first[name]}
    after = {(row[1], row[2]) for name in ("members", "inferred") for row in history.second[name]}
    assert before <= after


def test_there_is_one_member_nobody_knows(warehouse: psycopg.Connection, history: History) -> None:
    unknown = warehouse.execute(
        "select member, region, is_current from operating_room.members where surrogate_key = -1"
    )
    assert unknown.fetchall() == [(None, None, True)]


def test_dbt_tells_how_many_rows_a_run_changed(history: History) -> None:
    changed = [row for row in history.second["pairs"] if row not in history.first["pairs"]]
    assert history.outcomes["pairs"].rows == len(changed) == 3


@pytest.mark.parametrize(
    ("case", "batches"),
    [
        pytest.param("a member without a row stays", [FIRST], id="a version carries the batch that wrote it"),
        pytest.param("a change closes one version and opens another", [SECOND, SECOND], id="so does one it closed"),
    ],
)
def test_a_version_carries_its_batch(
    warehouse: psycopg.Connection, history: History, case: str, batches: list[UUID]
) -> None:
    found = warehouse.execute(
        "select etl_batch_id from operating_room.members where member = %s order by valid_from", [NUMBER[case]]
    )
    assert [batch for (batch,) in found] == batches


@pytest.fixture(scope="module")
def later(warehouse: psycopg.Connection, history: History, trial: Dbt) -> dict[str, Any]:
    """What is refused, and what a failure in the middle leaves; then a column more."""
    before = rows_of(warehouse)["members"]
    refused = trial("run", "--select", "members", "tag:refused", level_as_text=True)
    refused["full refresh"] = trial("run", "--full-refresh", "--select", "members")["members"]
    # Beside the word that is held already; and the same word, from nobody knows when.
    for case, name, moment in (("another word", "z", "2026-01-02"), ("no moment", "x", None)):
        warehouse.execute("insert into operating_room.source_pairs values ('b', 2, %s, %s)", [name, moment])
        refused[case] = trial("run", "--select", "pairs")["pairs"]
        warehouse.execute("delete from operating_room.source_pairs where name = %s or changed_at is null", [name])
    # Old versions are closed before new ones are inserted; here the insert fails.
    warehouse.execute("""
        create function operating_room.fail() returns trigger language plpgsql as $$ begin raise 'no room'; end $$;
        create trigger fail before insert on operating_room.members execute function operating_room.fail();
        insert into operating_room.source_members values (1, 'e', 1, '1', false, '2026-02-01')
    """)
    refused["failure in the middle"] = trial("run", "--select", "members")["members"]
    after = rows_of(warehouse)["members"]
    warehouse.execute("""
        drop trigger fail on operating_room.members;
        update operating_room.source_members set mail = 'a@example.org' where member = 1
    """)
    trial("run", "--select", "members", with_mail=True)
    return {"before": before, "after": after, "refused": refused}


@pytest.mark.parametrize(
    ("node", "words"),
    [
        pytest.param("members", 'members".level is held as numeric and the model says text', id="a changed type"),
        pytest.param("full refresh", "a full refresh is refused", id="a full refresh"),
        pytest.param("failure in the middle", "no room", id="a failure in the middle"),
        pytest.param("refused_two_things", "two different things of one member at one changed_at", id="two at once"),
        pytest.param(
            "another word", "two different things of one site, code at one changed_at", id="a word of a held moment"
        ),
        pytest.param("no moment", "rows of the model have a null in changed_at.", id="a null moment of a held member"),
        pytest.param("refused_nobody", "rows of the model have a null in member.", id="a null key"),
        pytest.param("refused_undated", "rows of the model have a null in changed_at.", id="a null moment"),
        pytest.param(
            "refused_dated_without_zone",
            "changed_at must be a timestamp with time zone, not date",
            id="a moment without a zone",
        ),
        pytest.param("refused_bare", "at least one tracked column", id="nothing to track"),
    ],
)
def test_what_is_refused_says_why(later: dict[str, Any], node: str, words: str) -> None:
    assert later["refused"][node].status == "error"
    assert words in later["refused"][node].message


def test_what_is_refused_or_fails_leaves_every_row_as_it_was(later: dict[str, Any]) -> None:
    assert later["after"] == later["before"]


def test_a_column_added_later_appears(warehouse: psycopg.Connection, later: dict[str, Any]) -> None:
    found = warehouse.execute("select region, mail from operating_room.members where member = 1 order by valid_from")
    assert found.fetchall() == [("n", "a@example.org"), ("e", "a@example.org")]
