"""Change detection: which rows of a table changed since the last load. Queries only the source."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from etl_assets.declare.database_reader import DatabaseReader, Fingerprint, HeaderDigests, RowRange
from etl_assets.loading.database.extraction_window import ExtractionWindow, close_stream
from etl_assets.loading.database.plan import ExtractMode, TablePlan
from etl_assets.loading.database.ranges import find_changed

FULL_VERIFY_ROWS = 100_000
"""A table of so many rows at most is verified whole after a load; of a bigger one, what was read."""

ALL_ROWS = RowRange()
"""Every row of a table."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What there is to load of a table: determined before the warehouse transaction begins."""

    read_at: datetime
    """Our clock before."""
    read_until: datetime | None
    """The source's clock before; None where the table has no cursor column."""
    ranges: tuple[Fingerprint, ...] = ()
    """The checksums of its key ranges; none where it is not read by ranges."""
    changed_ranges: tuple[Fingerprint, ...] = ()
    """Those whose checksum is another than when they were last read."""
    max_key: int | None = None
    """The greatest key, of a table that is read by ranges and otherwise from its last key on."""
    row_range: RowRange = ALL_ROWS
    blocks: Iterator[bytes] | None = None
    """The rows of `row_range`, already being read; None where there are none, or it is read by ranges."""
    digests: HeaderDigests | None = None
    """Its header digests, taken before a row is read; None where it is not read by them."""
    rows: int | None = None
    """The row count at the source, where it was queried already."""
    has_changes: bool = True
    """Whether there is something to load."""

    @property
    def is_reconciled(self) -> bool:
        """Whether every row of the table was compared, so that what the source has deleted is known."""
        return bool(self.ranges or self.digests)

    @property
    def ranges_just_read(self) -> list[RowRange]:
        """The range that was just read, with an upper bound: after that the source goes on."""
        if not (self.row_range.since and self.read_until):
            return [self.row_range]
        return [replace(self.row_range, until=self.read_until)] if self.row_range.since < self.read_until else []


def detect_changes(plan: TablePlan, reader: DatabaseReader, window: ExtractionWindow) -> Changes:
    """Detect what changed at the source: by cursor, by the checksums of key ranges, or by header digests.

    Raises:
        TransientError, EtlError: The source is away, or refuses; or it may not be read any more.
    """
    read_at = datetime.now(UTC)
    if plan.by_headers:
        return _detect_changed_chunks(plan, reader, window, read_at)
    # Before anything is read: what changes from now on is read by the next load.
    read_until = reader.now() if plan.cursor_column else None
    by_range = (
        plan.full_compare
        or plan.mode in {ExtractMode.RANGE_CHECKSUM, ExtractMode.FULL_COMPARE}
        or plan.table.cursor is None
    )
    if by_range or (plan.mode is ExtractMode.KEY_CURSOR and _is_last_key_missing(plan, reader, window)):
        return detect_changed_ranges(plan, reader, window, read_at=read_at, read_until=read_until)
    row_range, state = plan.row_range(read_until, read_at), plan.state
    window.check()
    blocks = reader.read(plan.source_table, row_range, batch_size=plan.batch_size)
    first = next(blocks, None)
    if first is not None:
        return Changes(read_at=read_at, read_until=read_until, row_range=row_range, blocks=_resume(first, blocks))
    window.check()
    rows = reader.count(plan.source_table)
    same_count = state is not None and rows == state.rows_held - state.rows_retained
    return Changes(
        read_at=read_at,
        read_until=read_until,
        row_range=row_range,
        rows=rows,
        has_changes=not same_count or bool(plan.dropped_columns),
    )


def is_small(plan: TablePlan, rows_held: int) -> bool:
    """Whether all rows of a table can be verified in one statement."""
    return max(plan.source_table.rows, rows_held) <= FULL_VERIFY_ROWS


def detect_changed_ranges(
    plan: TablePlan, reader: DatabaseReader, window: ExtractionWindow, *, read_at: datetime, read_until: datetime | None
) -> Changes:
    """Detect which key ranges of a table changed, by their checksums.

    Args:
        plan: The table.
        reader: Its source.
        window: Whether the source may be read.
        read_at: Our clock when the load began.
        read_until: The source's then.

    Raises:
        TransientError, EtlError: As `detect_changes`.
    """
    # Before the rows are read: what changes between has another checksum the next time.
    bounds = [each.upto for each in plan.ranges if each.upto is not None]
    window.check()
    with closing(
        window.guarded(reader.fingerprints(plan.source_table, bounds, batch_size=plan.table.batch_size))
    ) as fingerprints:
        found = tuple(fingerprints)
    changed = find_changed(found, () if plan.mode is ExtractMode.FULL_COMPARE else plan.ranges)
    # A sweep verifies staging too, where somebody may have changed rows.
    is_unverified = plan.state is None or (plan.full_compare and is_small(plan, plan.state.rows_held))
    return Changes(
        read_at=read_at,
        read_until=read_until,
        ranges=found,
        changed_ranges=changed,
        max_key=_find_max_key(plan, reader, window, found) if plan.is_append_only else None,
        has_changes=bool(changed or plan.dropped_columns or is_unverified),
    )


def _detect_changed_chunks(
    plan: TablePlan, reader: DatabaseReader, window: ExtractionWindow, read_at: datetime
) -> Changes:
    """Detect whether something was written to a table, by the headers of its rows; or whether rows are missing here."""
    window.check()
    found = reader.header_digests(plan.source_table)
    is_same = (
        plan.state is not None
        and plan.mode is not ExtractMode.FULL_COMPARE
        and found.rows == plan.state.rows_held
        and not found.changed_since(plan.digests)
    )
    return Changes(
        read_at=read_at,
        read_until=None,
        digests=found,
        rows=found.rows,
        has_changes=not is_same or bool(plan.dropped_columns),
    )


def _is_last_key_missing(plan: TablePlan, reader: DatabaseReader, window: ExtractionWindow) -> bool:
    """Whether the source's greatest key is below the last that was read: it was emptied, or is an older one again."""
    if plan.state is None or plan.state.last_key is None:
        return False
    return _max_key_in(plan, reader, window, RowRange(after=plan.state.last_key - 1), limit=1) is None


def _find_max_key(
    plan: TablePlan, reader: DatabaseReader, window: ExtractionWindow, found: tuple[Fingerprint, ...]
) -> int | None:
    last = next((each for each in reversed(found) if each.rows), None)
    if last is None:
        return None
    return _max_key_in(plan, reader, window, RowRange(after=last.after, upto=last.upto))


def _max_key_in(
    plan: TablePlan, reader: DatabaseReader, window: ExtractionWindow, row_range: RowRange, *, limit: int | None = None
) -> int | None:
    """The greatest key of a range; of its first `limit` rows, where that is given."""
    last = None
    keys = reader.keys(plan.source_table, row_range, batch_size=limit or plan.table.batch_size)
    with closing(window.guarded(keys)) as blocks:
        for block in blocks:
            last = int(block.split()[-1])
            if limit:
                break
    return last


def _resume(first: bytes, rest: Iterator[bytes]) -> Generator[bytes, None, None]:
    try:
        yield first
        yield from rest
    finally:
        close_stream(rest)
