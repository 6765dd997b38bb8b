"""Facts in partitions: what differs is written, new partitions come whole, and readers see all of a run or nothing."""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import Dbt, Outcome

FIRST, SECOND = UUID(int=1), UUID(int=2)
WINDOW = {"start_date": "2026-01-15", "end_date": "2026-01-31"}
HOLD = 4711
"""The advisory lock that a build held open waits for before it commits."""


class Row(NamedTuple):
    """A row of a partition, of a day of January. The window begins on the 15th, and part 3 is new in it."""

    part: int
    day: int
    worth: str | None = "1"
    details: dict[str, Any] | None = None


# case: (rows before, rows afterwards, rows held after a run of the window)
CASES: dict[str, tuple[list[Row], list[Row], list[Row]]] = {
    "an equal row stays": ([Row(2, 15)], [Row(2, 15)], [Row(2, 15)]),
    "null is null again": ([Row(2, 15, None)], [Row(2, 15, None)], [Row(2, 15, None)]),
    "numbers are compared as numbers, not as text": ([Row(2, 15, "0.1")], [Row(2, 15, "0.10")], [Row(2, 15, "0.1")]),
    "documents are compared as documents": (
        [Row(2, 15, details={"a": 1, "b": 2})],
        [Row(2, 15, details={"b": 2, "a": 1.0})],
        [Row(2, 15, details={"a": 1, "b": 2})],
    ),
    "a change is written": ([Row(2, 15)], [Row(2, 15, "2")], [Row(2, 15, "2")]),
    "a change in a document is written": (
        [Row(2, 15, details={"a": 1})],
        [Row(2, 15, details={"a": 2})],
        [Row(2, 15, details={"a": 2})],
    ),
    "a value can become null": ([Row(2, 15)], [Row(2, 15, None)], [Row(2, 15, None)]),
    "a value can come back from null": ([Row(2, 15, None)], [Row(2, 15)], [Row(2, 15)]),
    "a new row is inserted": ([], [Row(2, 20)], [Row(2, 20)]),
    "a row of a new partition is inserted": ([], [Row(3, 30)], [Row(3, 30)]),
    "a row that is gone is deleted": ([Row(2, 15)], [], []),
    "a row that is gone is deleted wherever it lies": ([Row(1, 15)], [], []),
    "a row gone outside of the window stays": ([Row(1, 3)], [], [Row(1, 3)]),
    "a change outside of the window is not seen": ([Row(1, 3)], [Row(1, 3, "2")], [Row(1, 3)]),
    "a new row outside of the window is not seen": ([], [Row(1, 4)], []),
    "a row that moves into the window leaves its old partition": ([Row(1, 14)], [Row(2, 15)], [Row(2, 15)]),
    "a row that moves between partitions of the window": ([Row(2, 15)], [Row(3, 29)], [Row(3, 29)]),
    "a row that moves into a new partition from outside": ([Row(1, 2)], [Row(3, 30)], [Row(3, 30)]),
    "a row that moves out of the window waits for the run of its day": ([Row(2, 15)], [Row(1, 14)], []),
}
UNCHANGED = [case for case, (before, _, window) in CASES.items() if before == window]
CHANGED = [case for case, (before, _, window) in CASES.items() if window and before != window]
STAYING = [case for case in CHANGED if [row.part for row in CASES[case][0]] == [row.part for row in CASES[case][2]]]


def set_source(warehouse: psycopg.Connection, rows: dict[str, list[Row]]) -> None:
    """Let the source have these rows and no others."""
    warehouse.execute("truncate operating_room.source_parts")
    with warehouse.cursor() as cursor:
        cursor.executemany(
            "insert into operating_room.source_parts values ('2026-0' || %s, %s, make_date(2026, 1, %s), %s, %s)",
            [
                (str(row.part), case, row.day, row.worth, json.dumps(row.details) if row.details else None)
                for case, each in rows.items()
                for row in each
            ],
        )


BEFORE, AFTER, WITHIN = ({case: rows[at] for case, rows in CASES.items() if rows[at]} for at in range(3))


def table_rows(connection: psycopg.Connection) -> dict[str, list[Row]]:
    """What the table holds."""
    found: dict[str, list[Row]] = {}
    for name, *row in connection.execute(
        "select name, right(part, 1)::integer, extract(day from day)::integer, worth::text, details"
        " from operating_room.parts order by part"
    ):
        found.setdefault(name, []).append(Row(*row))
    return found


