"""SQL expressions by which MySQL itself formats rows as COPY text lines.

One expression a column, made from its declared type alone; `sql_mode` must be empty, for they hold backslashes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from etl_assets.declare.database_reader import SourceColumn, SourceTable
from etl_assets.errors import EtlError
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
    escape it, and makes no text longer than its packets. They come by themselves, as they are stored, between the rest.
    """

    table: str
    """Whose rows they are, for messages."""
    select: str
    """The list of a select."""
    raw_types: tuple[str | None, ...]
    """Of each expression the staging type of an unescaped value; None where it is a finished part of a line."""

    @classmethod
    def for_columns(
        cls,
        table: SourceTable,
        columns: Sequence[SourceColumn],
        *,
        max_packet_bytes: int,
        strict_dates: bool = False,
    ) -> "CopyLines":
        """Build the select list.

        Args:
            table: Whose columns they are.
            columns: Those of the line, in order.
            max_packet_bytes: The longest text that an expression of the source makes.
            strict_dates: Look at dates more closely.
        """
        kinds = [MysqlType.parse(column.type) for column in columns]
        is_short = sum(kind.max_copy_bytes + 1 for kind in kinds if not kind.is_long) < max_packet_bytes
        parts: list[_Part] = []
        for column, kind in zip(columns, kinds, strict=True):
            size = kind.max_copy_bytes + 1
            if kind.is_long or size >= max_packet_bytes or (size > LONG_BYTES and not is_short):
                parts.append(_Part(column.staging_type, [raw_expression(column)]))
                continue
            if not parts or parts[-1].kind is not None or parts[-1].size + size >= max_packet_bytes:
                parts.append(_Part(None))
            parts[-1].expressions.append(copy_expression(column, strict_dates=strict_dates))
            parts[-1].size += size
        return cls(
            table=table.name,
            select=", ".join(part.sql for part in parts),
            raw_types=tuple(part.kind for part in parts),
        )

    @property
    def is_complete(self) -> bool:
        """Whether the source formats the whole line."""
        return self.raw_types == (None,)

    def to_lines(self, rows: Sequence[Row]) -> list[bytes]:
        """The lines of some rows, without their newlines.

        Raises:
            EtlError: The source could not make a line, for it is longer than its packets.
        """
        lines = [line for (line,) in rows] if self.is_complete else list(map(self._line, rows))
        if None in lines:
            raise EtlError(
                f"{self.table}: a row is longer than max_allowed_packet of the source's server, which then makes null"
                " of it. Nothing of the table was loaded. Have max_allowed_packet set higher there."
            )
        return cast(list[bytes], lines)

    def _line(self, row: Row) -> bytes | None:
        values = list(map(_escape, row, self.raw_types))
        return None if None in values else b"\t".join(cast(list[bytes], values))


@dataclass
class _Part:
    """One expression of the select: of one raw value, or a finished part of the line."""

    kind: str | None
    """The staging type of a raw value."""
    expressions: list[str] = field(default_factory=list)
    size: int = 0
    """The most bytes that it can come to."""

    @property
    def sql(self) -> str:
        return self.expressions[0] if len(self.expressions) == 1 else f"concat_ws('\\t', {', '.join(self.expressions)})"


def _escape(value: bytes | None, kind: str | None) -> bytes | None:
    """A value in COPY's text format; None where a finished part could not be made."""
    if kind is None:
        return value
    if value is None:
        return rb"\N"
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
        value_sql = binary_expression(column)
        for mark, written in ESCAPES:
            value_sql = f"replace({value_sql}, {literal_mysql(mark)}, {literal_mysql(written)})"
    elif kind.name == "bit":
        value_sql = f"({name} + 0)"
    elif kind.name == "float":
        # Shown as it is, a float has six digits; as a double it has all.
        value_sql = f"({name} + 0e0)"
    else:
        value_sql = name
    return f"ifnull({value_sql}, '\\\\N')" if column.nullable else value_sql


def raw_expression(column: SourceColumn) -> str:
    """The expression of a value's unescaped bytes, to be selected or hashed; text in UTF-8.

    Of a text or bytes it has no bound: neither a column as it is nor what is converted is held to the source's packets.
    """
    kind, name = MysqlType.parse(column.type), quote_mysql(column.name)
    if kind.is_text and kind.charset:
        return f"convert({name} using utf8mb4)"
    return name if kind.is_bytes or kind.is_text or kind.name == "json" else binary_expression(column)


def binary_expression(column: SourceColumn) -> str:
    """The expression of the same bytes as a binary string, for functions that would compare them as a text.

    It is null where they are more than a packet of the source's.
    """
    kind, name = MysqlType.parse(column.type), quote_mysql(column.name)
    if column.staging_type != "text" or (kind.is_text and not kind.charset):
        return f"cast({name} as binary)"
    value_sql = name if kind.is_text else f"cast({name} as char)"
    return f"cast(convert({value_sql} using utf8mb4) as binary)"


def literal_mysql(text: str) -> str:
    """A text as a literal."""
    escaped = (
        text.replace("\\", "\\\\").replace("'", "''").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    )
    return f"'{escaped}'"
