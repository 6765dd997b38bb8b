"""The road of one table of a database into staging: copy, merge, hold against the source, write it down.

All of it is one transaction. What is read, and how, is `plan.Way`; whether there is anything to read, `asking`.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import psycopg

from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.asking import WHOLE, Asked, Watch, end, is_small
from etl_assets.loading.guards import hold_to_floor
from etl_assets.loading.plan import TablePlan
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.loading.verify import Comparison, loads_in_time, matches_source, outlives_source
from etl_assets.spec.database import DatabaseReader, Fingerprint, Piece
from etl_assets.spec.table import Full, Incremental
from etl_assets.warehouse import copies, rows
from etl_assets.warehouse.copies import Target
from etl_assets.warehouse.extraction import Extraction, extraction, record_extraction, record_ranges
from etl_assets.warehouse.ledger import Batch, Counts, record_load, record_watermark
from etl_assets.warehouse.relation import count_anew, hold_alone
from etl_assets.warehouse.results import record_result
from etl_assets.warehouse.sums import read_sums

GROUP_ROWS = 200_000
"""Rows that are merged at once where many ranges are read."""
PIECE_ROWS = 50_000
"""Rows of one comparison where a big table was read whole: a statement at the source must be short."""
COUNT_ANEW_FROM = 1_000
"""Rows written from which on the server counts the table anew at once, and not when it comes round to it."""


UNFIT = (
    psycopg.errors.CharacterNotInRepertoire,
    psycopg.errors.UntranslatableCharacter,
    psycopg.errors.DatetimeFieldOverflow,
)
"""What PostgreSQL says to a NUL in a text, and to a day such as the 31st of February, which MySQL may allow."""


@dataclass
class Copying:
    """One table on its way, in one transaction."""

    plan: TablePlan
    reader: DatabaseReader
    connection: psycopg.Connection
    batch: Batch
    watch: Watch
    started: float
    """When its load began, by the clock that never jumps."""
    accept_shrink: bool = False
    verify: bool = True

    counts: Counts = field(default_factory=Counts)
    notes: list[str] = field(default_factory=list)
    checks: list[TableCheck] = field(default_factory=list)
    _dates: set[date] = field(default_factory=set)
    _comparison: Comparison | None = None
    _held: int = 0
    """Rows held before."""
    _apart: int = 0
    """Rows held that the source does not have."""
    _left_out: int = 0
    """Rows that arrived and that somebody has decided to let go of."""
    _lost: rows.Gone | None = None
    """Rows that the source has deleted, and that stay here."""
    _without_nul: bool = False

    def __post_init__(self) -> None:
        described, copied = self.plan.described, self.plan.copied
        self.target = Target(
            relation=self.plan.relation,
            columns={column.staging_name: column.staging_type for column in described.columns},
            keys=described.staging_keys,
            keep_deleted=copied.keep_deleted,
            happens_on=copied.happens_on,
            batch=self.batch.id,
        )

    def load(self, asked: Asked) -> None:
        """Load what there is; the transaction has begun, and is neither committed nor rolled back here.

        Raises:
            ShrunkenLoad: The source has lost so much that it is not believed.
            TransientError: Another run has loaded the table since it was planned; or the source went away.
        """
        plan, target = self.plan, self.target
        hold_alone(self.connection, plan.relation)
        if extraction(self.connection, plan.relation) != plan.state:
            raise TransientError(
                f"{plan.relation}: another run has loaded it meanwhile. Nothing was done; run it again."
            )
        self._prepare()
        if self._held == 0 and (plan.held is None or not target.keep_deleted):
            self._fill(asked)
        elif not target.keys:
            self._replace()
        elif asked.ranges:
            self._compare_ranges(asked)
        else:
            self._catch_up(asked)
        if self._comparison is None and not target.keep_deleted and self._is_small:
            self._hold_against([WHOLE])
        self._record(asked)

    def tell(self, report: LoadReport) -> None:
        """Add what was done to the report; once it is committed."""
        report.counts += self.counts
        report.notes += self.notes
        report.checks += self.checks

    @property
    def rows_held(self) -> int:
        """Rows held now."""
        return self._held + self.counts.rows_inserted - self.counts.rows_deleted

    @property
    def _is_small(self) -> bool:
        return is_small(self.plan, self.rows_held)

    def _prepare(self) -> None:
        """Make the table, or give it the columns it lacks, and find out how much it holds."""
        plan, state = self.plan, self.plan.state
        if not self.target.keys and self.target.keep_deleted:
            raise EtlError(
                f"{plan.relation}: it has no key, so nobody can tell which of its rows the source has deleted."
                " It cannot be one that keeps them."
            )
        if plan.held is None:
            copies.create(self.connection, self.target)
        else:
            lacking = [name for name in self.target.columns if name not in plan.held.columns]
            copies.add_columns(self.connection, self.target, lacking)
            self._held = state.rows_held if state and state.rows_held else rows.count_held(self.connection, self.target)
        if self.target.keep_deleted:
            copies.guard(self.connection, self.target)
        self._apart = state.rows_apart if state else 0
        if plan.held and plan.new_columns:
            self.notes.append(f"new at the source: {', '.join(plan.new_columns)}; every row was read for it")
        if plan.dropped_columns:
            self.notes.append(
                f"no longer at the source, or no longer loaded: {', '.join(plan.dropped_columns)};"
                " what is held of it stays, and new rows have null"
            )

    def _fill(self, asked: Asked) -> None:
        """Copy the whole table into one that is empty, and give a new one its key afterwards: it is faster so."""
        copied = self._copy(WHOLE, straight=True, begun=asked.blocks)
        if self.plan.held is None:
            copies.finish(self.connection, self.target)
        self.counts += Counts(rows_read=copied, rows_inserted=copied)
        self._dates |= rows.dates_held(self.connection, self.target)
        if copied >= COUNT_ANEW_FROM:
            count_anew(self.connection, self.plan.relation)
        whole = self._is_small or not self.plan.described.ranged
        self._hold_against([WHOLE] if whole else rows.pieces_of(self.connection, self.target, PIECE_ROWS))

    def _replace(self) -> None:
        """Replace all rows of a table without a key."""
        deleted, dates = rows.delete_all(self.connection, self.target)
        copied = self._copy(WHOLE, straight=True)
        self._believe(copied)
        self.counts += Counts(rows_read=copied, rows_inserted=copied, rows_deleted=deleted)
        self._dates |= dates | rows.dates_held(self.connection, self.target)
        self._hold_against([WHOLE])

    def _compare_ranges(self, asked: Asked) -> None:
        """Bring the ranges up to date that come to something else than before; what is gone of them is deleted."""
        arrived = 0
        for group in _groups(asked.differing):
            pieces = _joined(group)
            arrived += self._bring(pieces)
            self._lose(rows.find_gone(self.connection, self.target, pieces))
            if self.target.keep_deleted or not self._is_small:
                self._hold_against(pieces, arrived_only=self.target.keep_deleted)
        if self.target.keep_deleted:
            untouched = sum(each.rows for each in asked.ranges) - sum(each.rows for each in asked.differing)
            self._apart = self.rows_held - untouched - arrived

    def _catch_up(self, asked: Asked) -> None:
        """Bring in what is new or was changed; where the numbers of rows then differ, look for what is gone."""
        if asked.blocks:
            self._bring([asked.piece], begun=asked.blocks)
            if self.target.keep_deleted or not self._is_small:
                self._hold_against(self._read_lately(asked), arrived_only=self.target.keep_deleted)
        number = self.reader.count(self.plan.described) if asked.rows is None else asked.rows
        if number == self.rows_held - self._apart:
            return
        if self.plan.described.ranged:
            self._compare_keys()
        else:
            arrived = self._bring([WHOLE])
            self._lose(rows.find_gone(self.connection, self.target, [WHOLE]))
            self._apart = self.rows_held - arrived if self.target.keep_deleted else 0

    def _read_lately(self, asked: Asked) -> list[Piece]:
        """What was read, as far as it has an end: after that the source goes on."""
        if asked.piece.since and asked.until:
            return [replace(asked.piece, until=asked.until)] if asked.piece.since < asked.until else []
        if not self.plan.described.ranged:
            return [asked.piece]
        return [replace(asked.piece, upto=rows.last_key(self.connection, self.target))]

    def _compare_keys(self) -> None:
        """Compare the keys alone: delete what is gone, and fetch what is missing."""
        described, size = self.plan.described, self.plan.copied.batch_size
        keys = self.watch(self.reader.keys(described, WHOLE, batch_size=size))
        rows.begin_keys(self.connection, self.target, keys)
        gone = rows.find_gone(self.connection, self.target, [WHOLE], said=rows.KEYS)
        self._lose(gone)
        left_out, last = self._left_out, None
        while missing := rows.missing_keys(self.connection, self.target, after=last, most=size):
            self._bring([Piece(keys=tuple(missing))])
            last = missing[-1]
        if self.target.keep_deleted:
            self._apart = gone.rows - (self._left_out - left_out)

    def _bring(self, pieces: Sequence[Piece], *, begun: Iterator[bytes] | None = None) -> int:
        """Read pieces and merge them; delete nothing. Returns how many rows arrived."""
        rows.begin(self.connection, self.target)
        arrived = sum(self._copy(piece, begun=begun) for piece in pieces)
        left_out = rows.leave_out_retired(self.connection, self.target) if self.target.keep_deleted else 0
        if arrived >= rows.COUNT_ANEW_FROM:
            self.connection.execute(f"analyze {rows.ROWS}")
        merged = rows.merge(self.connection, self.target)
        read = arrived - left_out
        self.counts += Counts(
            rows_read=read,
            rows_inserted=merged.inserted,
            rows_updated=merged.updated,
            rows_unchanged=read - merged.inserted - merged.updated,
        )
        self._left_out += left_out
        self._dates |= merged.dates
        if self.plan.ranges and self.plan.described.ranged and (merged.inserted or merged.updated):
            rows.doubt_ranges(self.connection, self.target, rows.DIFFERING)
        return arrived

    def _copy(self, piece: Piece, *, straight: bool = False, begun: Iterator[bytes] | None = None) -> int:
        """Read a piece into the target itself, or into the temporary table; without NULs where there are any."""
        put = rows.put_straight if straight else rows.take_in
        for without_nul in (True,) if self._without_nul else (False, True):
            blocks = begun if begun and not without_nul else self._read(piece, without_nul=without_nul)
            stream = self.watch(blocks)
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
        size = self.plan.batch_size
        return self.reader.read(self.plan.described, piece, batch_size=size, without_nul=without_nul)

    def _lose(self, gone: rows.Gone) -> None:
        """Delete rows that the source no longer has; or keep them, and remember that it has lost them."""
        if not gone.rows:
            return
        if self.target.keep_deleted:
            self._lost = gone
            return
        self._believe(self._held - self.counts.rows_deleted - gone.rows)
        rows.delete_gone(self.connection, self.target)
        self.counts += Counts(rows_deleted=gone.rows)
        self._dates |= gone.dates
        if self.plan.ranges and self.plan.described.ranged:
            rows.doubt_ranges(self.connection, self.target, rows.GONE)

    def _believe(self, staying: int) -> None:
        """Raise ShrunkenLoad where so few of the rows held are still at the source."""
        load = self.plan.table.load
        if not self.accept_shrink and isinstance(load, Full | Incremental):
            again = f"etl run {self.plan.source.name} {self.plan.table.name}"
            where = str(self.plan.relation)
            hold_to_floor(where, held=self._held, staying=staying, floor=load.shrink_floor, again=again)

    def _hold_against(self, pieces: Sequence[Piece], *, arrived_only: bool = False) -> None:
        """Compare pieces with the source; one that differs is read once more, for the source moves under us."""
        if not self.verify or (arrived_only and self._left_out):
            return
        total = self._comparison or Comparison()
        for piece in pieces:
            found = self._compare(piece, arrived_only=arrived_only)
            if found.differs and self.target.keys:
                self.notes.append(
                    f"{found.rows_broken:,} rows at least differed from the source, by"
                    f" {', '.join(sorted(found.broken)) or 'their number'}, and were read again"
                )
                self._bring([replace(piece, until=None)])
                if piece.stamp is None:
                    self._lose(rows.find_gone(self.connection, self.target, [piece]))
                found = self._compare(piece, arrived_only=arrived_only)
            total += found
        self._comparison = total

    def _compare(self, piece: Piece, *, arrived_only: bool) -> Comparison:
        there = self.reader.sums(self.plan.described, piece)
        return Comparison.of(there, read_sums(self.connection, self.target, piece, arrived_only=arrived_only))

    def _record(self, asked: Asked) -> None:
        """Write into the ledger what was done and how far the table has been read."""
        plan, connection, state = self.plan, self.connection, self.plan.state
        by_key = isinstance(plan.table.load, Incremental) and plan.stamp is None and plan.described.ranged
        if self.counts.changed >= COUNT_ANEW_FROM and plan.held:
            count_anew(connection, plan.relation)
        reached = Extraction(
            rows_held=self.rows_held,
            rows_apart=self._apart,
            read_until=asked.until,
            read_at=asked.at,
            last_key=rows.last_key(connection, self.target) if by_key else None,
            source_columns=tuple(self.target.columns),
            swept_at=asked.at if asked.ranges else state.swept_at if state else None,
            in_doubt=self._comparison.differs if self._comparison else False,
            changed_by=self.batch.id if self.counts.changed else state.changed_by if state else None,
            batch_id=self.batch.id,
        )
        record_extraction(connection, plan.source.name, plan.relation, reached)
        if asked.ranges:
            record_ranges(connection, plan.relation, asked.ranges)
        seconds = time.monotonic() - self.started
        record_load(connection, self.batch, plan.relation, self.counts, seconds=seconds, changed=self._dates)
        record_watermark(connection, self.batch, plan.relation, (asked.until or asked.at).isoformat())
        self._check(seconds)

    def _check(self, seconds: float) -> None:
        plan, state = self.plan, self.plan.state
        if self._comparison:
            self.checks.append(matches_source(plan, self._comparison))
        self.checks.append(loads_in_time(plan, seconds, self.counts.rows_read))
        if self.target.keep_deleted:
            before = state.rows_apart if state else 0
            self.checks.append(outlives_source(plan, self._lost, held=self.rows_held, apart=self._apart, before=before))
        for check in self.checks:
            record_result(
                self.connection,
                self.batch,
                str(plan.relation),
                check.name,
                severity="error" if check.is_error else "warning",
                passed=check.passed,
                rows_checked=check.rows_checked,
                rows_broken=check.rows_broken,
            )


def _groups(ranges: Sequence[Fingerprint]) -> Iterator[list[Fingerprint]]:
    """The ranges in order, so many together as come to `GROUP_ROWS`."""
    group: list[Fingerprint] = []
    for each in ranges:
        if group and sum(one.rows for one in group) + each.rows > GROUP_ROWS:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _joined(ranges: Sequence[Fingerprint]) -> list[Piece]:
    """The ranges as pieces, neighbours as one."""
    pieces: list[Piece] = []
    for each in ranges:
        if pieces and pieces[-1].upto is not None and pieces[-1].upto == each.after:
            pieces[-1] = replace(pieces[-1], upto=each.upto)
        else:
            pieces.append(Piece(after=each.after, upto=each.upto))
    return pieces
