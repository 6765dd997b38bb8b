"""COPY, upsert and delete of a database's rows: temporary tables of the session, merged into the staging table.

Rows go in as the lines of COPY that the source made of them. Where the target is empty they go straight in; otherwise
they are merged by the key, and nothing is written where nothing differs: the values are compared as what they are, and
not by a hash of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import RowRange
from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.copy import copy_in
from etl_assets.warehouse.database import before_images, retained
from etl_assets.warehouse.database.staging import StagingTable
from etl_assets.warehouse.merge import DIFFERS, IS_NEW, changes_query, distinct, merge

INCOMING, SOURCE_KEYS = "pg_temp.etl_incoming_rows", "pg_temp.etl_source_keys"
CHANGED, DELETED = "pg_temp.etl_changed_rows", "pg_temp.etl_deleted_rows"
ANALYZE_FROM_ROWS = 10_000
"""Rows from which on a temporary table is analyzed before the server plans with it."""


@dataclass(frozen=True)
class MergeResult:
    """Rows inserted, updated and refused by an upsert."""

    inserted: int = 0
    updated: int = 0
    overwritten: int = 0
    """Of the updated: rows that were not only given a column they lacked."""
    conflicts: int = 0
    """Rows that were not written, for others that are never overwritten are held by their keys."""
    new_conflicts: int = 0
    dates: set[date] = field(default_factory=set)
    """Dates of rows that were written, before and after."""


@dataclass(frozen=True)
class DeletedAtSource:
    """Rows in staging that the source no longer has."""

    rows: int
    first_key: object = None
    last_key: object = None
    dates: set[date] = field(default_factory=set)


def create_incoming(connection: psycopg.Connection, target: StagingTable) -> None:
    """Create the temporary table of incoming rows, or truncate it."""
    for name, columns in (("etl_incoming_rows", "{columns}"), ("etl_conflicting_keys", "{keys}")):
        if target.keys or name == "etl_incoming_rows":
            connection.execute(
                target.statement(
                    f"create temporary table if not exists {name} on commit drop as"
                    f" select {columns} from {{target}} with no data"
                )
            )
            connection.execute(f"truncate pg_temp.{name}")


def clear_incoming(connection: psycopg.Connection, target: StagingTable, row_range: RowRange) -> None:
    """Delete the incoming rows of a range that is going to be read once more."""
    for name in (INCOMING, retained.CONFLICTS):
        if name == INCOMING or row_range.cursor_column is None:
            connection.execute(
                target.statement(
                    f"delete from {name} as incoming where {{in_range}}",
                    in_range=target.in_range(row_range, of="incoming"),
                )
            )


def copy_into_staging(connection: psycopg.Connection, target: StagingTable, blocks: Iterable[bytes]) -> int:
    """COPY rows into the temporary table. Returns how many."""
    return copy_in(connection, target.statement(f"copy {INCOMING} ({{columns}}) from stdin"), blocks).rows


def copy_into_target(connection: psycopg.Connection, target: StagingTable, blocks: Iterable[bytes]) -> int:
    """COPY rows into the target itself, which is empty. Returns how many."""
    column = {"batch_column": sql.Identifier(BATCH_COLUMN)}
    connection.execute(target.statement("alter table {target} alter {batch_column} set default {batch}", **column))
    rows = copy_in(connection, target.statement("copy {target} ({columns}) from stdin"), blocks).rows
    connection.execute(target.statement("alter table {target} alter {batch_column} drop default", **column))
    return rows


def has_duplicate_keys(connection: psycopg.Connection, target: StagingTable) -> bool:
    """Whether two of the incoming rows have one key."""
    found = connection.execute(
        target.statement(f"select from {INCOMING} as incoming group by {{keys}} having count(*) > 1 limit 1")
    )
    return found.rowcount > 0


def insert_all(connection: psycopg.Connection, target: StagingTable) -> None:
    """Insert all incoming rows into the target, which is empty."""
    connection.execute(
        target.statement(
            f"insert into {{target}} ({{columns}}, {{batch_column}}) select {{columns}}, {{batch}} from {INCOMING}",
            batch_column=sql.Identifier(BATCH_COLUMN),
        )
    )


def merge_rows(connection: psycopg.Connection, target: StagingTable, row_range: RowRange) -> MergeResult:
    """Upsert the incoming rows that are new or differ; delete nothing.

    What is updated is kept as it was: until the next load (`before_images`) or, of a table that outlives its source,
    for good (`retained`). Of one that is only appended to nothing is updated but with columns that it lacked.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Where to; it has a key.
        row_range: What was read of it just now: the rest of the incoming rows was merged before.
    """
    _find_changed(connection, target, row_range)
    conflicts = new_conflicts = 0
    overwriting = f"(select * from {CHANGED} where etl_overwrites)"
    if target.append_only:
        new_conflicts = retained.record_conflicts(connection, target, row_range, incoming=INCOMING, chosen=overwriting)
        conflicts = connection.execute(f"delete from {CHANGED} where etl_overwrites").rowcount
    new, changed, overwritten = _row(
        connection,
        "select count(*) filter (where etl_is_new), count(*) filter (where not etl_is_new),"
        f" count(*) filter (where etl_overwrites) from {CHANGED}",
    )
    if not (new or changed):
        return MergeResult(conflicts=conflicts, new_conflicts=new_conflicts)
    before_images.discard_earlier(connection, target)
    if changed:
        if target.retain_deleted:
            retained.save_overwritten(connection, target, overwriting)
        before_images.save_before_images(connection, target, f"(select * from {CHANGED} where not etl_is_new)")
    incoming = {name: sql.Identifier("incoming", name) for name in target.columns}
    lineage = {BATCH_COLUMN: sql.Literal(target.batch)}
    merge(
        connection,
        target.statement(f"{INCOMING} as incoming inner join {CHANGED} as changed using ({{keys}})"),
        into=target.relation,
        same_key=target.statement("{same_key}"),
        updates={**{name: incoming[name] for name in target.values}, **lineage},
        inserts={**incoming, **lineage},
        differs=DIFFERS if changed else None,
        is_new=IS_NEW if new else None,
    )
    dates = _dates(connection, target, f"select etl_old_date from {CHANGED} union select etl_new_date from {CHANGED}")
    return MergeResult(new, changed, overwritten, conflicts, new_conflicts, dates)


def find_deleted(
    connection: psycopg.Connection,
    target: StagingTable,
    row_ranges: Sequence[RowRange],
    incoming: str = INCOMING,
    among: sql.Composable | None = None,
) -> DeletedAtSource:
    """Anti-join: which rows of these ranges did not arrive; `delete_found` deletes them.

    Args:
        connection: With all keys of the ranges in `incoming`.
        target: Which has a key.
        row_ranges: By the key, or all rows.
        incoming: The temporary table: of rows, or of keys alone.
        among: A condition on `existing`, besides.
    """
    in_range = sql.SQL(" or ").join(sql.SQL("({})").format(target.in_range(row_range)) for row_range in row_ranges)
    if among is not None:
        in_range = sql.SQL("({}) and {}").format(in_range, among)
    connection.execute(f"drop table if exists {DELETED}")
    connection.execute(
        target.statement(
            "create temporary table etl_deleted_rows on commit drop as"
            " select {existing_keys}, {old_date} as etl_old_date from {target} as existing"
            f" where ({{in_range}}) and not exists (select from {incoming} as incoming where {{same_key}})",
            in_range=in_range,
        )
    )
    first, last = (
        (sql.SQL(f"{word}({{}})").format(sql.Identifier(target.keys[0])) for word in ("min", "max"))
        if len(target.keys) == 1
        else (sql.SQL("null"), sql.SQL("null"))
    )
    row = connection.execute(
        # Not prepared: of the next table the key may be of another type.
        sql.SQL("select count(*), {}, {} from pg_temp.etl_deleted_rows").format(first, last),
        prepare=False,
    ).fetchone()
    rows, first_key, last_key = row or (0, None, None)
    return DeletedAtSource(
        rows, first_key, last_key, _dates(connection, target, f"select etl_old_date from {DELETED}") if rows else set()
    )


def delete_found(connection: psycopg.Connection, target: StagingTable) -> None:
    """Delete the rows that `find_deleted` found, which are kept as they were."""
    before_images.discard_earlier(connection, target)
    before_images.save_before_images(connection, target, DELETED)
    connection.execute(
        target.statement(f"delete from {{target}} as existing using {DELETED} as incoming where {{same_key}}")
    )


def delete_all(connection: psycopg.Connection, target: StagingTable) -> tuple[int, set[date]]:
    """Delete every row of a table without a key, whose rows can only be replaced. Returns how many, and their dates."""
    before_images.discard_earlier(connection, target)
    before_images.save_before_images(connection, target, "")
    dates = event_dates(connection, target)
    # Not truncate: it would shut out those who read.
    return connection.execute(target.statement("delete from {target}")).rowcount, dates


def load_source_keys(connection: psycopg.Connection, target: StagingTable, blocks: Iterable[bytes]) -> int:
    """COPY the keys of all rows of the source into a temporary table of their own. Returns how many."""
    connection.execute(f"drop table if exists {SOURCE_KEYS}")
    connection.execute(
        target.statement(
            "create temporary table etl_source_keys on commit drop as select {keys} from {target} with no data"
        )
    )
    rows = copy_in(connection, sql.SQL(f"copy {SOURCE_KEYS} from stdin"), blocks).rows
    connection.execute(f"analyze {SOURCE_KEYS}")
    return rows


def missing_keys(connection: psycopg.Connection, target: StagingTable, *, after: int | None, limit: int) -> list[int]:
    """The next keys beyond `after` that the source has and staging lacks, in order."""
    rows = connection.execute(
        target.statement(
            f"select {{incoming_keys}} from {SOURCE_KEYS} as incoming"
            " where ({after}::bigint is null or {incoming_keys} > {after})"
            " and not exists (select from {target} as existing where {same_key}) order by 1 limit {limit}",
            after=sql.Literal(after),
            limit=sql.Literal(limit),
        )
    )
    return [key for (key,) in rows]


def drop_expired(connection: psycopg.Connection, target: StagingTable) -> tuple[int, list[str]]:
    """Drop the incoming rows that a retention decision has deleted before: they must not come back.

    Returns:
        How many, and the columns by which it was decided that the source does not have any more.
    """
    expired, unknown = 0, []
    decisions = connection.execute(
        "select date_column, max(before) from etl.retention where relation = %s group by date_column",
        [str(target.relation)],
    ).fetchall()
    for column, before in decisions:
        if column not in target.columns:
            unknown.append(column)
            continue
        expired += connection.execute(
            sql.SQL(f"delete from {INCOMING} where {{}} < {{}}").format(sql.Identifier(column), sql.Literal(before))
        ).rowcount
    return expired, unknown


def event_dates(connection: psycopg.Connection, target: StagingTable) -> set[date]:
    """The distinct event dates of the target's rows."""
    if target.event_date is None or target.event_date not in target.columns:
        return set()
    rows = connection.execute(target.statement("select distinct {old_date} from {target} as existing"))
    return {day for (day,) in rows if day}


