"""An old pipeline's tables against ours, in two real databases or in one."""

from argparse import Namespace
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from etl_assets.cli import copies
from etl_assets.errors import EtlError
from etl_assets.quality import compare as compared
from etl_assets.quality.compare import CellDifference, compare
from etl_assets.readers.database.postgres_types import KEPT
from etl_assets.settings import Settings, read_settings
from etl_assets.warehouse.database.old_target import ColumnSchema, cast_to_ours
from etl_assets_tests.old_pipeline import PAIR, PRACTICE, ZONE, make, put_new, put_old


@pytest.fixture
def settings(module_settings: Settings) -> Settings:
    """One installation for all of these tests; each makes its tables anew."""
    return module_settings


@pytest.fixture
def warehouse(settings):
    """The login's connection to a warehouse with both pipelines' tables."""
    with psycopg.connect(settings.warehouse_url, autocommit=True) as connection:
        make(connection)
        yield connection


def visit(settings: Settings, **options):
    (found,) = compare(settings, PRACTICE, ["visit"], **{"old_schema": "old_raw", "zone": ZONE, **options})
    return found


def test_equal_values_in_other_types_are_equal(settings, warehouse) -> None:
    found = visit(settings)
    assert (found.verdict, found.old_rows, found.new_rows) == ("equal", 2, 2)
    assert (found.columns, found.cells, found.not_compared) == ([], [], [])
    assert (found.only_old_columns, found.left_out, found.only_new_columns) == (["legacy"], ["password"], ["added"])


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ({"Kind": False}, {}, "kind"),
        ({"Big": 5}, {}, "big"),
        ({"Fee": "12.5001"}, {}, "fee"),
        ({"Flag": 0}, {}, "flag"),
        ({"Day": "2026-03-03"}, {}, "day"),
        ({"At": "2026-03-02 08:00:01"}, {}, "at"),
        ({"At": "soon"}, {}, "at"),
        ({"Stamp": "2026-03-02 14:00"}, {}, "stamp"),
        ({}, {"lasts": "25:30"}, "lasts"),
        ({"Note": ""}, {"note": None}, "note"),
        ({"Note": "Grüsse"}, {}, "note"),
        ({"Photo": "ab"}, {}, "photo"),
        ({"Fee": None}, {"fee": 0}, "fee"),
    ],
)
def test_a_cell_that_differs_is_named_and_its_values_withheld(settings, warehouse, old, new, column) -> None:
    put_old(warehouse, 3, **old)
    put_new(warehouse, 3, **new)
    found = visit(settings)
    assert (found.verdict, found.rows_differing, found.is_complete) == ("differs", 1, True)
    assert found.cells == [CellDifference(key="3", column=column)]
    assert [each.column for each in found.columns] == [column]


def test_values_that_changed_places_have_the_same_sums_and_differ_all_the_same(settings, warehouse) -> None:
    for key, place in ((3, "a"), (4, "b")):
        put_old(warehouse, key, Note=place)
        put_new(warehouse, key, note="ab".replace(place, ""))
    found = visit(settings, show_values=True)
    assert found.columns == []
    assert found.cells == [
        CellDifference(key="3", column="note", old="a", new="b"),
        CellDifference(key="4", column="note", old="b", new="a"),
    ]


@pytest.mark.parametrize(("old", "new"), [("1e15", 2e15), ("NaN", 0), ("Infinity", 1e16)])
def test_great_numbers_and_what_is_none_are_compared_as_others_are(settings, warehouse, old, new) -> None:
    warehouse.execute('alter table old_raw.visit alter "Fee" type double precision')
    put_old(warehouse, 3, Fee=old)
    put_new(warehouse, 3, fee=new)
    found = visit(settings)
    assert ([each.column for each in found.columns], found.cells) == (["fee"], [CellDifference(key="3", column="fee")])


