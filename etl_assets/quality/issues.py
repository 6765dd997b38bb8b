"""Quality issues, the findings that people work on: upsert, list and resolve them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString

import psycopg
from psycopg import sql

from etl_assets.declare.dates import Span, bounds_of
from etl_assets.errors import EtlError
from etl_assets.warehouse.ledger import Batch


@dataclass(frozen=True, kw_only=True)
class CheckedRule:
    """The rule or test whose findings are kept, and what its issues say of it."""

    source: str
    relation: str
    """`schema.table`, of the rows that were checked."""
    rule: str
    why: str
    severity: str
    exception_type: str


@dataclass(frozen=True)
class Issue:
    """One finding, as a person sees it."""

    id: int
    status: str
    severity: str
    relation: str
    rule: str
    key: str
    field: str
    message: str
    slice: date | None
    first_seen_at: datetime
    resolved_by: str | None
    resolution_notes: str | None
    acknowledged_by: str | None
    acknowledged_why: str | None
    times_reopened: int
    reopened_at: datetime | None

    @property
    def state(self) -> str:
        """The status, or `acknowledged` of an open issue that somebody knows of."""
        return "acknowledged" if self.status == "open" and self.acknowledged_by else self.status


def upsert_issues(
    connection: psycopg.Connection,
    batch: Batch,
    rule: CheckedRule,
    *,
    found: sql.Composable,
    most: int,
) -> None:
    """Upsert an issue a finding: new ones are opened, and so are closed ones that broke again.

    A resolved issue stays resolved while its value is the one that it was resolved with. Of each date up to `most`
    findings are issues, those that were before first; the resolved ones are kept besides. Issues that were not found
    again are not closed here.

    Args:
        connection: With its transaction begun; nothing is committed here.
        batch: Whose work it is.
        rule: What was checked.
        found: What stands after `from`; it has row_key, field, value, message and row_slice, each key and field once.
        most: How many of a date are kept.
    """
    connection.execute(sql.SQL(_UPSERT).format(found=found), {**vars(rule), "batch": batch.id, "most": most})


def count_findings(
    connection: psycopg.Connection, batch: Batch, rule: CheckedRule, *, found: sql.Composable, scope: Span | None
) -> None:
    """Write down how many findings each date has; of the scope, or of all dates where that is None."""
    first, last = bounds_of(scope)
    connection.execute(_FORGET_COUNTS, {**vars(rule), "first": first, "last": last})
    connection.execute(sql.SQL(_COUNT).format(found=found), {**vars(rule), "batch": batch.id})


def open_counts(connection: psycopg.Connection, rule: CheckedRule, *, found: sql.Composable) -> tuple[int, int]:
    """How many findings nobody has resolved: of those just found, and of all dates. Exact, whatever is kept."""
    row = connection.execute(sql.SQL(_OPEN).format(found=found), vars(rule)).fetchone()
    return row or (0, 0)


@dataclass(frozen=True)
class RuleIssues:
    """The findings of one rule."""

    findings: int
    acknowledged: int
    """Of the single ones that are kept, open and acknowledged by somebody."""
    severity: str
    relation: str
    rule: str
    why: str
    first_slice: date | None
    last_slice: date | None


def count_issues(
    connection: psycopg.Connection, source: str | None, *, status: str | None = "open"
) -> list[RuleIssues]:
    """How many findings each rule has, errors and the most first; of all sources or states where one is None.

    Open ones are counted as they were found, more than are kept; of other states those that are kept.
    """
    rows = connection.execute(
        sql.SQL(_COUNT_BY_RULE).format(in_state=sql.SQL(_IN_STATE)), {"source": source, "status": status}
    )
    return [RuleIssues(*row) for row in rows]


def list_issues(
    connection: psycopg.Connection,
    source: str | None,
    *,
    status: str | None = "open",
    rule: str | None = None,
    most: int,
) -> list[Issue]:
    """Up to `most` issues, errors and newest dates first; of all sources, states or rules where one is None."""
    rows = connection.execute(
        sql.SQL(_LIST).format(in_state=sql.SQL(_IN_STATE)),
        {"source": source, "status": status, "rule": rule, "most": most},
    )
    return [Issue(*row) for row in rows]


def resolve_issue(connection: psycopg.Connection, issue: int, *, by: str, notes: str) -> None:
    """Settle an open issue: it stays resolved for as long as the value it was about does not change.

    Raises:
        EtlError: There is no such issue, it is not open, or `by` or `notes` is blank.
    """
    try:
        with connection.transaction():
            connection.execute("select etl.resolve_issue(%s, %s, %s)", [issue, by, notes])
    except psycopg.errors.RaiseException as error:
        raise EtlError(error.diag.message_primary or "The issue could not be resolved.") from None


def acknowledge_issue(connection: psycopg.Connection, issue: int, *, by: str, why: str) -> None:
    """Say of an open issue that somebody knows of it: it stays open, and is no news until it opens again.

    Raises:
        EtlError: There is no such issue, it is not open, or `by` or `why` is blank.
    """
    _acknowledge(connection, "select etl.acknowledge_issue(%(issue)s, %(by)s, %(why)s)", issue=issue, by=by, why=why)


def acknowledge_rule(connection: psycopg.Connection, source: str, rule: str, *, by: str, why: str) -> int:
    """As `acknowledge_issue`, of every issue of a rule that is open now and new; how many. Later ones are news.

    Raises:
        EtlError: None is open and new, or `by` or `why` is blank.
    """
    statement = """
        select etl.acknowledge_issue(issue_id, %(by)s, %(why)s) from etl.quality_issue
        where source = %(source)s and rule = %(rule)s and status = 'open' and acknowledged_at is null
    """
    number = _acknowledge(connection, statement, source=source, rule=rule, by=by, why=why)
    if not number:
        raise EtlError(f"{source} has no new issue of a rule {rule}. See: etl issues list --source {source}")
    return number


def _acknowledge(connection: psycopg.Connection, statement: LiteralString, **values: object) -> int:
    try:
        with connection.transaction():
            return connection.execute(statement, values).rowcount
    except psycopg.errors.RaiseException as error:
        raise EtlError(error.diag.message_primary or "The issue could not be acknowledged.") from None


_IN_STATE = """
    (
        %(status)s::text is null
        or status = case when %(status)s in ('new', 'acknowledged') then 'open' else %(status)s end
    )
    and (%(status)s::text is distinct from 'new' or acknowledged_at is null)
    and (%(status)s::text is distinct from 'acknowledged' or acknowledged_at is not null)
