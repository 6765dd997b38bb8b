"""Parts of a table: what a statement of MySQL says of them, and how a large one is divided by its key."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from etl_assets.declare.database import Piece, SourceColumn, SourceTable
from etl_assets.readers.database.conditions import by_keys, column_of, key_of, keyed, stamped
from etl_assets.readers.database.mysql_lines import quoted
from etl_assets.readers.database.mysql_link import MysqlLink
from etl_assets.readers.database.mysql_types import MysqlType

BATCH_BYTES = 8 << 20
"""What a batch may come to and still be taken whole before it is handed on, and what a statement may look at."""
STRIDE = 50_000
"""Rows that a statement looks at, at most, where it looks at more than it gives."""


def stride_of(table: SourceTable) -> int:
    """How many rows of a table one statement may look at; of 100 kB each they are eighty."""
    row_bytes = table.size_bytes // table.rows if table.rows else 0
    return max(1, min(STRIDE, BATCH_BYTES // (row_bytes or 1)))


def source_of(table: SourceTable, piece: Piece, *more: str) -> str:
    """The FROM and the WHERE of a piece's rows; of those among them that more conditions hold of."""
    conditions = [*more, *keyed(table, piece, quoted)]
    if piece.stamp is not None:
        column = column_of(table, piece.stamp)
        conditions += stamped(piece, wall_clock if is_wall_clock(column) else _moment, quoted(column.name))
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f" from {quoted(table.name)}{where}"


def strides(link: MysqlLink, table: SourceTable, piece: Piece, rows: int) -> Iterator[Piece]:
    """The piece in parts of which each lies within so many rows of the table, in the order of the key."""
    if piece.keys is not None:
        yield from by_keys(piece, rows)
        return
    after = piece.after
    while (bound := nth_key(link, table, Piece(after=after, upto=piece.upto), rows)) is not None:
        yield replace(piece, after=after, upto=bound)
        after = bound
    yield replace(piece, after=after)


def nth_key(link: MysqlLink, table: SourceTable, piece: Piece, number: int) -> int | None:
    """The key of the nth row of a piece, from 1; None where it has fewer."""
    key = quoted(key_of(table))
    found = link.rows(f"select {key}{source_of(table, piece)} order by {key} limit 1 offset {number - 1}")
    return int(found[0][0] or 0) if found else None


def is_wall_clock(stamp: SourceColumn) -> bool:
    """Whether a stamp is what the source's own clock on the wall shows, and not a moment."""
    return MysqlType.of(stamp.type).name != "timestamp"


def wall_clock(moment: datetime) -> str:
    """What the source's own clock shows at a moment, given in UTC; whatever the zone of our session."""
    written = _moment(moment)
    return f"ifnull(convert_tz({written}, '+00:00', @@global.time_zone), {written})"


def _moment(moment: datetime) -> str:
    return f"'{moment:%Y-%m-%d %H:%M:%S.%f}'"
