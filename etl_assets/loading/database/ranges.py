"""The ranges of a table's keys: which of them differ, which are read together, and whether they stand still."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from etl_assets.declare.database import DatabaseReader, Fingerprint, Piece
from etl_assets.loading.database.extraction_window import Permit
from etl_assets.loading.database.plan import TablePlan

GROUP_ROWS = 200_000
"""Rows that are merged at once where many ranges are read."""
UNKNOWN = ""
"""The checksum of a range that was read while it changed: it is read again by the next load."""


def groups(ranges: Sequence[Fingerprint]) -> Iterator[list[Fingerprint]]:
    """The ranges in order, so many together as come to `GROUP_ROWS`."""
    group: list[Fingerprint] = []
    for each in ranges:
        if group and sum(one.rows for one in group) + each.rows > GROUP_ROWS:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def joined(ranges: Sequence[Fingerprint]) -> list[Piece]:
    """The ranges as pieces, neighbours as one."""
    return [Piece(after=run[0].after, upto=run[-1].upto) for run in _runs(ranges)]


def as_they_stand(
    plan: TablePlan, reader: DatabaseReader, permit: Permit, ranges: Sequence[Fingerprint], read: Sequence[Fingerprint]
) -> list[Fingerprint]:
    """The ranges; unknown are those of `read` that come to something else now than before they were read.

    A row that was changed before it was read and changed back since would be held as it was in between, for ever.
    """
    moved = set()
    for run in _runs(read):
        bounds = [each.upto for each in run if each.upto is not None]
        permit.hold()
        found = reader.fingerprints(plan.described, bounds, batch_size=plan.copied.batch_size, after=run[0].after)
        with closing(permit.watch(found)) as now:
            moved |= {before for before, after in zip(run, now, strict=False) if _content(before) != _content(after)}
    return [replace(each, checksum=UNKNOWN) if each in moved else each for each in ranges]


def differing(found: Sequence[Fingerprint], known: Sequence[Fingerprint]) -> tuple[Fingerprint, ...]:
    """Those that are not among the known ones."""
    contents = set(map(_content, known))
    return tuple(each for each in found if _content(each) not in contents)


def _content(found: Fingerprint) -> tuple[int | None, int, str]:
    """What a range holds: without its upper bound, which the last one lacks until there is another."""
    return found.after, found.rows, found.checksum


def _runs(ranges: Sequence[Fingerprint]) -> Iterator[list[Fingerprint]]:
    """Neighbours together."""
    run: list[Fingerprint] = []
    for each in ranges:
        if run and (run[-1].upto is None or run[-1].upto != each.after):
            yield run
            run = []
        run.append(each)
    if run:
        yield run
