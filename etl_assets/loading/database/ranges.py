"""Key ranges and their checksums: which changed, which are read together, and which changed during the load."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from etl_assets.declare.database_reader import UNKNOWN, DatabaseReader, Fingerprint, RowRange, SourceTable
from etl_assets.loading.database.extraction_window import ExtractionWindow
from etl_assets.loading.database.plan import TablePlan

GROUP_ROWS = 200_000
"""Rows that are merged at once where many ranges are read."""


def group_ranges(ranges: Sequence[Fingerprint]) -> Iterator[list[Fingerprint]]:
    """Group the ranges, in order, into batches of about `GROUP_ROWS` rows."""
    group: list[Fingerprint] = []
    for each in ranges:
        if group and sum(one.rows for one in group) + each.rows > GROUP_ROWS:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def merge_neighbours(ranges: Sequence[Fingerprint]) -> list[RowRange]:
    """The row ranges of key ranges; adjacent ones are merged into one."""
    return [RowRange(after=run[0].after, upto=run[-1].upto) for run in _contiguous_runs(ranges)]


def recheck_ranges(
    plan: TablePlan,
    reader: DatabaseReader,
    window: ExtractionWindow,
    ranges: Sequence[Fingerprint],
    read: Sequence[Fingerprint],
) -> list[Fingerprint]:
    """Re-checksum the ranges just read; mark those that changed meanwhile as unknown, to be re-read.

    A row that was changed before it was read and changed back since would be held as it was in between, for ever.
    """
    changed = set()
    for run in _contiguous_runs(read):
        bounds = [each.upto for each in run if each.upto is not None]
        window.check()
        found = reader.fingerprints(plan.source_table, bounds, batch_size=plan.table.batch_size, after=run[0].after)
        with closing(window.guarded(found)) as now:
            changed |= {before for before, after in zip(run, now, strict=False) if _content(before) != _content(after)}
    return [replace(each, checksum=UNKNOWN) if each in changed else each for each in ranges]


def find_changed(found: Sequence[Fingerprint], known: Sequence[Fingerprint]) -> tuple[Fingerprint, ...]:
    """The ranges whose checksum is not among the known ones, or could not be computed."""
    contents = set(map(_content, known))
    return tuple(each for each in found if each.checksum == UNKNOWN or _content(each) not in contents)


def up_to_last_key(
    row_ranges: Sequence[RowRange], source_table: SourceTable, max_key: Callable[[], int | None], *, arrived_only: bool
) -> list[RowRange]:
    """The row ranges, up to the last key that was read: the source goes on beyond it."""
    *before, last = row_ranges or [RowRange()]
    is_bounded = last.upto is not None or last.cursor_column is not None or last.chunks is not None
    if not row_ranges or is_bounded or not source_table.has_integer_key:
        return list(row_ranges)
    upto = max_key()
    if upto is None:
        return before if arrived_only else list(row_ranges)
    return [*before, replace(last, upto=upto)]


def _content(found: Fingerprint) -> tuple[int | None, int, str]:
    """What identifies a range's content: not its upper bound, which the last one lacks until there is another."""
    return found.after, found.rows, found.checksum


def _contiguous_runs(ranges: Sequence[Fingerprint]) -> Iterator[list[Fingerprint]]:
    """Runs of adjacent ranges."""
    run: list[Fingerprint] = []
    for each in ranges:
        if run and (run[-1].upto is None or run[-1].upto != each.after):
            yield run
            run = []
        run.append(each)
    if run:
        yield run
