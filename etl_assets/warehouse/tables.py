"""Create staging tables and add columns as declared; never drop or retype what holds data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.declare.tables import Column
from etl_assets.errors import SchemaDrift
from etl_assets.warehouse.catalog import column_types
from etl_assets.warehouse.relation import Relation, column_list, lock_relation


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index of a staging table."""

    columns: Sequence[str]
    unique: bool = False
    where: str = ""
    """The rows that it is of, in SQL; all of them where empty."""


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """What a staging table is made of."""

    columns: Sequence[Column]
    """Those that are declared: a table that lacks one is given it."""
    bookkeeping: Mapping[str, str]
    """Column -> definition of what every row carries besides."""
    key: Sequence[str]
    indexes: Sequence[Index] = ()


def ensure_table(connection: psycopg.Connection, relation: Relation, layout: TableLayout) -> None:
    """Create the staging table where it is missing, and add the columns it lacks.

    Columns that are no longer declared stay, with their data.

    Raises:
        SchemaDrift: A column is held in another type than declared; nothing was changed.
    """
    lock_relation(connection, relation)
    existing = column_types(connection, relation)
    if not existing:
        _create(connection, relation, layout)
        return
    for column in layout.columns:
        if column.name not in existing:
            connection.execute(
                sql.SQL("alter table {} add column {} {}").format(
                    relation.identifier, sql.Identifier(column.name), sql.SQL(column.type)
                )
            )
        elif existing[column.name] != column.type:
            raise SchemaDrift(
                f"{relation}.{column.name} is held as {existing[column.name]} and declared as {column.type}."
                " Nothing was changed. Write a migration that converts it, or declare the type that is held."
            )


def _create(connection: psycopg.Connection, relation: Relation, layout: TableLayout) -> None:
    types = {**{column.name: column.type for column in layout.columns}, **layout.bookkeeping}
    lines = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in types.items()]
    lines.append(sql.SQL("primary key ({})").format(column_list(layout.key)))
    connection.execute(sql.SQL("create table {} ({})").format(relation.identifier, sql.SQL(", ").join(lines)))
    for index in layout.indexes:
        connection.execute(
            sql.SQL("create {unique}index on {table} ({columns}){where}").format(
                unique=sql.SQL("unique " if index.unique else ""),
                table=relation.identifier,
                columns=column_list(index.columns),
                where=sql.SQL(f" where {index.where}" if index.where else ""),
            )
        )
