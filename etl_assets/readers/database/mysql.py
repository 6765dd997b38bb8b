"""Reads a MySQL or MariaDB database in short statements, as lines of COPY that the server itself builds.

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
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from etl_assets.declare.database import Fingerprint, Piece, SourceTable, Sums
from etl_assets.readers.database.conditions import column_of, key_of
from etl_assets.readers.database.mysql_batches import Batches
from etl_assets.readers.database.mysql_catalogue import describe
from etl_assets.readers.database.mysql_fingerprints import read_fingerprints
from etl_assets.readers.database.mysql_lines import fit_text, quoted
from etl_assets.readers.database.mysql_link import MysqlLink
from etl_assets.readers.database.mysql_parts import is_wall_clock, stride_of, strides, wall_clock
from etl_assets.readers.database.mysql_sums import ask_sums, read_sums, words_of
from etl_assets.readers.database.read_ahead import one_ahead


class MysqlReader:
    """The reader of one MySQL or MariaDB database, by a connection of its own."""

    def __init__(self, link: MysqlLink) -> None:
        self._link = link
        self._reading: Callable[[], Generator[bytes] | None] = lambda: None

    def describe(self, names: Collection[str] | None = None) -> dict[str, SourceTable]:
        """The tables of these names that there are, or all of them, in three round trips."""
        return describe(self._link, names)

    def now(self) -> datetime:
        """The source's clock, cut to the second, with a time zone."""
        (said,) = self._link.row("select date_format(utc_timestamp(), '%Y-%m-%d %H:%i:%s')")
        return datetime.fromisoformat((said or b"").decode()).replace(tzinfo=UTC)

    def count(self, table: SourceTable) -> int:
        """How many rows there are."""
        return int(self._link.row(f"select count(*) from {quoted(table.name)}")[0] or 0)

    def read(self, table: SourceTable, piece: Piece, *, batch_size: int, without_nul: bool = False) -> Iterator[bytes]:
        """The rows of a piece in COPY's text format, as `DatabaseReader` has it."""
        blocks = self._ahead(Batches(self._link, table, table.columns, batch_size, careful=without_nul), piece)
        return map(fit_text, blocks) if without_nul else blocks

    def keys(self, table: SourceTable, piece: Piece, *, batch_size: int) -> Iterator[bytes]:
        """The keys of the rows of a piece, likewise."""
        key = column_of(table, key_of(table))
        return self._ahead(Batches(self._link, table, (key,), batch_size), piece)

    def fingerprints(
        self, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None = None
    ) -> Iterator[Fingerprint]:
        """The fingerprints of all ranges of a table, as `DatabaseReader` has it."""
        return read_fingerprints(self._link, table, bounds, batch_size=batch_size, after=after)

    def sums(self, table: SourceTable, piece: Piece, *, at_once: bool = False) -> Sums:
        """What the rows of a piece come to, asked for stride by stride unless it may be asked at once."""
        words, stride = words_of(table.columns), stride_of(table)
        is_large = table.ranged and (piece.keys is not None or (table.rows > stride and not at_once))
        parts = strides(self._link, table, piece, stride) if is_large else (piece,)
        return read_sums(table.columns, [ask_sums(self._link, table, words, part) for part in parts])

    def as_staged(self, table: SourceTable, piece: Piece) -> Piece:
        """The piece as it is said of the copy, as `DatabaseReader` has it."""
        if piece.stamp is None or not is_wall_clock(column_of(table, piece.stamp)):
            return piece
        return replace(piece, since=self._on_the_wall(piece.since), until=self._on_the_wall(piece.until))

    def close(self) -> None:
        """End the connection, and what is still being read."""
        if reading := self._reading():
            # Its thread may be waiting for the source, and a driver is not to be closed under a thread.
            reading.close()
        self._link.close()

    def _ahead(self, batches: Batches, piece: Piece) -> Generator[bytes]:
        """Read; a reading that nobody holds any more ends by itself."""
        reading = _taken(batches, piece)
        self._reading = weakref.ref(reading)
        return reading

    def _on_the_wall(self, moment: datetime | None) -> datetime | None:
        if moment is None:
            return None
        shown = self._link.row(f"select cast({wall_clock(moment.astimezone(UTC))} as char)")[0] or b""
        return datetime.fromisoformat(shown.decode()).replace(tzinfo=UTC)


def _taken(batches: Batches, piece: Piece) -> Generator[bytes]:
    with closing(batches.of(piece)) as taken, closing(one_ahead(taken)) as coming:
        for blocks in coming:
            yield from blocks
