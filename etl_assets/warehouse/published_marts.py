"""Published marts: tables that are written from rows as they may be read, and the releases that were made of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from etl_assets.warehouse.catalog import describe_tables
from etl_assets.warehouse.connection import PERSONAL_READER, READER
from etl_assets.warehouse.relation import Relation, column_list

KEPT_RELEASES = 3
"""Of a source: the newest, those that a reader may have kept to hold against it."""
_INCOMING = sql.Identifier("etl_published")


def read_mart(connection: psycopg.Connection, relation: Relation) -> list[dict[str, Any]]:
    """All rows of a mart."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql.SQL("select * from {}").format(relation.identifier)).fetchall()


def shape_mart(
    connection: psycopg.Connection,
    relation: Relation,
    exact: Relation,
    *,
    without: Collection[str],
    more: Mapping[str, str],
) -> None:
    """Have a published mart have the columns of its exact one, with the same comments, and be open to readers.

    Args:
        connection: As the transformer.
        relation: The published mart.
        exact: The mart with exact numbers.
        without: Columns that are not published.
        more: Columns besides, of type text, with their comments.

    A mart of other columns than it had is made anew.
    """
    held = describe_tables(connection, relation.schema, name=relation.name).get(relation.name)
    of_exact = _columns(connection, exact)
    wanted = {name: of_exact[name] for name in of_exact if name not in without} | dict.fromkeys(more, "text")
    if held is None or held.columns != wanted:
        connection.execute(sql.SQL("drop table if exists {}").format(relation.identifier))
        described = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in wanted.items()]
        connection.execute(sql.SQL("create table {} ({})").format(relation.identifier, sql.SQL(", ").join(described)))
        connection.execute(
            sql.SQL("grant select on {} to {}, {}").format(
                relation.identifier, sql.Identifier(READER), sql.Identifier(PERSONAL_READER)
            )
        )
    for name, comment in {**_comments(connection, exact), **more}.items():
        target = sql.SQL("table {}").format(relation.identifier)
        if name:
            target = sql.SQL("column {}").format(sql.Identifier(relation.schema, relation.name, name))
        if not name or name in wanted:
            connection.execute(sql.SQL("comment on {} is {}").format(target, sql.Literal(comment)))


def replace_mart(
    connection: psycopg.Connection, relation: Relation, key: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> int:
    """Have a mart hold these rows; returns how many were written or deleted. Only what differs is touched."""
    target = relation.identifier
    connection.execute(sql.SQL("drop table if exists pg_temp.{}").format(_INCOMING))
    connection.execute(sql.SQL("create temp table {} (like {}) on commit drop").format(_INCOMING, target))
    columns = list(_columns(connection, relation))
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("insert into {} values ({})").format(
                _INCOMING, sql.SQL(", ").join(sql.Placeholder() for _ in columns)
            ),
            [[row[name] for name in columns] for row in rows],
        )
    same = sql.SQL(" and ").join(
        sql.SQL("mart.{0} is not distinct from gone.{0}").format(sql.Identifier(name)) for name in key
    )
    deleted = connection.execute(
        sql.SQL(
            "delete from {target} as mart using"
            " (select {keys} from (table {target} except table {incoming}) as differing) as gone where {same}"
        ).format(target=target, incoming=_INCOMING, keys=column_list(key), same=same)
    ).rowcount
    inserted = connection.execute(
        sql.SQL("insert into {target} (table {incoming} except table {target})").format(
            target=target, incoming=_INCOMING
        )
    ).rowcount
    return max(deleted, inserted)


def _columns(connection: psycopg.Connection, relation: Relation) -> dict[str, str]:
    return dict(describe_tables(connection, relation.schema, name=relation.name)[relation.name].columns)


def _comments(connection: psycopg.Connection, relation: Relation) -> dict[str, str]:
    """What is said of a table, under an empty name, and of its columns."""
    rows = connection.execute(
        "select coalesce(attname, ''), description from pg_description"
        " left join pg_attribute on attrelid = objoid and attnum = objsubid and objsubid > 0"
        " where objoid = to_regclass(%s) and classoid = 'pg_class'::regclass",
        [relation.identifier.as_string(connection)],
    )
    return dict(rows.fetchall())


def record_release(
    connection: psycopg.Connection,
    source: str,
    batch_id: UUID,
    cells: Sequence[tuple[str, Sequence[str], int | None]],
    *,
    k: int,
) -> int:
    """Record what readers see from now on, and forget all but the newest releases; returns its number.

    Args:
        connection: As the transformer.
        source: Whose marts.
        batch_id: The batch that publishes them.
        cells: All their cells that are not 0: mart and column, the values of its dimensions, and the number; None is a
            hidden one.
        k: The least number of persons that is shown.
    """
    hidden = sum(number is None for _, _, number in cells)
    row = connection.execute(
        "insert into etl.release (source, batch_id, k, hidden) values (%s, %s, %s, %s) returning release_id",
        [source, batch_id, k, hidden],
    ).fetchone()
    if row is None:
        raise AssertionError("an insert returns its row")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into etl.released_cell (release_id, cells, dimensions, number) values (%s, %s, %s, %s)",
            [(row[0], table, list(values), number) for table, values, number in cells],
        )
    connection.execute(
        "delete from etl.release where source = %s and release_id not in"
        " (select release_id from etl.release where source = %s order by release_id desc limit %s)",
        [source, source, KEPT_RELEASES],
    )
    return int(row[0])


def releases(connection: psycopg.Connection, source: str) -> list[int]:
    """The releases of a source that are kept, the newest first."""
    rows = connection.execute(
        "select release_id from etl.release where source = %s order by release_id desc", [source]
    ).fetchall()
    return [number for (number,) in rows]


def forget_cells(connection: psycopg.Connection, source: str, words: Collection[str]) -> int:
    """Delete the cells of a source's releases that are of a person, by pseudonym; returns how many."""
    return connection.execute(
        "delete from etl.released_cell as cell using etl.release as release"
        " where cell.release_id = release.release_id and release.source = %s and cell.dimensions && %s::text[]",
        [source, list(words)],
    ).rowcount


def released_cells(connection: psycopg.Connection, release: int) -> dict[tuple[str, tuple[str, ...]], int | None]:
    """The numbers of a release; None is a hidden one."""
    rows = connection.execute(
        "select cells, dimensions, number from etl.released_cell where release_id = %s", [release]
    ).fetchall()
    return {(cells, tuple(dimensions)): number for cells, dimensions, number in rows}
