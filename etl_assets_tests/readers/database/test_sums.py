"""What the rows of a MariaDB come to: the same in PostgreSQL, and another as soon as a value changes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import psycopg
import pytest
from psycopg import sql

from etl_assets.declare.database_reader import DatabaseReader, Fingerprint, RowRange
from etl_assets.declare.measures import parse_sums
from etl_assets.readers.database import connect_database, mysql_batches, mysql_ranges
from etl_assets.readers.database.mysql import MysqlReader
from etl_assets.readers.database.postgres_sums import sums_select_list
from etl_assets.warehouse.copy import copy_in
from etl_assets_tests.readers.database.databases import DRIVERS, execute

VALUES = """(-3, null, null, null, null, null, null, null, null, null, null, null, null, null),
(1, 18446744073709551615, 1, b'1', 0.1, 0.1e0 + 0.2e0, 12345678901234567890.0123456789, '2024-02-29',
 '2024-02-29 23:59:59.000001', '1999-12-31 23:59:59', '-838:59:59', '-00:00:00.5', '😀\\t\\n', x'00ff'),
(2, 7, -1, b'0', 16777217, -1234.56785, -0.0000000001, '0000-00-00', '0001-01-01', '2038-01-19 03:14:07',
 '838:59:59', '01:02:03.000004', '', ''),
(5, 0, 127, null, -3.4e38, 1e300, 0, '9999-12-31', '9999-12-31 23:59:59.999999', null, '00:00:01',
 '-838:59:59.999999', 'é\\0', 'é'),
