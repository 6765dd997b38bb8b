"""What a rule finds in a temporary table. The key of a row is the name of its case, so that a test reads as a list."""

from collections.abc import Iterable

import psycopg
from psycopg import sql

from etl_assets.declare.rules import Rule

TABLE = "looked_at_table"
BASE = {"table": TABLE, "name": "Rule", "why": "To see."}


def put_rows(
    connection: psycopg.Connection, columns: str, rows: Iterable[tuple[object, ...]], name: str = TABLE
) -> None:
    """Make a temporary table and put rows into it, each with all of its columns."""
    connection.execute(f"create temporary table {name} ({columns})")
    for row in rows:
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(row))
        connection.execute(sql.SQL("insert into {} values ({})").format(sql.Identifier(name), marks), row)


def findings(connection: psycopg.Connection, rule: Rule) -> list[tuple[str, str, str | None, str]]:
    """Key, field, value and message of each finding, as `quality.run` would ask for them."""
    statement = sql.SQL(
        "with looked_at as (select *, id::text as row_key, null::date as row_slice from {}), found as ({})"
        " select row_key, field, value, message from found where row_slice is null order by row_key, field"
    ).format(sql.Identifier(TABLE), sql.SQL(rule.breaking_rows()))
    # With a parameter more than any rule has, for those with none: the driver reads `%%` only where there are some.
    return psycopg.ClientCursor(connection).execute(statement, {**rule.values, "none": None}).fetchall()


def found(connection: psycopg.Connection, rule: Rule) -> list[str]:
    """The keys of the findings."""
    return [key for key, *_ in findings(connection, rule)]
