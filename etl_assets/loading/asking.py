"""Whether there is anything to load of a table: the source is asked, and the warehouse is not."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from etl_assets.loading.plan import TablePlan, Way
from etl_assets.spec.database import DatabaseReader, Fingerprint, Piece
from etl_assets.spec.table import Full

WHOLE_ROWS = 100_000
"""A table of so many rows at most is held against the source whole; of a bigger one, what was read."""

WHOLE = Piece()
"""Every row of a table."""
Watch = Callable[[Iterable[bytes]], Generator[bytes, None, None]]
"""Passes blocks on as they come, as long as the source may be read and nobody has ended the run."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the source said of a table before a transaction was begun."""

    at: datetime
    """Our clock before."""
    until: datetime | None
    """The source's clock before; None where nothing is read by a stamp."""
    ranges: tuple[Fingerprint, ...] = ()
    """What the ranges of its keys come to; none where it is not read by ranges."""
    differing: tuple[Fingerprint, ...] = ()
    """Those that came to something else when they were last read."""
    piece: Piece = WHOLE
    blocks: Iterator[bytes] | None = None
    """The rows of the piece, begun; None where there are none, or it is read by ranges."""
    rows: int | None = None
    """How many rows there are, where it was asked already."""
    anything: bool = True
    """Whether there is something to load."""


def ask(plan: TablePlan, reader: DatabaseReader) -> Asked:
    """Find out what there is to read of a table.

    Raises:
        TransientError, EtlError: The source is away, or refuses.
    """
    at = datetime.now(UTC)
    # Before anything is read: what changes from now on is read by the next load.
    until = reader.now() if plan.stamp else None
    if plan.sweep or plan.way in {Way.COMPARED, Way.ANEW} or isinstance(plan.table.load, Full):
        return _ask_by_range(plan, reader, at, until)
    piece, state = plan.piece(until, at), plan.state
    blocks = reader.read(plan.described, piece, batch_size=plan.batch_size)
    first = next(blocks, None)
    if first is not None:
        return Asked(at=at, until=until, piece=piece, blocks=_begun(first, blocks))
    rows = reader.count(plan.described)
    as_held = state is not None and rows == state.rows_held - state.rows_apart
    return Asked(at=at, until=until, piece=piece, rows=rows, anything=not as_held or bool(plan.dropped_columns))


def is_small(plan: TablePlan, held: int) -> bool:
    """Whether all rows of a table can be held against the source in one statement."""
    return max(plan.described.rows, held) <= WHOLE_ROWS


def _ask_by_range(plan: TablePlan, reader: DatabaseReader, at: datetime, until: datetime | None) -> Asked:
    # Before the rows are read: what changes between comes to something else the next time.
    bounds = [each.upto for each in plan.ranges if each.upto is not None]
    found = tuple(reader.fingerprints(plan.described, bounds, batch_size=plan.copied.batch_size))
    known = set() if plan.way is Way.ANEW else {_content(each) for each in plan.ranges}
    differing = tuple(each for each in found if _content(each) not in known)
    # A sweep looks at what is held too, which somebody may have changed here.
    looks = plan.state is None or (plan.sweep and is_small(plan, plan.state.rows_held))
    anything = bool(differing or plan.dropped_columns or looks)
    return Asked(at=at, until=until, ranges=found, differing=differing, anything=anything)


def _content(found: Fingerprint) -> tuple[int | None, int, str]:
    """What a range holds: without its upper bound, which the last one lacks until there is another."""
    return found.after, found.rows, found.checksum


def _begun(first: bytes, rest: Iterator[bytes]) -> Generator[bytes, None, None]:
    try:
        yield first
        yield from rest
    finally:
        end(rest)


def end(blocks: Iterable[bytes]) -> None:
    """Have a reading end that is not at its end: the connection is free for another then."""
    if isinstance(blocks, Generator):
        blocks.close()
