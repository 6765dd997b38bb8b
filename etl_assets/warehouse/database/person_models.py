"""Rows of models that tell of a person, known by the columns that hold a person's key or pseudonym."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation


@dataclass(frozen=True, kw_only=True)
class SubjectColumn:
    """A column of a model that holds a person's key or pseudonym, or the key of a row that tells of one."""

    relation: Relation
    column: str
    subject: str
    """The name of the subject, or of the staging table whose key it holds."""


def erase_from_model(connection: psycopg.Connection, column: SubjectColumn, words: Collection[str], batch: UUID) -> int:
    """Delete the rows of a model that tell of a person, in all versions; what is built of it is then built again.

    Args:
        connection: As the login itself.
        column: Which; nothing is done where there is no such table.
        words: The person's keys and pseudonyms.
        batch: Whose work it is.
    """
    if not words or not _has_column(connection, column):
        return 0
    deleted = connection.execute(
        sql.SQL("delete from {} where {}::text = any(%s)").format(
            column.relation.identifier, sql.Identifier(column.column)
        ),
        [list(words)],
    ).rowcount
    if deleted:
        connection.execute(
            "insert into etl.model_build as held (batch_id, relation, status, rows_changed, seconds)"
            " values (%s, %s, 'success', %s, 0) on conflict (batch_id, relation)"
            " do update set rows_changed = held.rows_changed + excluded.rows_changed",
            [batch, str(column.relation), deleted],
        )
    return deleted


def rows_of_model(
    connection: psycopg.Connection, column: SubjectColumn, words: Collection[str]
) -> Iterator[dict[str, object]]:
    """The rows of a model that tell of a person; none where there is no such table."""
    if words and _has_column(connection, column):
        rows = connection.execute(
            sql.SQL("select to_jsonb(existing) from {} as existing where {}::text = any(%s)").format(
                column.relation.identifier, sql.Identifier(column.column)
            ),
            [list(words)],
        )
        yield from (row for (row,) in rows)


def forget_statistics(connection: psycopg.Connection, relation: Relation) -> None:
    """Renew the planner's statistics of a table, where there is one: they hold its most common values."""
    if _is_table(connection, relation):
        connection.execute(sql.SQL("analyze {}").format(relation.identifier))


def vacuum(connection: psycopg.Connection, relation: Relation) -> None:
    """Free the space of deleted rows, where there is such a table: until then its file has what they held.

    In autocommit mode.
    """
    if _is_table(connection, relation):
        connection.execute(sql.SQL("vacuum {}").format(relation.identifier))


def _has_column(connection: psycopg.Connection, column: SubjectColumn) -> bool:
    """Whether there is such a table, with that column; what a view shows is held elsewhere."""
    name = column.relation.identifier.as_string(connection)
    row = connection.execute(
        "select from pg_attribute where attrelid = to_regclass(%s) and attname = %s", [name, column.column]
    ).fetchone()
    return row is not None and _is_table(connection, column.relation)


def _is_table(connection: psycopg.Connection, relation: Relation) -> bool:
    row = connection.execute(
        "select from pg_class where oid = to_regclass(%s) and relkind in ('r', 'p')",
        [relation.identifier.as_string(connection)],
    ).fetchone()
    return row is not None
