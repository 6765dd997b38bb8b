"""The SQL with which MySQL itself writes rows as lines of COPY's text format.

One expression a column, made from its declared type alone; `sql_mode` must be empty, for they hold backslashes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from etl_assets.declare.database import SourceColumn
from etl_assets.readers.database.mysql_link import Row
from etl_assets.readers.database.mysql_types import MysqlType

# The number of a day from 0001-01-01 on; null where the month or the day is 0. The other expression, which also finds
# days that their month does not have, takes twice as long.
IS_LIKELY_DATE = "to_days({0}) > 365"
IS_DATE = f"({IS_LIKELY_DATE} and (dayofmonth({{0}}) < 29 or dayofmonth({{0}}) <= dayofmonth(last_day({{0}}))))"
DATES = ("date", "datetime", "timestamp")
_DATES_CHECKED = {False: IS_LIKELY_DATE, True: IS_DATE}
LONG_BYTES = 1 << 16
"""Values that may be longer when they are written are left to us where else a line might not fit into a packet."""
ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
HALF_A_PAIR = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""Half a surrogate pair, as MySQL lets it into UTF-8."""
_ESCAPED = [(mark.encode(), written.encode()) for mark, written in ESCAPES]


def quoted(name: str) -> str:
    """A name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True, kw_only=True)
class Lines:
    """How the lines of some columns are selected, and made of what comes back.

    A line comes finished, but for values that may be long: the source takes time by the square of a value's length to
    escape it, and makes no text longer than its packets. They come by themselves, as they are, between the rest.
    """

    select: str
    """The list of a select."""
    raw: tuple[str | None, ...]
    """Of each expression in it the staging type of the value that it is; None where it is part of a finished line."""

    @classmethod
    def of(cls, columns: Sequence[SourceColumn], *, packet: int, careful: bool = False) -> "Lines":
        """Make the select.

        Args:
            columns: Those of the line, in order.
            packet: The longest text that the source makes, in bytes.
            careful: Look at dates more closely.
        """
        kinds = [MysqlType.of(column.type) for column in columns]
        short = sum(kind.written_bytes + 1 for kind in kinds if not kind.is_long)
        parts: list[tuple[str | None, list[str]]] = []
        for column, kind in zip(columns, kinds, strict=True):
            if kind.is_long or (kind.written_bytes > LONG_BYTES and short >= packet):
                parts.append((column.staging_type, [raw(column)]))
            elif parts and parts[-1][0] is None:
                parts[-1][1].append(field(column, careful=careful))
            else:
                parts.append((None, [field(column, careful=careful)]))
        joined = (f"concat_ws('\\t', {', '.join(each)})" if len(each) > 1 else each[0] for _, each in parts)
        return cls(select=", ".join(joined), raw=tuple(kind for kind, _ in parts))

    @property
    def is_finished(self) -> bool:
        """Whether the source makes the whole line."""
        return self.raw == (None,)

    def whole(self, rows: Sequence[Row]) -> list[bytes]:
        """The lines of some rows, without their newlines."""
        if self.is_finished:
            return [cast(bytes, line) for (line,) in rows]
        return [b"\t".join(map(_written, row, self.raw)) for row in rows]


def _written(value: bytes | None, kind: str | None) -> bytes:
    if value is None:
        return rb"\N"
    if kind is None:
        return value
    if kind == "bytea":
        return rb"\\x" + value.hex().encode()
    for mark, escaped in _ESCAPED:
        value = value.replace(mark, escaped)
    return value


def fit_text(text: bytes) -> bytes:
    """A text as PostgreSQL takes it; or lines, whose escapes hold no NUL, so that all that there are are a text's."""
    return HALF_A_PAIR.sub("\N{REPLACEMENT CHARACTER}".encode(), text.replace(b"\0", b""))


def field(column: SourceColumn, *, careful: bool = False) -> str:
    r"""The expression of one value, escaped; `\N` where it is null."""
    kind, name = MysqlType.of(column.type), quoted(column.name)
    if kind.name in DATES:
        # The session's zone is UTC; that of whoever reads the line need not be.
        shown = f"concat({name}, '+00')" if kind.name == "timestamp" else name
        return f"if({_DATES_CHECKED[careful].format(name)}, {shown}, '\\\\N')"
    if kind.is_bytes:
        shown = f"concat('\\\\\\\\x', hex({name}))"
    elif column.staging_type == "text":
        shown = raw(column)
        for mark, written in ESCAPES:
            shown = f"replace({shown}, {_literal(mark)}, {_literal(written)})"
    elif kind.name == "bit":
        shown = f"({name} + 0)"
    elif kind.name == "float":
        # Shown as it is, a float has six digits; as a double it has all.
        shown = f"({name} + 0e0)"
    else:
        shown = name
    return f"ifnull({shown}, '\\\\N')" if column.nullable else shown


def raw(column: SourceColumn) -> str:
    """The bytes of a text, in UTF-8, or of bytes."""
    kind, name = MysqlType.of(column.type), quoted(column.name)
    if column.staging_type != "text" or (kind.is_text and not kind.charset):
        return f"cast({name} as binary)"
    shown = name if kind.is_text else f"cast({name} as char)"
    return f"cast(convert({shown} using utf8mb4) as binary)"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"
