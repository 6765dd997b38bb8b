"""The rules of a row by itself: what each finds, and what it leaves alone. The key of a row says what is odd."""

from datetime import date, timedelta

import pytest

from etl_assets.declare.rules import (
    DateWithin,
    FilesTakenIn,
    Finds,
    InOrder,
    MinutesBetween,
    OneOf,
    Required,
    RowCheck,
    Rule,
)
from etl_assets.declare.rules_of_tables import TablesTakenIn
from etl_assets_tests.declare.findings import BASE, findings, found, put_rows

TODAY = date.today()  # noqa: DTZ011 (as the rules have it)


def test_required_finds_null_and_blank_and_takes_zero_for_a_value(connection) -> None:
    put_rows(
        connection,
        "id text, name text, hours int",
        [("fine", "x", 0), ("null", None, 1), ("blank", " ", 1), ("both", "", None)],
    )
    assert findings(connection, Required(**BASE, columns=("name", "hours"))) == [
        ("blank", "name", None, "name is missing"),
        ("both", "hours", None, "hours is missing"),
        ("both", "name", None, "name is missing"),
        ("null", "name", None, "name is missing"),
    ]


def test_in_order_finds_what_ends_before_it_begins(connection) -> None:
    put_rows(connection, "id text, a int, b int", [("fine", 1, 2), ("equal", 1, 1), ("null", None, 1), ("after", 2, 1)])
    assert findings(connection, InOrder(**BASE, pairs=(("a", "b"),))) == [("after", "a > b", "2 > 1", "a is after b")]


def test_minutes_between_has_both_bounds_included_and_leaves_nulls_and_negative_spans(connection) -> None:
    put_rows(
        connection,
        "id text, a timestamp, b timestamp, time_zone text",
        [
            ("least", "2026-03-02 08:00", "2026-03-02 08:15", "UTC"),
            ("most", "2026-03-02 08:00", "2026-03-02 10:00", "UTC"),
            ("negative", "2026-03-02 08:00", "2026-03-02 07:00", "UTC"),
            ("null", "2026-03-02 08:00", None, "UTC"),
            ("short", "2026-03-02 08:00", "2026-03-02 08:14", "UTC"),
            ("long", "2026-03-02 08:00", "2026-03-02 10:01", "UTC"),
            ("long for the clock only", "2026-03-08 01:30", "2026-03-08 04:00", "America/New_York"),
            ("short for the clock only", "2026-11-01 00:30", "2026-11-01 02:00", "America/New_York"),
        ],
    )
    rule = MinutesBetween(**BASE, start="a", end="b", low=15, high=120)
    assert findings(connection, rule) == [
        ("long", "a..b", "121", "takes 121 minutes; 15 to 120 are usual"),
        ("short", "a..b", "14", "takes 14 minutes; 15 to 120 are usual"),
        ("short for the clock only", "a..b", "150", "takes 150 minutes; 15 to 120 are usual"),
    ]


def test_date_within_has_both_bounds_included_and_leaves_nulls(connection) -> None:
    ahead = TODAY + timedelta(days=1)
    rows = [
        ("first", date(2000, 1, 1)), ("last", ahead), ("null", None),
        ("before", date(1999, 12, 31)), ("after", ahead + timedelta(days=1)), ("for ever", "infinity"),
    ]  # fmt: skip
    put_rows(connection, "id text, day date", rows)
    rule = DateWithin(**BASE, column="day", first="2000-01-01", ahead=timedelta(days=1))
    assert found(connection, rule) == ["after", "before", "for ever"]
    assert findings(connection, rule)[1] == (
        "before", "day", "1999-12-31", f"day lies outside 2000-01-01 to {ahead}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "rows", "rule", "expected"),
    [
        pytest.param("text", ["A", "B", None, "a", ""], {"known": ("A", "B")}, ["", "a"], id="text"),
        pytest.param("smallint", [1, 8, None, 0, 9], {"known": (1, 8)}, [0, 9], id="numbers"),
        pytest.param("bigint", [1, None, 2**40], {"known": (1, 8), "required": True}, [2**40, None], id="required"),
        pytest.param(
            "int",
            [1, None],
            {"known": (1, 8), "required": True, "message": "status {status} is none of 1, 8"},
            [None],
            id="in its own words",
        ),
    ],
)
def test_one_of_finds_other_values_and_null_where_it_is_required(connection, kind, rows, rule, expected) -> None:
    put_rows(connection, f"id text, status {kind}", [(str(row), row) for row in rows])
    listed = ", ".join(map(str, rule["known"]))
    assert findings(connection, OneOf(**BASE, column="status", **rule)) == [
        (
            str(value),
            "status",
            None if value is None else str(value),
            f"status {'null' if value is None else value} is none of {listed}",
        )
        for value in expected
    ]


