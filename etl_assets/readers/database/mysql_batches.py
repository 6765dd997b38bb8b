"""Takes the rows of a piece batch by batch, so that no statement keeps the source waiting for the warehouse."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from etl_assets.declare.database import Piece, SourceColumn, SourceTable
from etl_assets.readers.database.conditions import is_indexed, key_of
from etl_assets.readers.database.mysql_lines import Lines, quoted
from etl_assets.readers.database.mysql_link import FETCH_ROWS, MysqlLink
from etl_assets.readers.database.mysql_parts import BATCH_BYTES, STRIDE, source_of, stride_of, strides

LONG_ROWS = 8
"""Rows taken at once where each may hold a document."""

Blocks = list[bytes]


class Batches:
    """The rows of one table as lines of some of its columns.

    Args:
        link: To the source; nobody else asks it anything while a piece is taken.
        table: Which.
        columns: What a line is made of, in order; of a table that is `ranged` the key is among them.
        batch_size: Rows of one statement, at most.
        careful: Look at dates more closely.
    """

    def __init__(
        self,
        link: MysqlLink,
        table: SourceTable,
        columns: Sequence[SourceColumn],
        batch_size: int,
        *,
        careful: bool = False,
    ) -> None:
        self._link = link
        self._table = table
        self._columns = columns
        self._batch_size = batch_size
        self._lines = Lines.of(columns, packet=link.packet, careful=careful)
        self._row_bytes = table.size_bytes // table.rows if table.rows else 0
        self._after: int | None = None

    def of(self, piece: Piece) -> Generator[Blocks]:
        """The rows of a piece: blocks that have been taken from the source, which is left to itself meanwhile."""
        if not self._table.ranged or self._is_one_statement(piece):
            yield from self._of_statement(f"select {self._lines.select}{source_of(self._table, piece)}")
            return
        if piece.keys is not None:
            parts = strides(self._link, self._table, piece, self._batch_size)
        elif piece.stamp is not None and not is_indexed(self._table, piece.stamp):
            # Else the first batch would look at all rows, up to the last that are new.
            parts = strides(self._link, self._table, piece, stride_of(self._table))
        else:
            parts = iter((piece,))
        for part in parts:
            yield from self._of_part(part)

    def _is_one_statement(self, piece: Piece) -> bool:
        """Whether the whole table is wanted and is no more than a batch: MyISAM then takes half the time, unsorted."""
        # Who gives a batch more rows than a stride has asked for a statement that may be long; nobody else gets one.
        is_short = self._table.size_bytes <= BATCH_BYTES or self._batch_size > STRIDE
        return piece == Piece() and self._table.rows <= self._batch_size and is_short

    def _of_part(self, piece: Piece) -> Generator[Blocks]:
        self._after, key = piece.after, quoted(key_of(self._table))
        while True:
            rest = replace(piece, after=self._after)
            limit = max(1, min(self._batch_size, BATCH_BYTES // (self._row_bytes or 1)))
            rows = yield from self._of_statement(
                f"select {self._lines.select}{source_of(self._table, rest)} order by {key} limit {limit}"
            )
            if rows < limit:
                return

    def _of_statement(self, statement: str) -> Generator[Blocks, None, int]:
        """Take the rows of one statement. Returns how many there were."""
        blocks: Blocks = []
        rows = size = held = 0
        # Where long values are among them, few rows may be more than memory should hold.
        at_once = FETCH_ROWS if self._lines.is_finished else LONG_ROWS
        with closing(self._link.blocks(statement, at_once)) as results:
            for result in results:
                lines = self._lines.whole(result)
                blocks.append(b"\n".join(lines) + b"\n")
                rows, held = rows + len(lines), held + len(blocks[-1])
                self._note_key(lines[-1])
                if held >= BATCH_BYTES:
                    size += held
                    yield blocks
                    blocks, held = [], 0
        if rows:
            self._row_bytes = (size + held) // rows
        if blocks:
            yield blocks
        return rows

    def _note_key(self, last: bytes) -> None:
        if self._table.ranged:
            place = [column.name for column in self._columns].index(key_of(self._table))
            self._after = int(last.split(b"\t", place + 1)[place])
