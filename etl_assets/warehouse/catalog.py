"""What PostgreSQL's own catalog says of the warehouse's tables."""

import psycopg

from etl_assets.warehouse.relation import Relation

BATCH_COLUMN = "etl_batch_id"
"""The column of every staging table that names the batch which wrote the row: its lineage."""
_SHORT = {
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
}


def short_type(kind: str) -> str:
    """The name by which declarations call a type that PostgreSQL names at length."""
    return _SHORT.get(kind, kind)


def column_types(connection: psycopg.Connection, relation: Relation) -> dict[str, str]:
    """Column -> type of one table; nothing where there is no such table."""
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
        [relation.identifier.as_string(connection)],
    )
    return {str(name): short_type(str(kind)) for name, kind in rows}
