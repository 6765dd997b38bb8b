"""Create staging tables and add columns as declared; never drop or retype what holds data."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.declare.tables import Column
from etl_assets.errors import SchemaDrift
from etl_assets.warehouse.catalog import BATCH_COLUMN, column_types, describe_tables
from etl_assets.warehouse.connection import PERSONAL_READER, READER
from etl_assets.warehouse.proof import COUNTING_TRIGGER, count_rows_of
from etl_assets.warehouse.relation import Relation, column_list, lock_relation

READERS = (READER, PERSONAL_READER)
"""The roles of those who read: all but what tells of people, and all."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index of a staging table."""

    columns: Sequence[str]
    unique: bool = False
    where: str = ""
    """The rows that it is of, in SQL; all of them where empty."""
    name: str = ""
    """PostgreSQL chooses one where empty."""
    expression: str = ""
    """What it has behind the columns, in SQL."""
    method: str = "btree"


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """What a staging table is made of."""

    columns: Sequence[Column]
    """Those that are declared: a table that lacks one is given it."""
    bookkeeping: Mapping[str, str]
    """Column -> definition of what every row carries besides."""
    key: Sequence[str]
    """The primary key; none where the bookkeeping has one."""
    indexes: Sequence[Index] = ()
    comment: str = ""
    readers: Collection[str] | None = None
    """The reader roles that may read it, and no other of them; None leaves that to the schema's own grants."""


def ensure_tables(connection: psycopg.Connection, schema: str, layouts: Mapping[str, TableLayout]) -> None:
    """`ensure_table` of those tables of a schema that are not as declared: three questions, however many there are."""
    held = describe_tables(connection, schema)
    rows = connection.execute(
        "select class.relname, array(select grantee::regrole::text from aclexplode(class.relacl)"
        "     where privilege_type = 'SELECT' and grantee = any(%s::regrole[]::oid[])),"
        " exists (select from pg_trigger where tgrelid = class.oid and tgname = %s)"
        " from pg_class as class where class.relnamespace = to_regnamespace(%s) and class.relkind = 'r'",
        [list(READERS), COUNTING_TRIGGER, sql.Identifier(schema).as_string(connection)],
    ).fetchall()
    readers = {name: set(roles) for name, roles, _ in rows}
    counted = {name for name, _, is_counted in rows if is_counted}
    for name, layout in layouts.items():
        types = held[name].short_types if name in held else {}
        is_as_declared = (
            bool(types)
            and all(types.get(column.name) == column.type for column in layout.columns)
            and (layout.readers is None or set(layout.readers) == readers[name])
            and (name in counted or BATCH_COLUMN not in layout.bookkeeping)
        )
        if not is_as_declared:
            ensure_table(connection, Relation(schema, name), layout)


def ensure_table(connection: psycopg.Connection, relation: Relation, layout: TableLayout) -> None:
    """Create the staging table where it is missing, and add the columns it lacks.

    Columns that are no longer declared stay, with their data. Who may read it is as declared afterwards.

    Raises:
        SchemaDrift: A column is held in another type than declared; nothing was changed.
    """
    lock_relation(connection, relation)
    existing = column_types(connection, relation)
    if not existing:
        _create(connection, relation, layout)
    if layout.readers is not None:
        _grant(connection, relation, layout.readers)
    if BATCH_COLUMN in layout.bookkeeping:
        unique = [index.columns for index in layout.indexes if index.unique]
        count_rows_of(connection, relation, layout.key or unique[0])
    for column in layout.columns if existing else ():
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


def _grant(connection: psycopg.Connection, relation: Relation, readers: Collection[str]) -> None:
    """Have these reader roles read the table, and the other ones not; what is so already is not written again."""
    held = connection.execute(
        "select grantee::regrole::text from pg_class, aclexplode(relacl)"
        " where pg_class.oid = to_regclass(%s) and privilege_type = 'SELECT' and grantee = any(%s::regrole[]::oid[])",
        [relation.identifier.as_string(connection), list(READERS)],
    )
    wrong = {role for (role,) in held} ^ set(readers)
    for role in sorted(wrong):
        words = "grant select on {} to {}" if role in readers else "revoke select on {} from {}"
        connection.execute(sql.SQL(words).format(relation.identifier, sql.Identifier(role)))


def _create(connection: psycopg.Connection, relation: Relation, layout: TableLayout) -> None:
    types = {**{column.name: column.type for column in layout.columns}, **layout.bookkeeping}
    lines = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in types.items()]
    if layout.key:
        lines.append(sql.SQL("primary key ({})").format(column_list(layout.key)))
    connection.execute(sql.SQL("create table {} ({})").format(relation.identifier, sql.SQL(", ").join(lines)))
    for index in layout.indexes:
        create_index(connection, relation, index)
    if layout.comment:
        connection.execute(
            sql.SQL("comment on table {} is {}").format(relation.identifier, sql.Literal(layout.comment))
        )


def create_index(connection: psycopg.Connection, relation: Relation, index: Index) -> None:
    """Create an index of a staging table."""
    connection.execute(
        sql.SQL("create {unique}index {name} on {table} using {method} ({columns}{expression}){where}").format(
            unique=sql.SQL("unique " if index.unique else ""),
            name=sql.Identifier(index.name) if index.name else sql.SQL(""),
            table=relation.identifier,
            method=sql.SQL(index.method),
            columns=column_list(index.columns),
            expression=sql.SQL(f", {index.expression}" if index.expression else ""),
            where=sql.SQL(f" where {index.where}" if index.where else ""),
        )
    )