(6, 3, 0, b'1', 99999.99, 899999999999999.9e0, 5, '0001-01-01', '0000-00-00', '2024-01-01', '00:00:00', '00:00:00',
 'NULL', 'NULL')"""
COLUMNS = """Num bigint primary key, u bigint unsigned, t tinyint, b bit(1), f float, d double, n decimal(38,10),
day date, moment datetime(6), stamp timestamp null, span time, fine time(6), note varchar(20) character set utf8mb4,
raw blob"""


@pytest.fixture(scope="module")
def source(new_mysql_database: Callable[[], str]) -> str:
    url = new_mysql_database()
    execute(
        url,
        "set sql_mode = '', time_zone = '+00:00'",
        f"create table held ({COLUMNS})",
        f"insert into held values {VALUES}",
        "create table western (Num int primary key, note varchar(20) character set latin1)",
        "insert into western values (1, 'café €')",
        "create table odd (Num int primary key, short varchar(20) character set utf8mb3, more text not null,"
        " wide varchar(9) character set ucs2, stamp timestamp not null, day date not null)",
        "set sql_mode = 'ALLOW_INVALID_DATES'",
        "insert into odd values (1, 'a\\0b', '한국', _ucs2 x'd83d0061', '0000-00-00', '0000-05-05'),"
        " (2, _utf8mb3 x'61eda0bd62', '', 'é', '2024-05-06 07:08:09', '2024-02-31'),"
        " (3, _utf8mb3 x'eda0bdedb8b000', _utf8mb4 x'f09f98800a', '', '1970-01-01 00:00:01', '2024-02-29'),"
        " (5, '', '\\0', null, '2038-01-19', '0001-01-01'), (7, null, '현', '한', '2024-02-29', '2023-12-31')",
        "create table great (Num int primary key, f float, d double)",
        "insert into great values (1, 1.1e15, 9e14), (2, 1e20, 1.2345678901234567e17), (4, -7e29, 1e65),"
        " (5, -3.4e38, -9.999999999999999e64), (6, 9.1e14, -1.7e308), (8, 8.9e14, 899999999999999.9e0)",
        "create table keyless (a int, b varchar(9))",
        "insert into keyless values (1, 'x'), (1, 'x'), (2, 'y')",
    )
    return url


@pytest.fixture(scope="module", params=DRIVERS)
def reader(source: str, request: pytest.FixtureRequest) -> Iterator[DatabaseReader]:
    reader = connect_database({"url": source, "driver": request.param})
    yield reader
    reader.close()


@pytest.mark.parametrize("stride", [2, 1000])
def test_sums_are_the_same_in_both_databases(
    reader: DatabaseReader, connection: psycopg.Connection, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_ranges, "STRIDE", stride)
    for table in reader.describe(["held", "western", "odd", "great"]).values():
        names = [(column.staging_name, column.staging_type) for column in table.columns]
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in names
        )
        connection.execute(sql.SQL("create temporary table held ({}) on commit drop").format(columns))
        connection.execute("set local time zone 'Asia/Tokyo'")
        copy_in(
            connection, sql.SQL("copy held from stdin"), reader.read(table, RowRange(), batch_size=2, without_nul=True)
        )
        for where, row_range in (("true", RowRange()), ("num > 0 and num <= 5", RowRange(after=0, upto=5))):
            row = connection.execute(f"select {sums_select_list(names)} from held where {where}".encode()).fetchone()
            ours = reader.sums(table, row_range)
            theirs = parse_sums([name for name, _ in names], [row or ()])
            assert ours.rows == theirs.rows
            assert ours.columns == theirs.columns
        connection.rollback()


def test_the_measure_of_each_type(reader: DatabaseReader) -> None:
    sums = reader.sums(reader.describe()["held"], RowRange(keys=(2,)))
    assert {name: each.total for name, each in sums.columns.items()} == {
        "num": 2, "u": 7, "t": -1, "b": 0, "f": 167772160000, "d": -12345678, "n": Decimal("-0.0000000001"), "day": 0,
        "moment": -730119 * 86400, "stamp": datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC).timestamp() - 946684800,
        "span": 838 * 3600 + 59 * 60 + 59, "fine": Decimal("3723.000004"), "note": 0xD41D8CD9, "raw": 0xD41D8CD9,
    }  # fmt: skip
    assert {name: each.values for name, each in sums.columns.items() if not each.values} == {"day": 0}
    assert sums.converted == {"day: zero_date": 1}
    empty = reader.sums(reader.describe()["held"], RowRange(keys=()))
    assert (empty.rows, {each.values for each in empty.columns.values()}) == (0, {0})


def test_no_two_numbers_below_1e65_count_alike(reader: DatabaseReader) -> None:
    table = reader.describe()["great"]
    totals = [reader.sums(table, RowRange(keys=(key,))).columns for key in (1, 2, 4, 5, 6, 8)]
    assert len({each["d"].total for each in totals}) == len({each["f"].total for each in totals}) == 6


def test_a_piece_by_its_stamp_is_summed_alone(reader: DatabaseReader) -> None:
    row_range = RowRange(
        cursor_column="stamp", since=datetime(2000, 1, 1, tzinfo=UTC), until=datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)
    )
    sums = reader.sums(reader.describe()["held"], row_range)
    assert (sums.rows, sums.columns["num"].total) == (1, 6)


def test_texts_that_postgres_cannot_hold_are_counted_by_the_rule_that_turns_them(reader: DatabaseReader) -> None:
    table = reader.describe()["odd"]
    texts = {"short: nul": 2, "short: half_pair": 2, "more: nul": 1, "wide: half_pair": 1}
    expected = texts | {"stamp: zero_date": 1, "day: zero_date": 2}
    assert reader.sums(table, RowRange()).converted == expected
    assert reader.sums(table, RowRange(after=5)).converted == {}


@pytest.mark.parametrize("driver", DRIVERS)
def test_of_heavy_rows_few_are_looked_at_by_one_statement(
    new_mysql_database: Callable[[], str], driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes waits for a statement; five rows of 20 kB are here what may be looked at."""
    url = new_mysql_database()
    execute(
        url,
        "create table document (Num int primary key, Raw mediumtext) engine=MyISAM",
        "insert into document select seq * 3, repeat(md5(seq), 625) from seq_1_to_40",
    )
    reader = connect_database({"url": url, "driver": driver})
    assert isinstance(reader, MysqlReader)
    table = reader.describe()["document"]
    fingerprints, sums = list(reader.fingerprints(table, [30], batch_size=20)), reader.sums(table, RowRange())

    def asked() -> int:
        return int(reader._connection.rows("show session status like 'com_select'")[0][1] or 0)  # noqa: SLF001

    for module in (mysql_ranges, mysql_batches):
        monkeypatch.setattr(module, "BATCH_BYTES", 110_000)
    steps = [asked()]
    assert list(reader.fingerprints(table, [30], batch_size=20)) == fingerprints
    steps.append(asked())
    assert reader.sums(table, RowRange()) == sums
    steps.append(asked())
    list(reader.read(table, RowRange(), batch_size=1000))
    steps.append(asked())
    assert reader.sums(table, RowRange(), single_statement=True) == sums
    steps.append(asked())
    reader.close()
    *in_parts, single_statement = (later - earlier for earlier, later in pairwise(steps))
    assert min(in_parts) >= 8
    assert single_statement == 1


