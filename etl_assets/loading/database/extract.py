"""The rows of one table on their way from the source: into the target itself, or merged into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from etl_assets.declare.database import DatabaseReader, Piece
from etl_assets.loading.database.changes import WHOLE
from etl_assets.loading.database.extraction_window import Permit, end
from etl_assets.loading.database.plan import TablePlan
from etl_assets.warehouse.database import rows
from etl_assets.warehouse.database.staging import Target

UNFIT = (
    psycopg.errors.CharacterNotInRepertoire,
    psycopg.errors.UntranslatableCharacter,
    psycopg.errors.DatetimeFieldOverflow,
)
"""What PostgreSQL says to a NUL in a text, and to a day such as the 31st of February, which MySQL may allow."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What became of the rows that were read."""

    arrived: int
    left_out: int
    """Rows that somebody has decided to let go of."""
    merged: rows.Merged
    notes: list[str]


@dataclass
class Reading:
    """Reads pieces of one table, in the transaction of its load."""

    plan: TablePlan
    reader: DatabaseReader
    connection: psycopg.Connection
    permit: Permit
    target: Target
    arrived: dict[int | None, int] = field(default_factory=dict)
    """Rows of each piece when it was last read, by the key after which it begins."""
    _without_nul: bool = False

    def put_all(self, *, begun: Iterator[bytes] | None = None) -> int:
        """Copy the whole table into one that is empty. Returns how many rows arrived."""
        if self.plan.held is None:
            return self._copy(WHOLE, straight=True, begun=begun)
        # Not straight: to give the target the batch's number shuts out those who read it, until all is read.
        rows.begin(self.connection, self.target)
        arrived = self._copy(WHOLE, begun=begun)
        rows.insert_all(self.connection, self.target)
        return arrived

    def bring(self, pieces: Sequence[Piece], *, begun: Iterator[bytes] | None = None, again: bool = False) -> Brought:
        """Read pieces and merge them; delete nothing.

        Args:
            pieces: Which rows.
            begun: The reading of the only piece, where it was begun.
            again: It is one piece of what was read last. The others stay in the temporary table: they are still to be
                compared by it.
        """
        if again:
            rows.begin_again(self.connection, self.target, pieces[0])
        else:
            rows.begin(self.connection, self.target)
        for piece in pieces:
            self.arrived[piece.after] = self._copy(piece, begun=begun)
        arrived = sum(self.arrived[piece.after] for piece in pieces)
        left_out, unknown = (
            rows.leave_out_retired(self.connection, self.target) if self.target.keep_deleted else (0, [])
        )
        if arrived >= rows.COUNT_ANEW_FROM:
            self.connection.execute(f"analyze {rows.ROWS}")
        return Brought(
            arrived=arrived,
            left_out=left_out,
            merged=rows.merge(self.connection, self.target, pieces[0] if again else WHOLE),
            notes=[
                f"rows were let go of by {name}, which the source does not have any more: those it still has come back"
                for name in unknown
            ],
        )

    def _copy(self, piece: Piece, *, straight: bool = False, begun: Iterator[bytes] | None = None) -> int:
        """Read a piece into the target itself, or into the temporary table; without NULs where there are any."""
        put = rows.put_straight if straight else rows.take_in
        for without_nul in (True,) if self._without_nul else (False, True):
            blocks = begun if begun and not without_nul else self._read(piece, without_nul=without_nul)
            stream = self.permit.watch(blocks)
            try:
                with self.connection.transaction():
                    return put(self.connection, self.target, stream)
            except UNFIT:
                if without_nul:
                    raise
                self._without_nul = True
            finally:
                stream.close()
                end(blocks)
        raise AssertionError("it is left by return or raise")

    def _read(self, piece: Piece, *, without_nul: bool) -> Iterator[bytes]:
        self.permit.hold()
        size = self.plan.batch_size
        return self.reader.read(self.plan.described, piece, batch_size=size, without_nul=without_nul)
