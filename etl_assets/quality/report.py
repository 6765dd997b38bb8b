"""Run report: what was loaded, built and checked, one line a relation."""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation


@dataclass(frozen=True, kw_only=True)
class Line:
    """One relation of the report."""

    relation: str
    rows: int
    changed: int
    """Rows written or deleted by the runs that are reported on."""
    deleted: int
    """Of them those deleted from staging: what the source no longer has, or a file no longer says."""
    rejected: int
    passed: int
    failed: int
    warned: int
    seconds: float


def summary(connection: psycopg.Connection, source: str, runs: Collection[str]) -> list[Line]:
    """The relations of a source that have ever been loaded or built, with what some runs did to them.

    Args:
        connection: As a role that may read them all.
        source: Whose.
        runs: Dagster's ids of the runs to report on; checks are those of each relation's last ones.
    """
    rows = connection.execute(_SUMMARY, {"source": source, "runs": list(runs)}).fetchall()
    return [
        Line(
            relation=name,
            rows=_count(connection, Relation(*name.split(".", 1))),
            changed=changed,
            deleted=deleted,
            rejected=rejected,
            passed=passed,
            failed=failed,
            warned=warned,
            seconds=seconds,
        )
        for name, changed, deleted, rejected, passed, failed, warned, seconds in rows
    ]


def _count(connection: psycopg.Connection, relation: Relation) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(relation.identifier)).fetchone()
    return row[0] if row else 0


_SUMMARY = """
    with ours as (
        select batch_id, run_id = any(%(runs)s) as is_reported
        from etl.batch
        where source = %(source)s
    ),

    loaded as (
        select
            relation,
            min(load_id) as place,
            coalesce(sum(rows_inserted + rows_updated + rows_deleted) filter (where is_reported), 0) as changed,
            coalesce(sum(rows_deleted) filter (where is_reported), 0) as deleted,
            coalesce(sum(rows_rejected) filter (where is_reported), 0) as rejected,
            coalesce(sum(seconds) filter (where is_reported), 0) as seconds
        from etl.table_load
        inner join ours using (batch_id)
        group by relation
        union all
        select
            relation,
            (min(extract(epoch from built_at)) * 1000000)::bigint,
            coalesce(sum(rows_changed) filter (where is_reported), 0),
            0,
            0,
            coalesce(sum(seconds) filter (where is_reported), 0)
        from etl.model_build
        inner join ours using (batch_id)
        group by relation
        having bool_or(rows_changed is not null)
    ),

    checked as (
        select
            relation,
            count(*) filter (where passed) as passed,
            count(*) filter (where not passed and severity = 'error') as failed,
            count(*) filter (where not passed and severity = 'warning') as warned
        from (
            select
                result.relation,
                result.severity,
                not exists (
                    select from etl.quality_issue as issue
                    where issue.relation = result.relation and issue.rule = result.rule and issue.status = 'open'
                ) as passed
            from (
                select distinct on (relation, rule)
                    relation,
                    rule,
                    severity
                from etl.quality_result
                where source = %(source)s
                order by relation, rule, result_id desc
            ) as result
        ) as last_result
        group by relation
    )

    select
        relation,
        changed::bigint,
        deleted::bigint,
        rejected::bigint,
        coalesce(passed, 0),
        coalesce(failed, 0),
        coalesce(warned, 0),
        seconds
    from loaded
    left join checked using (relation)
    order by place
"""
