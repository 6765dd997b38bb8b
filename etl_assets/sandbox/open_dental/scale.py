"""Fills any table with any number of rows, for measuring: the same from the same seed in both dialects.

The values are what the types allow; they mean nothing and refer to nothing. The server makes them itself, which takes
seconds where sending them takes minutes.
"""

import zlib

from etl_assets.errors import EtlError
from etl_assets.sandbox.open_dental.catalogue import LAST_NAMES, NOTES
from etl_assets.sandbox.open_dental.database import MARK, Database
from etl_assets.sandbox.open_dental.schema import MYSQL, Column, Table, tables

_PRIME = 2_147_483_647
_STATEMENT_ROWS = 500_000
_HAS_SEQUENCES = "select 1 from information_schema.engines where engine = 'SEQUENCE' and support in ('YES', 'DEFAULT')"
_WORDS = tuple(name.replace("'", "''") for name in LAST_NAMES[:16])
_LONG = "The patient was told of risks and of other ways, and had no questions. "


def scale(url: str, table: Table | str, rows: int, *, seed: int = 1) -> None:
    """Make a table anew, of so many rows.

    Args:
        url: Of an empty database, or of one that is marked as a sandbox; MariaDB or PostgreSQL.
        table: One of tables.yaml by its name, or any other as it is described; its key is a whole number or none.
        rows: How many; their keys are 1 to `rows`.
        seed: Another one makes other values.

    Raises:
        EtlError: The database holds something else, or its server makes no sequences; nothing was changed.
        TransientError: It cannot be reached.
    """
    described = tables()[table] if isinstance(table, str) else table
    with Database(url) as database:
        database.be_sandbox()
        if database.dialect == MYSQL and not database.rows(_HAS_SEQUENCES):
            raise EtlError("This server makes no sequences, as MariaDB's engine SEQUENCE does; nothing was changed.")
        if database.mark() is None:
            database.make(tables()["preference"])
            database.set_mark(f"scaled, seed {seed}")
        database.make(described)
        names = ", ".join(map(database.name, described.names))
        values = ", ".join(_value(database.dialect, described, column, seed, rows) for column in described.columns)
        for start in range(1, rows + 1, _STATEMENT_ROWS):
            numbers = _numbers(database.dialect, start, min(start + _STATEMENT_ROWS - 1, rows))
            database.run(f"insert into {database.name(described.name)} ({names}) select {values} from {numbers}")  # noqa: S608
        if described.name == "preference":
            database.set_mark(MARK)


def _numbers(dialect: str, first: int, last: int) -> str:
    if dialect == MYSQL:
        return f"(select cast(seq as signed) as n from seq_{first}_to_{last}) as numbers"  # noqa: S608
    return f"generate_series({first}::bigint, {last}) as numbers (n)"


def _value(dialect: str, table: Table, column: Column, seed: int, rows: int) -> str:
    """The expression of a column's value in row n."""
    if column.name == table.key and column.kind.endswith("int"):
        return "n"
    salt = zlib.crc32(f"{seed}:{table.name}:{column.name}".encode()) % _PRIME
    chance = f"mod(mod(n * 69069 + {salt}, {_PRIME}) * 48271, {_PRIME})"
    if column.kind.endswith("int"):
        return _whole(column, chance, rows)
    if column.is_text:
        return _text(dialect, column, chance)
    if column.is_bytes:
        digest = f"md5({_as_text(dialect, chance)})"
        return f"unhex({digest})" if dialect == MYSQL else f"decode({digest}, 'hex')"
    if column.kind in ("date", "datetime", "timestamp", "time"):
        return _moment(dialect, column, chance)
    return _fraction(dialect, column, chance)


def _fraction(dialect: str, column: Column, chance: str) -> str:
    if column.kind == "bit":
        return f"mod({chance}, 2)" if dialect == MYSQL else f"mod({chance}, 2) = 1"
    if column.kind == "float":
        return f"(mod({chance}, 400000) - 100000) / 8.0"
    span = 10 ** min(8, column.width or 8) // 10
    return f"(mod({chance}, {span}) - {span // 4}) / 100.0"


