"""Every value of a MariaDB arrives in PostgreSQL as it was, or is turned by a documented rule."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from etl_assets.declare.database_reader import RowRange, SourceTable
from etl_assets.readers.database import connect_database
from etl_assets.warehouse.copy import copy_in
from etl_assets_tests.readers.database.databases import DRIVERS, execute

# Of each column: its type, the type it has in staging, and literals of MariaDB with what PostgreSQL must show of them.
QUIRKS: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "tiny": ("tinyint", "smallint", {"-128": "-128", "127": "127", "null": None}),
    "truth": ("tinyint(1)", "smallint", {"0": "0", "1": "1", "2": "2", "-1": "-1"}),
    "utiny": ("tinyint unsigned not null", "smallint", {"255": "255", "0": "0"}),
    "usmall": ("smallint unsigned", "integer", {"65535": "65535"}),
    "medium": ("mediumint", "integer", {"-8388608": "-8388608"}),
    "umedium": ("mediumint unsigned", "integer", {"16777215": "16777215"}),
    "whole": ("int", "integer", {"-2147483648": "-2147483648", "2147483647": "2147483647"}),
    "uwhole": ("int unsigned", "bigint", {"4294967295": "4294967295"}),
    "filled": ("int(8) unsigned zerofill", "bigint", {"42": "42"}),
    "big": ("bigint", "bigint", {"-9223372036854775808": "-9223372036854775808"}),
    "ubig": ("bigint unsigned", "numeric(20,0)", {"18446744073709551615": "18446744073709551615", "0": "0"}),
    "bit1": ("bit(1)", "boolean", {"b'1'": "true", "b'0'": "false", "null": None}),
    "bit8": ("bit(8) not null", "bigint", {"b'10100101'": "165"}),
    "bit64": ("bit(64)", "numeric(20,0)", {f"0x{'ff' * 8}": "18446744073709551615"}),
    "year_of": ("year", "smallint", {"2024": "2024", "0": "0"}),
    "money": (
        "decimal(38,10)",
        "numeric(38,10)",
        {"1234567890123456789012345678.0123456789": "1234567890123456789012345678.0123456789", "-0.5": "-0.5000000000"},
    ),
    "widest": ("decimal(65,30)", "numeric(65,30)", {f"{'9' * 35}.{'9' * 30}": f"{'9' * 35}.{'9' * 30}"}),
    "approx": (
        "double not null",
        "double precision",
        {
            "0.1e0 + 0.2e0": "0.30000000000000004",
            "1.7976931348623157e308": "1.7976931348623157e+308",
            "-2.5e-7": "-2.5e-07",
            "5e-324": "5e-324",
            "1e22": "1e+22",
            "123456789.123456789e0": "123456789.12345679",
        },
    ),
    "rounded": ("double(10,2)", "double precision", {"1234.565": "1234.57"}),
    "coarse": (
        "float",
        "real",
        {"0.1": "0.1", "16777217": "1.6777216e+07", "3.4028234e38": "3.4028235e+38", "1.1754944e-38": "1.1754944e-38"},
    ),
    "coarser": ("float(7,4)", "real", {"999.00009": "999.0001"}),
    "day": (
        "date",
        "date",
        {
            "'2024-02-29'": "2024-02-29",
            "'0001-01-01'": "0001-01-01",
            "'9999-12-31'": "9999-12-31",
            "'0000-00-00'": None,
            "'2024-00-00'": None,
            "'2024-05-00'": None,
            "'0000-05-05'": None,
            "null": None,
        },
    ),
    "day_needed": ("date not null", "date", {"'0000-00-00'": None, "'0001-01-01'": "0001-01-01"}),
    "moment": (
        "datetime(6)",
        "timestamp",
        {
            "'2024-01-02 03:04:05.678901'": "2024-01-02 03:04:05.678901",
            "'9999-12-31 23:59:59.999999'": "9999-12-31 23:59:59.999999",
            "'0001-01-01'": "0001-01-01 00:00:00",
            "'0000-00-00'": None,
            "'2024-00-15 10:00:00'": None,
        },
    ),
    "moment_needed": ("datetime not null default '0001-01-01 00:00:00'", "timestamp", {"'0000-00-00 00:00:00'": None}),
    "stamp": (
        "timestamp(3) null",
        "timestamptz",
        {
            "'2024-07-01 12:00:00.25'": "2024-07-01 12:00:00.25+00",
            "'2038-01-19 03:14:07'": "2038-01-19 03:14:07+00",
            "null": None,
        },
    ),
    "span": (
        "time",
        "interval",
        {
            "'-12:34:56'": "-12:34:56",
            "'838:59:59'": "838:59:59",
            "'-838:59:59'": "-838:59:59",
            "'00:00:00'": "00:00:00",
        },
    ),
    "fine_span": ("time(6)", "interval", {"'01:02:03.000004'": "01:02:03.000004", "'-00:00:00.5'": "-00:00:00.5"}),
    "padded": ("char(5)", "text", {"'ab'": "ab", "'ab   '": "ab", "''": ""}),
    "short": (
        "varchar(40) character set utf8mb4",
        "text",
        {
            "''": "",
            "null": None,
            "'NULL'": "NULL",
            "'\\\\N'": "\\N",
            "'\\\\\\\\'": "\\\\",
            "'😀🦷'": "😀🦷",
            "'  a  '": "  a  ",
            "'\\\\.'": "\\.",
            "'\\\\x41'": "\\x41",
        },
    ),
    "utf8mb3": ("varchar(20) character set utf8mb3 collate utf8mb3_bin", "text", {"'D0120ü…'": "D0120ü…"}),
    "western": ("varchar(20) character set latin1", "text", {"'café €\\t'": "café €\t"}),
    "japanese": ("varchar(20) character set sjis", "text", {"'歯科'": "歯科"}),
    "wide": ("varchar(20) character set utf16", "text", {"'a😀'": "a😀"}),
    "long_text": (
        "text",
        "text",
        {
            "'a\\r\\nb'": "a\r\nb",
            "'\\ta\\t'": "\ta\t",
            "'\\n'": "\n",
            "'\\b\\f\\v'": "\bf" + "v",
            "repeat('é\\n', 20000)": "é\n" * 20000,
            "char(11, 12, 7)": "\x0b\x0c\x07",
        },
    ),
    "longer": ("mediumtext not null", "text", {"repeat('x', 300000)": "x" * 300000, "''": ""}),
    "longest": ("longtext character set latin1", "text", {"repeat('ü\\\\', 50000)": "ü\\" * 50000}),
    "choice": (
        "enum('a','b c','it''s (x)')",
        "text",
        {"'b c'": "b c", "'it''s (x)'": "it's (x)", "'none of them'": "", "null": None},
    ),
    "choices": ("set('x','y','z')", "text", {"'x,z'": "x,z", "''": ""}),
    "document": ("json", "text", {"""'{"b":1.10,"a":"\\\\u00e9"}'""": '{"b":1.10,"a":"\\u00e9"}', "null": None}),
    "uid": ("uuid", "text", {"'123e4567-e89b-12d3-a456-426655440000'": "123e4567-e89b-12d3-a456-426655440000"}),
    "address": ("inet6", "text", {"'2001:db8::ff00:42:8329'": "2001:db8::ff00:42:8329"}),
    "bytes": ("blob", "bytea", {"x'00ff0a0d095c4e'": "\\x00ff0a0d095c4e", "''": "\\x", "null": None}),
    "many_bytes": ("longblob not null", "bytea", {"repeat(x'005c', 100000)": "\\x" + "005c" * 100000}),
    "four_bytes": ("binary(4)", "bytea", {"'a'": "\\x61000000"}),
    "some_bytes": ("varbinary(9)", "bytea", {"x'e29c'": "\\xe29c"}),
    "place": ("point", "bytea", {"null": None}),
    "Default": ("int invisible default 7", "integer", {"7": "7"}),
    "Group": ("varchar(9)", "text", {"'x'": "x"}),
    'odd `name"': ("int", "integer", {"1": "1"}),
}
GENERATED = "twice int as (`whole` div 2) virtual, kept int as (`tiny` * 2) persistent"
ROWS = max(len(values) for _, _, values in QUIRKS.values())


def identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@pytest.fixture(scope="module")
def quirks(new_mysql_database: Callable[[], str]) -> str:
    """A source with a row for each of the values of the column that has most; the others repeat theirs."""
    url = new_mysql_database()
    columns = ", ".join(f"{identifier(name)} {kind}" for name, (kind, _, _) in QUIRKS.items())
    inserts = []
    for number in range(ROWS):
        literals = [list(values)[number % len(values)] for _, _, values in QUIRKS.values()]
        names = ", ".join(["id", *map(identifier, QUIRKS)])
        inserts.append(f"insert into quirks ({names}) values ({number}, {', '.join(literals)})")
    execute(
        url,
        "set sql_mode = '', time_zone = '+00:00'",
        f"create table quirks (id bigint not null primary key, {columns}, {GENERATED})",
        *inserts,
    )
    return url


@pytest.fixture(scope="module")
def target(new_database: Callable[[], str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(new_database(), autocommit=True) as connection:
        # What a line means must not depend on where it is read.
        connection.execute("set time zone 'America/Chicago'; set datestyle = 'German'")
        yield connection


def arrive(target: psycopg.Connection, table: SourceTable, blocks: Iterator[bytes]) -> None:
    """COPY the blocks into a table like staging's."""
    name = sql.Identifier(table.name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.staging_name), sql.SQL(column.staging_type))
        for column in table.columns
    )
    target.execute(sql.SQL("drop table if exists {0}; create table {0} ({1})").format(name, columns))
    copy_in(target, sql.SQL("copy {} from stdin").format(name), blocks)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("batch_size", [3, 1000])
