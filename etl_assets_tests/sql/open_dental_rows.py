"""Open Dental's tables in the staging of a test's warehouse; rows put into them say only what a test is about."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.sandbox.open_dental.rows import blank
from etl_assets.sandbox.open_dental.schema import Table, postgresql_type, tables

SCHEMA = "open_dental"
BATCH = UUID(int=7)
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
"""When rows were last changed of which nobody says so."""


def make_staging(warehouse: psycopg.Connection) -> None:
    """The staging tables as a load makes them, where none has."""
    warehouse.execute("set role etl_loader")
    for table in tables().values():
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(column.name.lower()), sql.SQL(postgresql_type(column)))
            for column in table.columns
        ]
        key = [sql.SQL("primary key ({})").format(sql.Identifier(table.key.lower()))] if table.key else []
        warehouse.execute(
            sql.SQL("create table if not exists {} ({})").format(
                sql.Identifier(SCHEMA, table.name),
                sql.SQL(", ").join([*columns, sql.SQL("etl_batch_id uuid not null"), *key]),
            )
        )
    warehouse.execute("reset role")


def put(warehouse: psycopg.Connection, table: str, *rows: Mapping[str, Any]) -> None:
    """Insert rows, of columns as the source spells them; the others say what the vendor's program writes for nothing.

    Raises:
        KeyError: The table has no such column.
    """
    declared = tables()[table]
    filled = [_filled(declared, row) for row in rows]
    names = [*declared.names, "etl_batch_id"]
    with warehouse.cursor() as cursor:
        cursor.executemany(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(SCHEMA, table),
                sql.SQL(", ").join(sql.Identifier(name.lower()) for name in names),
                sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            ),
            [[*(row[name] for name in declared.names), BATCH] for row in filled],
        )


def put_all(warehouse: psycopg.Connection, practice: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Insert the rows of many tables."""
    for table, rows in practice.items():
        put(warehouse, table, *rows)


def change(warehouse: psycopg.Connection, table: str, key: int, **columns: Any) -> None:
    """Change a row as a load does; where the stamp is not said, it does not move."""
    declared = tables()[table]
    warehouse.execute(
        sql.SQL("update {} set {} where {} = %s").format(
            sql.Identifier(SCHEMA, table),
            sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name.lower())) for name in columns),
            sql.Identifier(str(declared.key or declared.names[0]).lower()),
        ),
        [*columns.values(), key],
    )


def take(warehouse: psycopg.Connection, table: str, key: int) -> None:
    """Delete a row, as a load does when the source has."""
    declared = tables()[table]
    warehouse.execute(
        sql.SQL("delete from {} where {} = %s").format(
            sql.Identifier(SCHEMA, table), sql.Identifier(str(declared.key or declared.names[0]).lower())
        ),
        [key],
    )


def _filled(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    unknown = row.keys() - set(table.names)
    if unknown:
        raise KeyError(f"{table.name} has no column {', '.join(sorted(unknown))}")
    stamps = {column.name: LONG_AGO for column in table.columns if column.kind == "timestamp"}
    return {**blank(table), **stamps, **row}
