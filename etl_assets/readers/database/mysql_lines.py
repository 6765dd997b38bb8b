"""SQL expressions by which MySQL itself formats rows as COPY text lines.

One expression a column, made from its declared type alone; `sql_mode` must be empty, for they hold backslashes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from etl_assets.declare.database_reader import SourceColumn
from etl_assets.readers.database.mysql_connection import Row
from etl_assets.readers.database.mysql_types import MysqlType

# The number of a day from 0001-01-01 on; null where the month or the day is 0. The other expression, which also finds
# days that their month does not have, takes twice as long.
IS_LIKELY_DATE = "to_days({0}) > 365"
IS_DATE = f"({IS_LIKELY_DATE} and (dayofmonth({{0}}) < 29 or dayofmonth({{0}}) <= dayofmonth(last_day({{0}}))))"
DATE_TYPES = ("date", "datetime", "timestamp")
_DATES_CHECKED = {False: IS_LIKELY_DATE, True: IS_DATE}
LONG_BYTES = 1 << 16
"""Values that may be longer when they are written are left to us where else a line might not fit into a packet."""
ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
LONE_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""Half a surrogate pair, as MySQL lets it into UTF-8."""
_ESCAPED = [(mark.encode(), written.encode()) for mark, written in ESCAPES]


def quote_mysql(name: str) -> str:
    """A name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True, kw_only=True)
class CopyLines:
    """The select list of some columns, and how COPY lines are assembled from its result.

    A line comes finished, but for values that may be long: the source takes time by the square of a value's length to
    escape it, and makes no text longer than its packets. They come by themselves, as they are, between the rest.
    """

    select: str
    """The list of a select."""
    raw_types: tuple[str | None, ...]
    """Of each expression the staging type of an unescaped value; None where it is a finished part of a line."""

    @classmethod
    def for_columns(
        cls, columns: Sequence[SourceColumn], *, max_packet_bytes: int, strict_dates: bool = False
    ) -> "CopyLines":
        """Build the select list.

        Args:
            columns: Those of the line, in order.
            max_packet_bytes: The longest text that the source makes.
            strict_dates: Look at dates more closely.
        """
        kinds = [MysqlType.parse(column.type) for column in columns]
        short = sum(kind.max_copy_bytes + 1 for kind in kinds if not kind.is_long)
        parts: list[tuple[str | None, list[str]]] = []
        for column, kind in zip(columns, kinds, strict=True):
            if kind.is_long or (kind.max_copy_bytes > LONG_BYTES and short >= max_packet_bytes):
                parts.append((column.staging_type, [raw_expression(column)]))
            elif parts and parts[-1][0] is None:
                parts[-1][1].append(copy_expression(column, strict_dates=strict_dates))
            else:
                parts.append((None, [copy_expression(column, strict_dates=strict_dates)]))
        joined = (f"concat_ws('\\t', {', '.join(each)})" if len(each) > 1 else each[0] for _, each in parts)
        return cls(select=", ".join(joined), raw_types=tuple(kind for kind, _ in parts))

    @property
    def is_complete(self) -> bool:
        """Whether the source formats the whole line."""
        return self.raw_types == (None,)

    def to_lines(self, rows: Sequence[Row]) -> list[bytes]:
        """The lines of some rows, without their newlines."""
        if self.is_complete:
            return [cast(bytes, line) for (line,) in rows]
        return [b"\t".join(map(_escape, row, self.raw_types)) for row in rows]


def _escape(value: bytes | None, kind: str | None) -> bytes:
    if value is None:
        return rb"\N"
    if kind is None:
        return value
    if kind == "bytea":
        return rb"\\x" + value.hex().encode()
    for mark, escaped in _ESCAPED:
        value = value.replace(mark, escaped)
    return value


def sanitize_text(text: bytes) -> bytes:
    """Sanitize a text for PostgreSQL: drop NULs, replace lone surrogates. Works on lines too: no escape holds a NUL."""
    return LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}".encode(), text.replace(b"\0", b""))


def copy_expression(column: SourceColumn, *, strict_dates: bool = False) -> str:
    r"""The expression of one value in COPY's text format, escaped; `\N` where it is null."""
    kind, name = MysqlType.parse(column.type), quote_mysql(column.name)
    if kind.name in DATE_TYPES:
        # The session's zone is UTC; that of whoever reads the line need not be.
        value_sql = f"concat({name}, '+00')" if kind.name == "timestamp" else name
        return f"if({_DATES_CHECKED[strict_dates].format(name)}, {value_sql}, '\\\\N')"
    if kind.is_bytes:
        value_sql = f"concat('\\\\\\\\x', hex({name}))"
    elif column.staging_type == "text":
        value_sql = raw_expression(column)
        for mark, written in ESCAPES:
            value_sql = f"replace({value_sql}, {_literal(mark)}, {_literal(written)})"
    elif kind.name == "bit":
        value_sql = f"({name} + 0)"
    elif kind.name == "float":
        # Shown as it is, a float has six digits; as a double it has all.
        value_sql = f"({name} + 0e0)"
    else:
        value_sql = name
    return f"ifnull({value_sql}, '\\\\N')" if column.nullable else value_sql


def raw_expression(column: SourceColumn) -> str:
    """The expression of a value's unescaped bytes; text in UTF-8."""
    kind, name = MysqlType.parse(column.type), quote_mysql(column.name)
    if column.staging_type != "text" or (kind.is_text and not kind.charset):
        return f"cast({name} as binary)"
    value_sql = name if kind.is_text else f"cast({name} as char)"
    return f"cast(convert({value_sql} using utf8mb4) as binary)"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"