def test_keys_of_one_side_alone_and_keys_twice_are_counted(settings, warehouse) -> None:
    put_new(warehouse, 700_000)
    put_old(warehouse, 5)
    put_old(warehouse, 6)
    put_old(warehouse, 2)
    found = visit(settings)
    assert (found.old_rows, found.new_rows) == (5, 3)
    assert (found.keys_only_old, found.sample_only_old) == (2, ["5", "6"])
    assert (found.keys_only_new, found.sample_only_new) == (1, ["700000"])
    assert (found.duplicate_keys_old, found.rows_differing) == (1, 0)


def test_of_many_ranges_that_differ_the_first_are_looked_at(settings, warehouse, monkeypatch) -> None:
    monkeypatch.setattr(compared, "MAX_RANGES", 2)
    for thousand in range(4):
        put_new(warehouse, 10_000 * (thousand + 1))
    found = visit(settings)
    assert (found.is_complete, found.keys_only_new) == (False, 2)
    assert found.new_rows == 6


def test_all_tables_come_by_importance_and_strangers_last(settings, warehouse) -> None:
    warehouse.execute("update old_raw.pair set \"Meaning\" = 'other'")
    found = list(compare(settings, PRACTICE, old_schema="old_raw", zone=ZONE))
    assert [(each.table, each.importance, each.verdict) for each in found] == [
        ("visit", "critical", "equal"),
        ("pair", "reference", "differs"),
        ("leftover", None, "only_old"),
    ]
    assert found[1].cells == [CellDifference(key="a|b", column="meaning")]


def test_a_table_that_one_side_lacks_and_one_without_its_key_are_told(settings, warehouse) -> None:
    warehouse.execute('drop table old_raw.pair; alter table old_raw.visit drop column "VisitNum"')
    found = {
        each.table: each for each in compare(settings, PRACTICE, ["visit", "pair"], old_schema="old_raw", zone=ZONE)
    }
    assert (found["pair"].verdict, found["pair"].old_rows, found["pair"].new_rows) == ("only_new", None, 1)
    assert found["visit"].verdict == "failed"
    assert "has not the key visitnum" in found["visit"].failure
    assert found["visit"].columns == []


def test_a_table_that_cannot_be_read_costs_no_other(settings, warehouse) -> None:
    warehouse.execute("drop table old_raw.visit; create view old_raw.visit as select 1 / 0 as visitnum")
    found = list(compare(settings, PRACTICE, ["visit", "pair"], old_schema="old_raw", zone=ZONE))
    assert [each.verdict for each in found] == ["failed", "equal"]
    assert found[0].failure == "could not be read: DivisionByZero (22012)"


def test_the_old_target_may_be_another_server(settings, warehouse, new_database) -> None:
    elsewhere = new_database()
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        make(connection)
        put_old(connection, 3)
    given = {"ETL_HOME": str(settings.home), "ETL_WAREHOUSE_URL": settings.warehouse_url}
    found = visit(read_settings({**given, "ETL_OPEN_DENTAL_OLD_URL": elsewhere}))
    assert (found.old_rows, found.new_rows, found.sample_only_old) == (3, 2, ["3"])


@pytest.mark.parametrize("url", ["postgresql://nobody:wordpass@127.0.0.1:1/x", "nonsense"])
def test_an_old_target_that_is_not_there_is_told_without_its_password(settings, warehouse, url) -> None:
    given = {"ETL_HOME": str(settings.home), "ETL_WAREHOUSE_URL": settings.warehouse_url}
    with pytest.raises(EtlError, match="ETL_OPEN_DENTAL_OLD_URL") as told:
        visit(read_settings({**given, "ETL_OPEN_DENTAL_OLD_URL": url}))
    assert "wordpass" not in str(told.value)


