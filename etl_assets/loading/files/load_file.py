"""One file into its staging table: read, split good from bad, and replace the dates that it speaks of."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import psycopg

from etl_assets.declare.files import Feed
from etl_assets.declare.tables import Table
from etl_assets.errors import FileRefused
from etl_assets.loading.files.columns import key_text, reason_of, sources_of
from etl_assets.readers.files.open import FileReading, Reject, open_file
from etl_assets.readers.files.records import MOST_REJECTS
from etl_assets.warehouse.files.incoming import (
    Delivery,
    copy_incoming,
    copy_suspects,
    reading_as,
    record_of,
    unreadable_keys,
    wrong_values,
)
from etl_assets.warehouse.files.replace import match, replace_slices, take_out_twice
from etl_assets.warehouse.ledger import Counts
from etl_assets.warehouse.relation import Relation

MOST_TOLD_OF_A_REFUSED = 10_000
"""Rows of a refused file whose reasons are looked for."""


class TooManyRejects(FileRefused):
    """So much of a file cannot be stored that the rest is not to be trusted; nothing of it was loaded."""

    def __init__(self, message: str, rejects: Sequence[Reject]) -> None:
        super().__init__(message)
        self.rejects = tuple(rejects)
        """Why, row by row; the first ones where there are very many."""


@dataclass(frozen=True, kw_only=True)
class FileLoad:
    """What one file did to its table. Read = inserted + updated + unchanged + rejected."""

    counts: Counts
    rejects: tuple[Reject, ...] = ()
    """By line; one for each bad column of a row. The first `MOST_REJECTS` where there are more."""
    slices: dict[date, int] = field(default_factory=dict)
    """Slice date -> rows of the file that are in force now."""
    moved_from: tuple[date, ...] = ()
    """Dates that rows were held under which the file has under another."""
    ignored: tuple[str, ...] = ()
    """Headers that nothing names."""
    missing: tuple[str, ...] = ()
    """Columns that nothing fills."""
    rows_kept: int = 0
    """Held rows that the file does not name and that were not deleted, as it has lines whose key cannot be read."""


@dataclass
class _Rows:
    """The rows that are rejected, by line."""

    suspects: set[int]
    told: dict[int, str]
    """Those that could be read, and why they are rejected all the same."""
    rejects: list[Reject]
    kinds: Counter[str]
    """Reasons without the values that would betray a patient, and how often."""

    @property
    def count(self) -> int:
        return len(self.suspects) + len(self.told)


def load_file(
    connection: psycopg.Connection,
    path: Path,
    *,
    feed: Feed,
    table: Table,
    target: Relation,
    batch_id: UUID,
    only_dates: Collection[date] | None = None,
    loaded_at: datetime | None = None,
    file_name: str | None = None,
) -> FileLoad:
    """Make the table hold what a file says of its dates, as far as this feed goes.

    Rows of the feed that are held for a date of the file and are not in it are deleted, unless a row of the file
    with their key was rejected, or the key of any row cannot be read: bad input deletes no good data.

    Args:
        connection: Open; its transaction is neither committed nor rolled back here.
        path: The file.
        feed: How it is written. Rows of other feeds stay; a key that another feed holds is rejected.
        table: What it is read as.
        target: The table, which exists.
        batch_id: Whose work it is.
        only_dates: Touch these slice dates only; rows of others are read and count as unchanged.
        loaded_at: Written as load time; now where None.
        file_name: Written on the rows; the path's last part where None.

    Raises:
        FileRefused: It cannot be read at all.
        TooManyRejects: More than `max_rejected` of its rows cannot be stored. The transaction is then to be
            rolled back, as after any other error.
        TransientError: It changed while it was read.
    """
    reading = open_file(path, feed=feed, table=table)
    delivery = Delivery(
        target=target,
        sources=sources_of(reading.layout, feed, table),
        keys=table.keys,
        slice_by=table.slice_by,
        feed=feed.name,
        file_name=file_name or path.name,
        batch_id=batch_id,
        loaded_at=loaded_at or datetime.now(UTC),
    )
    fields = [(each.name, each.type) for each in reading.layout.fields]
    with reading_as(connection, date_order=feed.date_order, time_zone=feed.time_zone):
        rows = _copy(connection, reading, delivery, fields)
        progress = reading.progress
        rejected = rows.count + progress.unsplit
        refused = rejected > table.per_file.max_rejected * progress.rows
        _find_reasons(connection, reading, rows, feed, table, limit=MOST_TOLD_OF_A_REFUSED if refused else None)
        if refused:
            raise TooManyRejects(_refusal(delivery, table, rejected, progress.rows, rows.kinds), rows.rejects)
        has_suspects = bool(rows.suspects)
        unread = progress.unsplit + (unreadable_keys(connection, delivery, fields) if has_suspects else 0)
        replaced = replace_slices(
            connection,
            delivery,
            only=only_dates,
            suspect_fields=fields if has_suspects else None,
            unread_keys=unread,
        )
    counts = Counts(
        rows_read=progress.rows,
        rows_inserted=replaced.inserted,
        rows_updated=replaced.updated,
        rows_unchanged=progress.rows - replaced.inserted - replaced.updated - rejected,
        rows_deleted=replaced.deleted,
        rows_rejected=rejected,
    )
    return FileLoad(
        counts=counts,
        rejects=tuple(rows.rejects),
        slices=replaced.slices,
        moved_from=replaced.moved_from,
        ignored=reading.layout.ignored,
        missing=reading.layout.missing,
        rows_kept=replaced.kept,
    )


def _copy(
    connection: psycopg.Connection, reading: FileReading, delivery: Delivery, fields: list[tuple[str, str]]
) -> _Rows:
    """Bring in what PostgreSQL can read, and take out again what must not be loaded."""
    copied = copy_incoming(connection, fields, reading.stream(), delimiter=reading.delimiter)
    progress = reading.progress
    skipped = [progress.record_at(line) for line in copied.skipped]
    record = record_of(connection, copied, skipped)
    told = {
        progress.line_of(record(gone)): f"its key comes again in line {progress.line_of(record(stays))}, which counts"
        for gone, stays in take_out_twice(connection, delivery)
    }
    twice = len(told)
    for ordinal, feed, file in match(connection, delivery):
        told[progress.line_of(record(ordinal))] = f"its key is held by feed {feed}, from file {file}"
    kinds = Counter({"the key comes again": twice, "the key is held by another feed": len(told) - twice})
    kinds.update(reject.reason for reject in progress.rejects)
    suspects = {*progress.suspects, *map(progress.line_of, skipped)}
    return _Rows(suspects, told, list(progress.rejects), kinds)


def _find_reasons(
    connection: psycopg.Connection, reading: FileReading, rows: _Rows, feed: Feed, table: Table, *, limit: int | None
) -> None:
    """Read the rejected rows again and say what is wrong with each."""
    wanted = rows.suspects | rows.told.keys()
    if limit is not None and len(wanted) > limit:
        wanted = set(sorted(wanted)[:limit])
    if not wanted:
        return
    key = key_text(table.keys)

    def suspects() -> Iterator[tuple[int, Sequence[int], str, Sequence[str | None]]]:
        for suspect in reading.suspects(frozenset(wanted)):
            if suspect.line not in rows.told:
                yield suspect.line, suspect.refused, suspect.raw, suspect.values
            elif len(rows.rejects) < MOST_REJECTS:
                rows.rejects.append(Reject(suspect.line, key, rows.told[suspect.line], suspect.raw))

    layout = reading.layout
    fields = [(each.name, each.type) for each in layout.fields]
    copy_suspects(connection, len(fields), suspects())
    needed = {at for column in (*table.keys, table.slice_by) if (at := layout.position(column)) is not None}
    for wrong in wrong_values(connection, fields, sorted(needed), limit=MOST_REJECTS):
        name, what, reason = reason_of(wrong, fields, feed)
        rows.kinds[what] += 1
        if len(rows.rejects) < MOST_REJECTS:
            rows.rejects.append(Reject(wrong.line, name, reason, wrong.raw))
    rows.rejects.sort(key=lambda reject: reject.line)


def _refusal(delivery: Delivery, table: Table, rejected: int, read: int, kinds: Counter[str]) -> str:
    reasons = "; ".join(f"{what} ({count:,} times)" for what, count in kinds.most_common(5) if count)
    return (
        f"{delivery.file_name}: {rejected:,} of {read:,} rows cannot be stored ({rejected / read:.1%}), over the"
        f" {table.per_file.max_rejected:.0%} that {table.name} allows, so nothing of it was loaded. Mostly: {reasons}."
        f" Have the file mended, or feed {delivery.feed}."
    )
