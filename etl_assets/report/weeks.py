"""Success metrics by ISO week: which tables were loaded, in time, as at the source, and in the hours that are allowed.

They are the brief's for Open Dental, counted from the ledger, of every source whose tables have an importance; of the
others what applies to them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import psycopg

from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.declare.hours import AllowedHours
from etl_assets.declare.source import Source
from etl_assets.report.loads import IS_RECOVERED
from etl_assets.report.period import ReportPeriod
from etl_assets.report.wording import format_seconds, format_share

QUALITY_TARGET = 0.99
"""Of the rows of critical tables, as many are to be as they are at the source."""
COMPARED = "matches_source"
"""The check of a load that compares a table with its source."""


@dataclass(kw_only=True)
class Week:
    """What loads of a source did in one ISO week."""

    monday: date
    is_current: bool
    """Whether it is not over yet."""
    tables: set[str] = field(default_factory=set)
    """Those that were loaded."""
    loads: int = 0
    limited: int = 0
    """Loads of tables with a time limit."""
    in_time: int = 0
    in_hours: int = 0
    rows_read: int = 0
    seconds: float = 0.0
    compared: set[str] = field(default_factory=set)
    """Tables that were compared with their source."""
    critical_checked: int = 0
    """Rows of critical tables that were compared, each time anew."""
    critical_broken: int = 0
    failed: int = 0
    """Batches that failed, or whose process died."""
    recovered: int = 0

    @property
    def quality(self) -> float | None:
        """Share of the rows of critical tables that are as they are at the source; None where none was compared."""
        return 1 - self.critical_broken / self.critical_checked if self.critical_checked else None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A line of the table: a measure with its value in each week."""

    title: str
    cells: Sequence[tuple[str, bool | None]]
    """The value as it is shown, and whether it is as it is to be; None where nothing is to be."""


@dataclass(frozen=True, kw_only=True)
class SuccessMetrics:
    """The success metrics of one source."""

    source: Source
    weeks: Sequence[Week]
    by_importance: Mapping[str, frozenset[str]]
    """The declared tables of each importance; none where the source's tables have none."""
    incremental: frozenset[str]
    """Those that are declared to be read by a cursor column."""
    declared: frozenset[str]
    held: frozenset[str]
    """Those that are to be loaded: this version of the source may lack others."""
    hours: AllowedHours | None

    def loaded(self, importance: str) -> list[int]:
        """How many tables of an importance were loaded in each week."""
        return [len(week.tables & self.by_importance[importance]) for week in self.weeks]

    @property
    def measures(self) -> list[Measure]:
        """The lines of the table."""
        lines = [
            self._line(f"{name} tables loaded", partial(self._tables, wanted=names))
            for name, names in self.by_importance.items()
        ]
        lines.append(self._line("all tables loaded", partial(self._tables, wanted=self.declared)))
        if self.by_importance:
            if self.incremental:
                lines.append(self._line("incremental tables loaded", partial(self._tables, wanted=self.incremental)))
            lines += [
                self._line("tables compared with the source", lambda week: (f"{len(week.compared):,}", None)),
                self._line("rows of critical tables as at the source", _quality),
                self._line("loads within the table's time limit", _in_time),
            ]
        lines += [
            self._line(f"loads within {self.hours}" if self.hours else "loads within allowed hours", self._in_hours),
            self._line("runs that failed, and were recovered", _recovery),
            self._line("rows read", lambda week: (f"{week.rows_read:,}", None)),
            self._line("time spent loading", lambda week: (format_seconds(week.seconds), None)),
        ]
        return lines

    def _line(self, title: str, cell: Callable[[Week], tuple[str, bool | None]]) -> Measure:
        return Measure(title=title, cells=[cell(week) for week in self.weeks])

    def _tables(self, week: Week, wanted: Collection[str]) -> tuple[str, bool | None]:
        found = len(week.tables & set(wanted))
        is_met = week.tables >= self.held & set(wanted)
        return f"{found:,} of {len(wanted):,}", _met(week, is_met) if week.loads else None

    def _in_hours(self, week: Week) -> tuple[str, bool | None]:
        if self.hours is None:
            return "any hour", None
        return format_share(week.in_hours, week.loads), None if not week.loads else week.in_hours == week.loads


def _met(week: Week, is_met: bool) -> bool | None:
    """Of a week that is not over nobody can say yet that a target is missed."""
    return None if week.is_current and not is_met else is_met


def _quality(week: Week) -> tuple[str, bool | None]:
    if week.quality is None:
        return "-", None
    return format_share(
        week.critical_checked - week.critical_broken, week.critical_checked
    ), week.quality > QUALITY_TARGET


def _in_time(week: Week) -> tuple[str, bool | None]:
    return format_share(week.in_time, week.limited), (week.in_time == week.limited) if week.limited else None


def _recovery(week: Week) -> tuple[str, bool | None]:
    if not week.failed:
        return "none failed", True if week.loads else None
    return f"{week.recovered:,} of {week.failed:,}", week.recovered == week.failed