CASTS = {
    "uuid": (
        "uuid",
        [
            ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ("text", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"),
            ("character(32)", "a0eebc999c0b4ef8bb6d6bb9bd380a11"),
            ("bytea", "\\xa0eebc999c0b4ef8bb6d6bb9bd380a11"),
        ],
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    "jsonb": (
        "jsonb",
        [("jsonb", '{"a": 1, "b": [null]}'), ("json", '{"b":[null],  "a":1}'), ("text", '{"b": [null], "a": 1}')],
        '{"a": 1, "b": [null]}',
        '{"a": 2, "b": [null]}',
    ),
    "time": (
        "time",
        [
            ("time(3)", "08:30:00.5"),
            ("time with time zone", "08:30:00.5+02"),
            ("interval", "08:30:00.5"),
            ("timestamp", "1970-01-01 08:30:00.5"),
            ("text", "8:30:00.500"),
        ],
        "08:30:00.5",
        "08:30:01",
    ),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param((ours, old, value, same, other), id=f"{ours} from {old}")
        for ours, olds, same, other in CASTS.values()
        for old, value in olds
    ],
)
def test_documents_ids_and_times_of_day_are_compared_as_what_they_are(settings, warehouse, case) -> None:
    ours, old, value, same, other = case
    warehouse.execute(f"alter table open_dental.visit add extra {ours}; alter table old_raw.visit add extra {old}")
    for key, new in ((3, same), (4, other)):
        put_old(warehouse, key, extra=value)
        put_new(warehouse, key, extra=new)
    found = visit(settings)
    assert (found.not_compared, found.cells) == ([], [CellDifference(key="4", column="extra")])


@pytest.mark.parametrize(("ours", "value"), [("uuid", "no id"), ("jsonb", "{"), ("time", "noon"), ("interval", "long")])
def test_a_text_that_is_none_of_the_type_s_is_null(settings, warehouse, ours, value) -> None:
    warehouse.execute(f"alter table open_dental.visit add extra {ours}; alter table old_raw.visit add extra text")
    put_old(warehouse, 3, extra=value)
    put_new(warehouse, 3, extra=None)
    assert visit(settings).verdict == "equal"


STAGED = sorted({*KEPT.values(), "numeric(20,0)", "numeric(5,-2)", "numeric", "text"})


@pytest.mark.parametrize("kind", STAGED)
def test_there_is_a_cast_of_every_type_of_staging_from_itself(warehouse, kind) -> None:
    column = ColumnSchema("x", kind)
    cast = cast_to_ours(column, column, zone=ZONE)
    assert cast is not None
    warehouse.execute(sql.SQL("select {} from (select null::{} as x) as one").format(cast, sql.SQL(kind)))


def test_a_table_without_a_key_is_compared_by_counts_and_sums(settings, warehouse) -> None:
    source = replace(PRACTICE, tables=(replace(PAIR, key=()),))
    (found,) = compare(settings, source, ["pair"], old_schema="old_raw", zone=ZONE)
    assert (found.verdict, found.failure) == ("equal", None)
    warehouse.execute("update old_raw.pair set \"Meaning\" = 'other'")
    (found,) = compare(settings, source, ["pair"], old_schema="old_raw", zone=ZONE)
    assert (found.verdict, [each.column for each in found.columns]) == ("differs", ["meaning"])


def test_the_command_says_whether_anything_of_ours_differs(settings, warehouse, monkeypatch, capsys) -> None:
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url)
    words = {"importance": None, "old_schema": "old_raw", "zone": ZONE, "show_values": False}

    def is_clean(*tables: str) -> bool:
        return copies.compare_tables(Namespace(source=PRACTICE, table=list(tables), **words))

    # A table that is none of ours is no difference.
    assert is_clean() is True
    assert "1 only old" in capsys.readouterr().out
    put_old(warehouse, 3)
    assert is_clean("visit") is False
    assert is_clean("pair") is True
    warehouse.execute("drop table open_dental.pair cascade")
    assert is_clean("pair") is False


def test_a_schema_without_tables_is_not_taken_for_an_old_target(settings, warehouse) -> None:
    with pytest.raises(EtlError, match="no table in schema nowhere"):
        visit(settings, old_schema="nowhere")
