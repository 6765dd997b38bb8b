"""A PostgreSQL database as a source: described, read, summed; its failures in our words."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from etl_assets.declare.database_reader import DatabaseReader, RowRange, SourceTable
from etl_assets.declare.measures import parse_sums
from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.database import connect_database
from etl_assets.readers.database.postgres import PostgresReader
from etl_assets.readers.database.postgres_sums import sums_select_list
from etl_assets.warehouse.copy import copy_in
from etl_assets_tests.readers.database.databases import execute, keys_of, rows_of

VALUE = "Kandinsky-Nobody"
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
KEYS = [-900, -7, 0, 1, 2, 3, 10, 5000, 2**40]
# Of each column: its type, the type it has in staging, and values that must be the same text there.
COLUMNS: dict[str, tuple[str, str, tuple[str | None, ...]]] = {
    "small": ("smallint", "smallint", ("-32768", None)),
    "whole": ("integer", "integer", ("2147483647",)),
    "big": ("bigint", "bigint", ("-9223372036854775808",)),
    "money": ("numeric(12,2)", "numeric(12,2)", ("-0.01", "9999999999.99")),
    "free": ("numeric", "numeric", ("1e-30", "NaN", "123456789012345678901234567890.5")),
    "r": ("real", "real", ("0.1", "3.4e38", "Infinity")),
    "d": ("double precision", "double precision", ("0.30000000000000004", "-1234.56785", "NaN")),
    "truth": ("boolean", "boolean", ("true", "false")),
    "day": ("date", "date", ("2024-02-29", "0001-01-01", "infinity", "4713-01-01 BC")),
    "at": ("time(3)", "time", ("23:59:59.999",)),
    "moment": ("timestamp(3)", "timestamp", ("1999-12-31 23:59:59.123", "-infinity")),
    "stamp": ("timestamptz", "timestamptz", ("2024-07-01 12:00:00.000001+00",)),
    "span": ("interval day to second", "interval", ("-12:34:56", "3 days 04:05:06.000007")),
    "note": ("text", "text", ("", "NULL", "\\N", "a\tb\r\nc\\", "😀🦷", None)),
    "short": ("varchar(10)", "text", ("ab  ",)),
    "padded": ("char(5)", "text", ("ab",)),
    "uid": ("uuid", "uuid", ("123e4567-e89b-12d3-a456-426655440000",)),
    "kept": ("json", "text", ('{"b": 1.10,  "a":"\\u00e9"}',)),
    "made": ("jsonb", "jsonb", ('{"a": "é", "b": 1.10}', "null")),
    "many": ("text[]", "text", ('{a,"b c",NULL,"NULL"}', "{}")),
    "mood": ("mood", "text", ("so so",)),
    "amount": ("amount", "numeric(8,2)", ("1.50",)),
    "network": ("inet", "text", ("10.0.0.0/8",)),
    "bits": ("bit(3)", "text", ("101",)),
    "raw": ("bytea", "bytea", ("\\x00ff5c0a", "\\x")),
    "Group": ("text", "text", ("x",)),
}  # fmt: skip
ROWS = max(len(values) for _, _, values in COLUMNS.values())


@pytest.fixture(scope="module")
def source(new_database: Callable[[], str]) -> str:
    """A database whose server and account are set up to write everything differently."""
    url = new_database()
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, (kind, _, _) in COLUMNS.items()
    )
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            "create schema clinic; set search_path = clinic; create type mood as enum ('so so');"
            " create domain amount as numeric(8,2) check (value > 0)"
        )
        connection.execute(
            sql.SQL("create table held (id int generated always as identity primary key, {})").format(columns)
        )
        for number in range(ROWS):
            row = [values[number % len(values)] for _, _, values in COLUMNS.values()]
            connection.execute(
                sql.SQL("insert into held ({}) values ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.SQL(", ").join(map(sql.Literal, row))
                )
            )
        connection.execute(
            "create table paysplit (note text, num bigint primary key, edited timestamptz, seen timestamp);"
            "comment on column paysplit.edited is 'On update current_timestamp, by a trigger';"
            "create index on paysplit (edited);"
            "create table pair (a int, b text, primary key (b, a)); create table keyless (a int);"
            "insert into keyless values (1), (1); create view looked_at as select * from keyless;"
            "create table gone (x int, a int);"
            "alter table gone drop column x"
        )
        for number, key in enumerate(KEYS):
            connection.execute(
                "insert into paysplit values (%s, %s, %s, %s at time zone 'UTC')",
                [VALUE, key, *[NOON + timedelta(seconds=number // 3)] * 2],
            )
        for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'German'", "intervalstyle = 'sql_standard'",
                        "extra_float_digits = -3", "bytea_output = 'escape'"):  # fmt: skip
            connection.execute(f"alter database {name} set {setting}".encode())
    return f"{url}?options={quote('-csearch_path=clinic')}"


@pytest.fixture(scope="module")
def reader(source: str) -> Iterator[DatabaseReader]:
    reader = connect_database({"url": source})
    yield reader
    reader.close()


def arrive(connection: psycopg.Connection, table: SourceTable, blocks: Iterator[bytes]) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.staging_name), sql.SQL(column.staging_type))
        for column in table.columns
    )
    connection.execute(sql.SQL("create temporary table held ({}) on commit drop").format(columns))
    copy_in(connection, sql.SQL("copy held from stdin"), blocks)


def test_a_table_that_somebody_has_locked_keeps_none_from_being_described(source: str, reader: DatabaseReader) -> None:
    free = reader.describe()
    with psycopg.connect(source) as somebody:
        somebody.execute("lock table held, pair in access exclusive mode")
        assert reader.describe() == free


def test_the_catalogue_says_keys_indexes_and_stamps_and_no_views(reader: DatabaseReader) -> None:
    described = reader.describe()
    assert list(described) == ["gone", "held", "keyless", "pair", "paysplit"]
    paysplit = described["paysplit"]
    assert [(column.name, column.type, column.nullable, column.on_update_timestamp) for column in paysplit.columns] == [
        ("note", "text", True, False),
        ("num", "bigint", False, False),
        ("edited", "timestamp with time zone", True, True),
        ("seen", "timestamp without time zone", True, False),
    ]
    assert (paysplit.key, paysplit.indexes, paysplit.has_integer_key) == (("num",), (("edited",),), True)
    assert [column.name for column in described["gone"].columns] == ["a"]
    assert (described["pair"].key, described["pair"].has_integer_key) == (("b", "a"), False)
    assert reader.describe(["pair", "not_there"]) == {"pair": described["pair"]}
    types = {column.name: column.staging_type for column in described["held"].columns}
    assert {name: types[name] for name in COLUMNS} == {name: kind for name, (_, kind, _) in COLUMNS.items()}


@pytest.mark.parametrize("batch_size", [2, 1000])
def test_every_value_is_as_it_was(reader: DatabaseReader, connection: psycopg.Connection, batch_size: int) -> None:
    table = reader.describe()["held"]
    connection.execute("set local time zone 'America/Chicago'; set local datestyle = 'SQL'")
    arrive(connection, table, reader.read(table, RowRange(), batch_size=batch_size))
    connection.execute("set local time zone 'UTC'; set local datestyle = 'ISO'")
    for name, (kind, _, values) in COLUMNS.items():
        shown = sql.SQL("select held.{0}::text, held.{0}::text = {1}::{2}::text from held order by id")
        for number in range(ROWS):
            value = values[number % len(values)]
            found = connection.execute(
                sql.SQL("{} offset {} limit 1").format(
                    shown.format(
                        sql.Identifier(name.lower()),
                        sql.Literal(value),
                        sql.SQL("text" if kind in {"mood", "amount", "json"} else kind),
                    ),
                    sql.Literal(number),
                )
            ).fetchone()
            assert found == (found[0] if found else None, None if value is None else True), (name, value, found)


def test_sums_are_those_of_staging(reader: DatabaseReader, connection: psycopg.Connection) -> None:
    table = reader.describe()["held"]
    arrive(connection, table, reader.read(table, RowRange(), batch_size=10))
    names = [(column.staging_name, column.staging_type) for column in table.columns]
    row = connection.execute(f"select {sums_select_list(names)} from held".encode()).fetchone()
    ours = reader.sums(table, RowRange())
    assert ours == parse_sums([name for name, _ in names], [row or ()])
    assert ours.rows == ROWS
    assert ours.columns["note"].values == ROWS - 1
    assert reader.sums(table, RowRange(keys=(1, 3))).rows == 2
    assert reader.sums(table, RowRange(keys=())).rows == 0


@pytest.mark.parametrize("batch_size", [1, 3, len(KEYS), 100])
def test_batches_and_pieces(reader: DatabaseReader, batch_size: int) -> None:
    table = reader.describe()["paysplit"]

    def read(row_range: RowRange) -> list[int]:
        rows = [int(row[1]) for row in rows_of(reader.read(table, row_range, batch_size=batch_size))]
        assert rows == keys_of(reader.keys(table, row_range, batch_size=batch_size))
        return rows

    assert read(RowRange()) == KEYS
    assert read(RowRange(after=-7, upto=10)) == [0, 1, 2, 3, 10]
    assert read(RowRange(keys=(10, 99, -900, 10))) == [-900, 10]
    assert read(RowRange(keys=())) == []
    second = timedelta(seconds=1)
    for stamp in ("edited", "seen"):
        assert read(RowRange(cursor_column=stamp, since=NOON + second, until=NOON + 2 * second)) == KEYS[3:6]
    assert read(RowRange(cursor_column="edited", since=NOON + second, after=2)) == KEYS[5:]
    described = reader.describe()
    assert rows_of(reader.read(described["keyless"], RowRange(), batch_size=batch_size)) == [["1"], ["1"]]
    assert (reader.count(table), reader.count(described["pair"])) == (len(KEYS), 0)
    assert abs(reader.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_fingerprints_cover_the_table_and_change_with_it(new_database: Callable[[], str]) -> None:
    url = new_database()
    execute(
        url,
        "create table held (id int primary key, a text, b text)",
        "insert into held values (1, 'x', 'y'), (5, '', null)",
    )
    execute(url, "create table keyless (a text)", "insert into keyless values ('x'), ('x'), ('y')")
    reader = connect_database({"url": url})
    described = reader.describe()

    def ranges(name: str, bounds: list[int], batch_size: int) -> list[tuple[int | None, int | None, int, str]]:
        found = reader.fingerprints(described[name], bounds, batch_size=batch_size)
        return [(each.after, each.upto, each.rows, each.checksum) for each in found]

    assert [each[:3] for each in ranges("held", [], 1)] == [(None, 1, 1), (1, 5, 1), (5, None, 0)]
    assert [each[:3] for each in ranges("held", [3, 9], 10)] == [(None, 3, 1), (3, 9, 1), (9, None, 0)]
    seen = {ranges("held", [], 10)[0][3]}
    for change in (
        "update held set a = case id when 1 then '' else 'x' end",
        "update held set a = 'x,y', b = null where id = 1",
        "update held set b = '' where id = 5",
        "update held set id = 6 where id = 5",
    ):
        execute(url, change)
        seen.add(ranges("held", [], 10)[0][3])
    assert len(seen) == 5
    before = ranges("keyless", [1], 1)
    execute(url, "update keyless set a = 'z' where a = 'x'")
    after = ranges("keyless", [1], 1)
    assert [each[:3] for each in before] == [(None, None, 3)] == [each[:3] for each in after]
    assert before != after
    reader.close()


def test_nothing_can_be_written(reader: DatabaseReader) -> None:
    assert isinstance(reader, PostgresReader)
    with pytest.raises(EtlError, match="25006"):
        reader._connection.rows("insert into clinic.keyless values (1) returning a")  # noqa: SLF001


def test_failures_are_said_in_our_words(source: str, new_database: Callable[[], str]) -> None:
    parts = urlsplit(source)
    password = parts.password or ""
    place = parts.netloc.rpartition("@")[2]
    for netloc, kind, message in (
        (f"{parts.username}:{password}@127.0.0.1:1", TransientError, "127.0.0.1:1 cannot be reached"),
        (f"{parts.username}:{VALUE}@{place}", EtlError, "password authentication failed for user"),
    ):
        with pytest.raises(kind, match=message) as caught:
            connect_database({"url": urlunsplit(parts._replace(netloc=netloc))})
        assert type(caught.value) is kind
        assert caught.value.__cause__ is None
        assert VALUE not in str(caught.value)
        assert password not in str(caught.value)
    url = new_database()
    execute(
        url,
        "create table patient (id int primary key, name text)",
        f"insert into patient select n, '{VALUE}' from generate_series(1, 200000) as n",
    )
    reader = connect_database({"url": url})
    table = reader.describe()["patient"]
    blocks = reader.read(table, RowRange(), batch_size=1_000_000)
    next(blocks)
    execute(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'",
    )
    with pytest.raises(TransientError) as lost:
        list(blocks)
    assert VALUE not in str(lost.value)
    reader.close()
    reader = connect_database({"url": url})
    execute(url, "drop table patient")
    with pytest.raises(EtlError, match=r"patient.* does not exist"):
        list(reader.read(table, RowRange(), batch_size=10))
    reader.close()
