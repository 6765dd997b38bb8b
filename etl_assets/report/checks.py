"""How checks stand by severity, what they found by day, and the findings that are open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg.rows import class_row

from etl_assets.declare.source import Source
from etl_assets.quality.issues import RuleIssues, count_issues
from etl_assets.report.period import ReportPeriod


@dataclass(frozen=True, kw_only=True)
class StandingChecks:
    """How the checks of a source stand."""

    source: str
    passed: int
    warned: int
    failed: int
    """As errors."""


@dataclass(frozen=True, kw_only=True)
class DayOfChecks:
    """What the checks that ran on one day found."""

    day: date
    passed: int
    warned: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What is to be said of checks."""

    standing: Sequence[StandingChecks]
    by_day: Sequence[DayOfChecks]
    """Of the days of the trends on which any ran."""
    findings: Mapping[str, Sequence[RuleIssues]]
    """The rules with open findings, by source; errors and the most first."""

    def open_findings(self, severity: str) -> int:
        """How many findings of a severity are open."""
        return sum(rule.findings for rules in self.findings.values() for rule in rules if rule.severity == severity)


def read_checks(connection: psycopg.Connection, sources: Sequence[Source], period: ReportPeriod) -> Checks:
    """Read how the checks of these sources stand, and what they found.

    Args:
        connection: As a role that may read the ledger.
        sources: Whose.
        period: The days of the trends.
    """
    names = [source.name for source in sources]
    with connection.cursor(row_factory=class_row(StandingChecks)) as cursor:
        standing = cursor.execute(_STANDING, {"sources": names}).fetchall()
    with connection.cursor(row_factory=class_row(DayOfChecks)) as cursor:
        given = {"sources": names, "first": f"{period.days[0]} 00:00+00", "upto": period.moment}
        by_day = cursor.execute(_BY_DAY, given).fetchall()
    findings = {name: count_issues(connection, name) for name in names}
    return Checks(standing=standing, by_day=by_day, findings=findings)


# From check to check by the index: it costs the checks that there are, and not their results of all time.
_STANDING = """
    with recursive known as (
        (
            select relation, rule
            from etl.quality_result
            order by relation, rule
            limit 1
        )
        union all
        select
            following.relation,
            following.rule
        from known
        cross join lateral (
            select relation, rule
            from etl.quality_result
            where (relation, rule) > (known.relation, known.rule)
            order by relation, rule
            limit 1
        ) as following
    )

    select
        latest.source,
        count(*) filter (where not is_open) as passed,
        count(*) filter (where is_open and latest.severity = 'warning') as warned,
        count(*) filter (where is_open and latest.severity = 'error') as failed
    from known
    cross join lateral (
        select source, severity, passed
        from etl.quality_result as result
        where result.relation = known.relation and result.rule = known.rule
        order by checked_at desc
        limit 1
    ) as latest
    cross join lateral (
        -- What somebody has resolved passes.
        select
            case
                when exists (
                    select from etl.quality_issue as issue
                    where issue.relation = known.relation and issue.rule = known.rule
                )
                    then exists (
                        select from etl.quality_issue as issue
                        where issue.relation = known.relation and issue.rule = known.rule and issue.status = 'open'
                    )
                else not latest.passed
            end as is_open
    ) as stands
    where latest.source = any(%(sources)s)
    group by latest.source
    order by latest.source
"""
_BY_DAY = """
    select
        (checked_at at time zone 'UTC')::date as day,
        count(*) filter (where passed) as passed,
        count(*) filter (where not passed and severity = 'warning') as warned,
        count(*) filter (where not passed and severity = 'error') as failed
    from etl.quality_result
    where source = any(%(sources)s) and checked_at >= %(first)s::timestamptz and checked_at <= %(upto)s
    group by day
    order by day
"""
