"""Periodic snapshots: what is over is closed, the current day is open, and only what differs is written."""

from datetime import date
from typing import NamedTuple

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import Dbt, Outcome

TODAY, TOMORROW = date(2026, 3, 10), date(2026, 3, 11)
JANUARY, FEBRUARY = date(2026, 1, 31), date(2026, 2, 28)
PAST = date(2026, 2, 14)
"""A day that no run asks for by itself."""

Entry = tuple[str, date, int]
"""Who, on which day, how much."""

Balances = dict[tuple[date, str], int]

FIRST: list[Entry] = [("Ann", date(2026, 1, 5), 100), ("Ann", date(2026, 3, 10), 1), ("Bob", date(2026, 3, 9), 10)]
# Ann's entry of February is entered late, in March; Bob's was a mistake, and Zoe came today.
LATE: list[Entry] = [*FIRST[:2], ("Ann", date(2026, 2, 1), 20), ("Zoe", date(2026, 3, 10), 5)]
LAST: list[Entry] = [*LATE, ("Ann", date(2026, 3, 11), 300)]

OVER: Balances = {(JANUARY, "Ann"): 100, (FEBRUARY, "Ann"): 100}


def set_source(warehouse: psycopg.Connection, entries: list[Entry]) -> None:
    """Let the source have these entries and no others."""
    warehouse.execute("truncate operating_room.source_entries")
    with warehouse.cursor() as cursor:
        cursor.executemany("insert into operating_room.source_entries values (%s, %s, %s)", entries)


def balances(warehouse: psycopg.Connection) -> Balances:
    """What the table holds."""
    rows = warehouse.execute("select snapshot_date, name, balance from operating_room.balances order by 1, 2")
    return {(day, name): balance for day, name, balance in rows}


def writers(warehouse: psycopg.Connection) -> dict[tuple[date, str], str]:
    """Which transaction wrote each row."""
    rows = warehouse.execute("select snapshot_date, name, xmin::text from operating_room.balances")
    return {(day, name): writer for day, name, writer in rows}


class Runs(NamedTuple):
    """What the table held after each run, which transaction wrote it, and what dbt said."""

    rows: dict[str, Balances]
    writers: dict[str, dict[tuple[date, str], str]]
    outcomes: dict[str, dict[str, Outcome]]


@pytest.fixture(scope="module")
def runs(warehouse: psycopg.Connection, trial: Dbt) -> Runs:
    warehouse.execute("""
        set role etl_transformer;
        create table operating_room.source_entries (name text, day date, amount integer);
        reset role
    """)
    runs_so_far = Runs({}, {}, {})
    past = {"start_date": str(PAST), "end_date": str(PAST)}
    ahead = {"start_date": str(TOMORROW), "end_date": "2026-03-31"}
    steps: list[tuple[str, list[Entry], str, dict[str, object]]] = [
        ("first", FIRST, "build", {"as_of": str(TODAY)}),
        ("again", FIRST, "build", {"as_of": str(TODAY)}),
        ("late", LATE, "run", {"as_of": str(TODAY)}),
        ("next day", LAST, "run", {"as_of": str(TOMORROW)}),
        ("past", LAST, "run", {"as_of": str(TOMORROW), **past}),
        ("past again", FIRST, "run", {"as_of": str(TOMORROW), **past}),
        ("ahead", LAST, "run", {"as_of": str(TODAY), **ahead}),
        ("every day", FIRST, "run", {"as_of": str(TOMORROW), "every_day": True, **past}),
    ]
    for name, entries, word, variables in steps:
        set_source(warehouse, entries)
        runs_so_far.outcomes[name] = trial(word, "--select", "entries", "balances", **variables)
        runs_so_far.rows[name], runs_so_far.writers[name] = balances(warehouse), writers(warehouse)
    return runs_so_far


def test_the_first_run_takes_the_day_and_the_last_ends_of_months(runs: Runs) -> None:
    assert runs.rows["first"] == OVER | {(TODAY, "Ann"): 101, (TODAY, "Bob"): 10}
    assert runs.outcomes["first"]["balances"].rows == 4


def test_the_same_rows_again_write_nothing(runs: Runs) -> None:
    assert runs.writers["again"] == runs.writers["first"]
    assert runs.outcomes["again"]["balances"].rows == 0


def test_a_unit_test_of_such_a_model_runs_whether_there_is_a_table_or_not(runs: Runs) -> None:
    outcomes = [runs.outcomes[run]["a_balance_is_of_what_came_by_the_day"].status for run in ("first", "again")]
    assert outcomes == ["pass", "pass"]