class Bookkeeping(NamedTuple):
    """What the table keeps of a row besides what the model says."""

    xmin: str
    created_at: Any
    updated_at: Any
    batch: UUID


def bookkeeping(warehouse: psycopg.Connection) -> dict[str, Bookkeeping]:
    """The rows' own columns, by name; a name is in one partition only."""
    found = warehouse.execute(
        "select name, xmin::text, created_at, updated_at, etl_batch_id from operating_room.parts"
    ).fetchall()
    return {name: Bookkeeping(*row) for name, *row in found}


class Runs(NamedTuple):
    """What the table held after the first run and after that of the window, and dbt's outcomes."""

    first: dict[str, list[Row]]
    window: dict[str, list[Row]]
    whole: dict[str, list[Row]]
    bookkeeping: list[dict[str, Bookkeeping]]
    outcomes: list[dict[str, Outcome]]


@pytest.fixture(scope="module")
def runs(warehouse: psycopg.Connection, trial: Dbt) -> Runs:
    warehouse.execute("""
        set role etl_transformer;
        create table operating_room.source_parts (
            part text, name text, day date, worth numeric, details jsonb, note text
        );
        reset role
    """)
    chosen = ("--select", "staged_parts", "parts", "odd_parts")
    set_source(warehouse, BEFORE)
    outcomes = [trial("build", *chosen, batch_id=str(FIRST))]
    first, own = table_rows(warehouse), [bookkeeping(warehouse)]
    outcomes.append(trial("build", *chosen))
    own.append(bookkeeping(warehouse))
    set_source(warehouse, AFTER)
    outcomes.append(trial("run", *chosen, batch_id=str(SECOND), **WINDOW))
    window = table_rows(warehouse)
    own.append(bookkeeping(warehouse))
    outcomes.append(trial("run", *chosen))
    return Runs(first, window, table_rows(warehouse), own, outcomes)


def test_a_table_that_is_not_there_is_made(runs: Runs) -> None:
    assert runs.first == BEFORE
    assert runs.outcomes[0]["parts"].rows == sum(map(len, BEFORE.values()))


def test_the_same_rows_again_write_nothing(runs: Runs) -> None:
    assert runs.bookkeeping[1] == runs.bookkeeping[0]
    assert runs.outcomes[1]["parts"].rows == 0


def test_a_unit_test_of_such_a_model_runs(runs: Runs) -> None:
    assert [outcome["a_part_knows_the_day_before"].status for outcome in runs.outcomes[:2]] == ["pass", "pass"]


@pytest.mark.parametrize("case", CASES)
def test_a_run_of_the_window_writes_what_differs_in_it(runs: Runs, case: str) -> None:
    assert runs.window.get(case, []) == WITHIN.get(case, [])


def test_without_a_window_the_whole_table_becomes_what_the_model_says(runs: Runs) -> None:
    written = {case: [row.part for row in rows] for case, rows in runs.whole.items()}
    assert written == {case: [row.part for row in rows] for case, rows in AFTER.items()}


@pytest.mark.parametrize("case", UNCHANGED)
def test_a_row_that_does_not_change_is_not_written(runs: Runs, case: str) -> None:
    assert runs.bookkeeping[2].get(case) == runs.bookkeeping[0].get(case)


@pytest.mark.parametrize("case", CHANGED)
def test_a_row_that_is_written_carries_its_batch(runs: Runs, case: str) -> None:
    assert runs.bookkeeping[2][case].batch == SECOND


@pytest.mark.parametrize("case", STAYING)
def test_a_row_that_changes_keeps_the_time_it_was_made(runs: Runs, case: str) -> None:
    before, after = runs.bookkeeping[0][case], runs.bookkeeping[2][case]
    assert (after.created_at, after.updated_at > before.updated_at) == (before.created_at, True)


def test_dbt_tells_how_many_rows_were_inserted_updated_and_deleted(runs: Runs) -> None:
    deleted = [case for case in BEFORE if case not in WITHIN]
    moved = [case for case in CHANGED if case in BEFORE and case not in STAYING]
    assert runs.outcomes[2]["parts"].rows == len(CHANGED) + len(deleted) + len(moved)


def test_a_query_of_one_partition_reads_no_other(warehouse: psycopg.Connection, runs: Runs) -> None:
    plan = warehouse.execute("explain select * from operating_room.parts where part = '2026-02'").fetchall()
    assert {part for part in ("parts_2026_01", "parts_2026_02", "parts_2026_03") if part in str(plan)} == {
        "parts_2026_02"
    }


