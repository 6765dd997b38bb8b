"""What the ledger tells the build of a model: which dates to build, and which it changed."""

import json
from datetime import date
from typing import Any

import psycopg
import pytest

MODEL = "tracktik.billing_periods"
"""A table that is there: of one that is not, all is built."""
INPUT, OTHER = "histories.input", "histories.other"


def begin(connection: psycopg.Connection, *, as_of: str = "", **words: Any) -> tuple[str, str, str]:
    """Begin to build; the answer, and the dates that are to be built."""
    model = {
        "code": "c",
        "inputs": [INPUT, OTHER],
        "dated_inputs": {INPUT: 0},
        "undated_inputs": [],
        "by_day": bool(as_of),
        **words,
    }
    connection.execute("select set_config('etl.build', 'changed', true), set_config('etl.as_of', %s, true)", [as_of])
    row = connection.execute(
        "with begun as materialized (select etl.begin_build(%s, %s) as answer)"
        " select answer, current_setting('etl.start_date'), current_setting('etl.end_date') from begun",
        [MODEL, json.dumps(model)],
    ).fetchone()
    assert row
    return row


def end(connection: psycopg.Connection, *, changed: int = 1, changed_from: str | None = None, days: int = 0) -> None:
    connection.execute(
        'select etl.end_build(%s, \'{"code": "c"}\', %s, %s, %s, %s)', [MODEL, changed, changed_from, days, days]
    )


def change(connection: psycopg.Connection, relation: str, first: str | None, last: str | None) -> None:
    connection.execute(
        "insert into etl.model_build (relation, status, rows_changed, seconds, first_date, last_date)"
        " values (%s, 'success', 1, 0, %s, %s)",
        [relation, first, last],
    )


def last_change(connection: psycopg.Connection) -> tuple[date | None, date | None]:
    """The dates of the model's own last change."""
    row = connection.execute(
        "select first_date, last_date from etl.relation_change where relation = %s order by change_id desc limit 1",
        [MODEL],
    ).fetchone()
    assert row
    return row


@pytest.fixture
def built(connection: psycopg.Connection) -> psycopg.Connection:
    """The ledger, when the model was built of all there is."""
    begin(connection, as_of="2026-03-01")
    end(connection)
    return connection


def test_a_change_that_counts_from_before_the_window_is_recorded_from_there(built: psycopg.Connection) -> None:
    change(built, INPUT, "2026-03-10", "2026-03-12")
    assert begin(built, as_of="2026-03-01") == ("changed", "2026-03-10", "2026-03-12")
    end(built, changed_from="2026-01-09")
    assert last_change(built) == (date(2026, 1, 9), None)


def test_without_one_the_window_is_recorded_with_what_depends_on_its_neighbours(built: psycopg.Connection) -> None:
    change(built, INPUT, "2026-03-10", "2026-03-12")
    begin(built, as_of="2026-03-01")
    end(built, days=7)
    assert last_change(built) == (date(2026, 3, 3), date(2026, 3, 19))


def test_what_says_something_else_on_another_day_is_built_whole_when_the_day_is_another(
    built: psycopg.Connection,
) -> None:
    change(built, INPUT, "2026-03-10", "2026-03-12")
    assert begin(built, as_of="2026-03-02") == ("changed", "", "")
    end(built)
    assert last_change(built) == (None, None)
    assert begin(built, as_of="2026-03-02")[0] == "current"


def test_what_has_no_say_in_the_window_has_the_shortest_one_built(built: psycopg.Connection) -> None:
    change(built, OTHER, None, None)
    answer, first, last = begin(built, as_of="2026-03-01")
    assert (answer, first) == ("changed", last)
    assert first


def test_what_may_change_any_date_has_all_of_them_built(built: psycopg.Connection) -> None:
    change(built, OTHER, "2026-03-10", "2026-03-10")
    assert begin(built, as_of="2026-03-01", undated_inputs=[OTHER]) == ("changed", "", "")
