"""Which reports were written, and when: what a watcher looks at that misses one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

_KEPT = "400 days"


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """A report in the report folder."""

    kind: str
    """`daily` or `weekly`."""
    scope: str
    """The sources it is of: `all`, or their names."""
    built_at: datetime
    path: str
    bytes: int


def record_report(
    connection: psycopg.Connection, *, kind: str, scope: str, built_at: datetime, path: Path, size: int
) -> None:
    """Record in etl.report, as the loader, that a report was written; what is said of long ago is forgotten."""
    with connection.transaction():
        connection.execute(
            "insert into etl.report (kind, scope, built_at, path, bytes) values (%s, %s, %s, %s, %s)"
            " on conflict (kind, scope, built_at) do update set path = excluded.path, bytes = excluded.bytes",
            [kind, scope, built_at, str(path), size],
        )
        connection.execute("delete from etl.report where built_at < now() - %s::interval", [_KEPT])


def last_reports(connection: psycopg.Connection) -> list[WrittenReport]:
    """The newest report of each kind and scope; none where none was ever written."""
    rows = connection.execute(
        "select distinct on (kind, scope) kind, scope, built_at, path, bytes from etl.report"
        " order by kind, scope, built_at desc"
    )
    return [
        WrittenReport(kind=kind, scope=scope, built_at=built_at, path=path, bytes=size)
        for kind, scope, built_at, path, size in rows
    ]


def last_written(connection: psycopg.Connection, kind: str, scope: str) -> datetime:
    """When the last report of a kind and scope was written; where none was, when work began here; else now."""
    row = connection.execute(
        "select coalesce((select max(built_at) from etl.report where kind = %s and scope = %s),"
        " (select min(started_at) from etl.batch), now())",
        [kind, scope],
    ).fetchone()
    moment: datetime = row[0] if row else datetime.now(UTC)
    return moment


def reports_by_week(connection: psycopg.Connection, scope: str, mondays: Sequence[date]) -> list[int]:
    """On how many days of each of these weeks a daily report of a scope was written; days are those of UTC."""
    rows = connection.execute(
        "select count(distinct (built_at at time zone 'UTC')::date)"
        " from unnest(%s::date[]) with ordinality as week (monday, place)"
        " left join etl.report as report on report.kind = 'daily' and report.scope = %s"
        " and (built_at at time zone 'UTC')::date between monday and monday + 6"
        " group by place order by place",
        [list(mondays), scope],
    )
    return [number for (number,) in rows]
