"""How a MariaDB is described and read: batches, pieces, ranges; no row lost, none twice."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from psycopg import sql

from etl_assets.declare.database_reader import DatabaseReader, RowRange, SourceTable
from etl_assets.readers.database import connect_database, mysql_batches, mysql_ranges
from etl_assets.readers.database.mysql import MysqlReader
from etl_assets.warehouse.copy import copy_in
from etl_assets.warehouse.database.staging import StagingTable
from etl_assets.warehouse.relation import Relation
from etl_assets_tests import mariadb
from etl_assets_tests.open_dental_schema import create_statements, keyed, read_schema
from etl_assets_tests.readers.database.databases import DRIVERS, execute, keys_of, rows_of

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
KEYS = [-900, -7, 0, 1, 2, 3, 10, 11, 5000, 5001, 2**40]


@pytest.fixture(scope="module")
def source(new_mysql_database: Callable[[], str]) -> str:
    url = new_mysql_database()
    values = ", ".join(
        f"({key}, 'note {key}', '{NOON + timedelta(seconds=number // 3):%Y-%m-%d %H:%M:%S}')"
        for number, key in enumerate(KEYS)
    )
    stamp = "SecDateTEdit timestamp not null default current_timestamp() on update current_timestamp()"
    execute(
        url,
        "set time_zone = '+00:00'",
        *(
            f"create table {name} (Note varchar(20), Num bigint not null primary key, {stamp}{index}) engine={engine}"
            for name, engine, index in (
                ("paysplit", "MyISAM", ", key (SecDateTEdit)"),
                ("commlog", "MyISAM", ""),
                ("payment", "InnoDB", ""),
            )
        ),
        *(
            f"insert into {name} (Num, Note, SecDateTEdit) values {values}"
            for name in ("paysplit", "commlog", "payment")
        ),
        "create table nothing (Num bigint not null primary key, Note text)",
        "create table keyless (Note varchar(20))",
        "insert into keyless values ('same'), ('same'), (null)",
        "create table pair (A int, B varchar(9), C datetime default now() on update now(), primary key (B, A),"
        " key (C, A))",
        "create view looked_at as select * from keyless",
    )
    return url


@pytest.fixture(scope="module", params=DRIVERS)
def reader(source: str, request: pytest.FixtureRequest) -> Iterator[DatabaseReader]:
    reader = connect_database({"url": source, "driver": request.param})
    yield reader
    reader.close()


def read_keys(reader: DatabaseReader, table: SourceTable, row_range: RowRange, batch_size: int) -> list[int]:
    """By both ways of reading: the rows, and the keys alone."""
    place = [column.name for column in table.columns].index("Num")
    rows = [int(row[place]) for row in rows_of(reader.read(table, row_range, batch_size=batch_size))]
    assert rows == keys_of(reader.keys(table, row_range, batch_size=batch_size))
    return rows


def test_the_catalogue_says_keys_indexes_stamps_and_sizes_and_no_views(reader: DatabaseReader) -> None:
    described = reader.describe()
    assert list(described) == ["commlog", "keyless", "nothing", "pair", "payment", "paysplit"]
    paysplit = described["paysplit"]
    assert [
        (column.name, column.type, column.staging_type, column.nullable, column.on_update_timestamp)
        for column in paysplit.columns
    ] == [
        ("Note", "varchar(20)", "text", True, False),
        ("Num", "bigint(20)", "bigint", False, False),
        ("SecDateTEdit", "timestamp", "timestamptz", False, True),
    ]
    assert (paysplit.key, paysplit.rows, paysplit.indexes) == (("Num",), len(KEYS), (("SecDateTEdit",),))
    assert paysplit.size_bytes > 100
    assert described["pair"].key == ("B", "A")
    assert [column.on_update_timestamp for column in described["pair"].columns] == [False, False, True]
    assert described["pair"].indexes == (("C", "A"),)
    assert [name for name, table in described.items() if not table.has_integer_key] == ["keyless", "pair"]
    assert reader.describe(["pair", "not_there"]) == {"pair": described["pair"]}
    assert reader.describe([]) == {}


def test_all_tables_of_open_dental_are_described_in_three_statements_within_seconds(
    new_mysql_database: Callable[[], str], real_data: Path
) -> None:
    url = new_mysql_database()
    schema = read_schema(real_data)
    execute(url, "set sql_mode = ''", *create_statements(schema))
    reader = connect_database({"url": url})
    assert isinstance(reader, MysqlReader)
    asked = int(reader._connection.rows("show session status like 'questions'")[0][1] or 0)  # noqa: SLF001
    begun = monotonic()
    described = reader.describe()
    assert monotonic() - begun < 10
    assert int(reader._connection.rows("show session status like 'questions'")[0][1] or 0) - asked == 5  # noqa: SLF001
    assert sorted(described) == keyed(schema)
    assert len(described) == 440
    for name, table in described.items():
        facts = schema[name]
        assert [column.name for column in table.columns] == [column["name"] for column in facts["columns"]]
        assert table.key == tuple(facts["primary_key"])
        assert table.has_integer_key
        moving = [column.name for column in table.columns if column.on_update_timestamp]
        assert moving == [column["name"] for column in facts["columns"] if column.get("on_update_current_timestamp")]
        assert list(reader.read(table, RowRange(), batch_size=1000)) == []
    reader.close()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, len(KEYS) - 1, len(KEYS), 1000])
def test_no_row_is_lost_or_doubled_at_the_border_of_a_batch(reader: DatabaseReader, batch_size: int) -> None:
    for table in reader.describe(["paysplit", "payment"]).values():
        assert sorted(read_keys(reader, table, RowRange(), batch_size)) == KEYS
        assert read_keys(reader, table, RowRange(after=-900), batch_size) == KEYS[1:]
        assert read_keys(reader, table, RowRange(upto=5000), batch_size) == KEYS[:9]
        assert read_keys(reader, table, RowRange(after=0, upto=10), batch_size) == [1, 2, 3, 10]
        assert read_keys(reader, table, RowRange(after=11, upto=4999), batch_size) == []
        assert read_keys(reader, table, RowRange(keys=(5001, -7, 99, 3, -7)), batch_size) == [-7, 3, 5001]
        assert read_keys(reader, table, RowRange(keys=()), batch_size) == []


@pytest.mark.parametrize("table_name", ["paysplit", "commlog"])
@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_a_stamp_s_window_takes_its_begin_and_leaves_its_end(
    reader: DatabaseReader, table_name: str, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without an index of the stamp; three rows share each second."""
    monkeypatch.setattr(mysql_ranges, "STRIDE", 4)
    table = reader.describe([table_name])[table_name]

    def stamped(since: float | None, until: float | None, **more: int) -> list[int]:
        moments = [None if each is None else NOON + timedelta(seconds=each) for each in (since, until)]
        row_range = RowRange(cursor_column="SecDateTEdit", since=moments[0], until=moments[1], **more)
        return read_keys(reader, table, row_range, batch_size)

    assert stamped(1, 2) == KEYS[3:6]
    assert stamped(1, None) == KEYS[3:]
    assert stamped(None, 1) == KEYS[:3]
    assert stamped(0.5, 1.5) == KEYS[3:6]
    assert stamped(1, 3, after=2, upto=11) == [3, 10, 11]
    assert stamped(10, None) == []
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5))) + timedelta(seconds=3)
    assert read_keys(reader, table, RowRange(cursor_column="secdatetedit", since=elsewhere), batch_size) == KEYS[9:]


