"""The first load of a list: an INSERT without a look at what is held, and the index over the documents made behind it.

To add 200,000 documents of 1.7 kB to that index one by one takes longer than all the rest of the load together.
"""

import psycopg
from psycopg import sql

from etl_assets.warehouse.merge import MergeCounts, comma_list
from etl_assets.warehouse.rest.job_tables import JobTable, document_index
from etl_assets.warehouse.tables import create_index

MANY_RECORDS = 5_000
"""From which on it is faster to make the index anew."""
LOCK_TIMEOUT = "2s"
"""How long somebody may go on reading the empty table before its index is left where it is."""


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
    index = document_index(target.relation.name)
    row = connection.execute(
        target.statement("select count(*), count(distinct ({keys})) from pg_temp.etl_job_rows")
    ).fetchone()
    staged, different = row or (0, 0)
    is_worth_it = staged >= MANY_RECORDS and not _is_held(connection, target, "true")
    is_deferred = is_worth_it and _drop(connection, target, index.name)
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
    if is_deferred:
        create_index(connection, target.relation, index)
    seen = connection.execute(
        sql.SQL("with changes as (select data from {}) select {}").format(incoming, noted)
    ).fetchone()
    return MergeCounts(inserted=different, noted=seen[0] if seen else None)


def _is_held(connection: psycopg.Connection, target: JobTable, condition: str) -> bool:
    row = connection.execute(
        target.statement(f"select exists (select from {{target}} as existing where {condition})")
    ).fetchone()
    return bool(row and row[0])


def _drop(connection: psycopg.Connection, target: JobTable, index: str) -> bool:
    """Drop the index for the time of this transaction; false where somebody reads the table and goes on to."""
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            connection.execute(sql.SQL("drop index if exists {}").format(sql.Identifier(target.relation.schema, index)))
            connection.execute("set local lock_timeout to default")
    except psycopg.errors.LockNotAvailable:
        return False
    return True
