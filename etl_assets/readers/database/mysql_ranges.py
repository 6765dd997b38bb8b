"""Row ranges in MySQL's SQL, and how a large one is split by the key."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from etl_assets.declare.database_reader import RowRange, SourceColumn, SourceTable
from etl_assets.readers.database.conditions import (
    cursor_conditions,
    find_column,
    key_conditions,
    left_out_conditions,
    range_key,
    split_keys,
)
from etl_assets.readers.database.mysql_connection import MysqlConnection
from etl_assets.readers.database.mysql_lines import literal_mysql, quote_mysql
from etl_assets.readers.database.mysql_types import MysqlType

BATCH_BYTES = 8 << 20
"""The most that a batch may hold in memory before it is handed on, and that one statement may scan."""
STRIDE = 50_000
"""Rows that one statement may scan, where it scans more than it returns."""


def stride_rows(table: SourceTable) -> int:
    """How many rows of a table one statement may scan; of 100 kB each they are eighty."""
    row_bytes = table.size_bytes // table.rows if table.rows else 0
    return max(1, min(STRIDE, BATCH_BYTES // (row_bytes or 1)))


def from_where(table: SourceTable, row_range: RowRange, *more: str) -> str:
    """The FROM and WHERE clauses of a row range, with further conditions."""
    conditions = [*more, *key_conditions(table, row_range, quote_mysql)]
    if row_range.cursor_column is not None:
        column = find_column(table, row_range.cursor_column)
        conditions += cursor_conditions(
            row_range, source_local_time if is_local_time(column) else _timestamp_literal, quote_mysql(column.name)
        )
    conditions += left_out_conditions(
        table,
        quote=quote_mysql,
        literal=literal_mysql,
        name=lambda each: quote_mysql(each.name),
        moment=lambda column, moment: (source_local_time if is_local_time(column) else _timestamp_literal)(moment),
    )
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f" from {quote_mysql(table.name)}{where}"


def split_into_strides(
    connection: MysqlConnection, table: SourceTable, row_range: RowRange, rows: int
) -> Iterator[RowRange]:
    """Split a row range into ranges that each span at most `rows` rows of the table, in the order of the key."""
    if row_range.keys is not None:
        yield from split_keys(row_range, rows)
        return
    after = row_range.after
    while (bound := nth_key(connection, table, RowRange(after=after, upto=row_range.upto), rows)) is not None:
        yield replace(row_range, after=after, upto=bound)
        after = bound
    yield replace(row_range, after=after)


def nth_key(connection: MysqlConnection, table: SourceTable, row_range: RowRange, number: int) -> int | None:
    """The key of the nth row of a range, from 1; None where it has fewer."""
    key = quote_mysql(range_key(table))
    found = connection.rows(f"select {key}{from_where(table, row_range)} order by {key} limit 1 offset {number - 1}")
    return int(found[0][0] or 0) if found else None


def is_local_time(cursor_column: SourceColumn) -> bool:
    """Whether a cursor column holds the local time of the source's server, and not a moment."""
    return MysqlType.parse(cursor_column.type).name != "timestamp"


def source_local_time(moment: datetime) -> str:
    """The source's local time at a moment that is given in UTC, whatever the zone of our session."""
    written = _timestamp_literal(moment)
    return f"ifnull(convert_tz({written}, '+00:00', @@global.time_zone), {written})"


def _timestamp_literal(moment: datetime) -> str:
    return f"'{moment:%Y-%m-%d %H:%M:%S.%f}'"
