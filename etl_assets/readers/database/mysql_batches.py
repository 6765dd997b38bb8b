"""Batch reads: each batch is fetched into memory whole, so that no query waits for the warehouse."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from etl_assets.declare.database_reader import RowRange, SourceColumn, SourceTable
from etl_assets.readers.database.conditions import is_indexed, range_key
from etl_assets.readers.database.mysql_connection import FETCH_ROWS, MysqlConnection
from etl_assets.readers.database.mysql_lines import CopyLines, quote_mysql
from etl_assets.readers.database.mysql_ranges import BATCH_BYTES, STRIDE, from_where, split_into_strides, stride_rows

LONG_ROWS = 8
"""Rows of one fetch where each may hold a document."""

Blocks = list[bytes]


class BatchReader:
    """Reads the rows of one table in batches, as COPY lines of some of its columns.

    Args:
        connection: To the source; nobody else may use it while rows are read.
        table: Which.
        columns: What a line is made of, in order; the integer key, where there is one, is among them.
        batch_size: Rows of one statement, at most.
        strict_dates: Look at dates more closely.
    """

    def __init__(
        self,
        connection: MysqlConnection,
        table: SourceTable,
        columns: Sequence[SourceColumn],
        batch_size: int,
        *,
        strict_dates: bool = False,
    ) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns
        self._batch_size = batch_size
        self._lines = CopyLines.for_columns(
            table, columns, max_packet_bytes=connection.max_packet_bytes, strict_dates=strict_dates
        )
        self._row_bytes = table.size_bytes // table.rows if table.rows else 0
        self._after: int | None = None

    def read(self, row_range: RowRange) -> Generator[Blocks]:
        """The rows of a range, a list of blocks each batch; the source is idle while one is worked on."""
        if not self._table.has_integer_key or self._is_one_statement(row_range):
            yield from self._read_statement(f"select {self._lines.select}{from_where(self._table, row_range)}")
            return
        if row_range.keys is not None:
            parts = split_into_strides(self._connection, self._table, row_range, self._batch_size)
        elif row_range.cursor_column is not None and not is_indexed(self._table, row_range.cursor_column):
            # Else the first batch would look at all rows, up to the last that are new.
            parts = split_into_strides(self._connection, self._table, row_range, stride_rows(self._table))
        else:
            parts = iter((row_range,))
        for part in parts:
            yield from self._read_range(part)

    def _is_one_statement(self, row_range: RowRange) -> bool:
        """Whether the whole table is wanted and is no more than a batch: MyISAM then takes half the time, unsorted."""
        # Who gives a batch more rows than a stride has asked for a statement that may be long; nobody else gets one.
        is_short = self._table.size_bytes <= BATCH_BYTES or self._batch_size > STRIDE
        return row_range == RowRange() and self._table.rows <= self._batch_size and is_short

    def _read_range(self, row_range: RowRange) -> Generator[Blocks]:
        self._after, key = row_range.after, quote_mysql(range_key(self._table))
        while True:
            rest = replace(row_range, after=self._after)
            limit = max(1, min(self._batch_size, BATCH_BYTES // (self._row_bytes or 1)))
            rows = yield from self._read_statement(
                f"select {self._lines.select}{from_where(self._table, rest)} order by {key} limit {limit}"
            )
            if rows < limit:
                return

    def _read_statement(self, statement: str) -> Generator[Blocks, None, int]:
        """Fetch the rows of one statement. Returns how many there were."""
        blocks: Blocks = []
        rows = size = pending = 0
        # Where long values are among them, few rows may be more than memory should hold.
        fetch_rows = FETCH_ROWS if self._lines.is_complete else LONG_ROWS
        with closing(self._connection.blocks(statement, fetch_rows)) as results:
            for result in results:
                lines = self._lines.to_lines(result)
                blocks.append(b"\n".join(lines) + b"\n")
                rows, pending = rows + len(lines), pending + len(blocks[-1])
                self._remember_last_key(lines[-1])
                if pending >= BATCH_BYTES:
                    size += pending
                    yield blocks
                    blocks, pending = [], 0
        if rows:
            self._row_bytes = (size + pending) // rows
        if blocks:
            yield blocks
        return rows

    def _remember_last_key(self, last: bytes) -> None:
        if self._table.has_integer_key:
            place = [column.name for column in self._columns].index(range_key(self._table))
            self._after = int(last.split(b"\t", place + 1)[place])
