"""Load one file into its staging table: parse, reject invalid rows, and replace the dates that it covers."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from heapq import nsmallest
from pathlib import Path
from uuid import UUID

import psycopg

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.errors import FileRefused
from etl_assets.loading.files.columns import column_sources, joined_key, rejected_because
from etl_assets.loading.guards import load_error
from etl_assets.loading.load import RefusedRows
from etl_assets.readers.files.open import FileReader, open_file
from etl_assets.warehouse.files.incoming import (
    IncomingFile,
    copy_incoming,
    copy_reject_candidates,
    count_unreadable_keys,
    date_settings,
    invalid_values,
    ordinal_to_record,
)
from etl_assets.warehouse.files.replace import Shrunken, deduplicate, match_existing, replace_slices
from etl_assets.warehouse.ledger import Counts, RejectedRow
from etl_assets.warehouse.relation import Relation


class TooManyRejects(RefusedRows, FileRefused):
    """More rows of a file are rejected than its table allows; nothing of it was loaded."""


@dataclass(frozen=True, kw_only=True)
class FileLoad:
    """Counts, rejects and slices of one file's load. Read = inserted + updated + unchanged + rejected."""

    counts: Counts
    rejects: tuple[RejectedRow, ...] = ()
    """By line; one for each bad column of a row. `kept_rejects` of the table where there are more."""
    slices: dict[date, int] = field(default_factory=dict)
    """Slice date -> rows of the file, of the dates that it replaced and of which it is in force now."""
    shrunken: dict[date, Shrunken] = field(default_factory=dict)
    """The dates that it did not replace, for it brings too few of the rows held; its rows for them wait."""
    vacated_slices: tuple[date, ...] = ()
    """Previous dates of rows that the file moved to another date."""
    ignored: tuple[str, ...] = ()
    """Headers that nothing names."""
    missing: tuple[str, ...] = ()
    """Columns that nothing fills."""
    rows_kept: int = 0
    """Held rows that the file does not name and that were not deleted, as it has lines whose key cannot be read."""


@dataclass
class _RejectedRows:
    """The rows to reject, by line."""

    reject_candidates: set[int]
    reasons: dict[int, str]
    """Line -> reason, of the first that could be parsed and are rejected all the same: duplicate or foreign keys."""
    removed: int
    """How many those are in all."""
    rejects: list[RejectedRow]
    reason_counts: Counter[str]
    """Count by reason, of as many as are kept; without the values, which would betray a patient."""

    @property
    def count(self) -> int:
        return len(self.reject_candidates) + self.removed


