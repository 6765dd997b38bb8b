"""The ledger's files: which were seen, what they speak of, and what became of each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg

from etl_assets.warehouse.ledger import Batch, Counts
from etl_assets.warehouse.relation import Relation


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A file as it was found: the same name with another size or time of change is another delivery."""

    file_name: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """A delivery of the ledger that can be loaded."""

    file_id: int
    file_name: str
    table_name: str
    feed: str
    status: str
    slices: tuple[date, ...]
    """The dates it speaks of or, where it was loaded already, those for which it is still in force."""


def known(connection: psycopg.Connection, source: str, *, failed: bool = True) -> set[Delivery]:
    """Every delivery of a source that the ledger has, those that failed among them or not."""
    rows = connection.execute(
        "select file_name, size_bytes, modified_at from etl.source_file"
        " where source = %s and (status <> 'failed' or %s)",
        [source, failed],
    )
    return {Delivery(file_name=name, size_bytes=size, modified_at=moment) for name, size, moment in rows}


def record_file(
    connection: psycopg.Connection,
    source: str,
    delivery: Delivery,
    *,
    status: str,
    table_name: str | None = None,
    feed: str | None = None,
    checksum: str | None = None,
    slices: Iterable[date] = (),
    notes: str | None = None,
) -> None:
    """Enter a delivery, in one transaction; one that is known already is left as it is, unless it had failed."""
    with connection.transaction():
        entered = connection.execute(
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
                delivery.file_name,
                delivery.size_bytes,
                delivery.modified_at,
                checksum,
                status,
                notes,
            ],
        ).fetchone()
        if entered:
            connection.execute(
                "insert into etl.file_slice (file_id, slice) select %s, unnest(%s::date[]) on conflict do nothing",
                [entered[0], sorted(set(slices))],
            )


def twin_in_force(connection: psycopg.Connection, source: str, feed: str, checksum: str) -> str | None:
    """The name of a file with the same content whose every word still holds, or that waits to be loaded.

    A file whose dates have since been replaced by another is no twin: sent again, it is news.
    """
    row = connection.execute(
        "select file_name from etl.source_file as file"
        " where source = %s and feed = %s and checksum = %s and ("
        "     status in ('pending', 'loading')"
        "     or status = 'loaded'"
        "     and not exists (select from etl.file_slice where file_id = file.file_id and not in_force)"
        " ) and not exists ("
        "     select from etl.source_file as later"
        "     join etl.file_slice as said on said.file_id = later.file_id"
        "     join etl.file_slice as own on own.slice = said.slice and own.file_id = file.file_id"
        "     where later.source = file.source and later.feed = file.feed"
        "         and later.file_id > file.file_id and later.status in ('pending', 'loading')"
        " ) limit 1",
        [source, feed, checksum],
    ).fetchone()
    return row[0] if row else None


def was_touched(connection: psycopg.Connection, source: str, delivery: Delivery, checksum: str) -> bool:
    """Whether the last delivery of this name is loaded and the same; if so, it gets the new time."""
    return bool(
        connection.execute(
            "update etl.source_file set modified_at = %s where status = 'loaded' and checksum = %s and file_id = ("
            "     select max(file_id) from etl.source_file where source = %s and file_name = %s)",
            [delivery.modified_at, checksum, source, delivery.file_name],
        ).rowcount
    )


def waiting(connection: psycopg.Connection, source: str) -> list[KnownFile]:
    """The deliveries that have not been loaded yet, in the order in which they must be."""
    return _files(connection, "file.source = %(source)s and file.status = 'pending'", {"source": source})


def speaking_of(
    connection: psycopg.Connection, source: str, tables: Collection[str], span: tuple[date, date], *, again: bool
) -> list[KnownFile]:
    """The deliveries to load for a span of dates, both ends included, in the order in which they must be.

    Those that wait, and where `again` is asked, those too that are in force for a date of the span.
    """
    return _files(
        connection,
        "file.source = %(source)s and file.table_name = any(%(tables)s)"
        " and (file.status = 'pending' or %(again)s and file.status = 'loaded')"
        " and exists (select from etl.file_slice as said where said.file_id = file.file_id"
        "     and said.slice between %(first)s and %(last)s and (file.status = 'pending' or said.in_force))",
        {"source": source, "tables": list(tables), "again": again, "first": span[0], "last": span[1]},
    )


