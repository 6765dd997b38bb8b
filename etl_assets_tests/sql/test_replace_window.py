"""The strategy of every table but the dimensions: write what differs, delete what is gone, within the window."""

from typing import NamedTuple

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import Dbt, Outcome

DAYS = {"start_date": "2026-01-03", "end_date": "2026-01-05"}

# What the model says before, what it says afterwards, by (day of January, name): worth.
BEFORE = {
    (1, "gone outside"): 1,
    (2, "changed outside"): 1,
    (3, "kept"): 1,
    (3, "gone"): 1,
    (4, "changed"): 1,
    (4, "to null"): 1,
    (5, "from null"): None,
    (5, "null"): None,
}
AFTER = {
    (2, "changed outside"): 2,
    (2, "new outside"): 1,
    (3, "kept"): 1,
    (3, "new"): 1,
    (4, "changed"): 2,
    (4, "to null"): None,
    (5, "from null"): 1,
    (5, "null"): None,
}
# After a run of the window alone.
WITHIN = {key: worth for key, worth in BEFORE.items() if key[0] < 3} | {
    key: worth for key, worth in AFTER.items() if key[0] >= 3
}


def set_source(warehouse: psycopg.Connection, rows: dict[tuple[int, str], int | None]) -> None:
    """Let the source have these rows and no others."""
    warehouse.execute("truncate operating_room.source_days")
    with warehouse.cursor() as cursor:
        cursor.executemany(
            "insert into operating_room.source_days values (make_date(2026, 1, %s), %s, %s)",
            [(*key, worth) for key, worth in rows.items()],
        )


def table_rows(warehouse: psycopg.Connection) -> dict[tuple[int, str], int | None]:
    """What the table holds."""
    rows = warehouse.execute("select extract(day from day)::integer, name, worth from operating_room.days")
    return {(day, name): worth for day, name, worth in rows}


def written(warehouse: psycopg.Connection, table: str = "days") -> dict[str, str]:
    """Which transaction wrote each row."""
    return dict(warehouse.execute(f"select t::text, xmin::text from operating_room.{table} as t").fetchall())


class Runs(NamedTuple):
    """What the table held after each run, and dbt's outcome."""

    first: dict[tuple[int, str], int | None]
    window: dict[tuple[int, str], int | None]
    whole: dict[tuple[int, str], int | None]
    outcomes: list[Outcome]
    rows_kept: bool
    neighbours: list[tuple]


@pytest.fixture(scope="module")
def runs(warehouse: psycopg.Connection, trial: Dbt) -> Runs:
    warehouse.execute("""
        set role etl_transformer;
        create table operating_room.source_days (day date, name text, worth integer, note text);
        reset role
    """)
    chosen = ("run", "--select", "days", "neighbours", "whole")
    set_source(warehouse, BEFORE)
    created = trial(*chosen)
    first, first_written = table_rows(warehouse), written(warehouse)
    again = trial(*chosen)
    rows_kept = written(warehouse) == first_written
    set_source(warehouse, AFTER)
    windowed = trial(*chosen, **DAYS)
    window = table_rows(warehouse)
    neighbours = warehouse.execute(
        "select extract(day from day)::integer, next_name from operating_room.neighbours order by 1"
    ).fetchall()
    everything = trial(*chosen)
    outcomes = [outcome["days"] for outcome in (created, again, windowed, everything)]
    return Runs(first, window, table_rows(warehouse), outcomes, rows_kept, neighbours)


def test_a_table_that_is_not_there_is_made(runs: Runs) -> None:
    assert runs.first == BEFORE
    assert runs.outcomes[0].rows == len(BEFORE)


def test_the_same_rows_again_write_nothing(runs: Runs) -> None:
    assert runs.rows_kept
    assert runs.outcomes[1].rows == 0


def test_a_window_changes_what_differs_within_it_and_nothing_else(runs: Runs) -> None:
    assert runs.window == WITHIN


def test_dbt_tells_how_many_rows_were_inserted_updated_and_deleted(runs: Runs) -> None:
    inserted, updated, deleted = 1, 3, 1
    assert runs.outcomes[2].rows == inserted + updated + deleted


def test_without_a_window_the_whole_table_becomes_what_the_model_says(runs: Runs) -> None:
    assert runs.whole == AFTER


def test_a_key_said_twice_or_null_is_refused_and_leaves_the_table(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    warehouse.execute("insert into operating_room.source_days values ('2026-01-03', 'kept', 5), (null, 'x', 1)")
    outcome = trial("run", "--select", "days")["days"]
    assert outcome.status == "error"
    assert "2 values of the unique_key (day, name) are null or said more than once" in outcome.message
    assert table_rows(warehouse) == AFTER
    set_source(warehouse, AFTER)


def test_a_window_that_is_no_date_is_refused(trial: Dbt, runs: Runs) -> None:
    outcome = trial("run", "--select", "days", start_date="2026-01-03", end_date="soon")["days"]
    assert outcome.status == "error"
    assert 'invalid input syntax for type date: "soon"' in outcome.message


@pytest.mark.parametrize(
    ("variables", "changed"),
    [
        pytest.param({"start_date": "2026-01-05", "end_date": "2026-01-02"}, set(), id="the wrong way round"),
        pytest.param({"start_date": "2026-01-05"}, {5, 6}, id="open to the right"),
        pytest.param({"end_date": "2026-01-02"}, {1, 2}, id="open to the left"),
    ],
)
def test_a_window_may_be_open_and_an_empty_one_changes_nothing(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs, variables: dict, changed: set[int]
) -> None:
    rows = {(day, "on all days"): 1 for day in range(1, 7)}
    set_source(warehouse, rows)
    trial("run", "--select", "days")
    set_source(warehouse, dict.fromkeys(rows, 2))
    outcome = trial("run", "--select", "days", **variables)["days"]
    assert {day for (day, _), worth in table_rows(warehouse).items() if worth == 2} == changed
    assert outcome.rows == len(changed)
    set_source(warehouse, AFTER)
    trial("run", "--select", "days")


def test_a_changed_day_changes_the_rows_of_the_day_before(runs: Runs) -> None:
    # The window begins on 3 January. The row of the 2nd tells of the 3rd; that of the 1st is left alone, though stale.
    assert runs.neighbours[:3] == [(1, "changed outside"), (2, "kept"), (3, "changed")]


def test_a_table_without_a_window_column_is_made_whole_whatever_the_window(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    set_source(warehouse, {(1, "only"): 7})
    trial("run", "--select", "whole", **DAYS)
    assert warehouse.execute("select name, worth from operating_room.whole").fetchall() == [("only", 7)]
    set_source(warehouse, AFTER)


def test_a_new_column_appears_hidden_where_it_is_personal(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    warehouse.execute("update operating_room.source_days set note = 'seen' where name = 'kept'")
    outcome = trial("run", "--select", "days", with_note=True)["days"]
    assert outcome.rows == 1
    warehouse.execute("set role etl_reader")
    found = warehouse.execute("select note from operating_room.days where name = 'kept'").fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute("select secret from operating_room.days")
    warehouse.execute("reset role")
    assert found == [("seen",)]


def test_a_full_refresh_builds_everything_whatever_the_window(
    warehouse: psycopg.Connection, trial: Dbt, runs: Runs
) -> None:
    trial("run", "--select", "days", "--full-refresh", **DAYS)
    assert table_rows(warehouse) == AFTER
    indexes = warehouse.execute(
        "select indexdef from pg_indexes where schemaname = 'operating_room' and tablename = 'days'"
    ).fetchall()
    assert len(indexes) == 1
    assert "UNIQUE" in indexes[0][0]
