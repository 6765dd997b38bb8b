"""The road of one table of a database into staging: copy, merge, hold against the source, write it down.

All of it is one transaction. What is read, and how, is `plan.Way`; whether there is anything to read, `asking`.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import psycopg

from etl_assets.declare.database import DatabaseReader, Piece
from etl_assets.declare.tables import Full, Incremental
from etl_assets.errors import TransientError
from etl_assets.loading.database import ranges
from etl_assets.loading.database.changes import WHOLE, Asked, ask_by_range, is_small
from etl_assets.loading.database.extract import Reading
from etl_assets.loading.database.extraction_window import Permit
from etl_assets.loading.database.plan import TablePlan
from etl_assets.loading.database.verify import Comparison, Outlived, loads_in_time, matches_source, outlives_source
from etl_assets.loading.guards import hold_to_floor
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.warehouse.database import before_images, retained, rows, staging
from etl_assets.warehouse.database.extraction import Extraction, extraction, forget, record_extraction, record_ranges
from etl_assets.warehouse.database.staging import Target
from etl_assets.warehouse.database.sums import read_sums
from etl_assets.warehouse.ledger import Batch, Counts, record_load, record_watermark
from etl_assets.warehouse.relation import count_anew, hold_alone
from etl_assets.warehouse.results import record_result

PIECE_ROWS = 50_000
"""Rows of one comparison where a big table was read whole: a statement at the source must be short."""
COUNT_ANEW_FROM = 1_000
"""Rows written from which on the server counts the table anew at once, and not when it comes round to it."""


@dataclass
class Copying:
    """One table on its way, in one transaction."""

    plan: TablePlan
    reader: DatabaseReader
    connection: psycopg.Connection
    batch: Batch
    permit: Permit
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
    _last_key: int | None = None
    """The greatest key of what was appended."""
    _outlived: Outlived = field(default_factory=Outlived)

    def __post_init__(self) -> None:
        described, copied = self.plan.described, self.plan.copied
        self.target = Target(
            relation=self.plan.relation,
            columns={column.staging_name: column.staging_type for column in described.columns},
            keys=described.staging_keys,
            keep_deleted=copied.keep_deleted,
            append_only=copied.keep_deleted and self.plan.is_appended,
            fresh=self.plan.new_columns if self.plan.state else [column.staging_name for column in described.columns],
            happens_on=copied.happens_on,
            batch=self.batch.id,
        )
        self._reading = Reading(self.plan, self.reader, self.connection, self.permit, self.target)

    def load(self, asked: Asked) -> None:
        """Load what there is; the transaction has begun, and is neither committed nor rolled back here.

        Raises:
            ShrunkenLoad: The source has lost so much that it is not believed.
            TransientError: Another run has loaded the table since it was planned; or the source went away.
        """
        plan, target = self.plan, self.target
        hold_alone(self.connection, plan.relation)
        if extraction(self.connection, plan.relation) != plan.seen:
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
            asked = self._catch_up(asked)
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
        """Make the table where there is none, and find out how much it holds."""
        plan, state = self.plan, self.plan.state
        if plan.held is None:
            if plan.seen:
                # It was dropped or renamed: what is known of it is of another table.
                forget(self.connection, plan.relation)
                retained.stand_down(self.connection, self.target)
            staging.create(self.connection, self.target)
        else:
            self._held = state.rows_held if state and state.rows_held else rows.count_held(self.connection, self.target)
        if self.target.keep_deleted:
            staging.guard(self.connection, self.target)
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
        copied = self._reading.put_all(begun=asked.blocks)
        if copied:
            before_images.forget_earlier(self.connection, self.target)
        if self.plan.held is None:
            staging.finish(self.connection, self.target)
        self.counts += Counts(rows_read=copied, rows_inserted=copied)
        self._dates |= rows.dates_held(self.connection, self.target)
        if copied >= COUNT_ANEW_FROM:
            count_anew(self.connection, self.plan.relation)
        whole = self._is_small or not self.plan.described.ranged
        self._hold_against([WHOLE] if whole else rows.pieces_of(self.connection, self.target, PIECE_ROWS))
        if self.plan.is_appended:
            self._last_key = rows.last_key(self.connection, self.target)

    def _replace(self) -> None:
        """Replace all rows of a table without a key."""
        deleted, dates = rows.delete_all(self.connection, self.target)
        copied = self._reading.put_all()
        self._believe(copied)
        self.counts += Counts(rows_read=copied, rows_inserted=copied, rows_deleted=deleted)
        self._dates |= dates | rows.dates_held(self.connection, self.target)
        self._hold_against([WHOLE])

    def _compare_ranges(self, asked: Asked) -> None:
        """Bring the ranges up to date that come to something else than before; what is gone of them is deleted."""
        self._reading.arrived.clear()
        for group in ranges.groups(asked.differing):
            pieces = ranges.joined(group)
            self._bring(pieces)
            self._lose(rows.find_gone(self.connection, self.target, pieces))
            if self.target.keep_deleted or not self._is_small:
                self._hold_against(pieces, arrived_only=self.target.keep_deleted)
        if self.target.keep_deleted:
            untouched = sum(each.rows for each in asked.ranges) - sum(each.rows for each in asked.differing)
            self._apart = self.rows_held - untouched - sum(self._reading.arrived.values())

    def _catch_up(self, asked: Asked) -> Asked:
        """Bring in what is new or was changed; where the numbers of rows then differ, look for what is gone.

        Returns:
            What the source was asked in the end.
        """
        plan = self.plan
        is_other = False
        if asked.blocks:
            self._bring([asked.piece], begun=asked.blocks)
            if plan.is_appended:
                self._last_key = rows.last_key(self.connection, self.target, arrived_only=True)
                # Nothing is ever changed there: so it is an older one again, or somebody has been at it.
                is_other = self._outlived.newly_refused > 0 or self.counts.rows_updated > 0
            if self.target.keep_deleted or not self._is_small:
                self._hold_against(self._read_lately(asked), arrived_only=self.target.keep_deleted)
        if not is_other:
            self.permit.hold()
            number = self.reader.count(plan.described) if asked.rows is None else asked.rows
            if number == self.rows_held - self._apart:
                return asked
            if asked.blocks and plan.is_appended and asked.piece.after is not None:
                # What is gone of the last rows was perhaps written anew, and not those alone.
                is_other = rows.find_gone(self.connection, self.target, [asked.piece]).rows > 0
        if is_other:
            asked = ask_by_range(plan, self.reader, self.permit, at=asked.at, until=asked.until)
            self._compare_ranges(asked)
        elif plan.described.ranged:
            self._compare_keys()
        else:
            arrived = self._bring([WHOLE])
            self._lose(rows.find_gone(self.connection, self.target, [WHOLE]))
            self._apart = self.rows_held - arrived if self.target.keep_deleted else 0
        return asked

    def _read_lately(self, asked: Asked) -> list[Piece]:
        """What was read, as far as it has an end: after that the source goes on."""
        if asked.piece.since and asked.until:
            return [replace(asked.piece, until=asked.until)] if asked.piece.since < asked.until else []
        return [asked.piece]

    def _compare_keys(self) -> None:
        """Compare the keys alone: delete what is gone, and fetch what is missing."""
        described, size = self.plan.described, self.plan.copied.batch_size
        keys = self.permit.watch(self.reader.keys(described, WHOLE, batch_size=size))
        rows.begin_keys(self.connection, self.target, keys)
        gone = rows.find_gone(self.connection, self.target, [WHOLE], said=rows.KEYS)
        self._lose(gone)
        left_out, last = self._left_out, None
        while missing := rows.missing_keys(self.connection, self.target, after=last, most=size):
            self._bring([Piece(keys=tuple(missing))])
            last = missing[-1]
        if self.target.keep_deleted:
            self._apart = gone.rows - (self._left_out - left_out)

    def _bring(self, pieces: Sequence[Piece], *, begun: Iterator[bytes] | None = None, again: bool = False) -> int:
        """Read pieces and merge them, as `Reading.bring`. Returns how many rows arrived."""
        brought = self._reading.bring(pieces, begun=begun, again=again)
        merged, read = brought.merged, brought.arrived - brought.left_out
        self.counts += Counts(
            rows_read=read,
            rows_inserted=merged.inserted,
            rows_updated=merged.updated,
            rows_unchanged=read - merged.inserted - merged.updated - merged.refused,
            rows_rejected=merged.refused,
        )
        self._outlived += Outlived(overwritten=merged.overwritten, newly_refused=merged.newly_refused)
        self._left_out += brought.left_out
        self._dates |= merged.dates
        self.notes += [note for note in brought.notes if note not in self.notes]
        if self.plan.ranges and self.plan.described.ranged and (merged.inserted or merged.updated):
            rows.doubt_ranges(self.connection, self.target, rows.DIFFERING)
        return brought.arrived

    def _lose(self, gone: rows.Gone) -> None:
        """Delete rows that the source no longer has; or keep them, and remember that it has lost them."""
        if not gone.rows:
            return
        if self.target.keep_deleted:
            self._outlived = replace(self._outlived, gone=gone)
            if self.target.append_only:
                retained.stand_down(self.connection, self.target, rows.GONE)
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
        for piece in self._bounded(pieces, arrived_only=arrived_only):
            found = self._compare(piece, arrived_only=arrived_only)
            if found.differs and self.target.keys:
                self.notes.append(
                    f"{found.rows_broken:,} rows at least differed from the source, by"
                    f" {', '.join(sorted(found.broken)) or 'their number'}, and were read again"
                )
                self._bring([replace(piece, until=None)], again=arrived_only)
                if piece.stamp is None:
                    self._lose(rows.find_gone(self.connection, self.target, [piece]))
                found = self._compare(piece, arrived_only=arrived_only)
            total += found
        self._comparison = total

    def _bounded(self, pieces: Sequence[Piece], *, arrived_only: bool) -> list[Piece]:
        """The pieces, up to the last key that was read: the source goes on beyond it."""
        *before, last = pieces or [WHOLE]
        if not pieces or last.upto is not None or last.stamp is not None or not self.plan.described.ranged:
            return list(pieces)
        upto = rows.last_key(self.connection, self.target, arrived_only=arrived_only)
        if upto is None:
            return before if arrived_only else list(pieces)
        return [*before, replace(last, upto=upto)]

    def _compare(self, piece: Piece, *, arrived_only: bool) -> Comparison:
        self.permit.hold()
        there = self.reader.sums(self.plan.described, piece)
        return Comparison.of(there, read_sums(self.connection, self.target, piece, arrived_only=arrived_only))

    def _record(self, asked: Asked) -> None:
        """Write into the ledger what was done and how far the table has been read."""
        plan, connection, state = self.plan, self.connection, self.plan.state
        if self.counts.changed >= COUNT_ANEW_FROM and plan.held:
            count_anew(connection, plan.relation)
        reached = Extraction(
            rows_held=self.rows_held,
            rows_apart=self._apart,
            read_until=asked.until,
            read_at=asked.at,
            last_key=self._reached(asked),
            source_columns=tuple(self.target.columns),
            swept_at=asked.at if asked.ranges else state.swept_at if state else None,
            in_doubt=self._comparison.differs if self._comparison else False,
            changed_by=self.batch.id if self.counts.changed else state.changed_by if state else None,
            batch_id=self.batch.id,
        )
        record_extraction(connection, plan.source.name, plan.relation, reached)
        if asked.ranges:
            read = asked.differing if self._held else asked.ranges
            stand = ranges.as_they_stand(plan, self.reader, self.permit, asked.ranges, read)
            record_ranges(connection, plan.relation, stand)
        seconds = time.monotonic() - self.started
        record_load(connection, self.batch, plan.relation, self.counts, seconds=seconds, changed=self._dates)
        record_watermark(connection, self.batch, plan.relation, (asked.until or asked.at).isoformat())
        self._check(seconds)

    def _reached(self, asked: Asked) -> int | None:
        """The greatest key of the source, as far as it was read, of a table that is only appended to."""
        if not self.plan.is_appended:
            return None
        if asked.ranges:
            return asked.greatest
        return self._last_key if self._last_key is not None or self.plan.state is None else self.plan.state.last_key

    def _check(self, seconds: float) -> None:
        plan, state = self.plan, self.plan.state
        if self._comparison:
            self.checks.append(matches_source(plan, self._comparison))
        self.checks.append(loads_in_time(plan, seconds, self.counts.rows_read))
        if self.target.keep_deleted:
            before = state.rows_apart if state else 0
            refused = retained.standing(self.connection, self.target) if self.target.append_only else retained.Refused()
            outlived = replace(self._outlived, held=self.rows_held, apart=self._apart, before=before, refused=refused)
            self.checks.append(outlives_source(outlived))
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
