"""Retention: rows of a retained table are deleted by somebody's decision alone, which is recorded."""

from datetime import date

import psycopg

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.warehouse.relation import Relation


def apply_retention(
    connection: psycopg.Connection, source: Source, table: CopiedTable, *, column: str, before: date, by: str, why: str
) -> int:
    """Apply a retention decision: delete the rows older than a date, and record in etl.retention who decided on it.

    Their saved copies go too: overwritten rows as they were, and conflicts. Waits for a load of the table to end. A
    moment is of the date that it is in UTC.

    Args:
        connection: As the login itself: no other role may.
        source: Whose table.
        table: One that outlives its source.
        column: The date or moment that tells how old a row is.
        before: Rows of earlier dates go.
        by: Who decided on it.
        why: For what reason.

    Returns:
        How many rows went.

    Raises:
        EtlError: The table does not outlive its source or has no such column, or somebody or the reason is missing.
    """
    relation = Relation(source.schema, table.name)
    if not table.retain_deleted:
        raise EtlError(f"{relation} follows its source: what is deleted there is deleted here.")
    try:
        row = connection.execute(
            "select etl.retain(%s::regclass, %s, %s, %s, %s)",
            [relation.identifier.as_string(connection), column, before, by, why],
        ).fetchone()
    except psycopg.Error as error:
        raise EtlError(f"{relation}: {error.diag.message_primary}") from None
    return int(row[0]) if row else 0