class FileLoader:
    """One file on its way into its staging table, step by step, in one transaction of the connection it is given.

    Rows of the feed that are held for a date of the file and are not in it are deleted, unless a row of the file
    with their key was rejected, or the key of any row cannot be read: bad input deletes no good data. Nor are they
    where the file brings so few of the date's rows that it cannot speak of all of it (`shrink_floor`): a mistyped date
    in one row is no news of another day.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        path: Path,
        *,
        feed: Feed,
        table: FileTable,
        target: Relation,
        batch_id: UUID,
        only_dates: Collection[date] | None = None,
        loaded_at: datetime | None = None,
        file_name: str | None = None,
        accept_shrink: bool = False,
    ) -> None:
        """Open the file.

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
            accept_shrink: Replace a date even by far fewer rows than are held.

        Raises:
            FileRefused: It cannot be read at all.
        """
        self._connection = connection
        self._reader = open_file(path, feed=feed, table=table)
        self._feed = feed
        self._table = table
        self._only_dates = only_dates
        self._shrink_floor = 0.0 if accept_shrink else table.load.shrink_floor
        self._file = IncomingFile(
            target=target,
            sources=column_sources(self._reader.layout, feed, table),
            keys=table.keys,
            slice_by=table.slice_by,
            feed=feed.name,
            file_name=file_name or path.name,
            batch_id=batch_id,
            loaded_at=loaded_at or datetime.now(UTC),
        )
        self._fields = [(each.name, each.type) for each in self._reader.layout.fields]
        self._rejected = _RejectedRows(set(), {}, 0, [], Counter())

    def load(self) -> FileLoad:
        """All steps; raises as they do."""
        with date_settings(self._connection, date_order=self._feed.date_order, time_zone=self._feed.time_zone):
            self.stage()
            self.guard()
            return self.merge()

    def stage(self) -> None:
        """Copy what PostgreSQL can read into the temporary table, and take out what must not be loaded.

        Raises:
            TransientError: The file changed while it was read.
            FileRefused: PostgreSQL refuses what is in it.
        """
        with _refusing_bad_data(self._file):
            self._rejected = _copy_into_incoming(
                self._connection, self._reader, self._file, self._fields, kept=self._table.load.kept_rejects
            )

    def guard(self) -> None:
        """Find out why rows are rejected.

        Raises:
            TooManyRejects: More rows than the feed or the table allows cannot be stored, or none can. The transaction
                is then to be rolled back, as after any other error.
        """
        feed, load, footers = self._feed, self._table.load, self._reader.result.footers
        rejected, read = self._number_rejected - footers, self._reader.result.rows - footers
        share = load.max_rejected if feed.max_rejected is None else feed.max_rejected
        tolerated = load.tolerated_rejects if feed.tolerated_rejects is None else feed.tolerated_rejects
        refused = rejected > share * read and (rejected > tolerated or rejected == read)
        _find_reasons(self._connection, self._reader, self._rejected, feed, self._table, all_of_them=not refused)
        if refused:
            whose = self._table.name if feed.max_rejected is None else f"feed {feed.name}"
            raise TooManyRejects(
                f"{self._file.file_name}: {rejected:,} of {read:,} rows cannot be stored ({rejected / read:.1%}), over"
                f" the {share:.0%} that {whose} allows, so nothing of it was loaded."
                f" {_most_common(self._rejected, rejected)} Have the file mended, or feed {feed.name}.",
                self._rejected.rejects,
            )

    def merge(self) -> FileLoad:
        """Replace the dates that the file covers; write only what differs.

        Raises:
            FileRefused: PostgreSQL refuses what is in it.
        """
        with _refusing_bad_data(self._file):
            return self._merge()

    def _merge(self) -> FileLoad:
        connection, file, result = self._connection, self._file, self._reader.result
        has_candidates = bool(self._rejected.reject_candidates)
        unreadable = count_unreadable_keys(connection, file, self._fields) if has_candidates else 0
        replaced = replace_slices(
            connection,
            file,
            only=self._only_dates,
            candidate_fields=self._fields if has_candidates else None,
            unreadable_keys=result.malformed - result.footers + unreadable,
            shrink_floor=self._shrink_floor,
        )
        counts = Counts(
            rows_read=result.rows,
            rows_inserted=replaced.inserted,
            rows_updated=replaced.updated,
            rows_unchanged=result.rows - replaced.inserted - replaced.updated - self._number_rejected,
            rows_deleted=replaced.deleted,
            rows_rejected=self._number_rejected,
        )
        return FileLoad(
            counts=counts,
            rejects=tuple(self._rejected.rejects),
            slices=replaced.slices,
            shrunken=replaced.shrunken,
            vacated_slices=replaced.vacated_slices,
            ignored=self._reader.layout.ignored,
            missing=self._reader.layout.missing,
            rows_kept=replaced.kept,
        )

    @property
    def _number_rejected(self) -> int:
        return self._rejected.count + self._reader.result.malformed


@contextmanager
def _refusing_bad_data(file: IncomingFile) -> Iterator[None]:
    """Turn what PostgreSQL says of the data into a refusal of the file: the files behind it need not wait for it."""
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
        raise FileRefused(f"{file.file_name}: {load_error(file.target, error)}") from None


def _copy_into_incoming(
    connection: psycopg.Connection,
    reader: FileReader,
    file: IncomingFile,
    fields: list[tuple[str, str]],
    *,
    kept: int,
) -> _RejectedRows:
    """COPY into `incoming`, then remove duplicate keys and keys of other feeds; `kept` reasons are kept."""
    copied = copy_incoming(connection, fields, reader.stream(), delimiter=reader.delimiter)
    result = reader.result
    if copied.rows + len(copied.skipped) != result.sent:
        raise FileRefused(
            f"{file.file_name}: PostgreSQL took {copied.rows:,} rows and left out {len(copied.skipped):,}, of"
            f" {result.sent:,} that were sent. Nothing of it was loaded."
        )
    skipped = [result.record_at(line) for line in copied.skipped]
    record = ordinal_to_record(connection, copied, skipped)
    duplicates, pairs = deduplicate(connection, file, limit=kept)
    reasons = {
        result.line_of(record(gone)): f"its key comes again in line {result.line_of(record(stays))}, which counts"
        for gone, stays in pairs
    }
    foreign, owners = match_existing(connection, file, limit=kept)
    for ordinal, other_feed, other_file in owners:
        reasons[result.line_of(record(ordinal))] = f"its key is held by feed {other_feed}, from file {other_file}"
    reason_counts = Counter({"the key comes again": duplicates, "the key is held by another feed": foreign})
    reason_counts.update(reject.reason for reject in result.rejects)
    reject_candidates = {*result.reject_candidates, *map(result.line_of, skipped)}
    rejects = [RejectedRow(line=r.line, column=r.column, reason=r.reason, raw=r.raw) for r in result.rejects]
    return _RejectedRows(reject_candidates, reasons, duplicates + foreign, rejects, reason_counts)


def _find_reasons(
    connection: psycopg.Connection,
    reader: FileReader,
    rejected_rows: _RejectedRows,
    feed: Feed,
    table: FileTable,
    *,
    all_of_them: bool,
) -> None:
    """Re-read the rejected rows, and add the reasons to the rejects until there are `kept_rejects`.

    Where the rest of the file is to be loaded, all of them are read: what they have as keys is not deleted.
    """
    kept = table.load.kept_rejects
    wanted = rejected_rows.reject_candidates | rejected_rows.reasons.keys()
    if not all_of_them and len(wanted) > kept:
        wanted = set(nsmallest(kept, wanted))
    if not wanted:
        return
    key = joined_key(table.keys)

    def reject_candidates() -> Iterator[tuple[int, Sequence[int], str, Sequence[str | None]]]:
        for candidate in reader.reject_candidates(frozenset(wanted)):
            if candidate.line not in rejected_rows.reasons:
                yield candidate.line, candidate.invalid_fields, candidate.raw, candidate.values
            elif len(rejected_rows.rejects) < kept:
                reason = rejected_rows.reasons[candidate.line]
                rejected_rows.rejects.append(
                    RejectedRow(line=candidate.line, column=key, reason=reason, raw=candidate.raw)
                )

    layout = reader.layout
    fields = [(each.name, each.type) for each in layout.fields]
    copy_reject_candidates(connection, len(fields), reject_candidates())
    needed = {at for column in table.required_columns if (at := layout.position(column)) is not None}
    for invalid in invalid_values(connection, fields, sorted(needed), limit=kept):
        name, what, reason = rejected_because(invalid, fields, feed)
        rejected_rows.reason_counts[what] += 1
        if len(rejected_rows.rejects) < kept:
            rejected_rows.rejects.append(RejectedRow(line=invalid.line, column=name, reason=reason, raw=invalid.raw))
    rejected_rows.rejects.sort(key=lambda reject: reject.line or 0)


def _most_common(rejected_rows: _RejectedRows, rejected: int) -> str:
    """The reasons that come most often, of the rows of which they were looked for."""
    reasons = "; ".join(
        f"{what} ({count:,} times)" for what, count in rejected_rows.reason_counts.most_common(5) if count
    )
    kept = len({reject.line for reject in rejected_rows.rejects})
    return f"Mostly: {reasons}." if kept >= rejected else f"Mostly, in the first {kept:,} of them: {reasons}."
