"""Views that read a table from an old pipeline or from this one, so that a consumer moves without noticing.

A view has the columns that staging has, in its names, types and order, whichever table it reads: what the old one does
not have is null. So switching it changes no view that was built on it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.database.old_target import ColumnSchema, TableSchema, cast_to_ours, table_schemas

LIVE = "_live"


@dataclass(frozen=True, kw_only=True)
class SwitchedView:
    """A view after it was switched."""

    view: str
    reads: str
    """`old` or `new`."""
    rows: int
    missing: tuple[str, ...]
    """Columns that are null: the table that is read lacks them, or has them in a type without a cast."""


@dataclass(frozen=True, kw_only=True)
class SwitchState:
    """Which table a view reads, since when, and who switched it."""

    relation: str
    reads: str
    switched_at: datetime
    switched_by: str
    old_schema: str | None
    """Where the old table was when the view last read it; None where it never did."""
    old_zone: str | None
    """The time zone that its timestamps without one were read in then."""


def switch(
    connection: psycopg.Connection,
    source: Source,
    tables: Collection[str],
    *,
    to: Literal["old", "new"],
    by: str,
    old_schema: str = "raw",
    zone: str = "UTC",
) -> list[SwitchedView]:
    """Switch the views of some tables in the source's live schema to the old tables or to ours; all of them or none.

    Args:
        connection: As the loader, in autocommit mode or not.
        source: Whose tables.
        tables: Their names.
        to: Which tables the views are to read.
        by: Who decided on it.
        old_schema: Where the old pipeline's tables are, in the same database.
        zone: The time zone of the old pipeline's timestamps that have none.

    Raises:
        EtlError: A table is not there, may not be read, or its columns no longer are the view's; nothing was turned.
    """
    if not by.strip():
        raise EtlError("Somebody turns a view; nobody was named.")
    with connection.transaction():
        ours, olds = table_schemas(connection, source.schema), table_schemas(connection, old_schema)
        return [
            _switch_view(
                connection,
                source,
                ours.get(name),
                olds.get(name),
                name=name,
                to=to,
                by=by,
                old_schema=old_schema,
                zone=zone,
            )
            for name in sorted(tables)
        ]


def switch_states(connection: psycopg.Connection) -> list[SwitchState]:
    """Every view that was ever switched, by name."""
    with connection.cursor(row_factory=class_row(SwitchState)) as cursor:
        return cursor.execute(
            "select relation, reads, switched_at, switched_by, old_schema, old_zone from etl.table_switch"
            " order by relation"
        ).fetchall()


def _switch_view(
    connection: psycopg.Connection,
    source: Source,
    ours: TableSchema | None,
    old: TableSchema | None,
    *,
    name: str,
    to: str,
    by: str,
    old_schema: str,
    zone: str,
) -> SwitchedView:
    if ours is None:
        raise EtlError(f"{source.schema}.{name} is not there yet: load it first. No view was turned.")
    if to == "old" and old is None:
        raise EtlError(
            f"{old_schema}.{name} is not in this database. No view was turned. A view reads a table of its own"
            " database: bring the old schema here, or map it with postgres_fdw."
        )
    wanted = [column for key, column in ours.columns.items() if key != BATCH_COLUMN]
    reads = old if to == "old" and old else ours
    expressions = {column.name: _column(column, reads, is_ours=to == "new", zone=zone) for column in wanted}
    view = sql.Identifier(source.schema + LIVE, name)
    lines = [
        sql.SQL("{} as {}").format(_view_expression(column, expressions[column.name]), sql.Identifier(column.name))
        for column in wanted
    ]
    try:
        connection.execute(
            sql.SQL("create or replace view {} as select {} from {}").format(
                view, sql.SQL(", ").join(lines), reads.identifier
            )
        )
        row = connection.execute(sql.SQL("select count(*) from {}").format(view)).fetchone()
    except errors.InsufficientPrivilege:
        raise EtlError(
            f"{reads.schema}.{reads.name} may not be read by the loader. No view was turned. Run:"
            f" grant usage on schema {reads.schema} to etl_loader;"
            f" grant select on all tables in schema {reads.schema} to etl_loader"
        ) from None
    except errors.InvalidTableDefinition as error:
        raise EtlError(
            f"{source.schema}{LIVE}.{name} cannot get the columns that {source.schema}.{name} has by now:"
            f" {error.diag.message_primary}. No view was turned."
            " Drop the view, with what is built on it, and turn it again."
        ) from None
    connection.execute(
        "insert into etl.table_switch as held (relation, reads, switched_by, old_schema, old_zone)"
        " values (%s, %s, %s, %s, %s) on conflict (relation) do update"
        " set reads = excluded.reads, switched_at = now(), switched_by = excluded.switched_by,"
        " old_schema = coalesce(excluded.old_schema, held.old_schema),"
        " old_zone = coalesce(excluded.old_zone, held.old_zone)",
        [f"{source.schema}.{name}", to, by, *((old_schema, zone) if to == "old" else (None, None))],
    )
    missing = tuple(key for key, value in expressions.items() if value is None)
    return SwitchedView(view=f"{source.schema}{LIVE}.{name}", reads=to, rows=row[0] if row else 0, missing=missing)


def _column(column: ColumnSchema, reads: TableSchema, *, is_ours: bool, zone: str) -> sql.Composable | None:
    if is_ours:
        return sql.Identifier(column.name)
    old = reads.columns.get(column.name.lower())
    return cast_to_ours(old, column, zone=zone) if old else None


def _view_expression(column: ColumnSchema, value: sql.Composable | None) -> sql.Composable:
    """A column of the view: of one type and collation, whichever table it is read from."""
    expression = sql.SQL("cast({} as {})").format(value or sql.SQL("null"), sql.SQL(column.type))
    return sql.SQL('{} collate "default"').format(expression) if column.kind == "text" else expression