def test_each_partition_has_the_indexes_and_declarations_of_the_table(
    warehouse: psycopg.Connection, runs: Runs
) -> None:
    found = warehouse.execute("""
        select
            relname,
            (select array_agg(pg_get_indexdef(indexrelid, 0, true) order by indisprimary desc, indkey) from pg_index
            where indrelid = pg_class.oid),
            (select array_agg(attname::text order by attnum) from pg_attribute
            where attrelid = pg_class.oid and attnum > 0 and attnotnull)
        from pg_class
        where relname ~ '^parts(_2026_0.)?$'
        order by relname
    """).fetchall()
    indexed = {
        name: [(text.startswith("CREATE UNIQUE"), text.split("(")[1]) for text in indexes] for name, indexes, _ in found
    }
    assert list(indexed) == ["parts", "parts_2026_01", "parts_2026_02", "parts_2026_03"]
    assert all(each == [(True, "part, name)"), (False, "name)"), (False, "day)")] for each in indexed.values())
    assert {tuple(columns) for _, _, columns in found} == {("part", "name", "day", "created_at", "updated_at")}


def test_a_partition_has_statistics_before_anything_reads_it(warehouse: psycopg.Connection, runs: Runs) -> None:
    del runs
    found = warehouse.execute(
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'operating_room.parts'::regclass"
        " and pg_stat_get_last_analyze_time(inhrelid) is null"
    ).fetchall()
    assert found == []


def test_values_that_make_no_names_have_partitions_all_the_same(warehouse: psycopg.Connection, runs: Runs) -> None:
    found = warehouse.execute(
        "select tableoid::regclass::text, part, etl_batch_id from operating_room.odd_parts order by part"
    ).fetchall()
    assert len({name for name, _, _ in found}) == len(found) == 4
    assert all(len(name.removeprefix("operating_room.")) <= 63 for name, _, _ in found)
    assert runs.outcomes[2]["odd_parts"].rows == 4, "a batch that the model says is a column like any other"


def test_descriptions_are_kept_and_readers_let_in(warehouse: psycopg.Connection, runs: Runs) -> None:
    described = warehouse.execute(
        "select obj_description('operating_room.parts'::regclass), col_description('operating_room.parts'::regclass, 4)"
    ).fetchone()
    assert described == ("Rows in partitions.", "What it is worth.")
    warehouse.execute("set role etl_reader")
    warehouse.execute("select * from operating_room.parts")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute("select * from operating_room.parts_2026_02")  # its grants are the table's
    warehouse.execute("reset role")


@pytest.fixture(scope="module")
def refused(warehouse: psycopg.Connection, trial: Dbt, runs: Runs) -> dict[str, Outcome]:
    """What is refused; the table must be as it was."""
    before = bookkeeping(warehouse)
    warehouse.execute("set role etl_transformer")
    warehouse.execute("create table operating_room.refused_unpartitioned (part text, name text)")
    warehouse.execute("reset role")
    found = trial("run", "--select", "tag:refused_parts")
    cases = {
        "no part": {**AFTER, "new": [Row(1, 1)]},
        "twice": {**AFTER, "new": [Row(2, 20), Row(2, 21)]},
        "split": {**AFTER, "new": [Row(2, 20), Row(3, 29)]},
        # The moved row is deleted from its old partition before what differs is written; there it fails.
        "failure in the middle": {**AFTER, "a new row is inserted": [Row(1, 1)], "new": [Row(1, 1, "1000")]},
    }
    warehouse.execute("alter table operating_room.parts add constraint room check (worth < 1000)")
    for case, rows in cases.items():
        set_source(warehouse, rows)
        if case == "no part":
            warehouse.execute("update operating_room.source_parts set part = null where name = 'new'")
        found[case] = trial("run", "--select", "parts")["parts"]
    warehouse.execute("alter table operating_room.parts drop constraint room")
    set_source(warehouse, AFTER)
    found["type"] = trial("run", "--select", "parts", worth_as_text=True)["parts"]
    assert bookkeeping(warehouse) == before
    return found


