"""What loads and builds did: rows, bytes and seconds by day and source, the slowest of them, and what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg.rows import class_row

from etl_assets.report.period import ReportPeriod
from etl_assets.report.state import SourceState

MOST_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class LoadTotal:
    """The loads of one source, of a day or of the whole period."""

    source: str
    day: date | None
    """None of the whole period."""
    loads: int
    tables: int
    rows_read: int
    rows_changed: int
    rows_rejected: int
    bytes: int
    """Of files as they came; of the rest rows read, by the mean size of the rows that the table holds."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SlowLoad:
    """One load, or one build of a model."""

    what: str
    """`load` or `build`."""
    relation: str
    ended_at: datetime
    seconds: float
    rows: int | None
    """Rows read by a load; rows changed by a build, where it is known."""


@dataclass(frozen=True, kw_only=True)
class FailedWork:
    """The batches of one source and kind that failed, or whose process died, in the period."""

    source: str
    kind: str
    failed: int
    abandoned: int
    recovered: int
    """Those that another run has made good."""
    last_at: datetime
    error: str
    """Of the last of them."""


@dataclass(frozen=True, kw_only=True)
class LoadActivity:
    """What loads and builds did."""

    by_day: Sequence[LoadTotal]
    """Of the days of the trends; days and sources without a load are left out."""
    totals: Sequence[LoadTotal]
    """Of the period, a line a source that was loaded."""
    slowest: Sequence[SlowLoad]
    failed: Sequence[FailedWork]

    def series(self, days: Sequence[date], measure: str) -> dict[str, list[float]]:
        """A measure of `LoadTotal` by source, with a value for each of these days."""
        found: dict[str, list[float]] = {}
        for total in self.by_day:
            if total.day in days:
                values = found.setdefault(total.source, [0.0] * len(days))
                values[days.index(total.day)] = float(getattr(total, measure))
        return found


def load_activity(connection: psycopg.Connection, states: Sequence[SourceState], period: ReportPeriod) -> LoadActivity:
    """Read what the loads and builds of these sources did.

    Args:
        connection: As a role that may read the ledger.
        states: The sources, and how large the rows of their tables are.
        period: What is counted, and the days of the trends.
    """
    given = {
        "sources": [state.source.name for state in states],
        "since": period.since,
        "upto": period.moment,
        "first": period.days[0],
        "most": MOST_SHOWN,
        **_row_sizes(states),
    }
    with connection.cursor(row_factory=class_row(LoadTotal)) as cursor:
        totals = cursor.execute(_TOTALS.replace("<day>", "null::date"), given).fetchall()
        days = cursor.execute(
            _TOTALS.replace("<day>", "(loaded_at at time zone 'UTC')::date"),
            {**given, "since": f"{given['first']} 00:00+00"},
        ).fetchall()
    with connection.cursor(row_factory=class_row(SlowLoad)) as cursor:
        slowest = cursor.execute(_SLOWEST, given).fetchall()
    with connection.cursor(row_factory=class_row(FailedWork)) as cursor:
        failed = cursor.execute(_FAILED, given).fetchall()
    return LoadActivity(by_day=days, totals=totals, slowest=slowest, failed=failed)


def _row_sizes(states: Sequence[SourceState]) -> Mapping[str, list[object]]:
    """The mean size of a row of each table, with its share of the indexes."""
    sizes = {
        str(table.relation): table.size / table.records for state in states for table in state.tables if table.records
    }
    return {"relations": list(sizes), "row_sizes": list(sizes.values())}


IS_RECOVERED = """(
    exists (
        select from etl.batch as later
        where
            later.source = failed.source
            and later.kind = failed.kind
            and later.status = 'success'
            and later.started_at > failed.started_at
            and (later.run_id is distinct from failed.run_id or failed.run_id is null)
    )
    and not exists (
        select from etl.table_failure as still
        where still.source = failed.source and failed.kind = 'load' and still.failed_since <= failed.ended_at
    )
)"""
"""Whether a batch `failed` was made good by another run, and no table that failed by then fails still."""
_TOTALS = """
    select
        batch.source,
        <day> as day,
        count(*) as loads,
        count(distinct load.relation) as tables,
        sum(rows_read)::bigint as rows_read,
        sum(rows_inserted + rows_updated + rows_deleted + rows_vanished)::bigint as rows_changed,
        sum(rows_rejected)::bigint as rows_rejected,
        sum(coalesce((source_said ->> 'bytes')::double precision, rows_read * sizes.row_size, 0))::bigint as bytes,
        sum(seconds) as seconds
    from etl.table_load as load
    inner join etl.batch using (batch_id)
    left join unnest(%(relations)s::text[], %(row_sizes)s::float8[]) as sizes (relation, row_size)
        on sizes.relation = load.relation
    where
        batch.source = any(%(sources)s)
        and batch.kind <> 'calendar'
        and loaded_at >= %(since)s::timestamptz
        and loaded_at <= %(upto)s
    group by 1, 2
    order by 1, 2
"""
_SLOWEST = """
    (
        select
            'load' as what,
            load.relation,
            loaded_at as ended_at,
            seconds,
            rows_read as rows
        from etl.table_load as load
        inner join etl.batch using (batch_id)
        where batch.source = any(%(sources)s) and loaded_at >= %(since)s and loaded_at <= %(upto)s
        order by seconds desc
        limit %(most)s
    )
    union all
    (
        select
            'build',
            build.relation,
            built_at,
            seconds,
            rows_changed
        from etl.model_build as build
        inner join etl.batch using (batch_id)
        where batch.source = any(%(sources)s) and built_at >= %(since)s and built_at <= %(upto)s
        order by seconds desc
        limit %(most)s
    )
    order by seconds desc, relation
    limit %(most)s
"""
_FAILED = f"""
    select
        source,
        kind,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'abandoned') as abandoned,
        count(*) filter (where is_recovered) as recovered,
        max(started_at) as last_at,
        coalesce((array_agg(error order by started_at desc))[1], '') as error
    from (
        select
            failed.*,
            {IS_RECOVERED} as is_recovered
        from etl.batch as failed
        where
            failed.source = any(%(sources)s)
            and failed.status in ('failed', 'abandoned')
            and failed.started_at >= %(since)s
            and failed.started_at <= %(upto)s
    ) as failed
    group by source, kind
    order by failed desc, abandoned desc, source, kind
"""
