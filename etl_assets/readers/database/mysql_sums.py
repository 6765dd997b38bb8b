"""The SQL of what MySQL's values come to: sums that PostgreSQL can be held against, and fingerprints."""

from collections.abc import Sequence
from decimal import Decimal

from etl_assets.readers.database.conditions import total_of
from etl_assets.readers.database.mysql_lines import DATES, IS_DATE, quoted, raw
from etl_assets.readers.database.mysql_link import Row
from etl_assets.readers.database.mysql_types import MysqlType
from etl_assets.spec.database import ColumnSum, SourceColumn, Sums

MICROSECONDS = Decimal(1_000_000)
LARGEST = "1e15"
"""A floating number of this magnitude or more counts as 0: its ten-thousandths are noise."""


def select_sums(columns: Sequence[SourceColumn]) -> str:
    """The list of a select: the rows; then of each column its values, their total, and its turned values."""
    return ", ".join(["count(*)", *(word for column in columns for word in _words(column))])


def read_sums(columns: Sequence[SourceColumn], rows: Sequence[Row]) -> Sums:
    """What the rows that such selects gave, of parts of a piece, come to together."""
    counted: dict[str, ColumnSum] = {}
    turned: dict[str, int] = {}
    for place, column in enumerate(columns):
        first = 1 + 3 * place
        total = total_of(Decimal((row[first + 1] or b"0").decode()) for row in rows)
        is_time = MysqlType.of(column.type).name in {"datetime", "timestamp", "time"}
        counted[column.staging_name] = ColumnSum(
            values=sum(int(row[first] or 0) for row in rows), total=total / MICROSECONDS if is_time else total
        )
        if number := sum(int(row[first + 2] or 0) for row in rows):
            rule = "zero_date" if MysqlType.of(column.type).name in DATES else "nul"
            turned[f"{column.staging_name}: {rule}"] = number
    return Sums(rows=sum(int(row[0] or 0) for row in rows), columns=counted, turned=turned)


def _words(column: SourceColumn) -> tuple[str, str, str]:
    kind, name = MysqlType.of(column.type), quoted(column.name)
    if kind.name in DATES:
        held = IS_DATE.format(name)
        seconds = (
            f"(to_days({name}) - 730485) * 86400"
            if kind.name == "date"
            else f"timestampdiff(microsecond, '2000-01-01 00:00:00', {name})"
        )
        return (
            f"coalesce(sum({held}), 0)",
            f"sum(if({held}, {seconds}, 0))",
            f"sum({name} is not null and {held} is not true)",
        )
    if kind.is_bytes:
        return f"count({name})", _digest(raw(column)), "0"
    if column.staging_type == "text":
        text = raw(column)
        return f"count({name})", _digest(f"replace({text}, char(0), '')"), f"sum(instr({text}, char(0)) > 0)"
    if kind.name == "time":
        # MySQL's time_to_sec drops the microseconds, MariaDB's does not.
        seconds = f"truncate(time_to_sec({name}), 0) * 1000000"
        return f"count({name})", f"sum({seconds} + if({name} < 0, -1, 1) * microsecond({name}))", "0"
    if kind.name in {"float", "double", "real"}:
        # As decimals, for a sum of doubles depends on their order.
        whole = f"if(abs({name}) < {LARGEST}, floor({name} * 10000 + 0.5e0), 0)"
        return f"count({name})", f"sum(cast({whole} as decimal(30, 0)))", "0"
    return f"count({name})", f"sum({name} + 0)", "0"


def _digest(text: str) -> str:
    return f"sum(cast(conv(left(md5({text}), 8), 16, 10) as unsigned))"


def row_hash(columns: Sequence[SourceColumn]) -> str:
    """A number of 60 bits that differs where rows differ.

    It is of the row with its key and the lengths of its texts, and not a CRC: those of two rows that swap their values
    may cancel each other out.
    """
    parts = ", ".join(part for column in columns for part in _hashed(column))
    return f"cast(conv(left(md5(concat_ws('\\t', {parts})), 15), 16, 10) as unsigned)"


def select_fingerprint(of_hash: str) -> str:
    """The list of a select: the rows, and what their hashes come to. A sum, for rows may be alike without a key."""
    return f"count(*), coalesce(sum({of_hash}), 0)"


def _hashed(column: SourceColumn) -> tuple[str, ...]:
    kind, name = MysqlType.of(column.type), quoted(column.name)
    if kind.is_long:
        # Itself it might make a row longer than the source can.
        return (f"ifnull(md5({name}), 'N')",)
    if kind.is_bytes or column.staging_type == "text":
        shown = f"cast({name} as binary)"
        return f"ifnull(length({name}), 'N')", f"ifnull({shown}, '')"
    shown = f"({name} + 0)" if kind.name == "bit" else f"({name} + 0e0)" if kind.name == "float" else name
    return (f"ifnull({shown}, 'N')" if column.nullable else shown,)