def count_rows(connection: psycopg.Connection, target: StagingTable) -> int:
    """The row count of the target."""
    row = connection.execute(target.statement("select count(*) from {target}")).fetchone()
    return int(row[0]) if row else 0


def max_key(connection: psycopg.Connection, target: StagingTable, *, arrived_only: bool = False) -> int | None:
    """The greatest key of the target, or of the incoming rows."""
    row = connection.execute(
        target.statement(f"select max({{keys}}) from {INCOMING if arrived_only else '{target}'}")
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else None


def split_rows(connection: psycopg.Connection, target: StagingTable, rows: int) -> list[RowRange]:
    """Split the table into key ranges of so many rows; the last has no upper bound."""
    bounds = connection.execute(
        target.statement(
            "select key from (select {keys} as key, row_number() over (order by {keys}) as place from {target})"
            " as numbered where mod(place, {rows}) = 0 order by key",
            rows=sql.Literal(rows),
        )
    ).fetchall()
    keys: list[int | None] = [None, *(key for (key,) in bounds), None]
    return [RowRange(after=after, upto=upto) for after, upto in pairwise(keys)]


def invalidate_ranges(connection: psycopg.Connection, target: StagingTable, chosen: str) -> None:
    """Invalidate the checksums of the key ranges that these keys lie in: the next sweep reads them again.

    The checksum of a range is of when it was read whole. A row changed since, and changed back without its cursor being
    moved, would come to the same.
    """
    connection.execute(
        target.statement(
            "update etl.key_range as ranges set checksum = '' where relation = {name} and checksum <> '' and exists ("
            f"     select from {chosen} as incoming"
            "     where (ranges.after_key is null or {incoming_keys} > ranges.after_key)"
            "     and (ranges.upto_key is null or {incoming_keys} <= ranges.upto_key))",
            name=sql.Literal(str(target.relation)),
        )
    )


def _find_changed(connection: psycopg.Connection, target: StagingTable, row_range: RowRange) -> None:
    known = [name for name in target.values if name not in target.new_columns]
    overwrites = [
        _differ(known),
        *(
            sql.SQL("(existing.{0} is not null and existing.{0} is distinct from incoming.{0})").format(
                sql.Identifier(name)
            )
            for name in target.values
            if name in target.new_columns
        ),
    ]
    found = changes_query(
        sql.SQL(f"{INCOMING} as incoming"),
        into=target.relation,
        same_key=target.statement("{same_key}"),
        never_null=target.keys[0],
        differs=_differ(target.values),
        columns={
            **{key: sql.Identifier("incoming", key) for key in target.keys},
            "etl_old_date": target.statement("{old_date}"),
            "etl_new_date": target.statement("{new_date}"),
            "etl_overwrites": sql.SQL("existing.{} is not null and ({})").format(
                sql.Identifier(target.keys[0]), sql.SQL(" or ").join(overwrites)
            ),
        },
        within=target.in_range(row_range, of="incoming"),
    )
    connection.execute(f"drop table if exists {CHANGED}")
    made = connection.execute(sql.SQL("create temporary table etl_changed_rows on commit drop as {}").format(found))
    if made.rowcount >= ANALYZE_FROM_ROWS:
        connection.execute(f"analyze {CHANGED}")


def _differ(names: Sequence[str]) -> sql.Composable:
    """The condition that `existing` and `incoming` differ in any of these columns."""
    return distinct(*([sql.Identifier(of, name) for name in names] for of in ("existing", "incoming")))


def _dates(connection: psycopg.Connection, target: StagingTable, chosen: str) -> set[date]:
    if target.event_date is None:
        return set()
    rows = connection.execute(f"select distinct event_date from ({chosen}) as touched(event_date)")
    return {day for (day,) in rows if day}


def _row(connection: psycopg.Connection, statement: str) -> tuple[int, ...]:
    row = connection.execute(statement).fetchone()
    return tuple(row) if row else (0, 0, 0)