def _files(connection: psycopg.Connection, condition: str, values: Mapping[str, object]) -> list[KnownFile]:
    rows = connection.execute(  # the condition is one of the two callers' above
        "select file.file_id, file.file_name, file.table_name, file.feed, file.status, array("
        "     select slice from etl.file_slice as said where said.file_id = file.file_id"
        "     and (file.status = 'pending' or said.in_force) order by slice"
        f" ) from etl.source_file as file where {condition}"
        " order by file.modified_at, file.file_name, file.file_id",
        values,
    )
    return [
        KnownFile(file_id=key, file_name=name, table_name=table, feed=feed, status=status, slices=tuple(slices))
        for key, name, table, feed, status, slices in rows
    ]


def claim(batch: Batch, file: KnownFile) -> bool:
    """Take a file for a batch, so that everybody sees who is loading it; false where another has it.

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
    file: KnownFile,
    counts: Counts,
    *,
    slices: Mapping[date, int],
    notes: str | None,
) -> None:
    """A file was loaded: it is now in force for its dates, and earlier files of its feed are not.

    Runs in the load's transaction. Where the file was in force for some dates only, it stays so.
    """
    connection.execute(
        "update etl.source_file set status = 'loaded', batch_id = %s, load_ended_at = now(), rows_read = %s,"
        " rows_rejected = %s, notes = %s where file_id = %s",
        [batch.id, counts.rows_read, counts.rows_rejected, notes, file.file_id],
    )
    if file.status == "pending":
        connection.execute(
            "update etl.file_slice as said set in_force = false from etl.source_file as earlier"
            " where earlier.file_id = said.file_id and earlier.feed = %s and said.in_force and said.slice = any(%s)",
            [file.feed, list(slices)],
        )
        connection.execute("delete from etl.file_slice where file_id = %s", [file.file_id])
        connection.cursor().executemany(
            "insert into etl.file_slice (file_id, slice, rows_read, in_force) values (%s, %s, %s, true)",
            [(file.file_id, day, rows) for day, rows in sorted(slices.items())],
        )
    connection.execute(
        "update etl.rejected_row as rejected set status = 'superseded' from etl.source_file as earlier"
        " where rejected.status = 'new' and earlier.file_id = rejected.file_id and earlier.file_id < %s"
        " and earlier.feed = %s and (earlier.file_name = %s or not exists ("
        "     select from etl.file_slice as said where said.file_id = earlier.file_id and said.in_force))",
        [file.file_id, file.feed, file.file_name],
    )


def record_failed(connection: psycopg.Connection, batch: Batch, file: KnownFile, reason: str) -> None:
    """A file was refused; it is not tried again until it is delivered anew. One in force stays in force."""
    connection.execute(
        "update etl.source_file set status = case when %s = 'loaded' then 'loaded' else 'failed' end,"
        " batch_id = %s, load_ended_at = now(), notes = %s where file_id = %s",
        [file.status, batch.id, reason, file.file_id],
    )


def record_rejects(
    connection: psycopg.Connection,
    batch: Batch,
    relation: Relation,
    file_id: int | None,
    rejects: Sequence[tuple[int | None, str | None, str, str]],
) -> None:
    """Keep each fault of each rejected row, as (line, column, reason, raw); those known already stay as they are.

    A service's record has no file, and its id stands for the line; one that breaks again is new again.
    """
    connection.cursor().executemany(
        "insert into etl.rejected_row as held"
        " (batch_id, relation, file_id, line_number, column_name, reason, raw)"
        " values (%s, %s, %s, %s, %s, %s, %s)"
        " on conflict (relation, file_id, line_number, column_name, reason) do update"
        " set status = 'new', batch_id = excluded.batch_id, raw = excluded.raw, rejected_at = now()"
        " where held.file_id is null and held.status = 'superseded'",
        [(batch.id, str(relation), file_id, *reject) for reject in rejects],
    )


def slices_in_force(connection: psycopg.Connection, source: str, first: date, last: date) -> list[date]:
    """The dates of a span, both ends included, that a loaded file speaks of."""
    rows = connection.execute(
        "select distinct said.slice from etl.file_slice as said join etl.source_file as file using (file_id)"
        " where file.source = %s and said.in_force and said.slice between %s and %s order by said.slice",
        [source, first, last],
    )
    return [day for (day,) in rows]
