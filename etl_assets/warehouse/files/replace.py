"""Make the slices that a file speaks of hold what it says, and write only what differs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from etl_assets.warehouse.files.incoming import INCOMING, SUSPECT, Delivery, one, readable_key
from etl_assets.warehouse.relation import Relation

MATCHED = Relation("pg_temp", "etl_matched")


@dataclass(frozen=True)
class Replaced:
    """Rows that a file changed."""

    inserted: int
    updated: int
    deleted: int
    kept: int
    """Rows that the file does not name and that were left, as one of its unreadable keys may be theirs."""
    slices: dict[date, int]
    """Slice date -> rows of the file that are in force now."""
    moved_from: tuple[date, ...]
    """Dates that the file says nothing of, and that rows of the file were held under."""


def take_out_twice(connection: psycopg.Connection, delivery: Delivery) -> list[tuple[int, int]]:
    """Remove from `incoming` the rows whose key comes again later.

    Returns:
        Ordinals: of each row that was removed, and of the one that stays.
    """
    keys = delivery.key_of("incoming")
    single = sql.SQL("row({})").format(_listed(keys)) if len(keys) > 1 else keys[0]
    rows, different = one(
        connection,
        sql.SQL("select count(*), count(distinct {}) from {} as incoming").format(single, INCOMING.identifier),
    )
    if rows == different:
        return []
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
            )

            delete from {incoming} as incoming
            using last
            where {same} and incoming.ordinal < last.ordinal
            returning
                incoming.ordinal,
                last.ordinal
        """).format(
            keys=_listed([sql.SQL("{} as {}").format(key, sql.Identifier(f"k{at}")) for at, key in enumerate(keys)]),
            numbers=_listed([sql.Literal(at + 1) for at in range(len(keys))]),
            incoming=INCOMING.identifier,
            same=_equal(keys, [sql.Identifier("last", f"k{at}") for at in range(len(keys))]),
        )
    )
    return [(gone, stays) for gone, stays in removed]


def match(connection: psycopg.Connection, delivery: Delivery) -> list[tuple[int, str, str]]:
    """Find the held rows with the keys of `incoming`, and remove those that another feed holds.

    Returns:
        Of each that was removed: its ordinal, and the feed and file that hold the key.
    """
    data = [source for source in delivery.sources if source.column not in delivery.keys]
    connection.execute(
        sql.SQL("""
            create temporary table {matched} on commit drop as
            select
                incoming.ordinal,
                held.feed,
                held.file_name,
                held.{slice_by} as slice,
                row({held}) is distinct from row({new}) as differs
            from {incoming} as incoming
            inner join {target} as held on {same}
        """).format(
            matched=sql.Identifier(MATCHED.name),
            slice_by=sql.Identifier(delivery.slice_by),
            held=_listed([sql.Identifier("held", source.column) for source in data]),
            new=_listed([source.of("incoming") for source in data]),
            incoming=INCOMING.identifier,
            target=delivery.target.identifier,
            same=_same_key(delivery),
        )
    )
    foreign = connection.execute(
        sql.SQL("""
            delete from {incoming} as incoming
            using {matched} as matched
            where matched.ordinal = incoming.ordinal and matched.feed <> {feed}
            returning
                incoming.ordinal,
                matched.feed,
                matched.file_name
        """).format(incoming=INCOMING.identifier, matched=MATCHED.identifier, feed=sql.Literal(delivery.feed))
    )
    return [(ordinal, feed, file) for ordinal, feed, file in foreign]


def replace_slices(
    connection: psycopg.Connection,
    delivery: Delivery,
    *,
    only: Collection[date] | None,
    suspect_fields: list[tuple[str, str]] | None,
    unread_keys: int,
) -> Replaced:
    """Delete, update and insert so that the target holds what `incoming` says.

    Args:
        connection: With `incoming` filled and matched.
        delivery: What the rows are written with.
        only: The slice dates to touch; all of the file where None.
        suspect_fields: The fields of `suspect`; None where there is none. The rows whose key a suspect has stay.
        unread_keys: Lines whose key nobody knows. If there are any, no row is deleted: each may be what they say.
    """
    day = delivery.source(delivery.slice_by).of("incoming")
    chosen = sql.SQL("true") if only is None else sql.SQL("{} = any ({})").format(day, sql.Literal(list(only)))
    counts = connection.execute(
        sql.SQL("select {}, count(*) from {} as incoming where {} group by 1 order by 1").format(
            day, INCOMING.identifier, chosen
        )
    )
    slices: dict[date, int] = dict(counts.fetchall())
    vanished = _vanished(connection, delivery, list(slices), suspect_fields, delete=not unread_keys)
    any_matched, any_differs = one(
        connection,
        sql.SQL("select count(*) > 0, coalesce(bool_or(differs), false) from {}").format(MATCHED.identifier),
    )
    moved_from = _moved_from(connection, delivery, chosen) if any_differs else ()
    updated = _update(connection, delivery, chosen) if any_differs else 0
    inserted = _insert(connection, delivery, chosen, matched=any_matched)
    return Replaced(
        inserted, updated, 0 if unread_keys else vanished, vanished if unread_keys else 0, slices, moved_from
    )