@pytest.fixture(scope="module")
def western() -> Iterator[str]:
    """A source of its own whose clock on the wall is five hours behind."""
    with mariadb.own_server("set global time_zone = '-05:00'") as url:
        yield url


def test_a_datetime_is_held_against_the_clock_on_the_source_s_wall_here_and_there(
    western: str, connection: psycopg.Connection
) -> None:
    """It is written by whoever writes there, in the zone of the server; a stamp is a moment."""
    execute(
        western,
        "create table sheet (Num int primary key, Edited datetime(6), Moved timestamp(6) null)",
        "set time_zone = '+00:00'",
        "insert into sheet values (1, '2024-05-06 06:59:59.5', '2024-05-06 11:59:59.5'),"
        " (2, '2024-05-06 07:00:00', '2024-05-06 12:00:00'), (3, '2024-05-06 08:00:00', '2024-05-06 13:00:00')",
    )
    reader = connect_database({"url": western})
    table = reader.describe()["sheet"]
    types = {column.staging_name: column.staging_type for column in table.columns}
    target = StagingTable(relation=Relation("pg_temp", "sheet"), columns=types, keys=("num",))
    connection.execute("create temporary table sheet (num int, edited timestamp, moved timestamptz)")
    connection.execute("set time zone 'UTC'")
    copy_in(connection, sql.SQL("copy sheet from stdin"), reader.read(table, RowRange(), batch_size=9))
    for since, until, expected in (
        (NOON, None, [2, 3]),
        (NOON - timedelta(milliseconds=500), NOON, [1]),
        (None, NOON + timedelta(hours=1), [1, 2]),
        ((NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=9))), NOON + timedelta(days=1), [3]),
    ):
        for stamp in ("Edited", "Moved"):
            row_range = RowRange(cursor_column=stamp, since=since, until=until)
            assert keys_of(reader.keys(table, row_range, batch_size=9)) == expected
            within = target.in_range(reader.as_staged(table, row_range))
            held = connection.execute(target.statement("select num from {target} as existing where {w}", w=within))
            assert sorted(key for (key,) in held) == expected
    assert reader.as_staged(table, RowRange(after=1)) == RowRange(after=1)
    reader.close()


