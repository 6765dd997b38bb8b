"""Document staging: COPY into a temporary table, upsert into the target, soft deletes.

Documents go in as the bytes that the service sent, by binary COPY. The target keeps one row a record, or one row for
each document that a record has had. Where it holds nothing yet of what is read, they go straight in: the rows are then
written once and not twice. The temporary table lives as long as the session, so that a list is read before the
transaction that merges it, and the lock on the target, begin.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.dates import Span
from etl_assets.declare.document_reader import Document, Key
from etl_assets.declare.rest import INSTANCE
from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.copy import copy_in
from etl_assets.warehouse.merge import changes_query, distinct, merge
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.binary import binary_copy, copy_documents
from etl_assets.warehouse.rest.tables import DocumentTable

STAGING = Relation("pg_temp", "etl_documents")


@dataclass(frozen=True)
class MergedDocuments:
    """Rows that a merge of documents inserted and updated."""

    inserted: int
    updated: int
    slices: tuple[date, ...] = ()
    """Dates of which a row was written, or left."""


def create_staging(connection: psycopg.Connection, target: DocumentTable) -> None:
    """Create the temporary table that the documents are staged in, in place of that of an earlier load."""
    columns = [sql.SQL("{} {}").format(sql.Identifier(key.name), sql.SQL(key.type)) for key in target.keys]
    connection.execute("drop table if exists pg_temp.etl_documents")
    connection.execute(
        sql.SQL(
            "create temporary table etl_documents (etl_seq bigint generated always as identity, {}, slice date,"
            " raw_data jsonb) on commit preserve rows"
        ).format(sql.SQL(", ").join(columns))
    )


def is_empty(connection: psycopg.Connection, target: DocumentTable, window: Span | None) -> bool:
    """Whether the target has no row of these dates, or none at all where no window is given."""
    row = connection.execute(
        target.statement(
            "select not exists (select from {target} as existing where {instance} and {in_window})",
            in_window=in_window(window),
        )
    ).fetchone()
    return bool(row and row[0])


def copy_documents_into_target(
    connection: psycopg.Connection, target: DocumentTable, batch: UUID, documents: Sequence[Document]
) -> bool:
    """Copy documents straight into the target, all of them or none.

    Args:
        connection: With its transaction begun.
        target: Where to.
        batch: Whose work it is.
        documents: No key twice.

    Returns:
        False where a record is held already, or cannot be kept: nothing was put in.
    """
    slices = "" if target.keeps_versions else ", slice"
    statement = target.statement(
        f"copy {{target}} ({{target_keys}}{slices}, raw_data, etl_batch_id) from stdin (format binary)"
    )
    block = binary_copy(
        documents,
        target.key_types,
        constants=[target.instance] if target.instance else [],
        batch=batch,
        with_date=not target.keeps_versions,
    )
    try:
        with connection.transaction():
            copy_in(connection, statement, block)
    except (psycopg.DataError, psycopg.errors.UniqueViolation):
        return False
    return True


def copy_documents_into_staging(
    connection: psycopg.Connection, target: DocumentTable, documents: Sequence[Document]
) -> dict[int, str]:
    """Copy documents into the temporary table.

    Returns:
        Those that PostgreSQL could not read, by their position in `documents`, with its reason; the others are in.
    """
    statement = target.statement("copy {staging} ({keys}, slice, raw_data) from stdin", staging=STAGING.identifier)
    return copy_documents(connection, statement, documents, target.key_types)


def drop_out_of_window(connection: psycopg.Connection, target: DocumentTable, window: Span) -> None:
    """Drop staged documents outside of the window, but for records that the target holds."""
    connection.execute(
        target.statement(
            "delete from pg_temp.etl_documents as incoming where slice not between {first} and {last}"
            " and not exists (select from {target} as existing where {same})",
            first=sql.Literal(window.first),
            last=sql.Literal(window.last),
        )
    )


def analyze_staging(connection: psycopg.Connection) -> None:
    """Have the planner know how much is staged."""
    connection.execute("analyze pg_temp.etl_documents")


def staged_counts(connection: psycopg.Connection, target: DocumentTable) -> Counter[date | None]:
    """Count the staged records by date; None stands for those without one."""
    rows = connection.execute(
        target.statement(
            "select slice, count(*) from ("
            "     select distinct on ({keys}) {keys}, slice from pg_temp.etl_documents order by {keys}, etl_seq desc"
            " ) as incoming group by slice order by slice"
        )
    ).fetchall()
    return Counter(dict(rows))


def merge_documents(connection: psycopg.Connection, target: DocumentTable, batch: UUID) -> MergedDocuments:
    """Upsert the staged documents into the target; write only what differs, and delete nothing.

    Of a target with versions, those of new records count as inserted, those of known ones as updated.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Where to.
        batch: Whose work it is.
    """
    keep = _merge_versions if target.keeps_versions else _merge_newest
    return keep(connection, target, batch)


def _merge_newest(connection: psycopg.Connection, target: DocumentTable, batch: UUID) -> MergedDocuments:
    same_key = target.statement("{same}")
    incoming = {name: sql.Identifier("incoming", name) for name in (*target.key_names, "slice", "raw_data")}
    document = {
        "slice": incoming["slice"],
        "raw_data": incoming["raw_data"],
        BATCH_COLUMN: sql.Literal(batch),
    }
    merged = merge(
        connection,
        sql.SQL("changes as incoming"),
        into=target.relation,
        same_key=same_key,
        updates={**document, "loaded_at": sql.SQL("now()"), "vanished_at": sql.NULL, "deleted_at": sql.NULL},
        inserts={**({INSTANCE: sql.Literal(target.instance)} if target.instance else {}), **incoming, **document},
        differs=sql.SQL("not incoming.etl_is_new"),
        is_new=sql.SQL("incoming.etl_is_new"),
        # Not in a table of its own: a document would be written once more.
        changes=changes_query(
            target.statement("{incoming} as incoming"),
            into=target.relation,
            same_key=same_key,
            never_null="loaded_at",
            differs=distinct(
                [sql.Identifier("existing", name) for name in ("slice", "raw_data", "vanished_at", "deleted_at")],
                # A record that came is there: it has neither vanished nor been deleted.
                [incoming["slice"], incoming["raw_data"], *[sql.SQL("null::timestamptz")] * 2],
            ),
            columns={**incoming, "previous_slice": sql.Identifier("existing", "slice")},
        ),
        noted=sql.SQL(
            "array_agg(distinct slice)"
            " || array_agg(distinct previous_slice) filter (where previous_slice is distinct from slice)"
        ),
    )
    days = cast("list[date | None]", merged.noted or [])
    return MergedDocuments(merged.inserted, merged.updated, tuple(sorted({day for day in days if day})))


def _merge_versions(connection: psycopg.Connection, target: DocumentTable, batch: UUID) -> MergedDocuments:
    """No upsert, so not by `merge`: of a record that differs the version held is outdated, and one more inserted."""
    # Two statements: in one, both would see the same snapshot and break the index of one latest version.
    reappeared, outdated, written = (
        connection.execute(target.statement(step), {"batch": batch}).rowcount
        for step in (
            "update {target} as existing set vanished_at = null, etl_batch_id = %(batch)s from {incoming} as incoming"
            " where {same} and existing.is_latest and existing.vanished_at is not null"
            " and existing.deleted_at is null and existing.raw_data = incoming.raw_data",
            "update {target} as existing set is_latest = false from {incoming} as incoming"
            " where {same} and existing.is_latest"
            " and (existing.deleted_at is not null or existing.raw_data is distinct from incoming.raw_data)",
            "insert into {target} ({target_keys}, raw_data, etl_batch_id)"
            " select {instance_value} {keys}, raw_data, %(batch)s from {incoming} as incoming where not exists ("
            "select from {target} as existing where {same} and existing.is_latest)",
        )
    )
    return MergedDocuments(written - outdated, outdated + reappeared)


def current_keys(connection: psycopg.Connection, target: DocumentTable) -> list[Key]:
    """The keys of the records that the source has not deleted, in order."""
    return connection.execute(
        target.statement(
            "select {existing_keys} from {target} as existing where {instance} and {latest} and deleted_at is null"
            " order by {existing_keys}"
        )
    ).fetchall()


def missing_documents(
    connection: psycopg.Connection, target: DocumentTable, window: Span | None
) -> tuple[int, list[Key]]:
    """Count the records of the target, and find the keys that were not staged, those not marked before first.

    Args:
        connection: With the documents in the temporary table.
        target: The staging table.
        window: Only records of these dates; all of them where None.
    """
    rows = connection.execute(
        target.statement(
            "select exists (select from pg_temp.etl_documents as incoming where {same}), {existing_keys}"
            " from {target} as existing where {instance} and {latest} and deleted_at is null and {in_window}"
            " order by vanished_at nulls first, {existing_keys}",
            in_window=in_window(window),
        )
    ).fetchall()
    return len(rows), [tuple(key) for is_there, *key in rows if not is_there]


def mark_missing(
    connection: psycopg.Connection, target: DocumentTable, batch: UUID, keys: Sequence[Key], *, as_deleted: bool
) -> tuple[int, list[date]]:
    """Soft delete: mark records as vanished from the list or, `as_deleted`, as deleted at the source.

    Returns:
        How many were not marked so before, and their dates, where they have any.
    """
    columns = [list(values) for values in zip(*keys, strict=True)] or [[] for _ in target.keys]
    arrays = [sql.SQL("%s::{}[]").format(sql.SQL(kind)) for kind in target.key_types]
    marked = connection.execute(
        target.statement(
            "update {target} as existing set etl_batch_id = %s, "
            + ("deleted_at = now(), vanished_at = null" if as_deleted else "vanished_at = now()")
            + " from unnest({arrays}) as incoming ({keys}) where {same} and {latest}"
            + ("" if as_deleted else " and existing.vanished_at is null")
            + " returning "
            + ("null::date" if target.keeps_versions else "existing.slice"),
            arrays=sql.SQL(", ").join(arrays),
        ),
        [batch, *columns],
    )
    return marked.rowcount, sorted({day for (day,) in marked if day})


def resolve_rejects(connection: psycopg.Connection, target: DocumentTable, batch: UUID) -> None:
    """Resolve the rejects of records that were loaded since, and of those without an id, which nobody can follow.

    To be called before those of this load are recorded.
    """
    shown = reject_key_of(target)
    connection.execute(
        target.statement(
            "update etl.rejected_row as reject set status = 'superseded'"
            " where relation = %(relation)s and file_id is null and status = 'new'"
            " and ((line_number is null and record_key is not distinct from {without_key})"
            " or coalesce(record_key, line_number::text) in (select {shown} from pg_temp.etl_documents as incoming)"
            " or coalesce(record_key, line_number::text) in ("
            "     select {shown} from {target} as incoming where etl_batch_id = %(batch)s))",
            shown=shown,
            without_key=sql.Literal(target.key_of_keyless),
        ),
        {"relation": str(target.relation), "batch": batch},
    )


def reject_key_of(target: DocumentTable) -> sql.Composable:
    """The key of `incoming` as the quarantine has it: of several columns or tenants, with bars between."""
    columns = [sql.SQL("{}::text").format(sql.Identifier("incoming", name)) for name in target.key_names]
    parts = ([sql.Literal(target.instance)] if target.instance else []) + columns
    return parts[0] if len(parts) == 1 else sql.SQL("concat_ws('|', {})").format(sql.SQL(", ").join(parts))


def in_window(window: Span | None) -> sql.Composable:
    """The condition that a row in `existing` is of these dates; of any where no window is given."""
    if window is None:
        return sql.SQL("true")
    return sql.SQL("existing.slice between {} and {}").format(sql.Literal(window.first), sql.Literal(window.last))
