"""Extract rows of one table: copied into the target itself, or staged and merged into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from etl_assets.declare.database_reader import DatabaseReader, RowRange
from etl_assets.loading.database.changes import ALL_ROWS
from etl_assets.loading.database.extraction_window import ExtractionWindow, close_stream
from etl_assets.loading.database.plan import TablePlan
from etl_assets.warehouse.database import rows
from etl_assets.warehouse.database.staging import StagingTable

UNREPRESENTABLE = (
    psycopg.errors.CharacterNotInRepertoire,
    psycopg.errors.UntranslatableCharacter,
    psycopg.errors.DatetimeFieldOverflow,
)
"""What PostgreSQL raises for a NUL in a text, and for a day such as the 31st of February, which MySQL may allow."""


@dataclass(frozen=True, kw_only=True)
class ExtractResult:
    """Counts of the rows that were extracted and merged."""

    rows_read: int
    rows_expired: int
    """Rows that were left out because a retention decision has deleted them."""
    merged: rows.MergeResult
    notes: list[str]


@dataclass
class TableExtractor:
    """Extracts row ranges of one table, in the transaction of its load."""

    plan: TablePlan
    reader: DatabaseReader
    connection: psycopg.Connection
    window: ExtractionWindow
    target: StagingTable
    rows_by_range: dict[int | None, int] = field(default_factory=dict)
    """Rows of each range when it was last read, by the key after which it begins."""
    _without_nul: bool = False

    def copy_all(self, row_range: RowRange = ALL_ROWS, *, open_stream: Iterator[bytes] | None = None) -> int:
        """Copy the whole table, which the range is, into one that is empty. Returns how many rows arrived."""
        if self.plan.existing is None:
            return self._copy(row_range, direct=True, open_stream=open_stream)
        # Not directly: to give the target the batch's number shuts out those who read it, until all is read.
        rows.create_incoming(self.connection, self.target)
        rows_read = self._copy(row_range, open_stream=open_stream)
        rows.insert_all(self.connection, self.target)
        return rows_read

    def extract_and_merge(
        self, row_ranges: Sequence[RowRange], *, open_stream: Iterator[bytes] | None = None, reread: bool = False
    ) -> ExtractResult:
        """Read row ranges and upsert them; delete nothing.

        Args:
            row_ranges: Which rows.
            open_stream: The rows of the only range, where they are already being read.
            reread: It is one range of what was read last. The others stay in the temporary table: they are still to be
                compared by it.
        """
        within = self.reader.as_staged(self.plan.source_table, row_ranges[0]) if reread else ALL_ROWS
        if reread:
            rows.clear_incoming(self.connection, self.target, within)
        else:
            rows.create_incoming(self.connection, self.target)
        for row_range in row_ranges:
            self.rows_by_range[row_range.after] = self._copy(row_range, open_stream=open_stream)
        rows_read = sum(self.rows_by_range[row_range.after] for row_range in row_ranges)
        rows_expired, unknown = (
            rows.drop_expired(self.connection, self.target) if self.target.retain_deleted else (0, [])
        )
        if self._without_nul and rows.has_duplicate_keys(self.connection, self.target):
            raise self.plan.unusable_key()
        if rows_read:
            # Few rows too: the server takes an unknown table for a large one, and scans all of the target for it.
            self.connection.execute(f"analyze {rows.INCOMING}")
        return ExtractResult(
            rows_read=rows_read,
            rows_expired=rows_expired,
            merged=rows.merge_rows(self.connection, self.target, within),
            notes=[
                f"rows were let go of by {name}, which the source does not have any more: those it still has come back"
                for name in unknown
            ],
        )

    def _copy(self, row_range: RowRange, *, direct: bool = False, open_stream: Iterator[bytes] | None = None) -> int:
        """COPY a range into the target itself, or into the temporary table; without NULs where there are any."""
        copy_rows = rows.copy_into_target if direct else rows.copy_into_staging
        for without_nul in (True,) if self._without_nul else (False, True):
            blocks = open_stream if open_stream and not without_nul else self._read(row_range, without_nul=without_nul)
            stream = self.window.guarded(blocks)
            try:
                with self.connection.transaction():
                    return copy_rows(self.connection, self.target, stream)
            except UNREPRESENTABLE:
                if without_nul:
                    raise
                self._without_nul = True
            finally:
                stream.close()
                close_stream(blocks)
        raise AssertionError("it is left by return or raise")

    def _read(self, row_range: RowRange, *, without_nul: bool) -> Iterator[bytes]:
        self.window.check()
        size = self.plan.batch_size
        return self.reader.read(self.plan.source_table, row_range, batch_size=size, without_nul=without_nul)