def success_metrics(
    connection: psycopg.Connection,
    source: Source,
    period: ReportPeriod,
    *,
    hours: AllowedHours | None,
    held: Collection[str],
) -> SuccessMetrics:
    """Count a source's last weeks.

    Args:
        connection: As a role that may read the ledger.
        source: Whose.
        period: The weeks.
        hours: When the source may be read.
        held: The staging tables that are there, or whose load fails: all of them are to be loaded.
    """
    weeks = {monday: Week(monday=monday, is_current=monday == period.weeks[-1]) for monday in period.weeks}
    limits = {
        f"{source.schema}.{table.name}": float(minutes) * 60
        for table in source.tables
        if isinstance(minutes := table.details.get("max_extraction_time_minutes"), int)
    }
    by_importance = _by_importance(source)
    _count_loads(connection, source, weeks, limits, hours)
    _count_comparisons(connection, source, weeks, by_importance.get("critical", frozenset()))
    since = f"{period.weeks[0]} 00:00+00"
    for monday, failed, recovered in connection.execute(_FAILURES, {"source": source.name, "since": since}):
        if monday in weeks:
            weeks[monday].failed, weeks[monday].recovered = failed, recovered
    return SuccessMetrics(
        source=source,
        weeks=list(weeks.values()),
        by_importance=by_importance,
        incremental=frozenset(
            f"{source.schema}.{name}"
            for names in by_importance.values()
            for name in (relation.partition(".")[2] for relation in names)
            if source.copied_table(name).cursor
        ),
        declared=frozenset(f"{source.schema}.{table.name}" for table in source.tables),
        held=frozenset(held),
        hours=hours,
    )


def _by_importance(source: Source) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for table in source.tables:
        if importance := table.tags.get("importance"):
            found[importance].add(f"{source.schema}.{table.name}")
    return {name: frozenset(found[name]) for name in IMPORTANCES if name in found}


def _count_loads(
    connection: psycopg.Connection,
    source: Source,
    weeks: Mapping[date, Week],
    limits: Mapping[str, float],
    hours: AllowedHours | None,
) -> None:
    rows = connection.execute(
        _LOADS,
        {
            "source": source.name,
            "since": f"{min(weeks)} 00:00+00",
            "relations": list(limits),
            "limits": list(limits.values()),
            "zone": str(hours.zone) if hours else "UTC",
            "start": hours.start if hours else None,
            "end": hours.end if hours else None,
        },
    )
    for monday, relation, loads, limited, in_time, in_hours, rows_read, seconds in rows:
        if week := weeks.get(monday):
            week.tables.add(relation)
            week.loads += loads
            week.limited += limited
            week.in_time += in_time
            week.in_hours += in_hours
            week.rows_read += rows_read
            week.seconds += seconds


def _count_comparisons(
    connection: psycopg.Connection, source: Source, weeks: Mapping[date, Week], critical: Collection[str]
) -> None:
    given = {"source": source.name, "rule": COMPARED, "since": f"{min(weeks)} 00:00+00"}
    for monday, relation, checked, broken in connection.execute(_COMPARISONS, given):
        if week := weeks.get(monday):
            week.compared.add(relation)
            if relation in critical:
                week.critical_checked += checked
                week.critical_broken += min(broken, checked)


_LOADS = """
    select
        date_trunc('week', loaded_at at time zone 'UTC')::date as monday,
        load.relation,
        count(*),
        count(limits.seconds),
        count(*) filter (where load.seconds <= limits.seconds),
        count(*) filter (
            where case
                when %(start)s::time < %(end)s::time
                    then began.at_source >= %(start)s::time and began.at_source < %(end)s::time
                else began.at_source >= %(start)s::time or began.at_source < %(end)s::time
            end
        ),
        sum(rows_read)::bigint,
        sum(load.seconds)
    from etl.table_load as load
    inner join etl.batch using (batch_id)
    left join unnest(%(relations)s::text[], %(limits)s::float8[]) as limits (relation, seconds)
        on limits.relation = load.relation
    cross join lateral (
        select ((loaded_at - make_interval(secs => load.seconds)) at time zone %(zone)s)::time as at_source
    ) as began
    where batch.source = %(source)s and batch.kind <> 'calendar' and loaded_at >= %(since)s::timestamptz
    group by monday, load.relation
"""
_COMPARISONS = """
    select
        date_trunc('week', checked_at at time zone 'UTC')::date as monday,
        relation,
        sum(rows_checked)::bigint,
        sum(rows_broken)::bigint
    from etl.quality_result
    where source = %(source)s and rule = %(rule)s and checked_at >= %(since)s::timestamptz
    group by monday, relation
"""
_FAILURES = f"""
    select
        date_trunc('week', started_at at time zone 'UTC')::date as monday,
        count(*),
        count(*) filter (where {IS_RECOVERED})
    from etl.batch as failed
    where source = %(source)s and status in ('failed', 'abandoned') and started_at >= %(since)s::timestamptz
    group by monday
"""
