"""Health of tables and models: loaded in time, built, and passing their checks. The ledger says so, and not Dagster.

A backfill of an old date makes nothing fresh that it does not write, and a run that loaded nothing makes nothing late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg.rows import dict_row

from etl_assets.declare.source import Source

STATES = ("failed", "late", "degraded", "healthy")
"""The worst first. Failed: its last load or build failed. Late: nothing has come for longer than its source says, or
what it is built of changed as long ago. Degraded: a check stands failed as an error."""
LONGEST_REASON = 200


@dataclass(frozen=True, kw_only=True)
class Health:
    """How a table or a model is."""

    relation: str
    state: str
    """One of `STATES`."""
    since: datetime | None = None
    """None of what is healthy."""
    why: str = ""
    """The cause, of what is not."""
    command: str = ""
    """What to run, or to look at."""
    newest_slice: date | None = None
    """Of a table that is loaded by date, the newest one that news have come of."""


def table_health(connection: psycopg.Connection, source: Source) -> list[Health]:
    """The health of every table and model of a source that was ever loaded or built, the worst first.

    Args:
        connection: As a role that may read the ledger.
        source: Whose.
    """
    given = {
        "source": source.name,
        "within": source.fresh_within,
        "tables": [f"{source.schema}.{table.name}" for table in source.tables],
        "expected": expected_tables(connection, source),
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        found = [_health(source, row) for row in cursor.execute(_HEALTH, given).fetchall()]
    return sorted(found, key=lambda each: (STATES.index(each.state), each.relation))


def expected_tables(connection: psycopg.Connection, source: Source) -> list[str]:
    """The staging tables that are to be loaded again and again: not those of jobs that are all switched off."""
    asked = connection.execute(
        "select distinct target_table from etl.job inner join etl.active_job as active using (source, job_id)"
        " where source = %s and active.is_active",
        [source.name],
    ).fetchall()
    active = {table for (table,) in asked}
    return [
        f"{source.schema}.{table.name}"
        for table in source.tables
        if not table.is_optional and (not source.jobs or table.name in active)
    ]


def _health(source: Source, row: Mapping[str, Any]) -> Health:
    relation: str = row["relation"]
    schema, _, table = relation.partition(".")
    is_staging = schema == source.schema
    again = f"etl run {source.name}" + (f" {table}" if is_staging else "")
    newest: date | None = row["newest_slice"]
    made = partial(Health, relation=relation, newest_slice=newest)
    hours = f"{source.fresh_within.total_seconds() / 3600:g} hours"
    if row["failed_since"]:
        reason = " ".join((row["error"] or "").split())
        why = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}..."
        return made(state="failed", since=row["failed_since"], why=why, command=again)
    if row["late_since"]:
        why = f"nothing has come within {hours}" if is_staging else f"what it is built of changed {hours} ago and more"
        why += f"; the newest date is {newest}" * bool(newest)
        return made(state="late", since=row["late_since"], why=why, command=again)
    if row["broken_since"]:
        command = f"etl issues list --source {source.name} --rule {row['first_rule']}"
        return made(state="degraded", since=row["broken_since"], why=row["rules"], command=command)
    return made(state="healthy")


# Of what it is built of, the first change it has not seen.
_HEALTH = """
    with loaded as (
        select
            named.relation,
            last.loaded_at,
            last.newest_slice
        from unnest(%(tables)s::text[]) as named (relation)
        cross join lateral (
            select loaded_at, newest_slice
            from etl.table_load as load
            where load.relation = named.relation and is_news
            order by loaded_at desc, load_id desc
            limit 1
        ) as last
    ),

    built as (
        select state.relation, state.seen
        from etl.model_state as state
        inner join etl.batch using (batch_id)
        where batch.source = %(source)s
    ),

    failed as (
        select relation, failed_since, error from etl.table_failure where source = %(source)s
        union all
        select relation, failed_since, 'it could not be built: ' || error
        from etl.model_failure
        where source = %(source)s
    ),

    behind as (
        select
            built.relation,
            min(coalesce(
                (
                    select min(load.loaded_at) from etl.table_load as load
                    where
                        load.relation = input.key
                        and load.load_id > input.value::bigint
                        and rows_inserted + rows_updated + rows_deleted + rows_vanished > 0
                ),
                (
                    select min(build.built_at) from etl.model_build as build
                    where build.relation = input.key and build.build_id > input.value::bigint and build.rows_changed > 0
                )
            )) as since
        from built
        cross join lateral jsonb_each_text(built.seen) as input
        where etl.newest_change(input.key) > input.value::bigint
        group by built.relation
    ),

    broken as (
        select
            relation,
            min(since) as since,
            string_agg(rule || case when is_known then ' (acknowledged)' else '' end, ', ' order by is_known, rule)
                as rules,
            (array_agg(rule order by is_known, rule))[1] as first_rule
        from (
            select relation, rule, min(first_seen_at) as since, bool_and(acknowledged_at is not null) as is_known
            from etl.quality_issue
            where source = %(source)s and status = 'open' and severity = 'error'
            group by relation, rule
        ) as by_rule
        group by relation
    )

    select
        relation,
        failed.failed_since,
        failed.error,
        case
            when relation = any(%(expected)s) and loaded.loaded_at < now() - %(within)s::interval
                then loaded.loaded_at + %(within)s::interval
            when behind.since < now() - %(within)s::interval then behind.since + %(within)s::interval
        end as late_since,
        broken.since as broken_since,
        broken.rules,
        broken.first_rule,
        loaded.newest_slice
    from (
        select relation from loaded
        union
        select relation from built
        union
        select relation from failed
    ) as known
    left join loaded using (relation)
    left join behind using (relation)
    left join failed using (relation)
    left join broken using (relation)
"""
