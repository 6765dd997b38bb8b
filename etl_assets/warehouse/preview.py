"""Schemas of a preview: made for one role, filled with copies of tables as they are, and dropped.

A preview builds upon a copy of each table and not from nothing: surrogate keys, versions of dimensions and snapshots of
days that are over are then what a deployment would find.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from etl_assets.errors import EtlError
from etl_assets.warehouse.connection import PREVIEWER
from etl_assets.warehouse.relation import Relation

PREFIX = "preview_"
_LOCK = "hashtextextended('etl preview', 0)"


def preview_schema(schema: str) -> str:
    """The schema that stands for another one in a preview."""
    return PREFIX + schema


def preview_relation(relation: Relation) -> Relation:
    """The relation that stands for another one in a preview."""
    return Relation(preview_schema(relation.schema), relation.name)


def require_previewer(connection: psycopg.Connection) -> None:
    """Raise an EtlError where the warehouse is older than previews are."""
    if connection.execute("select to_regrole(%s)", [PREVIEWER]).fetchone() == (None,):
        raise EtlError(f"The warehouse has no role {PREVIEWER} yet: a preview needs it. Run: etl migrate")


@contextmanager
def preview_schemas(connection: psycopg.Connection, schemas: Collection[str]) -> Iterator[None]:
    """Make the schemas of a preview for the time of the `with` block; what a killed one left is dropped first.

    Args:
        connection: As the login, in autocommit mode; in the block it is the previewer.
        schemas: Those of production.

    Raises:
        EtlError: Another preview is under way, or the login may not make schemas or be the previewer.
    """
    (is_free,) = connection.execute(f"select pg_try_advisory_lock({_LOCK})".encode()).fetchone() or (False,)
    if not is_free:
        raise EtlError("Another preview is under way in this warehouse. Wait until it has ended.")
    try:
        drop_left_previews(connection)
        try:
            for schema in sorted(schemas):
                connection.execute(
                    sql.SQL("create schema {} authorization {}").format(
                        sql.Identifier(preview_schema(schema)), sql.Identifier(PREVIEWER)
                    )
                )
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(PREVIEWER)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise EtlError(
                f"A preview makes schemas for {PREVIEWER}, and the login may not: {error.diag.message_primary}."
                " Run it with the login that owns the database."
            ) from None
        yield
    finally:
        if not connection.broken:
            connection.execute("reset role")
            drop_left_previews(connection)
            connection.execute(f"select pg_advisory_unlock({_LOCK})".encode())


def drop_stale_previews(connection: psycopg.Connection) -> int:
    """Drop the schemas of a preview that was killed; how many. None while one is under way.

    Args:
        connection: As the login, in autocommit mode.
    """
    with connection.transaction():
        (is_free,) = connection.execute(f"select pg_try_advisory_xact_lock({_LOCK})".encode()).fetchone() or (False,)
        return drop_left_previews(connection) if is_free else 0


def drop_left_previews(connection: psycopg.Connection) -> int:
    """Drop every schema of a preview, which the caller has locked; how many."""
    left = connection.execute(
        "select nspname from pg_namespace where starts_with(nspname, %s) and nspowner = to_regrole(%s)",
        [PREFIX, PREVIEWER],
    ).fetchall()
    for (schema,) in left:
        connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
    return len(left)


def copy_table(connection: psycopg.Connection, relation: Relation) -> None:
    """Make the copy of a table, partitions and all, that a preview builds upon; nothing where it is no table.

    Args:
        connection: As the previewer.
        relation: The table of production, which is read alone.
    """
    copy = preview_relation(relation).identifier
    with connection.transaction():
        found = connection.execute(_DESCRIBE, [relation.schema, relation.name]).fetchone()
        if found is None:
            return
        oid, partitioned_by, identity = found
        connection.execute(
            sql.SQL("create table {} (like {} including all) {}").format(
                copy,
                relation.identifier,
                sql.SQL(f"partition by {partitioned_by}" if partitioned_by else ""),  # the server's own words
            )
        )
        for name, bound in connection.execute(_PARTITIONS, [oid]).fetchall() if partitioned_by else ():
            partition = sql.Identifier(preview_schema(relation.schema), name)
            connection.execute(sql.SQL("create table {} partition of {} {}").format(partition, copy, sql.SQL(bound)))
        connection.execute(
            sql.SQL("insert into {} overriding system value select * from {}").format(copy, relation.identifier)
        )
        if identity:
            connection.execute(
                sql.SQL(
                    "select setval(pg_get_serial_sequence({}, {}), greatest((select max({}) from {}), 0) + 1, false)"
                ).format(sql.Literal(copy.as_string(connection)), sql.Literal(identity), sql.Identifier(identity), copy)
            )
    connection.execute(sql.SQL("analyze {}").format(copy))


def models_given_up(connection: psycopg.Connection, known: Collection[str]) -> list[str]:
    """The relations, in the schemas of the known ones, that models were built into and that are none of these."""
    rows = connection.execute(
        "select relation from etl.model_state where split_part(relation, '.', 1) = any(%s) and relation <> all(%s)"
        " order by relation",
        [sorted({name.partition(".")[0] for name in known}), list(known)],
    )
    return [relation for (relation,) in rows]


_DESCRIBE = """
    select
        class.oid,
        pg_get_partkeydef(class.oid),
        (select attname from pg_attribute where attrelid = class.oid and attidentity <> '' limit 1)
    from pg_class as class
    inner join pg_namespace as space on space.oid = class.relnamespace
    where space.nspname = %s and class.relname = %s and class.relkind in ('r', 'p')
"""
_PARTITIONS = """
    select class.relname, pg_get_expr(class.relpartbound, class.oid)
    from pg_inherits
    inner join pg_class as class on class.oid = inhrelid
    where inhparent = %s
    order by class.relname
"""
