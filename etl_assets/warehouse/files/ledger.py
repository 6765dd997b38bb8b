"""File ledger: which files were delivered, the dates they cover, and the status of each."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import psycopg

from etl_assets.declare.dates import Span
from etl_assets.warehouse.files.replace import Shrunken
from etl_assets.warehouse.ledger import Batch, Counts


@dataclass(frozen=True, kw_only=True)
class DeliveredFile:
    """A file as delivered: name, size and mtime; the same name with another size or mtime is another delivery."""

    file_name: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, kw_only=True)
class LedgerFile:
    """A registered file that is to be loaded, and the dates it covers."""

    file_id: int
    file_name: str
    table_name: str
    feed: str
    size_bytes: int
    status: str
    slices: tuple[date, ...]
    """The dates it covers or, where it was loaded already, those for which it is still in force."""


def known_deliveries(connection: psycopg.Connection, source: str, *, failed: bool = True) -> set[DeliveredFile]:
    """Every delivery of a source in the ledger, those that failed among them or not."""
    rows = connection.execute(
        "select file_name, size_bytes, modified_at from etl.source_file"
        " where source = %s and (status <> 'failed' or %s)",
        [source, failed],
    )
    return {DeliveredFile(file_name=name, size_bytes=size, modified_at=moment) for name, size, moment in rows}


def was_delivered(connection: psycopg.Connection, source: str, file_name: str, *, size_bytes: int) -> bool:
    """Whether the newest delivery of a file that was loaded had this size."""
    row = connection.execute(
        "select size_bytes = %s from etl.source_file where source = %s and file_name = %s and status = 'loaded'"
        " order by file_id desc limit 1",
        [size_bytes, source, file_name],
    ).fetchone()
    return row == (True,)


def failed_files(connection: psycopg.Connection, source: str) -> int:
    """How many deliveries of a source could not be read, or loaded."""
    row = connection.execute(
        "select count(*) from etl.source_file where source = %s and status = 'failed'", [source]
    ).fetchone()
    return int(row[0]) if row else 0


def register_file(
    connection: psycopg.Connection,
    source: str,
    file: DeliveredFile,
    *,
    status: str,
    table_name: str | None = None,
    feed: str | None = None,
    checksum: str | None = None,
    slices: Iterable[date] = (),
    notes: str | None = None,
) -> None:
    """Register a delivery with its dates, in one transaction; a known one is left as it is, unless it had failed."""
    with connection.transaction():
        inserted = connection.execute(
            "insert into etl.source_file"
            " (source, table_name, feed, file_name, size_bytes, modified_at, checksum, status, notes)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict (source, file_name, size_bytes, modified_at) do update"
            " set table_name = excluded.table_name, feed = excluded.feed, checksum = excluded.checksum,"
            " status = excluded.status, notes = excluded.notes where source_file.status = 'failed'"
            " returning file_id",
            [
                source,
                table_name,
                feed,
                file.file_name,
                file.size_bytes,
                file.modified_at,
                checksum,
                status,
                notes,
            ],
        ).fetchone()
        if inserted:
            connection.execute(
                "insert into etl.file_slice (file_id, slice) select %s, unnest(%s::date[]) on conflict do nothing",
                [inserted[0], sorted(set(slices))],
            )


def duplicate_of(connection: psycopg.Connection, source: str, feed: str, checksum: str) -> str | None:
    """The name of a file with the same checksum that is still in force for all its dates, or is pending.

    A file whose dates have since been replaced by another is no duplicate: sent again, it is news.
    """
    row = connection.execute(
        "select file_name from etl.source_file as file"
        " where source = %s and feed = %s and checksum = %s and ("
        "     status in ('pending', 'loading')"
        "     or status = 'loaded'"
        "     and not exists (select from etl.file_slice where file_id = file.file_id and not in_force)"
        " ) and not exists ("
        "     select from etl.source_file as later"
        "     join etl.file_slice as covered on covered.file_id = later.file_id"
        "     join etl.file_slice as own on own.slice = covered.slice and own.file_id = file.file_id"
        "     where later.source = file.source and later.feed = file.feed"
        "         and later.file_id > file.file_id and later.status in ('pending', 'loading')"
        " ) limit 1",
        [source, feed, checksum],
    ).fetchone()
    return row[0] if row else None


def only_mtime_changed(connection: psycopg.Connection, source: str, file: DeliveredFile, checksum: str) -> bool:
    """Whether the last delivery of this name is loaded and has this checksum; if so, its mtime is updated."""
    return bool(
        connection.execute(
            "update etl.source_file set modified_at = %s where status = 'loaded' and checksum = %s and file_id = ("
            "     select max(file_id) from etl.source_file where source = %s and file_name = %s)",
            [file.modified_at, checksum, source, file.file_name],
        ).rowcount
    )


def pending_files(connection: psycopg.Connection, source: str) -> list[LedgerFile]:
    """The files that are registered and not loaded yet, in the order in which they must be."""
    return _files(
        connection,
        "file.source = %(source)s and file.status = 'pending'",
        {"source": source, "reload": False, "shrunken": False},
    )


def files_covering(
    connection: psycopg.Connection,
    source: str,
    tables: Collection[str],
    span: Span,
    *,
    reload: bool,
    shrunken: bool = False,
) -> list[LedgerFile]:
    """The files to load that cover any date of a span, both ends included, in the order in which they must be.

    The pending ones; where `reload` is asked, those too that are in force for a date of the span, and where `shrunken`
    is, those that did not replace one as they bring so few of its rows.
    """
    return _files(
        connection,
        "file.source = %(source)s and file.table_name = any(%(tables)s)"
        " and file.status in ('pending', 'loaded')"
        " and exists (select from etl.file_slice as covered where covered.file_id = file.file_id"
        f"     and covered.slice between %(first)s and %(last)s and ({_TO_LOAD}))",
        {
            "source": source,
            "tables": list(tables),
            "reload": reload,
            "shrunken": shrunken,
            "first": span.first,
            "last": span.last,
        },
    )


_TO_LOAD = (
    "file.status = 'pending' or %(reload)s and covered.in_force or %(shrunken)s and covered.rows_held is not null"
)


def _files(connection: psycopg.Connection, condition: str, values: Mapping[str, object]) -> list[LedgerFile]:
    rows = connection.execute(  # the condition is one of the two callers' above
        "select file.file_id, file.file_name, file.table_name, file.feed, file.size_bytes, file.status, array("
        "     select slice from etl.file_slice as covered where covered.file_id = file.file_id"
        f"     and ({_TO_LOAD}) order by slice"
        f" ) from etl.source_file as file where {condition}"
        " order by file.modified_at, file.file_name, file.file_id",
        values,
    )
    return [
        LedgerFile(
            file_id=key,
            file_name=name,
            table_name=table,
            feed=feed,
            size_bytes=size,
            status=status,
            slices=tuple(slices),
        )
        for key, name, table, feed, size, status, slices in rows
    ]


def claim_file(batch: Batch, file: LedgerFile) -> bool:
    """Claim a pending file for a batch, so that no other batch loads it; false where another has it.

    One that is loaded again stays 'loaded': what it said is in force all the while.
    """
    return file.status == "loaded" or bool(
        batch.connection.execute(
            "update etl.source_file"
            " set status = 'loading', batch_id = %s, load_started_at = now(), load_ended_at = null"
            " where file_id = %s and status = 'pending'",
            [batch.id, file.file_id],
        ).rowcount
    )


def record_loaded(
    connection: psycopg.Connection,
    batch: Batch,
    file: LedgerFile,
    counts: Counts,
    *,
    slices: Mapping[date, int],
    shrunken: Mapping[date, Shrunken],
    notes: str | None,
) -> None:
    """Mark a file as loaded: it is now in force for its dates, and earlier files of its feed are superseded.

    Runs in the load's transaction. Where the file was in force for some dates only, it stays so. Of the `shrunken`
    dates the earlier files stay in force.
    """
    connection.execute(
        "update etl.source_file set status = 'loaded', batch_id = %s, load_ended_at = now(), rows_read = %s,"
        " rows_rejected = %s, notes = %s where file_id = %s",
        [batch.id, counts.rows_read, counts.rows_rejected, notes, file.file_id],
    )
    connection.execute(
        "update etl.file_slice as covered set in_force = false, rows_held = case when other.file_id > %(file)s"
        " then covered.rows_held end from etl.source_file as other"
        " where other.file_id = covered.file_id and other.feed = %(feed)s and other.file_id <> %(file)s"
        " and covered.slice = any(%(slices)s) and (covered.in_force or covered.rows_held is not null)",
        {"file": file.file_id, "feed": file.feed, "slices": list(slices)},
    )
    if file.status == "pending":
        connection.execute("delete from etl.file_slice where file_id = %s", [file.file_id])
    entries: list[tuple[int, date, int, bool, int | None]] = [
        (file.file_id, day, rows, True, None) for day, rows in slices.items()
    ]
    entries += [(file.file_id, day, each.arrived, False, each.held) for day, each in shrunken.items()]
    connection.cursor().executemany(
        "insert into etl.file_slice (file_id, slice, rows_read, in_force, rows_held) values (%s, %s, %s, %s, %s)"
        " on conflict (file_id, slice) do update set rows_read = excluded.rows_read,"
        " in_force = file_slice.in_force or excluded.in_force, rows_held = excluded.rows_held",
        entries,
    )
    connection.execute(
        "update etl.rejected_row as rejected set status = 'superseded' from etl.source_file as earlier"
        " where rejected.status = 'new' and earlier.file_id = rejected.file_id and earlier.file_id < %s"
        " and earlier.feed = %s and (earlier.file_name = %s or not exists ("
        "     select from etl.file_slice as covered where covered.file_id = earlier.file_id and covered.in_force))",
        [file.file_id, file.feed, file.file_name],
    )


def record_failed(connection: psycopg.Connection, batch: Batch, file: LedgerFile, reason: str) -> None:
    """Mark a file as failed; it is not retried until it is delivered anew. One in force stays in force."""
    connection.execute(
        "update etl.source_file set status = case when %s = 'loaded' then 'loaded' else 'failed' end,"
        " batch_id = %s, load_ended_at = now(), notes = %s where file_id = %s",
        [file.status, batch.id, reason, file.file_id],
    )


def loaded_slices(connection: psycopg.Connection, source: str, span: Span) -> list[date]:
    """The dates of a span, both ends included, that a loaded file covers and is in force for."""
    rows = connection.execute(
        "select distinct covered.slice from etl.file_slice as covered join etl.source_file as file using (file_id)"
        " where file.source = %s and covered.in_force and covered.slice between %s and %s order by covered.slice",
        [source, span.first, span.last],
    )
    return [day for (day,) in rows]
