"""Make staging tables be what they are declared to be; never drop or retype what holds data."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from etl_assets.declare.tables import Column, PerFile, Table, Window
from etl_assets.errors import SchemaDrift
from etl_assets.warehouse.relation import Relation, hold_alone

BOOKKEEPING = {
    "feed": "text not null",
    "file_name": "text not null",
    "load_datetime": "timestamptz not null default now()",
    "first_load_datetime": "timestamptz not null default now()",
    "last_update_datetime": "timestamptz not null default now()",
    "etl_batch_id": "uuid not null",
}
"""What every row of a file's table carries besides its data: where it came from, and when."""
DOCUMENT = {
    "loaded_at": "timestamptz not null default now()",
    "raw_data": "jsonb not null",
    "vanished_at": "timestamptz",
    "deleted_at": "timestamptz",
    "etl_batch_id": "uuid not null",
}
"""What every row of a service's table has besides its key: the record as it came, and what became of it.

`loaded_at` is when this document was first seen; `vanished_at` when the source's list no longer gave it, although it
should have; `deleted_at` when the source said that there is no such record.
"""


def ensure_table(connection: psycopg.Connection, table: Table, relation: Relation) -> None:
    """Create the staging table where it is missing, and add the columns it lacks.

    Columns that are no longer declared stay, with their data.

    Raises:
        SchemaDrift: A column is held in another type than declared; nothing was changed.
    """
    hold_alone(connection, relation)
    held = _held_types(connection, relation)
    if not held:
        _create(connection, table, relation)
        return
    for column in _columns(table):
        if column.name not in held:
            connection.execute(
                sql.SQL("alter table {} add column {} {}").format(
                    relation.identifier, sql.Identifier(column.name), sql.SQL(column.type)
                )
            )
        elif held[column.name] != column.type:
            raise SchemaDrift(
                f"{relation}.{column.name} is held as {held[column.name]} and declared as {column.type}."
                " Nothing was changed. Write a migration that converts it, or declare the type that is held."
            )


def _columns(table: Table) -> tuple[Column, ...]:
    """The columns that a table is declared with; of a service's records these are its keys."""
    return tuple(Column(name=key, type="bigint") for key in table.keys) if table.endpoint else table.columns


def _create(connection: psycopg.Connection, table: Table, relation: Relation) -> None:
    rows: dict[str, str] = {column.name: column.type for column in _columns(table)}
    keys, indexes = list(table.keys), []
    if isinstance(table.load, PerFile):
        rows |= BOOKKEEPING
        indexes = [
            sql.SQL("create index on {} ({})").format(relation.identifier, _listed([table.load.slice_by, "feed"]))
        ]
    elif isinstance(table.load, Window):
        rows |= {"slice": "date not null", "first_loaded_at": "timestamptz not null default now()"} | DOCUMENT
        indexes = [sql.SQL("create index on {} (slice)").format(relation.identifier)]
    else:
        rows |= {"is_latest": "boolean not null default true"} | DOCUMENT
        indexes = [sql.SQL("create unique index on {} ({}) where is_latest").format(relation.identifier, _listed(keys))]
        keys.append("loaded_at")
    lines = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in rows.items()]
    lines.append(sql.SQL("primary key ({})").format(_listed(keys)))
    connection.execute(sql.SQL("create table {} ({})").format(relation.identifier, sql.SQL(", ").join(lines)))
    for index in indexes:
        connection.execute(index)


def _held_types(connection: psycopg.Connection, relation: Relation) -> dict[str, str]:
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
        [relation.identifier.as_string(connection)],
    )
    return {str(name): short_type(str(kind)) for name, kind in rows}


def short_type(kind: str) -> str:
    """The name by which declarations call a type that PostgreSQL names at length."""
    return _SHORT.get(kind, kind)


_SHORT = {
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
}


def _listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