def _whole(column: Column, chance: str, rows: int) -> str:
    unsigned = column.type.endswith("unsigned")
    if column.kind == "bigint" and column.name.endswith("Num"):
        # A key of another table; every third row has none.
        return f"case when mod({chance}, 3) = 0 then 0 else 1 + mod({chance}, {max(10, rows // 20)}) end"
    span, lowest = {"tinyint": (6, 0), "smallint": (2_000, -100), "bigint": (_PRIME, -1_000)}.get(
        column.kind, (2_000_001, -1_000_000)
    )
    return f"mod({chance}, {span})" if unsigned or not lowest else f"mod({chance}, {span}) + {lowest}"


def _text(dialect: str, column: Column, chance: str) -> str:
    other = f"mod({chance} * 16807, {_PRIME})"
    word = _pick(dialect, _WORDS, other)
    if column.width:
        text = word if column.width < 8 else f"concat({word}, ' ', {_as_text(dialect, f'mod({other}, 1000)')})"  # noqa: PLR2004
        return f"case mod({chance}, 13) when 0 then '' when 1 then null else left({text}, {column.width}) end"
    odd = _pick(dialect, [_literal(dialect, note) for note in NOTES], other)
    long = f"repeat('{_LONG}', cast(1 + mod({other}, 40) as {'signed' if dialect == MYSQL else 'integer'}))"
    return (
        f"case mod({chance}, 10) when 0 then null when 1 then '' when 2 then {odd} when 3 then {long} else {word} end"
    )


def _pick(dialect: str, texts: tuple[str, ...] | list[str], chance: str) -> str:
    listed = ", ".join(text if text.startswith(("'", "e'")) else f"'{text}'" for text in texts)
    place = f"1 + mod({chance} / 16, {len(texts)})" if dialect != MYSQL else f"1 + mod({chance} div 16, {len(texts)})"
    return f"elt({place}, {listed})" if dialect == MYSQL else f"(array[{listed}])[{place}]"


def _literal(dialect: str, text: str) -> str:
    """A text between quotes, with its marks escaped, as a statement without parameters has it."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    for mark, written in (("\t", "\\t"), ("\r", "\\r"), ("\n", "\\n")):
        escaped = escaped.replace(mark, written)
    return f"'{escaped}'" if dialect == MYSQL else f"e'{escaped}'"


def _as_text(dialect: str, number: str) -> str:
    return f"cast({number} as {'char' if dialect == MYSQL else 'text'})"


def _moment(dialect: str, column: Column, chance: str) -> str:
    if column.kind == "time":
        seconds = f"mod({chance}, 200000) - 60000"
        return f"sec_to_time({seconds})" if dialect == MYSQL else f"({seconds}) * interval '1 second'"
    if column.kind == "timestamp":
        # Two years, a row every thirty seconds, over and over: neighbours in time are neighbours in the table.
        return _after(dialect, "2024-01-01 00:00:00", "mod(n * 30, 63072000)", "timestamptz")
    days = f"mod({chance}, 4000)"
    if column.kind == "date":
        day = _after(dialect, "2015-01-01 00:00:00", f"{days} * 86400", "timestamp")
        return f"case mod({chance}, 11) when 0 then cast('0001-01-01' as date) else cast({day} as date) end"
    moment = _after(dialect, "2015-01-01 00:00:00", f"{days} * 86400 + mod({chance}, 86399)", "timestamp")
    none = "cast('0001-01-01 00:00:00' as datetime)" if dialect == MYSQL else "timestamp '0001-01-01'"
    return f"case mod({chance}, 11) when 0 then {none} else {moment} end"


def _after(dialect: str, moment: str, seconds: str, type_: str) -> str:
    if dialect == MYSQL:
        return f"'{moment}' + interval ({seconds}) second"
    return f"{type_} '{moment}' + ({seconds}) * interval '1 second'"