def test_every_value_is_as_it_was_or_turned_by_rule(
    quirks: str, target: psycopg.Connection, driver: str, batch_size: int
) -> None:
    reader = connect_database({"url": quirks, "driver": driver})
    table = reader.describe()["quirks"]
    types = {column.name: column.staging_type for column in table.columns}
    assert {name: types[name] for name in QUIRKS} == {name: kind for name, (_, kind, _) in QUIRKS.items()}
    arrive(target, table, reader.read(table, RowRange(), batch_size=batch_size))
    reader.close()
    target.execute("set time zone 'UTC'; set datestyle = 'ISO'")
    for name, (_, _, values) in QUIRKS.items():
        shown = sql.SQL("select {}::text from quirks order by id").format(sql.Identifier(name.lower()))
        found = [value for (value,) in target.execute(shown)]
        expected = [list(values.values())[number % len(values)] for number in range(ROWS)]
        assert found == expected, name
    row = target.execute("select whole / 2 - twice, tiny * 2 - kept from quirks where id = 0").fetchone()
    assert row == (0, 0)
    target.execute("set time zone 'America/Chicago'; set datestyle = 'German'")


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_turned_is_counted(quirks: str, driver: str) -> None:
    reader = connect_database({"url": quirks, "driver": driver})
    converted = reader.sums(reader.describe()["quirks"], RowRange()).converted
    reader.close()
    zero = {
        f"{name}: zero_date": sum(
            list(values)[number % len(values)] != "null" and list(values.values())[number % len(values)] is None
            for number in range(ROWS)
        )
        for name, (kind, _, values) in QUIRKS.items()
        if kind.startswith("date")
    }
    assert converted == {name: count for name, count in zero.items() if count}