"""
"""New and acknowledged are those that are open, parted."""
_UPSERT = """
    insert into etl.quality_issue as issue (
        source, relation, rule, why, key, field, value, exception_type, severity, message, slice,
        first_batch_id, last_batch_id
    )
    select
        %(source)s, %(relation)s, %(rule)s, %(why)s, row_key, field, value, %(exception_type)s, %(severity)s, message,
        row_slice, %(batch)s, %(batch)s
    from (
        select
            *,
            row_number() over (partition by row_slice, is_resolved order by is_new, row_key, field) as place
        from (
            select
                found.*,
                known.issue_id is null as is_new,
                known.status is not distinct from 'resolved' and known.value is not distinct from found.value
                as is_resolved
            from {found} as found
            left join etl.quality_issue as known
                on known.relation = %(relation)s
                and known.rule = %(rule)s
                and known.key = found.row_key
                and known.field = found.field
                and known.status <> 'closed'
        ) as compared
    ) as placed
    where is_resolved or place <= %(most)s
    on conflict (relation, rule, key, field) do update set
        why = excluded.why,
        value = excluded.value,
        message = excluded.message,
        severity = excluded.severity,
        slice = excluded.slice,
        last_seen_at = now(),
        last_batch_id = excluded.last_batch_id,
        status = case
            when issue.status = 'resolved' and issue.value is not distinct from excluded.value then 'resolved'
            else 'open'
        end,
        closed_at = null
"""
_FORGET_COUNTS = """
    delete from etl.finding_count
    where
        relation = %(relation)s
        and rule = %(rule)s
        and (%(first)s::date is null or slice between %(first)s and %(last)s)
"""
_COUNT = """
    insert into etl.finding_count (relation, rule, slice, findings, batch_id)
    select
        %(relation)s,
        %(rule)s,
        row_slice,
        count(*),
        %(batch)s
    from {found} as found
    group by row_slice
    on conflict (relation, rule, slice) do update set
        findings = excluded.findings,
        batch_id = excluded.batch_id,
        counted_at = now()
"""
_LIST = """
    select
        issue_id,
        status,
        severity,
        relation,
        rule,
        key,
        field,
        message,
        slice,
        first_seen_at,
        resolved_by,
        resolution_notes,
        acknowledged_by,
        acknowledged_why,
        times_reopened,
        reopened_at
    from etl.quality_issue
    where
        (%(source)s::text is null or source = %(source)s)
        and (%(rule)s::text is null or rule = %(rule)s)
        and {in_state}
    order by severity, slice desc nulls last, relation, rule, key, field
    limit %(most)s
"""
_COUNT_BY_RULE = """
    with kept as (
        select
            relation,
            rule,
            min(severity) as severity,
            max(why) as why,
            min(slice) as first_slice,
            max(slice) as last_slice,
            count(*) as issues,
            count(*) filter (where status = 'open') as open,
            count(*) filter (where status = 'open' and acknowledged_at is not null) as acknowledged
        from etl.quality_issue
        where
            (%(source)s::text is null or source = %(source)s)
            and {in_state}
        group by relation, rule
    ),

    counted as (
        select
            relation,
            rule,
            sum(findings)::bigint - (
                select count(*)
                from etl.quality_issue as resolved
                where
                    resolved.relation = counts.relation
                    and resolved.rule = counts.rule
                    and resolved.status = 'resolved'
            ) as open,
            (
                select count(*)
                from etl.quality_issue as known
                where
                    known.relation = counts.relation
                    and known.rule = counts.rule
                    and known.status = 'open'
                    and known.acknowledged_at is not null
            ) as acknowledged
        from etl.finding_count as counts
        group by relation, rule
    )

    select
        kept.issues - kept.open + case
            when kept.open = 0 or %(status)s = 'acknowledged' then kept.open
            when %(status)s = 'new' then greatest(kept.open, counted.open - counted.acknowledged)
            else greatest(kept.open, counted.open)
        end as findings,
        kept.acknowledged,
        kept.severity,
        kept.relation,
        kept.rule,
        kept.why,
        kept.first_slice,
        kept.last_slice
    from kept
    left join counted using (relation, rule)
    order by severity, findings desc, relation, rule
"""
_OPEN = """
    with resolved as (
        select
            key,
            field
        from etl.quality_issue
        where relation = %(relation)s and rule = %(rule)s and status = 'resolved'
    )

    select
        (select count(*) from {found}) - (
            select count(*)
            from resolved
            inner join {found} as found on found.row_key = resolved.key and found.field = resolved.field
        ),
        (
            select coalesce(sum(findings), 0)::bigint
            from etl.finding_count
            where relation = %(relation)s and rule = %(rule)s
        ) - (select count(*) from resolved)
"""