CHANGES = [
    "update held set {} = 1 where Num = {}".format(*change)
    for change in [("u", -3), ("t", 2), ("f", 6), ("d", 6), ("n", 6), ("b", 2)]
]
CHANGES += [
    "update held set note = 'null' where Num = 6",
    "update held set note = null where Num = 2",
    "update held set note = '\\\\t\\\\n' where Num = 1",
    "update held set raw = null where Num = 2",
    "update held set day = '0000-00-00' where Num = 6",
    "update held set moment = '9999-12-31 23:59:59.999998' where Num = 5",
    "update held set fine = '-00:00:00.4' where Num = 1",
    "update held set f = 99999.98 where Num = 6",
    "update held set d = 0.3 where Num = 1",
    # Two rows swap their values; a text moves over into its neighbour.
    "update held set note = if(Num = 1, '', '😀\\\\t\\\\n') where Num in (1, 2)",
    "update held set t = if(Num = 1, -1, 1) where Num in (1, 2)",
    "update held set note = 'NUL', raw = 'LNULL' where Num = 6",
    "delete from held where Num = -3",
    "insert into held (Num) values (3)",
    "update held set Num = 4 where Num = 5",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_fingerprint_is_another_when_anything_changes(new_mysql_database: Callable[[], str], change: str) -> None:
    url = new_mysql_database()
    execute(
        url,
        "set sql_mode = '', time_zone = '+00:00'",
        f"create table held ({COLUMNS})",
        f"insert into held values {VALUES}",
    )
    reader = connect_database({"url": url})
    table = reader.describe()["held"]
    before = list(reader.fingerprints(table, [], batch_size=100))
    assert before == list(reader.fingerprints(table, [], batch_size=100))
    execute(url, "set sql_mode = '', time_zone = '+00:00'", change)
    after = list(reader.fingerprints(table, [], batch_size=100))
    reader.close()
    assert after[0].checksum != before[0].checksum


def test_ranges_keep_their_bounds_and_cover_what_is_new(reader: DatabaseReader) -> None:
    table = reader.describe()["held"]

    def ranges(bounds: list[int], batch_size: int) -> list[tuple[int | None, int | None, int]]:
        found = list(reader.fingerprints(table, bounds, batch_size=batch_size))
        return [(each.after, each.upto, each.rows) for each in found]

    assert ranges([], 100) == [(None, None, 5)]
    assert ranges([], 2) == [(None, 1, 2), (1, 5, 2), (5, None, 1)]
    assert ranges([], 5) == [(None, 6, 5), (6, None, 0)]
    assert ranges([0, 1, 4], 2) == [(None, 0, 1), (0, 1, 1), (1, 4, 1), (4, 6, 2), (6, None, 0)]
    assert ranges([100], 2) == [(None, 100, 5), (100, None, 0)]
    assert (
        list(reader.fingerprints(table, [5], batch_size=2, after=1))
        == list(reader.fingerprints(table, [1, 5], batch_size=2))[1:]
    )
    whole = {each.checksum for each in reader.fingerprints(table, [], batch_size=2)}
    assert whole == {each.checksum for each in reader.fingerprints(table, [1, 5], batch_size=2)}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_table_without_a_key_is_one_range_in_which_rows_may_be_alike(
    new_mysql_database: Callable[[], str], driver: str
) -> None:
    url = new_mysql_database()
    execute(url, "create table keyless (a int, b longtext)", "insert into keyless values (1, 'x'), (1, 'x'), (2, 'y')")
    reader = connect_database({"url": url, "driver": driver})
    table = reader.describe()["keyless"]
    seen: set[Fingerprint] = set()
    for change in ("select 1", "update keyless set b = 'z' where a = 1", "update keyless set b = null where a = 2"):
        execute(url, change)
        (found,) = reader.fingerprints(table, [1, 2], batch_size=1)
        assert (found.after, found.upto, found.rows) == (None, None, 3)
        seen.add(found)
    reader.close()
    assert len(seen) == 3
