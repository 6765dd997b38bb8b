"""Make staging tables be what they are declared to be; never drop or retype what holds data."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from etl_assets.errors import SchemaDrift
from etl_assets.spec.table import Table
from etl_assets.warehouse.relation import Relation

BOOKKEEPING = {
    "feed": "text not null",
    "file_name": "text not null",
    "load_datetime": "timestamptz not null default now()",
    "first_load_datetime": "timestamptz not null default now()",
    "last_update_datetime": "timestamptz not null default now()",
    "etl_batch_id": "uuid not null",
}
"""What every row of a file's table carries besides its data: where it came from, and when."""


def ensure_table(connection: psycopg.Connection, table: Table, relation: Relation) -> None:
    """Create the staging table where it is missing, and add the columns it lacks.

    Columns that are no longer declared stay, with their data.

    Raises:
        SchemaDrift: A column is held in another type than declared; nothing was changed.
    """
    held = _held_types(connection, relation)
    if not held:
        _create(connection, table, relation)
        return
    for column in table.columns:
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


def _create(connection: psycopg.Connection, table: Table, relation: Relation) -> None:
    lines = [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in table.columns]
    lines += [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in BOOKKEEPING.items()]
    lines.append(sql.SQL("primary key ({})").format(_listed(table.keys)))
    connection.execute(sql.SQL("create table {} ({})").format(relation.identifier, sql.SQL(", ").join(lines)))
    connection.execute(
        sql.SQL("create index on {} ({})").format(relation.identifier, _listed([table.load.slice_by, "feed"]))
    )


def _held_types(connection: psycopg.Connection, relation: Relation) -> dict[str, str]:
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
        [relation.identifier.as_string(connection)],
    )
    return {str(name): _SHORT.get(kind, str(kind)) for name, kind in rows}


_SHORT = {
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
}


def _listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
