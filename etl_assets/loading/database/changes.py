"""Whether there is anything to load of a table: the source is asked, and the warehouse is not."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from etl_assets.declare.database import DatabaseReader, Fingerprint, Piece
from etl_assets.declare.tables import Full
from etl_assets.loading.database.extraction_window import Permit, end
from etl_assets.loading.database.plan import TablePlan, Way
from etl_assets.loading.database.ranges import differing

WHOLE_ROWS = 100_000
"""A table of so many rows at most is held against the source whole; of a bigger one, what was read."""

WHOLE = Piece()
"""Every row of a table."""


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
    greatest: int | None = None
    """The greatest key, of a table that is read by ranges and otherwise from its last key on."""
    piece: Piece = WHOLE
    blocks: Iterator[bytes] | None = None
    """The rows of the piece, begun; None where there are none, or it is read by ranges."""
    rows: int | None = None
    """How many rows there are, where it was asked already."""
    anything: bool = True
    """Whether there is something to load."""


def ask(plan: TablePlan, reader: DatabaseReader, permit: Permit) -> Asked:
    """Find out what there is to read of a table.

    Raises:
        TransientError, EtlError: The source is away, or refuses; or it may not be read any more.
    """
    at = datetime.now(UTC)
    # Before anything is read: what changes from now on is read by the next load.
    until = reader.now() if plan.stamp else None
    by_range = plan.sweep or plan.way in {Way.COMPARED, Way.ANEW} or isinstance(plan.table.load, Full)
    if by_range or (plan.way is Way.APPENDED and _lacks_the_last(plan, reader, permit)):
        return ask_by_range(plan, reader, permit, at=at, until=until)
    piece, state = plan.piece(until, at), plan.state
    permit.hold()
    blocks = reader.read(plan.described, piece, batch_size=plan.batch_size)
    first = next(blocks, None)
    if first is not None:
        return Asked(at=at, until=until, piece=piece, blocks=_begun(first, blocks))
    permit.hold()
    rows = reader.count(plan.described)
    as_held = state is not None and rows == state.rows_held - state.rows_apart
    return Asked(at=at, until=until, piece=piece, rows=rows, anything=not as_held or bool(plan.dropped_columns))


def is_small(plan: TablePlan, held: int) -> bool:
    """Whether all rows of a table can be held against the source in one statement."""
    return max(plan.described.rows, held) <= WHOLE_ROWS


def ask_by_range(
    plan: TablePlan, reader: DatabaseReader, permit: Permit, *, at: datetime, until: datetime | None
) -> Asked:
    """Find out which ranges of a table's keys there are to read.

    Args:
        plan: The table.
        reader: Its source.
        permit: Whether the source may be read.
        at: Our clock when the load began.
        until: The source's then.

    Raises:
        TransientError, EtlError: As `ask`.
    """
    # Before the rows are read: what changes between comes to something else the next time.
    bounds = [each.upto for each in plan.ranges if each.upto is not None]
    permit.hold()
    with closing(permit.watch(reader.fingerprints(plan.described, bounds, batch_size=plan.copied.batch_size))) as said:
        found = tuple(said)
    differ = differing(found, () if plan.way is Way.ANEW else plan.ranges)
    # A sweep looks at what is held too, which somebody may have changed here.
    looks = plan.state is None or (plan.sweep and is_small(plan, plan.state.rows_held))
    return Asked(
        at=at,
        until=until,
        ranges=found,
        differing=differ,
        greatest=_greatest(plan, reader, permit, found) if plan.is_appended else None,
        anything=bool(differ or plan.dropped_columns or looks),
    )


def _lacks_the_last(plan: TablePlan, reader: DatabaseReader, permit: Permit) -> bool:
    """Whether the source's greatest key is below the last that was read: it was emptied, or is an older one again."""
    if plan.state is None or plan.state.last_key is None:
        return False
    return _last_of(plan, reader, permit, Piece(after=plan.state.last_key - 1), most=1) is None


def _greatest(plan: TablePlan, reader: DatabaseReader, permit: Permit, found: tuple[Fingerprint, ...]) -> int | None:
    last = next((each for each in reversed(found) if each.rows), None)
    if last is None:
        return None
    return _last_of(plan, reader, permit, Piece(after=last.after, upto=last.upto))


def _last_of(
    plan: TablePlan, reader: DatabaseReader, permit: Permit, piece: Piece, *, most: int | None = None
) -> int | None:
    """The greatest key of a piece; of its first `most` rows, where that is given."""
    last = None
    keys = reader.keys(plan.described, piece, batch_size=most or plan.copied.batch_size)
    with closing(permit.watch(keys)) as blocks:
        for block in blocks:
            last = int(block.split()[-1])
            if most:
                break
    return last


def _begun(first: bytes, rest: Iterator[bytes]) -> Generator[bytes, None, None]:
    try:
        yield first
        yield from rest
    finally:
        end(rest)
