"""A database's rows on their way into staging: temporary tables of the session, and what becomes of the target.

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

from etl_assets.declare.database import Piece
from etl_assets.warehouse.copy import copy_in
from etl_assets.warehouse.database import before_images, retained
from etl_assets.warehouse.database.staging import BATCH_COLUMN, Target, listed

ROWS, KEYS = "pg_temp.etl_rows", "pg_temp.etl_keys"
DIFFERING, GONE = "pg_temp.etl_differing", "pg_temp.etl_gone"
COUNT_ANEW_FROM = 10_000
"""Rows from which on the server counts a temporary table before it plans with it."""


@dataclass(frozen=True)
class Merged:
    """What a merge did to its target."""

    inserted: int = 0
    updated: int = 0
    overwritten: int = 0
    """Of the updated: rows that were not only given a column they lacked."""
    refused: int = 0
    """Rows that were not written, for others are held by their keys that are never overwritten."""
    newly_refused: int = 0
    dates: set[date] = field(default_factory=set)
    """Dates of rows that were written, before and after."""


@dataclass(frozen=True)
class Gone:
    """Rows held that the source no longer has."""

    rows: int
    first_key: object = None
    last_key: object = None
    dates: set[date] = field(default_factory=set)


def begin(connection: psycopg.Connection, target: Target) -> None:
    """Make the temporary table that rows arrive in, or empty it."""
    for name, columns in (("etl_rows", "{columns}"), ("etl_refused", "{keys}")):
        if target.keys or name == "etl_rows":
            connection.execute(
                target.statement(
                    f"create temporary table if not exists {name} on commit drop as"
                    f" select {columns} from {{target}} with no data"
                )
            )
            connection.execute(f"truncate pg_temp.{name}")


def begin_again(connection: psycopg.Connection, target: Target, piece: Piece) -> None:
    """Empty the temporary table of what is of the piece, which is going to be read once more."""
    for name in (ROWS, retained.REFUSED):
        if name == ROWS or piece.stamp is None:
            connection.execute(
                target.statement(f"delete from {name} as held where {{within}}", within=target.within(piece))
            )


def take_in(connection: psycopg.Connection, target: Target, blocks: Iterable[bytes]) -> int:
    """Put rows into the temporary table. Returns how many."""
    return copy_in(connection, target.statement(f"copy {ROWS} ({{columns}}) from stdin"), blocks).rows


def put_straight(connection: psycopg.Connection, target: Target, blocks: Iterable[bytes]) -> int:
    """Put rows into the target itself, which holds none. Returns how many."""
    column = {"batch_column": sql.Identifier(BATCH_COLUMN)}
    connection.execute(target.statement("alter table {target} alter {batch_column} set default {batch}", **column))
    rows = copy_in(connection, target.statement("copy {target} ({columns}) from stdin"), blocks).rows
    connection.execute(target.statement("alter table {target} alter {batch_column} drop default", **column))
    return rows


def insert_all(connection: psycopg.Connection, target: Target) -> None:
    """Put the rows that arrived into the target, which holds none."""
    connection.execute(
        target.statement(
            f"insert into {{target}} ({{columns}}, {{batch_column}}) select {{columns}}, {{batch}} from {ROWS}",
            batch_column=sql.Identifier(BATCH_COLUMN),
        )
    )


def merge(connection: psycopg.Connection, target: Target, piece: Piece) -> Merged:
    """Write those of the rows that arrived that are new or differ; delete nothing.

    What is updated is kept as it was: until the next load (`undo`) or, of a table that outlives its source, for good
    (`kept`). Of one that is only appended to nothing is updated but with columns that it lacked.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Where to; it has a key.
        piece: What was read of it just now: the rest of what arrived was merged before.
    """
    _find_differing(connection, target, piece)
    refused = newly = 0
    overwriting = f"(select * from {DIFFERING} where overwrites)"
    if target.append_only:
        newly = retained.refuse(connection, target, piece, arrived=ROWS, chosen=overwriting)
        refused = connection.execute(f"delete from {DIFFERING} where overwrites").rowcount
    new, changed, overwritten = _one(
        connection,
        "select count(*) filter (where is_new), count(*) filter (where not is_new), count(*) filter (where overwrites)"
        f" from {DIFFERING}",
    )
    if not (new or changed):
        return Merged(refused=refused, newly_refused=newly)
    before_images.forget_earlier(connection, target)
    if changed:
        if target.keep_deleted:
            retained.keep_overwritten(connection, target, overwriting)
        before_images.keep(connection, target, f"(select * from {DIFFERING} where not is_new)")
        _update(connection, target)
    if new:
        connection.execute(
            target.statement(
                f"insert into {{target}} ({{columns}}, {{batch_column}}) select {{said}}, {{batch}} from {ROWS} as said"
                f" inner join {DIFFERING} as held on {{same}} where is_new",
                said=sql.SQL(", ").join(sql.Identifier("said", name) for name in target.columns),
                batch_column=sql.Identifier(BATCH_COLUMN),
            )
        )
    dates = _dates(connection, target, f"select was from {DIFFERING} union select becomes from {DIFFERING}")
    return Merged(new, changed, overwritten, refused, newly, dates)


def find_gone(connection: psycopg.Connection, target: Target, pieces: Sequence[Piece], said: str = ROWS) -> Gone:
    """Which rows held of these pieces did not arrive; `delete_gone` deletes them.

    Args:
        connection: With all keys of the pieces in `said`.
        target: Which has a key.
        pieces: By the key, or all rows.
        said: The temporary table: of rows, or of keys alone.
    """
    within = sql.SQL(" or ").join(sql.SQL("({})").format(target.within(piece)) for piece in pieces)
    connection.execute(f"drop table if exists {GONE}")
    connection.execute(
        target.statement(
            "create temporary table etl_gone on commit drop as select {held_keys}, {was} as was from {target} as held"
            f" where ({{within}}) and not exists (select from {said} as said where {{same}})",
            within=within,
        )
    )
    first, last = (
        (sql.SQL(f"{word}({{}})").format(sql.Identifier(target.keys[0])) for word in ("min", "max"))
        if len(target.keys) == 1
        else (sql.SQL("null"), sql.SQL("null"))
    )
    row = connection.execute(sql.SQL("select count(*), {}, {} from pg_temp.etl_gone").format(first, last)).fetchone()
    rows, first_key, last_key = row or (0, None, None)
    return Gone(rows, first_key, last_key, _dates(connection, target, f"select was from {GONE}") if rows else set())


def delete_gone(connection: psycopg.Connection, target: Target) -> None:
    """Delete the rows that `find_gone` found, which are kept as they were."""
    before_images.forget_earlier(connection, target)
    before_images.keep(connection, target, GONE)
    connection.execute(target.statement(f"delete from {{target}} as held using {GONE} as said where {{same}}"))


def delete_all(connection: psycopg.Connection, target: Target) -> tuple[int, set[date]]:
    """Delete every row of a table without a key, whose rows can only be replaced. Returns how many, and their dates."""
    before_images.forget_earlier(connection, target)
    before_images.keep(connection, target, "")
    dates = dates_held(connection, target)
    # Not truncate: it would shut out those who read.
    return connection.execute(target.statement("delete from {target}")).rowcount, dates


def begin_keys(connection: psycopg.Connection, target: Target, blocks: Iterable[bytes]) -> int:
    """Put the keys of all rows of the source into a temporary table of their own. Returns how many."""
    connection.execute(f"drop table if exists {KEYS}")
    connection.execute(
        target.statement("create temporary table etl_keys on commit drop as select {keys} from {target} with no data")
    )
    rows = copy_in(connection, sql.SQL(f"copy {KEYS} from stdin"), blocks).rows
    connection.execute(f"analyze {KEYS}")
    return rows


def missing_keys(connection: psycopg.Connection, target: Target, *, after: int | None, most: int) -> list[int]:
    """Keys of the source that no row is held of, in order, so many beyond `after`."""
    rows = connection.execute(
        target.statement(
            f"select {{said_keys}} from {KEYS} as said where ({{after}}::bigint is null or {{said_keys}} > {{after}})"
            " and not exists (select from {target} as held where {same}) order by 1 limit {most}",
            after=sql.Literal(after),
            most=sql.Literal(most),
        )
    )
    return [key for (key,) in rows]


def leave_out_retired(connection: psycopg.Connection, target: Target) -> tuple[int, list[str]]:
    """Take out of what arrived the rows that somebody has decided to let go of.

    Returns:
        How many, and the columns by which it was decided that the source does not have any more.
    """
    left_out, unknown = 0, []
    retired = connection.execute(
        "select date_column, max(before) from etl.retention where relation = %s group by date_column",
        [str(target.relation)],
    ).fetchall()
    for column, before in retired:
        if column not in target.columns:
            unknown.append(column)
            continue
        left_out += connection.execute(
            sql.SQL(f"delete from {ROWS} where {{}} < {{}}").format(sql.Identifier(column), sql.Literal(before))
        ).rowcount
    return left_out, unknown


def dates_held(connection: psycopg.Connection, target: Target) -> set[date]:
    """The dates that rows are held of."""
    if target.happens_on is None or target.happens_on not in target.columns:
        return set()
    rows = connection.execute(target.statement("select distinct {was} from {target} as held"))
    return {day for (day,) in rows if day}


def count_held(connection: psycopg.Connection, target: Target) -> int:
    """How many rows the target holds, counted."""
    row = connection.execute(target.statement("select count(*) from {target}")).fetchone()
    return int(row[0]) if row else 0


def last_key(connection: psycopg.Connection, target: Target, *, arrived_only: bool = False) -> int | None:
    """The greatest key held, or that arrived."""
    row = connection.execute(
        target.statement(f"select max({{keys}}) from {ROWS if arrived_only else '{target}'}")
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else None


def pieces_of(connection: psycopg.Connection, target: Target, rows: int) -> list[Piece]:
    """The table in pieces of so many of its rows, by the key; the last has no upper bound."""
    bounds = connection.execute(
        target.statement(
            "select key from (select {keys} as key, row_number() over (order by {keys}) as place from {target}) as held"
            " where mod(place, {rows}) = 0 order by key",
            rows=sql.Literal(rows),
        )
    ).fetchall()
    keys: list[int | None] = [None, *(key for (key,) in bounds), None]
    return [Piece(after=after, upto=upto) for after, upto in pairwise(keys)]


def doubt_ranges(connection: psycopg.Connection, target: Target, chosen: str) -> None:
    """Have the ranges read again at the next sweep that these keys lie in.

    What is kept of a range is what it came to when it was read whole. A row changed since, and changed back without
    its stamp being moved, would come to the same.
    """
    connection.execute(
        target.statement(
            "update etl.key_range as held set checksum = '' where relation = {name} and checksum <> '' and exists ("
            f"     select from {chosen} as said where (held.after_key is null or {{said_keys}} > held.after_key)"
            "     and (held.upto_key is null or {said_keys} <= held.upto_key))",
            name=sql.Literal(str(target.relation)),
        )
    )


def _find_differing(connection: psycopg.Connection, target: Target, piece: Piece) -> None:
    connection.execute(f"drop table if exists {DIFFERING}")
    values, known = target.values, [name for name in target.values if name not in target.fresh]
    overwrites = [
        _differ(known),
        *(
            sql.SQL("(held.{0} is not null and held.{0} is distinct from said.{0})").format(sql.Identifier(name))
            for name in values
            if name in target.fresh
        ),
    ]
    connection.execute(
        target.statement(
            "create temporary table etl_differing on commit drop as"
            " select {said_keys}, held.{key} is null as is_new, {was} as was, {becomes} as becomes,"
            " held.{key} is not null and ({overwrites}) as overwrites"
            f" from {ROWS} as said left join {{target}} as held on {{same}}"
            " where {within} and (held.{key} is null or {differs})",
            key=sql.Identifier(target.keys[0]),
            differs=_differ(values),
            overwrites=sql.SQL(" or ").join(overwrites),
            within=target.within(piece, of="said"),
        )
    )


def _differ(names: Sequence[str]) -> sql.Composable:
    """The condition that `held` and `said` are not the same in these columns."""
    if not names:
        return sql.SQL("false")
    return sql.SQL("row({}) is distinct from row({})").format(listed(names, of="held"), listed(names, of="said"))


def _update(connection: psycopg.Connection, target: Target) -> None:
    changes = [
        *(sql.SQL("{0} = arrived.{0}").format(sql.Identifier(name)) for name in target.values),
        sql.SQL("{} = {}").format(sql.Identifier(BATCH_COLUMN), sql.Literal(target.batch)),
    ]
    connection.execute(
        target.statement(
            f"update {{target}} as held set {{changes}} from {DIFFERING} as said inner join {ROWS} as arrived"
            " on {arrived} where not said.is_new and {same}",
            changes=sql.SQL(", ").join(changes),
            arrived=sql.SQL(" and ").join(
                sql.SQL("arrived.{0} = said.{0}").format(sql.Identifier(key)) for key in target.keys
            ),
        )
    )


def _dates(connection: psycopg.Connection, target: Target, chosen: str) -> set[date]:
    if target.happens_on is None:
        return set()
    return {day for (day,) in connection.execute(f"select distinct was from ({chosen}) as touched(was)") if day}


def _one(connection: psycopg.Connection, statement: str) -> tuple[int, ...]:
    row = connection.execute(statement).fetchone()
    return tuple(row) if row else (0, 0, 0)