def test_a_row_check_finds_what_is_false_and_passes_what_is_null(connection) -> None:
    put_rows(connection, "id text, a int, b int", [("fine", 1, 2), ("equal", 2, 2), ("null", None, 2), ("over", 3, 2)])
    rule = RowCheck(**BASE, column="a", holds="a <= b")
    assert findings(connection, rule) == [("over", "a", "3", "a <= b does not hold")]
    either = RowCheck(**BASE, column="a", holds="a = b or a < b", value="a || ' of ' || b")
    assert findings(connection, either) == [("over", "a", "3 of 2", "a = b or a < b does not hold")]


def test_a_rule_of_a_column_is_asked_of_some_rows_under_the_columns_own_name_in_its_own_words(connection) -> None:
    put_rows(connection, "id text, a int, b text", [("asked", 3, "it's"), ("null", 3, None), ("not asked", 3, "no")])
    rule = RowCheck(
        **BASE,
        column="a",
        field="Menge",
        where="b = 'it''s' or b is null",
        holds="a < 3",
        message="{a} isn't 100 % under {a - 1 + 1}, {b}",
    )
    assert findings(connection, rule) == [
        ("asked", "Menge", "3", "3 isn't 100 % under 3, it's"),
        ("null", "Menge", "3", "3 isn't 100 % under 3, ?"),
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(OneOf(**BASE, column="a", known=(1,), where="b or c"), ["bad"], id="accepted values"),
        pytest.param(
            DateWithin(**BASE, column="day", first="2000-01-01", ahead=timedelta(0), where="b or c"),
            ["bad"],
            id="range",
        ),
    ],
)
def test_a_condition_on_rows_keeps_its_own_precedence(connection, rule, expected) -> None:
    rows = [("bad", 2, True, False, date(1999, 1, 1)), ("good", 1, True, False, TODAY), ("left", 2, False, False, None)]
    put_rows(connection, "id text, a int, b boolean, c boolean, day date", rows)
    assert found(connection, rule) == expected


def test_finds_runs_the_query_as_it_was_written(connection) -> None:
    put_rows(connection, "id text, a int", [("under", 1), ("over", 3)])
    query = "select row_key, 'a' as field, a::text as value, 'over ' || %(most)s as message, row_slice from looked_at"
    rule = Finds(**BASE, query=f"{query} where a > %(most)s", parameters={"most": 2}, exception_type="OutOfRange")
    assert findings(connection, rule) == [("over", "a", "3", "over 2")]


def test_tables_taken_in_finds_each_table_that_is_left_out(connection) -> None:
    put_rows(connection, "id text", [])
    rule = TablesTakenIn(**BASE, left_out={"tempbill": "has no key", "bill_2024": "is a part of bill"})
    assert rule.severity == "warning"
    assert sorted(findings(connection, rule)) == [
        ("bill_2024", "table", None, "left out: it is a part of bill"),
        ("tempbill", "table", None, "left out: it has no key"),
    ]
    assert findings(connection, TablesTakenIn(**BASE, left_out={})) == []


def test_files_taken_in_finds_the_files_whose_last_delivery_was_refused(connection) -> None:
    put_rows(connection, "id text", [])
    deliveries = [
        ("mended.csv", "visit", 1, "failed"), ("mended.csv", "visit", 2, "loaded"),
        ("refused.csv", "visit", 1, "loaded"), ("refused.csv", "visit", 2, "failed"),
        ("other.csv", "bill", 1, "failed"), ("stray.csv", None, 1, "failed"),
    ]  # fmt: skip
    for name, table, size, status in deliveries:
        connection.execute(
            "insert into etl.source_file (source, file_name, table_name, size_bytes, modified_at, status, notes)"
            " values ('clinic', %s, %s, %s, now(), %s, 'because')",
            [name, table, size, status],
        )
    declared = {**BASE, "table": "visit", "source": "clinic"}
    assert findings(connection, FilesTakenIn(**declared)) == [("refused.csv", "file", None, "because")]
    assert found(connection, FilesTakenIn(**declared, strays=True)) == ["refused.csv", "stray.csv"]
    assert found(connection, FilesTakenIn(**{**declared, "source": "elsewhere"})) == []


@pytest.mark.parametrize(
    ("kind", "declared", "message"),
    [
        pytest.param(Rule, {"severity": "fatal"}, "'fatal' is none of error, warning", id="severity"),
        pytest.param(Finds, {"query": "", "exception_type": "Odd"}, "'Odd' is none of InvalidValue", id="exception"),
        pytest.param(OneOf, {"column": "a; drop", "known": ()}, "cannot be names of columns", id="column"),
    ],
)
def test_a_mistake_in_a_declaration_is_told_when_it_is_made(kind, declared, message) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**BASE, **declared)
