"""A service's records on their way into staging: a temporary table of the session, and what becomes of the target.

Documents go in as the bytes that the service sent, by binary COPY: a jsonb on the wire is one byte and the text. The
target keeps one row a record, or one row for each document that a record has had. Where it holds nothing yet of what is
read, they go straight in: the rows are then written once and not twice.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.rest import Document
from etl_assets.warehouse.copy import copy_in, copy_line
from etl_assets.warehouse.relation import Relation

ARRIVED = Relation("pg_temp", "etl_arrived")
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_ROW = struct.Struct(">hiqiiiB")
_NULL_DATE_ROW = struct.Struct(">hiqiiB")
_DATELESS_ROW = struct.Struct(">hiqiB")
_BATCH = struct.Struct(">i16s")
_JSONB_VERSION = 1
_EPOCH = date(2000, 1, 1).toordinal()


@dataclass(frozen=True, kw_only=True)
class Target:
    """A staging table of documents."""

    relation: Relation
    key: str
    versions: bool
    """Whether it keeps every document that a record has had; else the newest alone, with its date."""
    without: Sequence[str] = ()
    """Fields that must not be kept."""

    def statement(self, text: str) -> sql.Composed:
        """SQL with {target}, {key}, {said} (the documents that arrived, each record once) and {latest} filled in."""
        return sql.SQL(text).format(
            target=self.relation.identifier,
            key=sql.Identifier(self.key),
            latest=sql.SQL("is_latest" if self.versions else "true"),
            said=sql.SQL(
                "(select distinct on (key) key, slice, raw_data{} as raw_data"
                " from pg_temp.etl_arrived order by key, place desc)"
            ).format(sql.SQL(" - {}::text[]").format(sql.Literal(list(self.without))) if self.without else sql.SQL("")),
        )


@dataclass(frozen=True)
class Merged:
    """What a merge did to its target."""

    inserted: int
    updated: int
    slices: tuple[date, ...] = ()
    """Dates of which a row was written, or left."""


def begin(connection: psycopg.Connection) -> None:
    """Make the temporary table that the records arrive in, or empty it."""
    connection.execute("drop table if exists pg_temp.etl_arrived")
    connection.execute(
        "create temporary table etl_arrived (place bigint generated always as identity, key bigint, slice date,"
        " raw_data jsonb) on commit drop"
    )


def holds_none(connection: psycopg.Connection, target: Target, window: tuple[date, date] | None) -> bool:
    """Whether the target has no row of these dates, or none at all where no window is given."""
    first, last = window or (None, None)
    row = connection.execute(
        target.statement(
            "select not exists (select from {target}"
            + ("" if window is None else " where slice between %(first)s and %(last)s")
            + ")"
        ),
        {"first": first, "last": last},
    ).fetchone()
    return bool(row and row[0])


def put_straight(connection: psycopg.Connection, target: Target, batch: UUID, documents: Sequence[Document]) -> bool:
    """Put some documents into the target itself, all of them or none.

    Args:
        connection: With its transaction begun.
        target: Where to.
        batch: Whose work it is.
        documents: No key twice.

    Returns:
        False where a record is held already, or cannot be kept: nothing was put in.
    """
    if target.without:
        return False
    slices = "" if target.versions else ", slice"
    statement = target.statement(
        f"copy {{target}} ({{key}}{slices}, raw_data, etl_batch_id) from stdin (format binary)"
    )
    try:
        with connection.transaction():
            copy_in(connection, statement, _binary(documents, batch=batch, dates=not target.versions))
    except (psycopg.DataError, psycopg.errors.UniqueViolation):
        return False
    return True


def take_in(connection: psycopg.Connection, documents: Sequence[Document]) -> dict[int, str]:
    """Put some documents into the temporary table.

    Returns:
        Those that PostgreSQL could not read, by their place in `documents`, with its reason; the others are in.
    """
    if not documents:
        return {}
    statement = sql.SQL("copy {} (key, slice, raw_data) from stdin").format(ARRIVED.identifier)
    try:
        with connection.transaction():
            copy_in(connection, statement + sql.SQL(" (format binary)"), _binary(documents))
    except psycopg.DataError:
        # Some value fits no jsonb, a number beyond numeric's range say. The text form tells which.
        statement += sql.SQL(" (on_error ignore, log_verbosity verbose)")
        lines = (
            copy_line([str(each.key), each.slice.isoformat() if each.slice else None, each.raw.decode()])
            for each in documents
        )
        skipped = copy_in(connection, statement, lines).skipped
        return {line - 1: "PostgreSQL cannot keep it as JSON" for line in skipped}
    return {}


def forget_strangers(connection: psycopg.Connection, target: Target, window: tuple[date, date]) -> None:
    """Take out of the temporary table what lies outside of the window, but for records that the target holds."""
    connection.execute(
        target.statement(
            "delete from pg_temp.etl_arrived as said where slice not between %s and %s"
            " and not exists (select from {target} as held where held.{key} = said.key)"
        ),
        list(window),
    )


def arrived(connection: psycopg.Connection) -> Counter[date | None]:
    """Of how many records of each date a document is in the temporary table; None stands for those without one."""
    connection.execute("analyze pg_temp.etl_arrived")
    rows = connection.execute(
        "select slice, count(*) from ("
        "     select distinct on (key) key, slice from pg_temp.etl_arrived order by key, place desc"
        " ) as said group by slice order by slice"
    ).fetchall()
    return Counter(dict(rows))


def merge(connection: psycopg.Connection, target: Target, batch: UUID) -> Merged:
    """Bring the target to what arrived; write only what differs, and delete nothing.

    Of a target with versions, those of new records count as inserted, those of known ones as updated.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Where to.
        batch: Whose work it is.
    """
    return _add_versions(connection, target, batch) if target.versions else _keep_newest(connection, target, batch)


def _keep_newest(connection: psycopg.Connection, target: Target, batch: UUID) -> Merged:
    row = connection.execute(
        target.statement("""
        with differing as (
            select said.*, held.slice as was, held.{key} is null as is_new
            from {said} as said left join {target} as held on held.{key} = said.key
            where held.{key} is null or (held.slice, held.raw_data, held.vanished_at, held.deleted_at)
                is distinct from (said.slice, said.raw_data, null::timestamptz, null::timestamptz)
        ),
        updated as (
            update {target} as held
            set slice = said.slice, raw_data = said.raw_data, loaded_at = now(), vanished_at = null, deleted_at = null,
                etl_batch_id = %(batch)s
            from differing as said where held.{key} = said.key and not said.is_new
        ),
        inserted as (
            insert into {target} ({key}, slice, raw_data, etl_batch_id)
            select key, slice, raw_data, %(batch)s from differing where is_new
        )
        select
            count(*) filter (where is_new),
            count(*) filter (where not is_new),
            array_agg(distinct slice) || array_agg(distinct was) filter (where was is distinct from slice)
        from differing
        """),
        {"batch": batch},
    ).fetchone()
    inserted, updated, slices = row or (0, 0, None)
    return Merged(inserted, updated, tuple(sorted({day for day in slices or () if day})))


def _add_versions(connection: psycopg.Connection, target: Target, batch: UUID) -> Merged:
    # Two statements: in one, both would see the same snapshot and break the index of one latest version.
    reappeared, outdated, written = (
        connection.execute(target.statement(step), {"batch": batch}).rowcount
        for step in (
            "update {target} as held set vanished_at = null, etl_batch_id = %(batch)s from {said} as said"
            " where held.{key} = said.key and held.is_latest and held.vanished_at is not null"
            " and held.deleted_at is null and held.raw_data = said.raw_data",
            "update {target} as held set is_latest = false from {said} as said"
            " where held.{key} = said.key and held.is_latest"
            " and (held.deleted_at is not null or held.raw_data is distinct from said.raw_data)",
            "insert into {target} ({key}, raw_data, etl_batch_id) select key, raw_data, %(batch)s from {said} as said"
            " where not exists (select from {target} as held where held.{key} = said.key and held.is_latest)",
        )
    )
    return Merged(written - outdated, outdated + reappeared)


def absent(connection: psycopg.Connection, target: Target, window: tuple[date, date] | None) -> tuple[int, list[int]]:
    """How many records the target holds, and the keys of those that did not arrive, those not marked before first.

    Args:
        connection: With the documents in the temporary table.
        target: The staging table.
        window: Only records of these dates; all of them where None.
    """
    first, last = window or (None, None)
    rows = connection.execute(
        target.statement(
            "select held.{key}, exists (select from pg_temp.etl_arrived as said where said.key = held.{key})"
            " from {target} as held where {latest} and deleted_at is null"
            + ("" if window is None else " and slice between %(first)s and %(last)s")
            + " order by vanished_at nulls first, held.{key}"
        ),
        {"first": first, "last": last},
    ).fetchall()
    return len(rows), [key for key, is_there in rows if not is_there]


def mark(
    connection: psycopg.Connection, target: Target, batch: UUID, keys: Sequence[int], *, as_deleted: bool
) -> list[date]:
    """Note of records that the list no longer gives them or, `as_deleted`, that the source says they do not exist.

    Returns:
        Their dates, where they have any.
    """
    marked = connection.execute(
        target.statement(
            "update {target} set etl_batch_id = %s, "
            + ("deleted_at = now(), vanished_at = null" if as_deleted else "vanished_at = now()")
            + " where {key} = any(%s) and {latest}"
            + ("" if as_deleted else " and vanished_at is null")
            + " returning "
            + ("null::date" if target.versions else "slice")
        ),
        [batch, list(keys)],
    )
    return sorted({day for (day,) in marked if day})


def supersede_rejects(connection: psycopg.Connection, target: Target, batch: UUID) -> None:
    """Settle the rejects of records that have arrived well since, and of those without an id, which nobody can follow.

    Before those of this load are written down.
    """
    connection.execute(
        target.statement(
            "update etl.rejected_row set status = 'superseded'"
            " where relation = %(relation)s and file_id is null and status = 'new' and (line_number is null"
            " or line_number in (select key from pg_temp.etl_arrived)"
            " or line_number in (select {key} from {target} where etl_batch_id = %(batch)s))"
        ),
        {"relation": str(target.relation), "batch": batch},
    )


def _binary(documents: Sequence[Document], *, batch: UUID | None = None, dates: bool = True) -> Iterator[bytes]:
    """One block: the rows of a binary COPY of a bigint, a date (unless left out), a jsonb and a uuid (where given)."""
    fields = 2 + dates + (batch is not None)
    last = _BATCH.pack(16, batch.bytes) if batch else b""
    rows = [_HEADER]
    for each in documents:
        size = len(each.raw) + 1
        if not dates:
            rows.append(_DATELESS_ROW.pack(fields, 8, each.key, size, _JSONB_VERSION))
        elif each.slice is None:
            rows.append(_NULL_DATE_ROW.pack(fields, 8, each.key, -1, size, _JSONB_VERSION))
        else:
            rows.append(_ROW.pack(fields, 8, each.key, 4, each.slice.toordinal() - _EPOCH, size, _JSONB_VERSION))
        rows.append(each.raw)
        rows.append(last)
    rows.append(_TRAILER)
    yield b"".join(rows)
