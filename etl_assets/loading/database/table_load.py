"""The load of one table: COPY, upsert, delete, verify against the source, within one transaction.

What is read, and how, is `plan.ExtractMode`; whether there is anything, `changes`. The steps are called by the loader
(`loading/load.py`) through `load.TableUnit`: `prepare`, `apply`, `verify`, `record`.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from etl_assets.declare.database_reader import DatabaseReader, RowRange
from etl_assets.loading.database import ranges, verify
from etl_assets.loading.database.changes import ALL_ROWS, Changes, detect_changed_ranges, is_small
from etl_assets.loading.database.chunks import ChunkReader
from etl_assets.loading.database.extract import TableExtractor
from etl_assets.loading.database.extraction_window import ExtractionWindow
from etl_assets.loading.database.plan import ExtractMode, TablePlan
from etl_assets.loading.database.prepare import notes_on_columns, prepare_table
from etl_assets.loading.database.verify import Comparison, RetainedRows
from etl_assets.loading.guards import check_shrink_floor
from etl_assets.loading.load import LoadOptions, Outcome
from etl_assets.loading.report import TableCheck
from etl_assets.warehouse.database import before_images, retained, rows, staging
from etl_assets.warehouse.database.extraction import Extraction, record_extraction, record_ranges
from etl_assets.warehouse.database.staging import StagingTable
from etl_assets.warehouse.database.sums import read_sums
from etl_assets.warehouse.ledger import Batch, Counts

VERIFY_CHUNK_ROWS = 50_000
"""Rows of one comparison where a big table was read whole: a statement at the source must be short."""
READ_WHOLE = (
    "every row was read: there were no digests of its file at the source, such as after VACUUM FULL or a restore, or"
    " other rows were held than by its digests"
)


@dataclass
class TableLoad:
    """The load of one table, in one transaction."""

    plan: TablePlan
    reader: DatabaseReader
    connection: psycopg.Connection
    batch: Batch
    window: ExtractionWindow
    started: float
    """When its load began, by the monotonic clock."""
    options: LoadOptions = LoadOptions()  # noqa: RUF009 (it is frozen)

    _outcome: Outcome = field(default_factory=Outcome)
    """Added to until the load is recorded: verifying may read rows once more."""
    _changes: Changes | None = None
    """Those that were applied."""
    _is_initial: bool = False
    """Whether the table was empty."""
    _comparison: Comparison | None = None
    _rows_before: int = 0
    """Rows in staging before the load."""
    _rows_retained: int = 0
    """Rows in staging that the source has deleted."""
    _rows_expired: int = 0
    """Rows read that were left out because a retention decision has deleted them."""
    _max_key: int | None = None
    """The greatest key of the appended rows."""
    _retained: RetainedRows = field(default_factory=RetainedRows)

    def __post_init__(self) -> None:
        source_table, table = self.plan.source_table, self.plan.table
        self.target = StagingTable(
            relation=self.plan.relation,
            columns={column.staging_name: column.staging_type for column in source_table.columns},
            keys=source_table.staging_keys,
            retain_deleted=table.retain_deleted,
            append_only=table.retain_deleted and self.plan.is_append_only,
            new_columns=self.plan.new_columns
            if self.plan.state
            else [column.staging_name for column in source_table.columns],
            comments=table.classes.comments() if table.classes else {},
            event_date=table.event_date,
            batch=self.batch.id,
        )
        parts = (self.plan, self.reader, self.connection, self.window, self.target)
        self._extractor, self._chunks = TableExtractor(*parts), ChunkReader(*parts)

    def apply(self, changes: Changes) -> Outcome:
        """Read the changes and merge them; the transaction has begun, and is neither committed nor rolled back here.

        Big tables are verified range by range as they are read: a statement at the source must be short.

        Raises:
            ShrunkenLoad: The source has lost so much that it is not believed.
            TransientError: The source went away.
        """
        self._changes = changes
        self._is_initial = self._rows_before == 0 and (self.plan.existing is None or not self.target.retain_deleted)
        if self._is_initial:
            self._initial_load(changes)
        elif not self.target.keys:
            self._replace_all()
        elif changes.ranges:
            self._reload_ranges(changes)
        elif changes.digests:
            self._reload_chunks()
        else:
            self._changes = self._apply_changes(changes)
        return self._outcome

    def verify(self) -> list[TableCheck]:
        """Verify what was not verified while it was read; what was found of the table, as checks."""
        if self._is_initial and self._comparison is None:
            whole = self._is_small or not self.plan.source_table.has_integer_key
            self._verify([ALL_ROWS] if whole else rows.split_rows(self.connection, self.target, VERIFY_CHUNK_ROWS))
            if self.plan.is_append_only:
                self._max_key = rows.max_key(self.connection, self.target)
        if self._comparison is None and not self.target.retain_deleted and self._is_small:
            self._verify([ALL_ROWS])
        return self._checks()

    @property
    def rows_held(self) -> int:
        """Rows in staging now."""
        return self._rows_before + self._outcome.counts.rows_inserted - self._outcome.counts.rows_deleted

    @property
    def _is_small(self) -> bool:
        return is_small(self.plan, self.rows_held)

    def prepare(self) -> None:
        """Create the table where there is none, and get its row counts, see `prepare_table`; the table is locked."""
        self._rows_before = prepare_table(self.connection, self.plan, self.target)
        self._rows_retained = self.plan.state.rows_retained if self.plan.state else 0
        self._outcome.notes += notes_on_columns(self.plan)

    def _initial_load(self, changes: Changes) -> None:
        """Initial load: COPY the whole table into an empty one; a new one gets its key afterwards, which is faster."""
        if changes.digests and self.target.keys:
            with self._chunks.snapshot() as found:
                whole = RowRange(chunks=tuple(found.chunks))
                copied = self._extractor.copy_all(whole)
                self._chunks.read_keys(found.chunks)
                if is_small(self.plan, copied):
                    self._finish_initial_load(copied)
                    self._verify([whole])
                    return
            self._finish_initial_load(copied)  # the source does not wait for an index
        else:
            self._finish_initial_load(self._extractor.copy_all(open_stream=changes.blocks))

    def _finish_initial_load(self, copied: int) -> None:
        """Give a new table its key, and count what arrived."""
        if copied:
            before_images.discard_earlier(self.connection, self.target)
        if self.plan.existing is None:
            staging.add_primary_key(self.connection, self.target)
            if self.target.retain_deleted:
                staging.give_to_keeper(self.connection, self.target)
        self._outcome.counts += Counts(rows_read=copied, rows_inserted=copied)
        self._outcome.changed |= rows.event_dates(self.connection, self.target)

    def _replace_all(self) -> None:
        """Replace all rows of a table without a key."""
        deleted, dates = rows.delete_all(self.connection, self.target)
        copied = self._extractor.copy_all()
        self._check_shrink(copied)
        self._outcome.counts += Counts(rows_read=copied, rows_inserted=copied, rows_deleted=deleted)
        self._outcome.changed |= dates | rows.event_dates(self.connection, self.target)
        self._verify([ALL_ROWS])

    def _reload_ranges(self, changes: Changes) -> None:
        """Upsert the key ranges whose checksums changed; delete what the source no longer has of them."""
        self._extractor.rows_by_range.clear()
        for group in ranges.group_ranges(changes.changed_ranges):
            row_ranges = ranges.merge_neighbours(group)
            self._upsert(row_ranges)
            self._delete(rows.find_deleted(self.connection, self.target, row_ranges))
            if self.target.retain_deleted or not self._is_small:
                self._verify(row_ranges, arrived_only=self.target.retain_deleted)
        if self.target.retain_deleted:
            untouched = sum(each.rows for each in changes.ranges) - sum(each.rows for each in changes.changed_ranges)
            self._rows_retained = self.rows_held - untouched - sum(self._extractor.rows_by_range.values())

    def _reload_chunks(self) -> None:
        """Upsert the chunks that were written to, and delete the keys that they had and that no chunk has any more.

        All of the table is read where nothing is known of it, or its rows are not as many as at the source even so.
        """
        known = None if self.plan.mode is ExtractMode.FULL_COMPARE else self.plan.digests
        with self._chunks.snapshot() as found:
            is_whole = known is None or known.storage != found.storage
            changed = set(found.changed_since(known))
            self._read_chunks(changed)
            if not is_whole and self.rows_held != found.rows:
                self._delete(self._chunks.find_deleted())
                if self.rows_held != found.rows:
                    is_whole = True
                    self._read_chunks(found.chunks.keys() - changed)
            if is_whole:
                self._outcome.notes.append(READ_WHOLE)
                self._delete(self._chunks.find_missing())
                self._rows_before += rows.count_rows(self.connection, self.target) - self.rows_held
            if self._is_small:
                self._verify([RowRange(chunks=tuple(found.chunks))])

    def _read_chunks(self, chunks: Collection[int]) -> None:
        """Upsert chunks, and read which keys lie in them."""
        for group in self._chunks.groups(chunks):
            self._upsert([group])
            if not self._is_small:
                self._verify([group], arrived_only=True)
        self._chunks.read_keys(chunks)

    def _apply_changes(self, changes: Changes) -> Changes:
        """Upsert new and changed rows; where row counts then differ, look for deletes.

        Returns:
            The changes that were applied in the end.
        """
        plan = self.plan
        is_replaced = False
        if changes.blocks:
            self._upsert([changes.row_range], open_stream=changes.blocks)
            if plan.is_append_only:
                self._max_key = rows.max_key(self.connection, self.target, arrived_only=True)
                # Nothing is ever changed there: so it is an older one again, or somebody has been at it.
                is_replaced = self._retained.new_conflicts > 0 or self._outcome.counts.rows_updated > 0
            if self.target.retain_deleted or not self._is_small:
                self._verify(changes.ranges_just_read, arrived_only=self.target.retain_deleted)
        if not is_replaced:
            self.window.check()
            number = self.reader.count(plan.source_table) if changes.rows is None else changes.rows
            if number == self.rows_held - self._rows_retained:
                return changes
            if changes.blocks and plan.is_append_only and changes.row_range.after is not None:
                # What is missing of the last rows was perhaps written anew, and not those alone.
                is_replaced = rows.find_deleted(self.connection, self.target, [changes.row_range]).rows > 0
        if is_replaced:
            changes = detect_changed_ranges(
                plan, self.reader, self.window, read_at=changes.read_at, read_until=changes.read_until
            )
            self._reload_ranges(changes)
        elif plan.source_table.has_integer_key:
            self._reconcile_keys()
        else:
            rows_read = self._upsert([ALL_ROWS])
            self._delete(rows.find_deleted(self.connection, self.target, [ALL_ROWS]))
            self._rows_retained = self.rows_held - rows_read if self.target.retain_deleted else 0
        return changes

    def _reconcile_keys(self) -> None:
        """Reconcile by keys alone: delete rows the source lacks, and fetch those that staging lacks."""
        source_table, size = self.plan.source_table, self.plan.table.batch_size
        keys = self.window.guarded(self.reader.keys(source_table, ALL_ROWS, batch_size=size))
        rows.load_source_keys(self.connection, self.target, keys)
        deleted = rows.find_deleted(self.connection, self.target, [ALL_ROWS], incoming=rows.SOURCE_KEYS)
        self._delete(deleted)
        expired_before, last = self._rows_expired, None
        while missing := rows.missing_keys(self.connection, self.target, after=last, limit=size):
            self._upsert([RowRange(keys=tuple(missing))])
            last = missing[-1]
        if self.target.retain_deleted:
            self._rows_retained = deleted.rows - (self._rows_expired - expired_before)

    def _upsert(
        self, row_ranges: Sequence[RowRange], *, open_stream: Iterator[bytes] | None = None, reread: bool = False
    ) -> int:
        """Upsert row ranges, see `TableExtractor.extract_and_merge`. Returns how many rows were read."""
        result = self._extractor.extract_and_merge(row_ranges, open_stream=open_stream, reread=reread)
        merged, read = result.merged, result.rows_read - result.rows_expired
        self._outcome.counts += Counts(
            rows_read=read,
            rows_inserted=merged.inserted,
            rows_updated=merged.updated,
            rows_unchanged=read - merged.inserted - merged.updated - merged.conflicts,
            rows_rejected=merged.conflicts,
        )
        self._retained += RetainedRows(overwritten=merged.overwritten, new_conflicts=merged.new_conflicts)
        self._rows_expired += result.rows_expired
        self._outcome.changed |= merged.dates
        self._outcome.notes += [note for note in result.notes if note not in self._outcome.notes]
        if self.plan.ranges and self.plan.source_table.has_integer_key and (merged.inserted or merged.updated):
            rows.invalidate_ranges(self.connection, self.target, rows.CHANGED)
        return result.rows_read

    def _delete(self, deleted: rows.DeletedAtSource) -> None:
        """Delete rows that the source no longer has; a retained table keeps them, and counts them."""
        if not deleted.rows:
            return
        if self.target.retain_deleted:
            self._retained = replace(self._retained, deleted=deleted)
            if self.target.append_only:
                retained.resolve_conflicts(self.connection, self.target, rows.DELETED)
            return
        self._check_shrink(self._rows_before - self._outcome.counts.rows_deleted - deleted.rows)
        rows.delete_found(self.connection, self.target)
        self._outcome.counts += Counts(rows_deleted=deleted.rows)
        self._outcome.changed |= deleted.dates
        if self.plan.ranges and self.plan.source_table.has_integer_key:
            rows.invalidate_ranges(self.connection, self.target, rows.DELETED)

    def _check_shrink(self, staying: int) -> None:
        """Raise ShrunkenLoad where too few of the rows in staging are still at the source."""
        load = self.plan.table.load
        if not self.options.accept_shrink:
            again = f"etl run {self.plan.source.name} {self.plan.table.name}"
            where = str(self.plan.relation)
            check_shrink_floor(where, held=self._rows_before, staying=staying, floor=load.shrink_floor, again=again)

    def _verify(self, row_ranges: Sequence[RowRange], *, arrived_only: bool = False) -> None:
        """Verify row ranges against the source; one that differs is read once more, for it may have changed."""
        if not self.options.verify or (arrived_only and self._rows_expired):
            return
        if verify.is_verified(self.connection, self.plan, self._outcome.counts, rows_held=self.rows_held):
            return
        total = self._comparison or Comparison()
        for row_range in ranges.up_to_last_key(
            row_ranges,
            self.plan.source_table,
            lambda: rows.max_key(self.connection, self.target, arrived_only=arrived_only),
            arrived_only=arrived_only,
        ):
            found = self._compare_sums(row_range, arrived_only=arrived_only)
            if found.differs and self.target.keys:
                self._outcome.notes.append(
                    f"{found.rows_broken:,} rows at least differed from the source, by"
                    f" {', '.join(sorted(found.differing_columns)) or 'their number'}, and were read again"
                )
                self._upsert([replace(row_range, until=None)], reread=arrived_only)
                if row_range.cursor_column is None and row_range.chunks is None:
                    self._delete(rows.find_deleted(self.connection, self.target, [row_range]))
                found = self._compare_sums(row_range, arrived_only=arrived_only)
            total += found
        self._comparison = total

    def _compare_sums(self, row_range: RowRange, *, arrived_only: bool) -> Comparison:
        self.window.check()
        source_table = self.plan.source_table
        source = self.reader.sums(source_table, row_range)
        staged = self.reader.as_staged(source_table, row_range)
        return Comparison.between(source, read_sums(self.connection, self.target, staged, arrived_only=arrived_only))

    def record(self) -> str:
        """Record in the ledger how far the table has been read. Returns the watermark."""
        plan, connection, state, changes = self.plan, self.connection, self.plan.state, self._changes
        if changes is None:
            raise AssertionError("changes were applied")
        reached = Extraction(
            rows_held=self.rows_held,
            rows_retained=self._rows_retained,
            read_until=changes.read_until,
            read_at=changes.read_at,
            last_key=self._last_key_read(changes),
            source_columns=tuple(self.target.columns),
            swept_at=changes.read_at if changes.is_reconciled else state.swept_at if state else None,
            needs_full_compare=self._comparison.differs if self._comparison else False,
            changed_by=self.batch.id if self._outcome.counts.changed else state.changed_by if state else None,
            batch_id=self.batch.id,
        )
        record_extraction(connection, plan.source.name, plan.relation, reached)
        if changes.digests:
            self._chunks.record(changes.digests)
        if changes.ranges:
            read = changes.changed_ranges if self._rows_before else changes.ranges
            checked = ranges.recheck_ranges(plan, self.reader, self.window, changes.ranges, read)
            record_ranges(connection, plan.relation, checked)
        return (changes.read_until or changes.read_at).isoformat()

    def _last_key_read(self, changes: Changes) -> int | None:
        """The greatest key of the source, as far as it was read, of a table that is only appended to."""
        if not self.plan.is_append_only:
            return None
        if changes.ranges:
            return changes.max_key
        return self._max_key if self._max_key is not None or self.plan.state is None else self.plan.state.last_key

    def _checks(self) -> list[TableCheck]:
        plan, state = self.plan, self.plan.state
        checks = [verify.loads_in_time(plan, time.monotonic() - self.started, self._outcome.counts.rows_read)]
        if self._comparison:
            checks.insert(0, verify.matches_source(plan, self._comparison))
        checks += verify.checks_of_columns(plan)
        if self.target.retain_deleted:
            found = replace(
                self._retained,
                rows_held=self.rows_held,
                rows_retained=self._rows_retained,
                retained_before=state.rows_retained if state else 0,
                conflicts=retained.open_conflicts(self.connection, self.target),
            )
            checks.append(verify.retains_deleted(found))
        return checks