@pytest.mark.parametrize("driver", DRIVERS)
def test_nul_and_impossible_days_and_half_a_pair_are_turned_when_postgres_has_refused_them(
    new_mysql_database: Callable[[], str], target: psycopg.Connection, driver: str
) -> None:
    url = new_mysql_database()
    execute(
        url,
        "create table held (id int primary key, short varchar(9) character set utf8mb3,"
        " western text character set latin1, day date, bytes blob)",
        "set sql_mode = 'ALLOW_INVALID_DATES'",
        "insert into held values (1, 'a\\0b', '\\0\\0ü', '2024-02-28', x'00'), (2, '\\0', '\\\\0', null, 'a'),"
        " (3, 'plain', null, '2024-02-31', null), (4, _utf8mb3 x'61eda0bd62', '', '2024-02-29', '')",
    )
    reader = connect_database({"url": url, "driver": driver})
    table = reader.describe()["held"]
    with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
        arrive(target, table, reader.read(table, RowRange(), batch_size=2))
    with pytest.raises(psycopg.errors.DatetimeFieldOverflow):
        arrive(target, table, reader.read(table, RowRange(keys=(3,)), batch_size=2))
    arrive(target, table, reader.read(table, RowRange(), batch_size=2, without_nul=True))
    found = target.execute("select short, western, day::text, bytes from held order by id").fetchall()
    sums = reader.sums(table, RowRange())
    reader.close()
    assert found == [
        ("ab", "ü", "28.02.2024", b"\0"),
        ("", "\\0", None, b"a"),
        ("plain", None, None, None),
        ("a\ufffdb", "", "29.02.2024", b""),
    ]
    assert sums.converted == {"short: nul": 2, "short: half_pair": 1, "western: nul": 1, "day: zero_date": 1}
