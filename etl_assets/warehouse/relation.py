"""A table of the warehouse, and the SQL identifiers that name it safely."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql


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


def count_anew(connection: psycopg.Connection, relation: Relation) -> None:
    """Let the server know what a table holds now: what is built on it would be planned for an empty one."""
    connection.execute(sql.SQL("analyze {}").format(relation.identifier))


def hold_alone(connection: psycopg.Connection, relation: Relation) -> None:
    """Wait until nobody else loads this relation, and hold it until the transaction ends; readers go on reading."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('etl load ' || %s, 0))", [str(relation)])
