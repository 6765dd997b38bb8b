"""What is being loaded at this moment, table by table, for those who watch."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg

from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.relation import Relation


@dataclass(frozen=True)
class LoadUnderWay:
    """A table that is being loaded."""

    source: str
    relation: str
    instance: str
    started_at: datetime
    run_id: str | None
    rows_arrived: int
    """Rows that the statement under way has copied so far; 0 where it copies none."""


@contextmanager
def loading(batch: Batch, session: psycopg.Connection, relation: Relation, instance: str) -> Iterator[None]:
    """Have it be seen, for the time of the `with` block, that a session loads a table."""
    known = (batch.id, session.info.backend_pid)
    batch.connection.execute(_BEGIN, [*known, str(relation), instance])
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # the warehouse is gone, and so is the batch
            batch.connection.execute(_END, known)


def loads_under_way(connection: psycopg.Connection) -> list[LoadUnderWay]:
    """The tables that are being loaded, those that began first in front."""
    return [LoadUnderWay(*row) for row in connection.execute(_UNDER_WAY).fetchall()]


def running_batches(connection: psycopg.Connection) -> list[tuple[str, str, datetime]]:
    """The source, the kind and the beginning of each batch that is under way, the oldest first."""
    return connection.execute(
        "select source, kind, started_at from etl.batch where status = 'running' order by started_at"
    ).fetchall()


def runs_with_batches(connection: psycopg.Connection, runs: Collection[str]) -> set[str]:
    """Those of Dagster's runs that began some work."""
    rows = connection.execute("select distinct run_id from etl.batch where run_id = any(%s)", [list(runs)])
    return {run for (run,) in rows}


# Nobody needs the line after a crash: the disk is not waited for.
_BEGIN = """
    insert into etl.load_under_way (batch_id, pid, relation, instance)
    select %s::uuid, %s::integer, %s, %s from (select set_config('synchronous_commit', 'off', true)) as quick
    on conflict (batch_id, pid) do update
    set relation = excluded.relation, instance = excluded.instance, started_at = excluded.started_at
"""
_END = """
    delete from etl.load_under_way
    using (select set_config('synchronous_commit', 'off', true)) as quick
    where batch_id = %s and pid = %s
"""
_UNDER_WAY = """
    select batch.source, loading.relation, loading.instance, loading.started_at, batch.run_id,
        coalesce(progress.tuples_processed, 0)
    from etl.load_under_way as loading
    inner join etl.batch using (batch_id)
    left join pg_stat_progress_copy as progress using (pid)
    where batch.status = 'running'
    order by loading.started_at
"""
