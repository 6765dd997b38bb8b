"""A table of the warehouse, and the SQL identifiers that name it safely."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

MANY_ROWS = 1_000
"""Rows written from which on the planner's statistics are renewed, however large the table."""


@dataclass(frozen=True)
class Relation:
    """A schema-qualified table or view."""

    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name, for composing SQL."""
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def read_columns(
    connection: psycopg.Connection, relation: Relation, columns: Sequence[str], *, most: int
) -> list[tuple[object, ...]]:
    """Up to `most` rows of a relation, in no order."""
    return connection.execute(
        sql.SQL("select {} from {} limit {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), relation.identifier, sql.Literal(most)
        )
    ).fetchall()


def column_list(names: Iterable[str], *, of: str | None = None) -> sql.Composed:
    """The names as identifiers with commas between, of a relation where one is given."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)


def refresh_statistics(connection: psycopg.Connection, relation: Relation, *, written: int) -> None:
    """Renew the planner's statistics of a table of which much was written: what reads it is planned by them.

    Autovacuum does it a minute after the commit. Much is `MANY_ROWS`, or a tenth of the rows that the planner knows of.
    """
    known = connection.execute(
        "select reltuples from pg_class where oid = to_regclass(%s)", [relation.identifier.as_string(connection)]
    ).fetchone()
    if written and (written >= MANY_ROWS or (known and written * 10 > known[0])):
        connection.execute(sql.SQL("analyze {}").format(relation.identifier))


def lock_relation(connection: psycopg.Connection, relation: Relation, *, instance: str = "") -> None:
    """Wait until nobody else loads this relation, and lock it until the transaction ends; readers go on reading.

    Where an `instance` is named, it is that tenant's part of the relation alone.
    """
    locked = f"{relation}/{instance}" if instance else str(relation)
    connection.execute(
        # The setting tells the counting of rows that what is written from here on is a load's (`proof.py`).
        "select pg_advisory_xact_lock(hashtextextended('etl load ' || %s, 0)), set_config('etl.load', 'on', true)",
        [locked],
    )
