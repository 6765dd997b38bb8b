"""The first load of a list: an INSERT without a look at what is held, and the indexes made behind it.

To add 200,000 documents to the index over documents one by one takes longer than all the rest of the load together.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from etl_assets.warehouse.merge import MergeCounts, comma_list
from etl_assets.warehouse.rest.job_tables import JobTable

MANY_RECORDS = 5_000
"""From which on it is faster to make the indexes anew."""
LOCK_TIMEOUT = "2s"
"""How long somebody may go on reading the empty table before its indexes are left where they are."""


def insert_first(
    connection: psycopg.Connection, target: JobTable, noted: sql.Composable = sql.NULL
) -> MergeCounts | None:
    """Insert the staged records where nothing is held of the instance; None where there is something.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Where to.
        noted: What is asked of those that are written besides, `changes.data` among them.
    """
    if _is_held(connection, target, "existing.source_instance_id = {instance}"):
        return None
    row = connection.execute(
        target.statement("select count(*), count(distinct ({keys})) from pg_temp.etl_job_rows")
    ).fetchone()
    staged, different = row or (0, 0)
    is_worth_it = staged >= MANY_RECORDS and not _is_held(connection, target, "true")
    dropped = _drop_indexes(connection, target) if is_worth_it else []
    incoming = target.incoming if different < staged else sql.SQL("pg_temp.etl_job_rows as incoming")
    inserts = target.inserts
    connection.execute(
        target.statement(
            "insert into {target} ({columns}) select {values} from {incoming}",
            columns=comma_list(map(sql.Identifier, inserts)),
            values=comma_list(inserts.values()),
            incoming=incoming,
        )
    )
    for definition in dropped:
        connection.execute(definition)
    seen = connection.execute(
        sql.SQL("with changes as (select data from {}) select {}").format(incoming, noted)
    ).fetchone()
    return MergeCounts(inserted=different, noted=seen[0] if seen else None)


def _is_held(connection: psycopg.Connection, target: JobTable, condition: str) -> bool:
    row = connection.execute(
        target.statement(f"select exists (select from {{target}} as existing where {condition})")
    ).fetchone()
    return bool(row and row[0])


def _drop_indexes(connection: psycopg.Connection, target: JobTable) -> list[LiteralString]:
    """Drop all indexes but the primary key's for the time of this transaction; returns how each is made again.

    None where somebody reads the table and goes on to.
    """
    indexes = connection.execute(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index"
        " where indrelid = %s::regclass and not indisprimary",
        [target.relation.identifier.as_string(connection)],
    ).fetchall()
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            for name, _ in indexes:
                connection.execute(f"drop index {name}")
            connection.execute("set local lock_timeout to default")
    except psycopg.errors.LockNotAvailable:
        return []
    return [definition for _, definition in indexes]
