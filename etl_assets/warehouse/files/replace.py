"""Replace the slices that a file covers: delete, update and insert, writing only what differs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.files.incoming import INCOMING, REJECT_CANDIDATES, IncomingFile, fetch_row, readable_key
from etl_assets.warehouse.merge import MergeCounts, comma_list, distinct, equal, merge
from etl_assets.warehouse.relation import Relation

MATCHED = Relation("pg_temp", "etl_matched")


@dataclass(frozen=True)
class Shrunken:
    """Shrink guard: the rows that a file brings for a date, and those that were held."""

    arrived: int
    held: int


@dataclass(frozen=True)
class ReplaceResult:
    """Row counts of a replace, by operation, and the slices it touched."""

    inserted: int
    updated: int
    deleted: int
    kept: int
    """Rows that the file does not name and that were left, as one of its unreadable keys may be theirs."""
    slices: dict[date, int]
    """Slice date -> rows of the file, of the dates that it replaced and of which it is in force now."""
    shrunken: dict[date, Shrunken]
    """The dates that it did not replace, as it brings so few of the rows held: nothing was written of them."""
    vacated_slices: tuple[date, ...]
    """Previous dates of rows that the file moved to another date."""


def deduplicate(connection: psycopg.Connection, file: IncomingFile, *, limit: int) -> tuple[int, list[tuple[int, int]]]:
    """Deduplicate `incoming` by key; the last row of a key stays.

    Returns:
        How many rows were removed; and ordinals: of each of the first `limit` of them, and of the one that stays.
    """
    keys = file.key_expressions("incoming")
    single = sql.SQL("row({})").format(comma_list(keys)) if len(keys) > 1 else keys[0]
    rows, different = fetch_row(
        connection,
        sql.SQL("select count(*), count(distinct {}) from {} as incoming").format(single, INCOMING.identifier),
    )
    if rows == different:
        return 0, []
    removed = connection.execute(
        sql.SQL("""
            with

            last as (
                select
                    {keys},
                    max(incoming.ordinal) as ordinal
                from {incoming} as incoming
                group by {numbers}
                having count(*) > 1
            ),

            removed as (
                delete from {incoming} as incoming
                using last
                where {same} and incoming.ordinal < last.ordinal
                returning
                    incoming.ordinal,
                    last.ordinal as stays
            )

            select
                count(*) over (),
                ordinal,
                stays
            from removed
            order by ordinal
            limit {limit}
        """).format(
            limit=sql.Literal(limit),
            keys=comma_list([sql.SQL("{} as {}").format(key, sql.Identifier(f"k{at}")) for at, key in enumerate(keys)]),
            numbers=comma_list([sql.Literal(at + 1) for at in range(len(keys))]),
            incoming=INCOMING.identifier,
            same=equal(keys, [sql.Identifier("last", f"k{at}") for at in range(len(keys))]),
        )
    ).fetchall()
    return (removed[0][0] if removed else 0), [(gone, stays) for _, gone, stays in removed]


def match_existing(
    connection: psycopg.Connection, file: IncomingFile, *, limit: int
) -> tuple[int, list[tuple[int, str, str]]]:
    """Join `incoming` to the existing rows by key, and remove from it the keys that another feed owns.

    What is found stays in `MATCHED`, for `merge`. Unlike what `merge.changes_query` gives, that is every row that is
    held, for one of another feed is refused even if it is equal, and no new one, for of most files every row is new.

    Returns:
        How many were removed; and of each of the first `limit` of them its ordinal, and the feed and file that own the
        key.
    """
    data = [source for source in file.sources if source.column not in file.keys]
    connection.execute(
        sql.SQL("""
            create temporary table {matched} on commit drop as
            select
                incoming.ordinal,
                existing.feed,
                existing.file_name,
                existing.{slice_by} as slice,
                {differs} as differs
            from {incoming} as incoming
            inner join {target} as existing on {same}
        """).format(
            matched=sql.Identifier(MATCHED.name),
            slice_by=sql.Identifier(file.slice_by),
            differs=distinct(
                [sql.Identifier("existing", source.column) for source in data],
                [source.expression("incoming") for source in data],
            ),
            incoming=INCOMING.identifier,
            target=file.target.identifier,
            same=_same_key(file),
        )
    )
    foreign = connection.execute(
        sql.SQL("""
            with

            removed as (
                delete from {incoming} as incoming
                using {matched} as matched
                where matched.ordinal = incoming.ordinal and matched.feed <> {feed}
                returning
                    incoming.ordinal,
                    matched.feed,
                    matched.file_name
            )

            select
                count(*) over (),
                ordinal,
                feed,
                file_name
            from removed
            order by ordinal
            limit {limit}
        """).format(
            incoming=INCOMING.identifier,
            matched=MATCHED.identifier,
            feed=sql.Literal(file.feed),
            limit=sql.Literal(limit),
        )
    ).fetchall()
    return (foreign[0][0] if foreign else 0), [(ordinal, feed, file) for _, ordinal, feed, file in foreign]


def replace_slices(
    connection: psycopg.Connection,
    file: IncomingFile,
    *,
    only: Collection[date] | None,
    candidate_fields: list[tuple[str, str]] | None,
    unreadable_keys: int,
    shrink_floor: float,
) -> ReplaceResult:
    """Delete, update and insert so that the target's slices equal `incoming`.

    Args:
        connection: With `incoming` filled and matched.
        file: What the rows are written with.
        only: The slice dates to touch; all of the file where None.
        candidate_fields: The fields of `reject_candidate`; None where there is none. Existing rows with the key of a
            candidate stay.
        unreadable_keys: Lines whose key nobody knows. If there are any, no row is deleted: each may be what they say.
        shrink_floor: The share of the rows held for a date under which the file does not speak of all of it, so that
            the date is left as it is; 0 to believe it.
    """
    day = file.source(file.slice_by).expression("incoming")
    in_scope = sql.SQL("true") if only is None else sql.SQL("{} = any ({})").format(day, sql.Literal(list(only)))
    counts = connection.execute(
        sql.SQL("select {}, count(*) from {} as incoming where {} group by 1 order by 1").format(
            day, INCOMING.identifier, in_scope
        )
    )
    slices: dict[date, int] = dict(counts.fetchall())
    held = _count_held(connection, file, list(slices))
    shrunken = {day: Shrunken(slices.pop(day), rows) for day, rows in held.items() if slices[day] < shrink_floor * rows}
    if shrunken:
        in_scope = sql.SQL("{} = any ({}::date[])").format(day, sql.Literal(list(slices)))
    missing = 0
    if not held.keys() <= shrunken.keys():
        missing = _delete_missing(connection, file, list(slices), candidate_fields, delete=not unreadable_keys)
    any_matched, any_differs = fetch_row(
        connection,
        sql.SQL("select count(*) > 0, coalesce(bool_or(differs), false) from {}").format(MATCHED.identifier),
    )
    vacated_slices = _vacated_slices(connection, file, in_scope) if any_differs else ()
    merged = _merge(connection, file, in_scope, any_matched=any_matched, any_differs=any_differs)
    return ReplaceResult(
        merged.inserted,
        merged.updated,
        deleted=0 if unreadable_keys else missing,
        kept=missing if unreadable_keys else 0,
        slices=slices,
        shrunken=shrunken,
        vacated_slices=vacated_slices,
    )


def _held(file: IncomingFile, days: list[date]) -> sql.Composable:
    """The condition of an existing row: the feed brought it, for one of these dates."""
    return sql.SQL("existing.feed = {} and existing.{} = any ({}::date[])").format(
        sql.Literal(file.feed), sql.Identifier(file.slice_by), sql.Literal(days)
    )


def _count_held(connection: psycopg.Connection, file: IncomingFile, days: list[date]) -> dict[date, int]:
    counts = connection.execute(
        sql.SQL("select existing.{}, count(*) from {} as existing where {} group by 1 order by 1").format(
            sql.Identifier(file.slice_by), file.target.identifier, _held(file, days)
        )
    )
    return dict(counts.fetchall())


def _vacated_slices(connection: psycopg.Connection, file: IncomingFile, in_scope: sql.Composable) -> tuple[date, ...]:
    days = connection.execute(
        sql.SQL("""
            select distinct matched.slice
            from {matched} as matched
            inner join {incoming} as incoming on incoming.ordinal = matched.ordinal
            where matched.differs and matched.slice <> {day} and {in_scope}
            order by 1
        """).format(
            matched=MATCHED.identifier,
            incoming=INCOMING.identifier,
            day=file.source(file.slice_by).expression("incoming"),
            in_scope=in_scope,
        )
    )
    return tuple(day for (day,) in days)


def _delete_missing(
    connection: psycopg.Connection,
    file: IncomingFile,
    days: list[date],
    candidate_fields: list[tuple[str, str]] | None,
    *,
    delete: bool,
) -> int:
    """Delete, or only count, the existing rows of the slices that are missing from the file."""
    where, target = _held(file, days), file.target.identifier
    named = [sql.SQL("not exists (select from {} as incoming where {})").format(INCOMING.identifier, _same_key(file))]
    if candidate_fields is not None:
        readable, key = readable_key(file, candidate_fields)
        existing = [sql.Identifier("existing", name) for name in file.keys]
        # The cast stands behind the check, in a CASE, so that it is never tried on what cannot be read.
        same = sql.SQL(" and ").join(
            sql.SQL("{} = case when {} then {} end").format(name, readable, value)
            for name, value in zip(existing, key, strict=True)
        )
        named.append(
            sql.SQL("not exists (select from {} as candidate where {})").format(REJECT_CANDIDATES.identifier, same)
        )
    condition = sql.SQL(" and ").join([where, *named])
    if not delete:
        return int(
            fetch_row(connection, sql.SQL("select count(*) from {} as existing where {}").format(target, condition))[0]
        )
    return connection.execute(sql.SQL("delete from {} as existing where {}").format(target, condition)).rowcount


def _merge(
    connection: psycopg.Connection,
    file: IncomingFile,
    in_scope: sql.Composable,
    *,
    any_matched: bool,
    any_differs: bool,
) -> MergeCounts:
    data = {source.column: source.expression("incoming") for source in file.sources}
    bookkeeping = _bookkeeping(file)
    kept = {*file.keys, "feed", "first_load_datetime"}
    incoming, is_new = sql.SQL("{} as incoming").format(INCOMING.identifier), in_scope
    if any_matched:
        incoming = sql.SQL("{} left join {} as changed using (ordinal)").format(incoming, MATCHED.identifier)
        is_new = sql.SQL("changed.ordinal is null and {}").format(in_scope)
    return merge(
        connection,
        incoming,
        into=file.target,
        same_key=_same_key(file),
        updates={name: value for name, value in {**data, **bookkeeping}.items() if name not in kept},
        inserts={**data, **bookkeeping},
        differs=sql.SQL("changed.differs and {}").format(in_scope) if any_differs else None,
        is_new=is_new,
    )


def _bookkeeping(file: IncomingFile) -> dict[str, sql.Composable]:
    moment = sql.SQL("{}::timestamptz").format(sql.Literal(file.loaded_at))
    return {
        "feed": sql.Literal(file.feed),
        "file_name": sql.Literal(file.file_name),
        "load_datetime": moment,
        "first_load_datetime": moment,
        "last_update_datetime": moment,
        BATCH_COLUMN: sql.SQL("{}::uuid").format(sql.Literal(str(file.batch_id))),
    }


def _same_key(file: IncomingFile) -> sql.Composable:
    return equal([sql.Identifier("existing", name) for name in file.keys], file.key_expressions("incoming"))
