"""The sums of every kind of column: the same at the source and here, and different where one value is."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from etl_assets.declare.copied_table import CopiedTable, Incremental
from etl_assets.declare.database_reader import RowRange
from etl_assets.declare.tables import Full
from etl_assets.loading.database.verify import Comparison
from etl_assets.readers.database import connect_database
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.staging import StagingTable
from etl_assets.warehouse.database.sums import read_sums
from etl_assets_tests.loading.database.clinic import Clinic, checks, copied

COLUMNS = {
    "tiny": ("tinyint(1)", "-128", "2", "127"),
    "utiny": ("tinyint unsigned", "255", "0", "7"),
    "usmall": ("smallint unsigned", "65535", "1", "9"),
    "med": ("mediumint", "-8388608", "5", "8"),
    "uint": ("int unsigned", "4294967295", "0", "3"),
    "ubig": ("bigint unsigned", "18446744073709551615", "1", "2"),
    "big": ("bigint", "-9223372036854775808", "9223372036854775807", "5"),
    "deci": ("decimal(38,10)", "1234567890123456789012345678.0123456789", "-0.0000000001", "1"),
    "dbl": ("double", "0.1e0+0.2e0", "-99999999999.99", "1e14"),
    "huge": ("double", "1.7e308", "-1e15", "1e-300"),
    "flt": ("float", "0.1", "16777217", "-2.5"),
    "one": ("bit(1)", "b'1'", "b'0'", "b'1'"),
    "eight": ("bit(8)", "b'10100101'", "b'0'", "b'11111111'"),
    "many": ("bit(64)", "18446744073709551615", "0", "1"),
    "yr": ("year", "2024", "1901", "2155"),
    "day": ("date", "'0001-01-01'", "'9999-12-31'", "'0000-00-00'"),
    "moment": ("datetime(6)", "'2024-01-02 03:04:05.678901'", "'0001-01-01 00:00:00'", "'2024-00-15 00:00:00'"),
    "stamp": ("timestamp(6) null", "'2024-07-01 12:00:00.000001'", "null", "'1970-01-02 00:00:00'"),
    "dur": ("time(6)", "'-12:34:56.000001'", "'838:59:59'", "'00:00:00'"),
    "word": ("varchar(40)", "'😀 tab\\t nl\\n back\\\\ cr\\r'", "''", "'NULL'"),
    "latin": ("varchar(20) character set latin1", "'café'", "'x'", "'\\\\N'"),
    "fixed": ("char(5)", "'ab'", "''", "'abcde'"),
    "long_text": ("mediumtext", "repeat('é', 70000)", "'short'", "'a\\0b'"),
    "choice": ("enum('a','b c')", "'b c'", "'a'", "''"),
    "few": ("set('x','y')", "'x,y'", "''", "'y'"),
    "doc": ("json", '\'{"b":1.10,"a":"\\\\u00e9"}\'', "'[]'", "'null'"),
    "raw": ("varbinary(10)", "x'00ff0a0d095c'", "''", "x'5c'"),
    "pad": ("binary(4)", "x'61000000'", "x'00000000'", "x'ffffffff'"),
}
LATER = "{0} + interval '1 second'"
OTHERWISE = {
    "boolean": "not {0}",
    "text": "{0} || 'x'",
    "bytea": "{0} || '\\x01'",
    "date": "{0} + 1",
    "timestamp": LATER,
    "timestamptz": LATER,
    "interval": LATER,
}
"""A value that is another, by its type; of numbers it is one less."""


@pytest.fixture
def quirks(clinic: Clinic) -> Clinic:
    """A clinic with one table of every kind of column, loaded."""
    lines = ", ".join(f"{name} {kind}" for name, (kind, *_) in COLUMNS.items())
    clinic.execute(f"create table quirk (Num bigint not null auto_increment primary key, {lines})", "set sql_mode = ''")
    values = [", ".join(words) for words in zip(*(each[1:] for each in COLUMNS.values()), strict=True)]
    clinic.add("quirk", *values, ", ".join(["null"] * len(COLUMNS)), columns=", ".join(COLUMNS))
    clinic.tables = (CopiedTable(name="quirk", key="num", load=Full(), **copied()),)
    report = clinic.take("quirk")
    assert checks(report)["matches_source"], report.checks[0].description
    return clinic


def test_one_value_that_differs_changes_the_sum_of_its_column_alone(quirks: Clinic) -> None:
    reader = connect_database(quirks.settings.of_source("open_dental"))
    described = reader.describe(["quirk"])["quirk"]
    there = reader.sums(described, RowRange())
    kinds = {column.staging_name: column.staging_type for column in described.columns}
    target = StagingTable(relation=quirks.relation("quirk"), columns=kinds, keys=("num",))
    with connect(quirks.settings) as connection:
        connection.execute("set time zone 'UTC'")
        assert not Comparison.between(there, read_sums(connection, target, RowRange())).differs
        for name in COLUMNS:
            changed = OTHERWISE.get(kinds[name], "{0} - 1").format(name)
            for value in (changed, "null"):
                with connection.transaction(force_rollback=True):
                    connection.execute(
                        f"update open_dental.quirk set {name} = {value} where num ="
                        f" (select num from open_dental.quirk where {name} is not null order by num desc limit 1)"
                    )
                    found = Comparison.between(there, read_sums(connection, target, RowRange()))
                assert set(found.differing_columns) == {name}, value
    reader.close()


def test_the_sums_of_a_piece_are_of_its_rows(clinic: Clinic) -> None:
    clinic.execute("set time_zone = '+00:00'")
    clinic.add(
        "patient",
        *(f"'p{n}', {n}.5, '2024-01-01 12:00:{n:02}'" for n in range(40)),
        columns="LName, BalTotal, DateTStamp",
    )
    clinic.change("patient", load=Incremental(column="DateTStamp"))
    clinic.take("patient")
    reader = connect_database(clinic.settings.of_source("open_dental"))
    described = reader.describe(["patient"])["patient"].without(["secretpin"])
    kinds = {column.staging_name: column.staging_type for column in described.columns}
    target = StagingTable(relation=clinic.relation("patient"), columns=kinds, keys=("patnum",))
    first = datetime(2024, 1, 1, 12, tzinfo=UTC)
    row_ranges = {
        RowRange(after=3, upto=9): 6,
        RowRange(after=35): 5,
        RowRange(cursor_column="DateTStamp", since=first.replace(second=10), until=first.replace(second=20)): 10,
        RowRange(cursor_column="DateTStamp", since=first.replace(second=38)): 2,
    }
    with connect(clinic.settings) as connection:
        connection.execute("set time zone 'UTC'")
        for row_range, rows in row_ranges.items():
            here = read_sums(connection, target, reader.as_staged(described, row_range))
            assert here.rows == rows
            assert not Comparison.between(reader.sums(described, row_range), here).differs
            assert here.columns["baltotal"].total % Decimal(5000) == 0
    reader.close()