def test_a_table_without_a_key_is_read_in_one_go(reader: DatabaseReader) -> None:
    described = reader.describe()
    assert rows_of(reader.read(described["keyless"], RowRange(), batch_size=1)) == [["same"], ["same"], ["\\N"]]
    assert list(reader.read(described["pair"], RowRange(), batch_size=1)) == []
    with pytest.raises(ValueError, match="no key of one whole number"):
        list(reader.read(described["pair"], RowRange(after=1), batch_size=1))


def test_the_columns_wanted_are_read_and_no_other(reader: DatabaseReader) -> None:
    table = reader.describe()["paysplit"].without(["note", "secdatetedit"])
    assert rows_of(reader.read(table, RowRange(upto=-7), batch_size=5)) == [["-900"], ["-7"]]


def test_counts_and_the_clock(reader: DatabaseReader) -> None:
    described = reader.describe()
    assert [reader.count(described[name]) for name in ("paysplit", "nothing", "keyless")] == [len(KEYS), 0, 3]
    now = reader.now()
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    assert now.microsecond == 0


def test_what_is_not_taken_does_not_spoil_what_is_asked_next(reader: DatabaseReader) -> None:
    table = reader.describe()["paysplit"]
    for _ in range(3):
        blocks = reader.read(table, RowRange(), batch_size=2)
        next(iter(blocks))
        del blocks
        assert reader.count(table) == len(KEYS)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_batch_has_left_the_source_before_its_rows_are_handed_on(
    new_mysql_database: Callable[[], str], driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MyISAM lets nobody write as long as a row of a result is still to come."""
    monkeypatch.setattr(mysql_batches, "BATCH_BYTES", 1 << 30)
    url = new_mysql_database()
    execute(
        url,
        "create table busy (Num bigint primary key, Note varchar(2000)) engine=MyISAM",
        "insert into busy select seq, repeat('x', 2000) from seq_1_to_15000",
        "delete from busy where Num = 100",  # with a hole in it, no row is inserted beside a reader
    )
    reader = connect_database({"url": url, "driver": driver})
    blocks = iter(reader.read(reader.describe()["busy"], RowRange(), batch_size=14_000))
    first = next(blocks)
    execute(url, "set lock_wait_timeout = 5", "update busy set Note = 'changed' where Num = 1")
    assert first.startswith(b"1\tx")
    assert len(keys_of([first, *blocks])) == 14_999
    reader.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_documents_are_read_in_blocks_of_bounded_size_and_statements_of_few_rows(
    new_mysql_database: Callable[[], str], driver: str
) -> None:
    url = new_mysql_database()
    execute(
        url,
        "create table document (Num bigint primary key, Raw mediumtext not null, Thumb mediumblob)",
        "insert into document select seq, if(seq > 20, repeat('0123456789abcde\\n', 65536), 'short'), x'0a'"
        " from seq_1_to_60",
    )
    reader = connect_database({"url": url, "driver": driver})
    blocks = list(reader.read(reader.describe()["document"], RowRange(), batch_size=50))
    reader.close()
    assert max(map(len, blocks)) <= 9 * (1 << 20)
    rows = rows_of(blocks)
    assert [int(row[0]) for row in rows] == list(range(1, 61))
    assert {(row[1], row[2]) for row in rows} == {("short", "\\\\x0a"), ("0123456789abcde\\n" * 65536, "\\\\x0a")}