@pytest.mark.parametrize(
    ("case", "words"),
    [
        pytest.param("no part", "1 values of the unique_key (part, name) are null or said more", id="a null partition"),
        pytest.param("twice", "1 values of the unique_key (part, name) are null or said more", id="a key said twice"),
        pytest.param("split", "the model says 1 values of name in more than one part", id="a row in two partitions"),
        pytest.param("type", 'parts".worth is held as numeric and the model says text', id="a changed type"),
        pytest.param("failure in the middle", 'violates check constraint "room"', id="a failure in the middle"),
        pytest.param("refused_unpartitioned", "To make it anew, run dbt with --full-refresh", id="a plain table"),
        pytest.param("refused_key", "the unique_key must have part in it", id="a key without the partition"),
        pytest.param("refused_misnamed", "columns that the model does not select: nmae", id="a column there is not"),
    ],
)
def test_what_is_refused_says_why_and_leaves_the_table(refused: dict[str, Outcome], case: str, words: str) -> None:
    assert refused[case].status == "error"
    assert words in refused[case].message


def wait_for(warehouse: psycopg.Connection, waiting: int) -> None:
    """Until so many sessions wait for an advisory lock."""
    query = (
        "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    for _ in range(600):
        if warehouse.execute(query).fetchone() == (waiting,):
            return
        time.sleep(0.1)
    pytest.fail(f"{waiting} builds never waited")


def test_readers_see_all_of_a_run_or_nothing_and_builds_take_turns(
    warehouse: psycopg.Connection, warehouse_url: str, trial: Dbt, runs: Runs, tmp_path: Path
) -> None:
    arrived = {**AFTER, "new": [Row(4, 31)], "an equal row stays": [Row(4, 31)], "null is null again": []}
    other = replace(trial, folder=tmp_path)
    before, snapshot = table_rows(warehouse), psycopg.connect(warehouse_url)
    snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    set_source(warehouse, arrived)
    with snapshot, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as builds:
        warehouse.execute("select pg_advisory_lock(%s)", [HOLD])
        first = builds.submit(trial, "run", "--select", "parts", held_open=True)
        wait_for(warehouse, 1)
        second = builds.submit(other, "run", "--select", "parts")
        wait_for(warehouse, 2)
        warehouse.execute("set statement_timeout = '5s'")  # a reader does not wait either
        assert table_rows(warehouse) == table_rows(snapshot) == before
        warehouse.execute("select pg_advisory_unlock(%s)", [HOLD])
        outcomes = [build.result(timeout=60)["parts"] for build in (first, second)]
        assert table_rows(snapshot) == before
    after = {case: [row.part for row in rows] for case, rows in table_rows(warehouse).items()}
    assert after == {case: [row.part for row in rows] for case, rows in arrived.items() if rows}
    # Two rows came, one of them from another partition, and one went.
    assert [outcome.rows for outcome in outcomes] == [4, 0]
    set_source(warehouse, AFTER)
    trial("run", "--select", "parts")


def test_a_column_gained_appears_hidden_where_it_is_personal(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    warehouse.execute("update operating_room.source_parts set note = 'seen' where name = 'a change is written'")
    outcome = trial("run", "--select", "parts", with_note=True)["parts"]
    assert outcome.rows == 1
    warehouse.execute("set role etl_reader")
    found = warehouse.execute("select name from operating_room.parts where note = 'seen'").fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute("select secret from operating_room.parts")
    warehouse.execute("reset role")
    assert found == [("a change is written",)]


def test_a_column_lost_stays_whatever_was_declared_of_it(warehouse: psycopg.Connection, trial: Dbt, runs: Runs) -> None:
    days = "select day_before is null from operating_room.parts where name in ('new', 'a change is written')"
    trial("run", "--select", "parts", with_note=True)
    with pytest.raises(psycopg.errors.NotNullViolation):
        warehouse.execute("update operating_room.parts set day_before = null")
    set_source(warehouse, {**AFTER, "new": [Row(1, 1)]})
    assert trial("run", "--select", "parts", without_day_before=True)["parts"].status == "success"
    assert sorted(warehouse.execute(days).fetchall()) == [(False,), (True,)]
    set_source(warehouse, AFTER)


def test_a_full_refresh_makes_the_table_anew_whatever_the_window(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    outcomes = trial("run", "--select", "parts", "refused_unpartitioned", "--full-refresh", **WINDOW)
    assert {outcome.status for outcome in outcomes.values()} == {"success"}
    assert table_rows(warehouse) == AFTER
    note = "select count(*) from pg_attribute where attrelid = 'operating_room.parts'::regclass and attname = 'note'"
    assert warehouse.execute(note).fetchone() == (0,)