def _moved_from(connection: psycopg.Connection, delivery: Delivery, chosen: sql.Composable) -> tuple[date, ...]:
    days = connection.execute(
        sql.SQL("""
            select distinct matched.slice
            from {matched} as matched
            inner join {incoming} as incoming on incoming.ordinal = matched.ordinal
            where matched.differs and matched.slice <> {day} and {chosen}
            order by 1
        """).format(
            matched=MATCHED.identifier,
            incoming=INCOMING.identifier,
            day=delivery.source(delivery.slice_by).of("incoming"),
            chosen=chosen,
        )
    )
    return tuple(day for (day,) in days)


def _vanished(
    connection: psycopg.Connection,
    delivery: Delivery,
    days: list[date],
    suspect_fields: list[tuple[str, str]] | None,
    *,
    delete: bool,
) -> int:
    """Delete, or count, the rows of the slices that the file does not name."""
    where = sql.SQL("held.feed = {} and held.{} = any ({}::date[])").format(
        sql.Literal(delivery.feed), sql.Identifier(delivery.slice_by), sql.Literal(days)
    )
    target = delivery.target.identifier
    if not one(connection, sql.SQL("select exists (select from {} as held where {})").format(target, where))[0]:
        return 0
    named = [
        sql.SQL("not exists (select from {} as incoming where {})").format(INCOMING.identifier, _same_key(delivery))
    ]
    if suspect_fields is not None:
        readable, key = readable_key(delivery, suspect_fields)
        held = [sql.Identifier("held", name) for name in delivery.keys]
        # The cast stands behind the check, in a CASE, so that it is never tried on what cannot be read.
        same = sql.SQL(" and ").join(
            sql.SQL("{} = case when {} then {} end").format(name, readable, value)
            for name, value in zip(held, key, strict=True)
        )
        named.append(sql.SQL("not exists (select from {} as suspect where {})").format(SUSPECT.identifier, same))
    condition = sql.SQL(" and ").join([where, *named])
    if not delete:
        return int(one(connection, sql.SQL("select count(*) from {} as held where {}").format(target, condition))[0])
    return connection.execute(sql.SQL("delete from {} as held where {}").format(target, condition)).rowcount


def _update(connection: psycopg.Connection, delivery: Delivery, chosen: sql.Composable) -> int:
    written = [
        (source.column, source.of("incoming")) for source in delivery.sources if source.column not in delivery.keys
    ]
    written += [(name, value) for name, value in _bookkeeping(delivery) if name not in {"feed", "first_load_datetime"}]
    return connection.execute(
        sql.SQL("""
            update {target} as held
            set {assigned}
            from {incoming} as incoming, {matched} as matched
            where matched.ordinal = incoming.ordinal and matched.differs and {same} and {chosen}
        """).format(
            target=delivery.target.identifier,
            assigned=_listed([sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in written]),
            incoming=INCOMING.identifier,
            matched=MATCHED.identifier,
            same=_same_key(delivery),
            chosen=chosen,
        )
    ).rowcount


def _insert(connection: psycopg.Connection, delivery: Delivery, chosen: sql.Composable, *, matched: bool) -> int:
    written = [(source.column, source.of("incoming")) for source in delivery.sources] + _bookkeeping(delivery)
    is_new = sql.SQL("not exists (select from {} as matched where matched.ordinal = incoming.ordinal)").format(
        MATCHED.identifier
    )
    return connection.execute(
        sql.SQL("insert into {} ({}) select {} from {} as incoming where {} and {}").format(
            delivery.target.identifier,
            _listed([sql.Identifier(name) for name, _ in written]),
            _listed([value for _, value in written]),
            INCOMING.identifier,
            chosen,
            is_new if matched else sql.SQL("true"),
        )
    ).rowcount


def _bookkeeping(delivery: Delivery) -> list[tuple[str, sql.Composable]]:
    moment = sql.SQL("{}::timestamptz").format(sql.Literal(delivery.loaded_at))
    return [
        ("feed", sql.Literal(delivery.feed)),
        ("file_name", sql.Literal(delivery.file_name)),
        ("load_datetime", moment),
        ("first_load_datetime", moment),
        ("last_update_datetime", moment),
        ("etl_batch_id", sql.SQL("{}::uuid").format(sql.Literal(str(delivery.batch_id)))),
    ]


def _same_key(delivery: Delivery) -> sql.Composed:
    return _equal([sql.Identifier("held", name) for name in delivery.keys], delivery.key_of("incoming"))


def _equal(
    left: list[sql.Composable] | list[sql.Identifier], right: list[sql.Composable] | list[sql.Identifier]
) -> sql.Composed:
    return sql.SQL(" and ").join(sql.SQL("{} = {}").format(*pair) for pair in zip(left, right, strict=True))


def _listed(
    parts: list[sql.Composable] | list[sql.Identifier] | list[sql.Composed] | list[sql.Literal],
) -> sql.Composed:
    return sql.SQL(", ").join(parts)