def test_what_changes_late_shows_on_the_current_day_and_on_none_that_is_over(runs: Runs) -> None:
    assert runs.rows["late"] == OVER | {(TODAY, "Ann"): 121, (TODAY, "Zoe"): 5}
    updated, inserted, deleted = 1, 1, 1
    assert runs.outcomes["late"]["balances"].rows == updated + inserted + deleted


def test_a_new_day_closes_the_one_before(runs: Runs) -> None:
    assert runs.rows["next day"] == runs.rows["late"] | {(TOMORROW, "Ann"): 421, (TOMORROW, "Zoe"): 5}
    closed = {key: writer for key, writer in runs.writers["next day"].items() if key[0] < TOMORROW}
    assert closed == runs.writers["late"]


def test_a_past_day_without_a_snapshot_gets_one_and_only_once(runs: Runs) -> None:
    assert runs.rows["past"] == runs.rows["next day"] | {(PAST, "Ann"): 120}
    assert runs.writers["past again"] == runs.writers["past"]
    assert runs.outcomes["past again"]["balances"].rows == 0


def test_no_day_ahead_is_taken(runs: Runs) -> None:
    """The window lies ahead of the run's day: what was taken of a later day is open again, and the model has none."""
    assert runs.rows["ahead"] == {key: balance for key, balance in runs.rows["past"].items() if key[0] < TOMORROW}


def test_a_model_that_selects_closed_days_all_the_same_does_not_write_them(runs: Runs) -> None:
    before = runs.rows["ahead"]
    assert {key: runs.rows["every day"][key] for key in before} == before
    assert {key: runs.writers["every day"][key] for key in before} == runs.writers["ahead"]


def test_a_key_said_twice_a_changed_type_and_a_missing_date_are_refused(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    before = writers(warehouse)
    refused = trial("run", "--select", "tag:refused_snapshots")
    refused["type"] = trial("run", "--select", "balances", as_of=str(TOMORROW), balance_as_text=True)["balances"]
    set_source(warehouse, [(None, TODAY, 1)])  # type: ignore[list-item]
    refused["null"] = trial("run", "--select", "balances", as_of=str(TOMORROW))["balances"]
    words = {
        "refused_snapshot_key": "the unique_key must have snapshot_date in it",
        "refused_snapshot_moment": "the model must select snapshot_date, a date",
        "type": 'balances".balance is held as bigint and the model says text',
        "null": "1 values of the unique_key (snapshot_date, name) are null or said more than once",
    }
    for case, outcome in refused.items():
        assert (outcome.status, words[case] in outcome.message) == ("error", True), case
    assert writers(warehouse) == before


def test_a_failure_in_the_middle_leaves_every_row(warehouse: psycopg.Connection, trial: Dbt, runs: Runs) -> None:
    before = writers(warehouse)
    warehouse.execute("alter table operating_room.balances add constraint room check (balance < 1000)")
    set_source(warehouse, [*LAST, ("Ann", TOMORROW, 1000), ("Max", TOMORROW, 1)])
    outcome = trial("run", "--select", "balances", as_of=str(TOMORROW))["balances"]
    warehouse.execute("alter table operating_room.balances drop constraint room")
    assert (outcome.status, 'violates check constraint "room"' in outcome.message) == ("error", True)
    assert writers(warehouse) == before


def test_no_refresh_loses_a_snapshot(warehouse: psycopg.Connection, trial: Dbt, runs: Runs) -> None:
    set_source(warehouse, LAST)
    trial("run", "--select", "balances", as_of=str(TOMORROW))
    before = balances(warehouse)
    outcome = trial("run", "--full-refresh", "--select", "balances", as_of=str(TOMORROW))["balances"]
    assert (outcome.status, balances(warehouse)) == ("success", before)


def test_the_table_has_its_indexes_its_descriptions_and_its_readers(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    set_source(warehouse, LAST)
    trial("run", "--select", "balances", as_of=str(TOMORROW), with_note=True)
    indexes = warehouse.execute(
        "select indexdef from pg_indexes where schemaname = 'operating_room' and tablename = 'balances'"
    ).fetchall()
    assert sorted(text.split("(")[1] for (text,) in indexes) == ["name)", "snapshot_date, name)"]
    described = warehouse.execute(
        "select obj_description(oid), col_description(oid, 3) from pg_class"
        " where oid = 'operating_room.balances'::regclass"
    ).fetchone()
    assert described == ("Balances by day.", "What they had.")
    warehouse.execute("set role etl_reader")
    noted = warehouse.execute(
        "select distinct snapshot_date from operating_room.balances where note = 'seen'"
    ).fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute("select secret from operating_room.balances")
    warehouse.execute("reset role")
    assert noted == [(TOMORROW,)], "a column gained is null in what is closed"
