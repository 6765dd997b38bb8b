"""Watermarks of lists whose records say when they were changed: how far they were read, and when a whole read is due.

A watermark is the newest stamp that was read, which is of the service's own clock, and never later than when the read
began, by ours: what changes while a list is read is stamped later than that.
"""

from datetime import datetime

import psycopg
from psycopg import sql

from etl_assets.declare.endpoints import ChangedSince
from etl_assets.warehouse.rest.job_tables import JobTable


def incremental_start(
    connection: psycopg.Connection, target: JobTable, changes: ChangedSince | None
) -> datetime | None:
    """From which stamp on a list is to be asked for.

    Args:
        connection: As the loader.
        target: The job's part of the staging table.
        changes: How it is read incrementally.

    Returns:
        None where it is to be read whole: always, as nothing is declared; it is due; or nothing is held of it.
    """
    if changes is None:
        return None
    row = connection.execute(
        target.statement(
            "select read_upto - %(overlap)s from etl.job_state where {state} and whole_read_at > now() - %(every)s"
            " and exists (select from {target} as existing where {mine} and vanished_at is null)",
            state=_state(target),
        ),
        {"overlap": changes.overlap, "every": changes.whole_every},
    ).fetchone()
    return row[0] if row else None


def record_read(
    connection: psycopg.Connection, target: JobTable, changes: ChangedSince | None, since: datetime | None
) -> None:
    """Write down how far a list has been read.

    Args:
        connection: With the transaction begun that loads what was read, and the records in the temporary table.
        target: The job's part of the staging table.
        changes: How it is read incrementally; nothing is written where it is not.
        since: From which stamp on it was asked for; None where it was read whole.
    """
    if changes is None:
        return
    connection.execute("update etl.job_run set changed_since = %s where run_id = %s", [since, target.run.run_id])
    connection.execute(
        target.statement(
            "update etl.job_state as state set"
            " read_upto = case when %(is_whole)s then found.upto else greatest(read_upto, found.upto) end,"
            " whole_read_at = case when %(is_whole)s then found.started_at else whole_read_at end"
            " from ("
            "     select run.started_at,"
            "     case when newest.stamp is not null then least(run.started_at, newest.stamp) end as upto"
            "     from etl.job_run as run cross join lateral (select max(stamp) as stamp from ({stamps}) as incoming)"
            "     as newest where run_id = %(run)s"
            " ) as found where {state}",
            state=_state(target),
            stamps=_STAMPS,
        ),
        {"run": target.run.run_id, "is_whole": since is None, "path": changes.stamp.split(".")},
    )


def _state(target: JobTable) -> sql.Composable:
    run = target.run
    values = map(sql.Literal, (run.source, run.job_id, run.instance_id))
    return sql.SQL("source = {} and job_id = {} and instance_id = {}").format(*values)


# One without an offset is taken for UTC. East of it that is too late, but never later than when the read began.
_STAMPS = sql.SQL(r"""
    select
        case
            when text !~ '^\d{4}-' or not pg_input_is_valid(text, 'timestamptz') then null
            when text ~ '[T ]\d\d.*(Z|[+-]\d\d(:?\d\d)?)$' then text::timestamptz
            else text::timestamp at time zone 'UTC'
        end as stamp
    from (select data #>> %(path)s as text from pg_temp.etl_job_rows) as said
""")
