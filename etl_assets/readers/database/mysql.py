"""The MySQL and MariaDB reader: short batch queries whose rows the server itself formats for COPY.

The tables of the source may be of MyISAM, where a statement that reads keeps out all that write until the last row of
its result has been taken. So a statement reads one batch of rows, by the key, and its rows are taken at once, into
memory, before the first is handed on; the next batch is read while the last is being worked on. Of a batch that comes
to more than 8 MB the rest is taken as it is worked on, so that memory stays bounded; later batches are then smaller.
A table without a key of one whole number is read in one statement, and the source may wait for the warehouse.

By the key MyISAM fetches each row with two calls to the system: 3.3 us of its CPU a row, line and all, where a scan
takes 1.1 us. So a table that is wanted whole and has no more rows than a batch is scanned; who may lock a large table
for some seconds, at night, gives a batch as many rows as it has.
"""

import weakref
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime

from etl_assets.declare.database_reader import (
    Fingerprint,
    HeaderDigests,
    RowRange,
    SourceColumn,
    SourceTable,
    Sums,
)
from etl_assets.declare.measures import sums_by_columns
from etl_assets.readers.database.conditions import find_column, range_key, with_staging_cursor
from etl_assets.readers.database.mysql_batches import BatchReader
from etl_assets.readers.database.mysql_catalogue import describe_mysql
from etl_assets.readers.database.mysql_connection import MysqlConnection
from etl_assets.readers.database.mysql_fingerprints import read_fingerprints
from etl_assets.readers.database.mysql_lines import quote_mysql, sanitize_text
from etl_assets.readers.database.mysql_ranges import (
    from_where,
    is_local_time,
    source_local_time,
    split_into_strides,
    stride_rows,
)
from etl_assets.readers.database.mysql_sums import combine_sums, query_sums
from etl_assets.readers.prefetch import prefetch_one


class MysqlReader:
    """Reads one MySQL or MariaDB database over a connection of its own."""

    def __init__(self, connection: MysqlConnection) -> None:
        self._connection = connection
        self._reading: Callable[[], Generator[bytes] | None] = lambda: None

    def describe(self, names: Collection[str] | None = None) -> dict[str, SourceTable]:
        """Describe the tables of these names that exist, or all of them, in a handful of round trips."""
        return describe_mysql(self._connection, names)

    def now(self) -> datetime:
        """The source's clock, cut to the second, with a time zone."""
        (value,) = self._connection.row("select date_format(utc_timestamp(), '%Y-%m-%d %H:%i:%s')")
        return datetime.fromisoformat((value or b"").decode()).replace(tzinfo=UTC)

    def count(self, table: SourceTable) -> int:
        """How many rows there are."""
        return int(self._connection.row(f"select count(*){from_where(table, RowRange())}")[0] or 0)

    def distinct_values(self, table: SourceTable, column: SourceColumn) -> set[str]:
        """The values of a column, each once, as staging writes them."""
        select = f"select distinct cast({quote_mysql(column.name)} as char) from {quote_mysql(table.name)}"
        return {value.decode() for (value,) in self._connection.rows(select) if value is not None}

    def read(
        self, table: SourceTable, row_range: RowRange, *, batch_size: int, without_nul: bool = False
    ) -> Iterator[bytes]:
        """The rows of a range in COPY's text format; see `DatabaseReader`."""
        blocks = self._prefetch(
            BatchReader(self._connection, table, table.columns, batch_size, strict_dates=without_nul), row_range
        )
        return map(sanitize_text, blocks) if without_nul else blocks

    def keys(self, table: SourceTable, row_range: RowRange, *, batch_size: int) -> Iterator[bytes]:
        """The keys of the rows of a range, likewise."""
        key = find_column(table, range_key(table))
        return self._prefetch(BatchReader(self._connection, table, (key,), batch_size), row_range)

    def header_digests(self, table: SourceTable) -> HeaderDigests:
        """Raise ValueError: no table of MySQL shows the headers of its rows."""
        raise ValueError(f"{table.name} has no row headers that can be read")

    def snapshot(self, table: SourceTable) -> AbstractContextManager[None]:
        """Raise ValueError: a table may be of MyISAM, which knows no snapshots."""
        raise ValueError(f"{table.name} is not read in a snapshot")

    def fingerprints(
        self, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None = None
    ) -> Iterator[Fingerprint]:
        """The checksums of all key ranges of a table; see `DatabaseReader`."""
        return read_fingerprints(self._connection, table, bounds, batch_size=batch_size, after=after)

    def sums(self, table: SourceTable, row_range: RowRange, *, single_statement: bool = False) -> Sums:
        """The column sums of a range, queried stride by stride unless one long statement is allowed."""
        stride = stride_rows(table)
        is_large = table.has_integer_key and (
            row_range.keys is not None or (table.rows > stride and not single_statement)
        )
        parts = list(split_into_strides(self._connection, table, row_range, stride)) if is_large else [row_range]

        def query(columns: Sequence[SourceColumn]) -> Sums:
            totals = [query_sums(self._connection, table, columns, part) for part in parts]
            return combine_sums(columns, totals)

        return sums_by_columns(table.columns, query)

    def as_staged(self, table: SourceTable, row_range: RowRange) -> RowRange:
        """The range as a condition on the copy; see `DatabaseReader`."""
        if row_range.cursor_column is None or not is_local_time(find_column(table, row_range.cursor_column)):
            return with_staging_cursor(table, row_range)
        since, until = map(self._source_local_time, (row_range.since, row_range.until))
        return replace(with_staging_cursor(table, row_range), since=since, until=until)

    def close(self) -> None:
        """End the connection, and what is still being read."""
        if reading := self._reading():
            # Its thread may be waiting for the source, and a driver is not to be closed under a thread.
            reading.close()
        self._connection.close()

    def _prefetch(self, batches: BatchReader, row_range: RowRange) -> Generator[bytes]:
        """Read batches with prefetch; a generator that nobody refers to any more ends by itself."""
        reading = _prefetched(batches, row_range)
        self._reading = weakref.ref(reading)
        return reading

    def _source_local_time(self, moment: datetime | None) -> datetime | None:
        if moment is None:
            return None
        local = self._connection.row(f"select cast({source_local_time(moment.astimezone(UTC))} as char)")[0] or b""
        return datetime.fromisoformat(local.decode()).replace(tzinfo=UTC)


def _prefetched(batches: BatchReader, row_range: RowRange) -> Generator[bytes]:
    with closing(batches.read(row_range)) as fetched, closing(prefetch_one(fetched)) as prefetched:
        for blocks in prefetched:
            yield from blocks
