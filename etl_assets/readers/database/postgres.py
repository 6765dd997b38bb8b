"""The PostgreSQL reader: short batch queries, as the lines that COPY itself writes."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from etl_assets.declare.database_reader import Fingerprint, HeaderDigests, RowRange, SourceColumn, SourceTable, Sums
from etl_assets.declare.measures import ROW_CHECKSUM, parse_sums, sums_by_columns
from etl_assets.readers.database.conditions import (
    cursor_conditions,
    find_column,
    key_conditions,
    range_key,
    split_chunks,
    split_keys,
    with_staging_cursor,
)
from etl_assets.readers.database.postgres_catalogue import describe_postgres
from etl_assets.readers.database.postgres_connection import PostgresConnection
from etl_assets.readers.database.postgres_headers import HeaderReader, chunk_condition
from etl_assets.readers.database.postgres_left_out import left_out_of_postgres, timestamp_literal
from etl_assets.readers.database.postgres_sums import quote_postgres, sums_select_list

SUM_BATCH_KEYS = 10_000
ALL = RowRange()


class PostgresReader:
    """Reads one schema of a PostgreSQL database, the first of the search path, over a connection of its own."""

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection
        self._headers = HeaderReader(connection)

    def describe(self, names: Collection[str] | None = None) -> dict[str, SourceTable]:
        """Describe the tables of these names that exist, or all of them, in a handful of round trips."""
        return describe_postgres(self._connection, names)

    def now(self) -> datetime:
        """The source's clock, cut to the second, with a time zone."""
        moment: datetime = self._connection.row("select date_trunc('second', clock_timestamp())")[0]
        return moment

    def count(self, table: SourceTable) -> int:
        """How many rows there are."""
        return int(self._connection.row(f"select count(*){self._from_where(table, ALL)}")[0])

    def distinct_values(self, table: SourceTable, column: SourceColumn) -> set[str]:
        """The values of a column, each once, as staging writes them."""
        whole = replace(table, erased=(), expired=None)
        select = f"select distinct {_staging_expression(column)}::text{self._from_where(whole, ALL)}"
        return {value for (value,) in self._connection.rows(select) if value is not None}

    def read(
        self, table: SourceTable, row_range: RowRange, *, batch_size: int, without_nul: bool = False
    ) -> Iterator[bytes]:
        """The rows of a range in COPY's text format, see `DatabaseReader`; no text of PostgreSQL holds a NUL."""
        del without_nul
        return self._lines(table, table.columns, row_range, batch_size)

    def keys(self, table: SourceTable, row_range: RowRange, *, batch_size: int) -> Iterator[bytes]:
        """The keys of the rows of a range, likewise."""
        return self._lines(table, (find_column(table, range_key(table)),), row_range, batch_size)

    def header_digests(self, table: SourceTable) -> HeaderDigests:
        """The header digests of a table, see `HeaderReader`."""
        return self._headers.digests(table)

    def snapshot(self, table: SourceTable) -> AbstractContextManager[None]:
        """All that is read of a table within the `with` block is of one moment, see `HeaderReader`."""
        return self._headers.snapshot(table)

    def fingerprints(
        self, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None = None
    ) -> Iterator[Fingerprint]:
        """The checksums of all key ranges, see `DatabaseReader`; a statement each."""
        of_row = _row_hash(table.columns)
        select = "select count(*), coalesce(sum({}), 0)"
        if not table.has_integer_key:
            rows, checksum = self._connection.row(select.format(of_row) + self._from_where(table, ALL))
            yield Fingerprint(after=None, upto=None, rows=rows, checksum=str(checksum))
            return
        for upto in bounds:
            rows, checksum = self._connection.row(
                select.format(of_row) + self._from_where(table, RowRange(after=after, upto=upto))
            )
            yield Fingerprint(after=after, upto=upto, rows=rows, checksum=str(checksum))
            after = upto
        key = quote_postgres(range_key(table))
        while True:
            part = f"select {key} as k, {of_row} as h{self._from_where(table, RowRange(after=after))}"
            rows, checksum, last = self._connection.row(
                f"{select.format('h')}, max(k) from ({part} order by {key} limit {batch_size}) as part"
            )
            last = last if rows == batch_size else None
            yield Fingerprint(after=after, upto=last, rows=rows, checksum=str(checksum))
            if last is None:
                return
            after = last

    def sums(self, table: SourceTable, row_range: RowRange, *, single_statement: bool = False) -> Sums:
        """The column sums of a range; no reader of PostgreSQL blocks a writer."""
        del single_statement

        def query(columns: Sequence[SourceColumn]) -> Sums:
            # Of the rows as staging has them: a char without its padding, an array as it is written.
            columns_sql = ", ".join(
                f"{_staging_expression(column)} as {quote_postgres(column.staging_name)}" for column in columns
            )
            select = sums_select_list([(column.staging_name, column.staging_type) for column in columns])
            parts = (
                f"(select {columns_sql}{self._from_where(table, part)}) as part"
                for keys in split_keys(row_range, SUM_BATCH_KEYS)
                for part in self._parts(table, keys)
            )
            rows = [self._connection.row(f"select {select} from {part}") for part in parts]
            return parse_sums([column.staging_name for column in columns], rows)

        return sums_by_columns(table.columns, query)

    def as_staged(self, table: SourceTable, row_range: RowRange) -> RowRange:
        """The range as a condition on the copy: a timestamp without a zone is taken to be in UTC."""
        return replace(with_staging_cursor(table, row_range), chunks=None)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _lines(
        self, table: SourceTable, columns: Sequence[SourceColumn], row_range: RowRange, batch_size: int
    ) -> Iterator[bytes]:
        columns_sql = f"select {', '.join(map(_staging_expression, columns))}"
        if row_range.chunks is not None or not table.has_integer_key:
            for part in self._parts(table, row_range):
                for lines in self._connection.blocks(f"{columns_sql}{self._from_where(table, part)}"):
                    yield b"".join(lines)
            return
        key = range_key(table)
        place = [column.name for column in columns].index(key)
        for part in split_keys(row_range, batch_size):
            after, rows = part.after, batch_size
            while rows == batch_size:
                rows, source = 0, self._from_where(table, replace(part, after=after))
                for lines in self._connection.blocks(
                    f"{columns_sql}{source} order by {quote_postgres(key)} limit {batch_size}"
                ):
                    rows += len(lines)
                    after = int(lines[-1].split(b"\t", place + 1)[place])
                    yield b"".join(lines)

    def _parts(self, table: SourceTable, row_range: RowRange) -> Iterator[RowRange]:
        """The chunks of a range, of which each is a statement; before it whoever waits for the table is let through."""
        for part in split_chunks(row_range):
            if part.chunks is not None:
                self._headers.yield_to_waiters(table)
            yield part

    def _from_where(self, table: SourceTable, row_range: RowRange) -> str:
        """The FROM and WHERE clauses of a row range."""
        conditions = key_conditions(table, row_range, quote_postgres)
        if row_range.cursor_column is not None:
            conditions += cursor_conditions(
                row_range, timestamp_literal, quote_postgres(find_column(table, row_range.cursor_column).name)
            )
        conditions += map(chunk_condition, row_range.chunks or ())
        conditions += left_out_of_postgres(table, self._connection.name_of)
        where = f" where {' and '.join(conditions)}" if conditions else ""
        only = "" if table.is_partitioned else "only "
        return f" from {only}{self._connection.name_of(table)}{where}"


def _staging_expression(column: SourceColumn) -> str:
    return f"{quote_postgres(column.name)}::{column.staging_type}"


def _row_hash(columns: Sequence[SourceColumn]) -> str:
    """The checksum of a row; it is written with quotes where they are needed."""
    columns_sql = ", ".join(quote_postgres(column.name) for column in columns)
    return ROW_CHECKSUM.format(f"row({columns_sql})::text")
