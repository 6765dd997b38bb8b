"""Reads a PostgreSQL database table by table, in short statements, as the lines that COPY itself writes."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from etl_assets.declare.database import Fingerprint, Piece, SourceColumn, SourceTable, Sums
from etl_assets.readers.database.conditions import by_keys, column_of, key_of, keyed, stamped
from etl_assets.readers.database.postgres_catalogue import describe
from etl_assets.readers.database.postgres_link import PostgresLink
from etl_assets.readers.database.postgres_sums import quoted, read_sums, select_sums

SUMMED_KEYS = 10_000


class PostgresReader:
    """The reader of one schema of a PostgreSQL database, the first of the search path, by a connection of its own."""

    def __init__(self, link: PostgresLink) -> None:
        self._link = link

    def describe(self, names: Collection[str] | None = None) -> dict[str, SourceTable]:
        """The tables of these names that there are, or all of them, in three round trips."""
        return describe(self._link, names)

    def now(self) -> datetime:
        """The source's clock, cut to the second, with a time zone."""
        moment: datetime = self._link.row("select date_trunc('second', clock_timestamp())")[0]
        return moment

    def count(self, table: SourceTable) -> int:
        """How many rows there are."""
        return int(self._link.row(f"select count(*){self._source_of(table, Piece())}")[0])

    def read(self, table: SourceTable, piece: Piece, *, batch_size: int, without_nul: bool = False) -> Iterator[bytes]:
        """The rows of a piece in COPY's text format, as `DatabaseReader` has it; no text of PostgreSQL holds a NUL."""
        del without_nul
        return self._lines(table, table.columns, piece, batch_size)

    def keys(self, table: SourceTable, piece: Piece, *, batch_size: int) -> Iterator[bytes]:
        """The keys of the rows of a piece, likewise."""
        return self._lines(table, (column_of(table, key_of(table)),), piece, batch_size)

    def fingerprints(
        self, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None = None
    ) -> Iterator[Fingerprint]:
        """The fingerprints of all ranges of a table, as `DatabaseReader` has it; a statement each."""
        of_row = _row_hash(table.columns)
        wanted = "select count(*), coalesce(sum({}), 0)"
        if not table.ranged:
            rows, checksum = self._link.row(wanted.format(of_row) + self._source_of(table, Piece()))
            yield Fingerprint(after=None, upto=None, rows=rows, checksum=str(checksum))
            return
        for upto in bounds:
            rows, checksum = self._link.row(
                wanted.format(of_row) + self._source_of(table, Piece(after=after, upto=upto))
            )
            yield Fingerprint(after=after, upto=upto, rows=rows, checksum=str(checksum))
            after = upto
        key = quoted(key_of(table))
        while True:
            part = f"select {key} as k, {of_row} as h{self._source_of(table, Piece(after=after))}"
            rows, checksum, last = self._link.row(
                f"{wanted.format('h')}, max(k) from ({part} order by {key} limit {batch_size}) as part"
            )
            last = last if rows == batch_size else None
            yield Fingerprint(after=after, upto=last, rows=rows, checksum=str(checksum))
            if last is None:
                return
            after = last

    def sums(self, table: SourceTable, piece: Piece, *, at_once: bool = False) -> Sums:
        """What the rows of a piece come to; whoever writes there is not held up."""
        del at_once
        # Of the rows as staging has them: a char without its padding, an array as it is written.
        shown = ", ".join(f"{_shown(column)} as {quoted(column.staging_name)}" for column in table.columns)
        wanted = select_sums([(column.staging_name, column.staging_type) for column in table.columns])
        rows = [
            self._link.row(f"select {wanted} from (select {shown}{self._source_of(table, part)}) as part")
            for part in by_keys(piece, SUMMED_KEYS)
        ]
        return read_sums([column.staging_name for column in table.columns], rows)

    def as_staged(self, table: SourceTable, piece: Piece) -> Piece:
        """The piece as it is said of the copy: the same, for a stamp without a zone is taken to be in UTC."""
        del table
        return piece

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def _lines(
        self, table: SourceTable, columns: Sequence[SourceColumn], piece: Piece, batch_size: int
    ) -> Iterator[bytes]:
        shown = f"select {', '.join(map(_shown, columns))}"
        if not table.ranged:
            for lines in self._link.blocks(f"{shown}{self._source_of(table, piece)}"):
                yield b"".join(lines)
            return
        key = key_of(table)
        place = [column.name for column in columns].index(key)
        for part in by_keys(piece, batch_size):
            after, rows = part.after, batch_size
            while rows == batch_size:
                rows, source = 0, self._source_of(table, replace(part, after=after))
                for lines in self._link.blocks(f"{shown}{source} order by {quoted(key)} limit {batch_size}"):
                    rows += len(lines)
                    after = int(lines[-1].split(b"\t", place + 1)[place])
                    yield b"".join(lines)

    def _source_of(self, table: SourceTable, piece: Piece) -> str:
        """The FROM and the WHERE of a piece's rows."""
        conditions = keyed(table, piece, quoted)
        if piece.stamp is not None:
            conditions += stamped(piece, _moment, quoted(column_of(table, piece.stamp).name))
        where = f" where {' and '.join(conditions)}" if conditions else ""
        return f" from {quoted(self._link.schema)}.{quoted(table.name)}{where}"


def _shown(column: SourceColumn) -> str:
    return f"{quoted(column.name)}::{column.staging_type}"


def _moment(moment: datetime) -> str:
    """Of a timestamp without a zone, too, this is the moment in UTC: the zone of the session."""
    return f"timestamptz '{moment:%Y-%m-%d %H:%M:%S.%f}+00'"


def _row_hash(columns: Sequence[SourceColumn]) -> str:
    """A number of 60 bits that differs where rows differ; a row is written with quotes where they are needed."""
    shown = ", ".join(quoted(column.name) for column in columns)
    return f"('x' || left(md5(row({shown})::text), 15))::bit(60)::bigint"
