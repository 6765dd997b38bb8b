"""Alerts in the ledger: opened and ended in the transaction that ends a batch, and by what watches the clock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from etl_assets.errors import EtlError

TOGETHER_MINUTES = 15
"""Checks that fail and tables that are late within so many minutes of the first are one alert."""
FORGET_DAYS = 400


@dataclass(frozen=True, kw_only=True)
class Member:
    """A table, a model or a check that an alert is about."""

    relation: str
    """Empty of what is about the whole source."""
    rule: str = ""
    why: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing that is wrong, or was."""

    alert_id: int
    source: str
    kind: str
    since: datetime
    opened_at: datetime
    run_id: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    members: list[Member]
    """What it is about still; of what is resolved, all that it was about."""


def note_batch(connection: psycopg.Connection, batch: UUID, *, error: str | None) -> None:
    """Open alerts for what a batch failed of and what its checks found, and end those that it has mended.

    Args:
        connection: With the transaction begun that ends the batch.
        batch: Which.
        error: What the whole batch failed of, without a value of a row; None where it did not, or was stopped by hand.
    """
    connection.execute(_OPEN, {"batch": batch, "error": error, "minutes": TOGETHER_MINUTES})
    end_alerts(connection)


def end_alerts(connection: psycopg.Connection) -> None:
    """End the alerts of failed loads and builds, and of checks, that are well by the ledger."""
    connection.execute(_END_MEMBERS)
    _resolve(connection)


def watch(connection: psycopg.Connection, kind: str, found: Mapping[str, Collection[Member]]) -> None:
    """Have the alerts of a kind be about exactly these; one opens where some are new, and ends where none is left.

    Args:
        connection: With its transaction begun.
        kind: What no batch ends with: `late`, `hanging`, `platform`, ...
        found: By source, all that is so now. Alerts of sources that are not named stay as they are.
    """
    rows = [(source, each) for source, members in found.items() for each in members]
    given = {
        "kind": kind,
        "minutes": TOGETHER_MINUTES,
        "named": list(found),
        "sources": [source for source, _ in rows],
        **{name: [getattr(each, name) for _, each in rows] for name in ("relation", "rule", "why", "since")},
    }
    connection.execute(_END_WATCHED, given)
    _resolve(connection)
    connection.execute(_WATCH, given)


def _resolve(connection: psycopg.Connection) -> None:
    connection.execute(
        "update etl.alert set resolved_at = now() where resolved_at is null and not exists"
        " (select from etl.alert_member as member where member.alert_id = alert.alert_id and member.ended_at is null)"
    )


def alerts_since(connection: psycopg.Connection, moment: datetime) -> list[Alert]:
    """The alerts that are open, and those that were resolved later than a moment; the oldest first."""
    return _alerts(connection, "alert.resolved_at is null or alert.resolved_at > %s", moment)


def latest_alerts(connection: psycopg.Connection, most: int) -> list[Alert]:
    """The alerts that are open, and the last resolved ones up to `most` in all, the newest first."""
    found = _alerts(
        connection,
        "alert.alert_id in (select alert_id from etl.alert order by resolved_at is null desc, alert_id desc limit %s)",
        most,
    )
    return sorted(found, key=lambda alert: (alert.resolved_at is None, alert.alert_id), reverse=True)


def _alerts(connection: psycopg.Connection, condition: str, *values: object) -> list[Alert]:
    question = _ALERTS.replace("{condition}", condition)
    with connection.cursor() as cursor:
        rows = cursor.execute(question, values or None).fetchall()
    return [
        Alert(
            **dict(zip(_COLUMNS, row[:-1], strict=True)),
            members=[
                Member(relation=name, rule=rule, why=why, since=datetime.fromisoformat(since))
                for name, rule, why, since in row[-1]
            ],
        )
        for row in rows
    ]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A table or a model that something became wrong with, or is no longer."""

    relation: str
    kind: str
    rule: str
    why: str
    since: datetime
    ended_at: datetime | None
    moment: datetime
    """When the ledger took note of it."""


def changes_since(connection: psycopg.Connection, moment: datetime, *, most: int) -> list[Change]:
    """What became wrong or well with tables and models after a moment, the first in front."""
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(
            "select relation, kind, rule, why, member.since, ended_at, coalesce(ended_at, noted_at) as moment"
            " from etl.alert_member as member inner join etl.alert using (alert_id)"
            " where relation <> '' and (noted_at > %(moment)s or ended_at > %(moment)s)"
            " and coalesce(ended_at, noted_at) > %(moment)s order by coalesce(ended_at, noted_at) limit %(most)s",
            {"moment": moment, "most": most},
        ).fetchall()


def acknowledge_alert(connection: psycopg.Connection, alert: int, *, by: str, why: str) -> None:
    """Say that somebody is at it: it is not escalated. It is resolved by what mends it, and by nothing else.

    Raises:
        EtlError: There is no open alert of this number, or a word is blank.
    """
    if not (by.strip() and why.strip()):
        raise EtlError("Say who acknowledges it, and what is being done.")
    found = connection.execute(
        "update etl.alert set acknowledged_at = now(), acknowledged_by = %s, acknowledged_why = %s"
        " where alert_id = %s and resolved_at is null returning 1",
        [by, why, alert],
    ).fetchone()
    if found is None:
        raise EtlError(f"There is no open alert {alert}. Those there are: etl alerts")


def forget_alerts(connection: psycopg.Connection) -> None:
    """Delete what was resolved, sent or ended long ago."""
    for table, column in (("alert", "resolved_at"), ("alert_message", "created_at"), ("silence", "ends_at")):
        connection.execute(f"delete from etl.{table} where {column} < now() - make_interval(days => {FORGET_DAYS})")


_COLUMNS: Sequence[str] = (
    "alert_id", "source", "kind", "since", "opened_at", "run_id", "acknowledged_at", "acknowledged_by", "resolved_at",
)  # fmt: skip

# `%` would be read as a parameter where there are some; the condition says which alerts.
_ALERTS = """
    select
        alert.alert_id, source, kind, alert.since, opened_at, run_id, acknowledged_at, acknowledged_by, resolved_at,
        (
            select coalesce(jsonb_agg(jsonb_build_array(relation, rule, why, since) order by relation, rule), '[]')
            from etl.alert_member as member
            where member.alert_id = alert.alert_id and (alert.resolved_at is not null or member.ended_at is null)
        )
    from etl.alert
    where {condition}
    order by alert.alert_id
"""

# Behind a CTE `ill` with source, run_id, kind, relation, rule, since, why, cause, and `apart`: what stands for a cause
# where there is none, and no alert of the same source and kind has lately opened.
_ENTER = """
    new as (
        select ill.source, ill.run_id, ill.kind, ill.relation, ill.rule, ill.since, ill.why, coalesce(
            ill.cause,
            (
                select alert.cause
                from etl.alert
                where
                    alert.source = ill.source and alert.kind = ill.kind and resolved_at is null
                    and opened_at > now() - make_interval(mins => %(minutes)s)
                order by opened_at desc limit 1
            ),
            ill.apart
        ) as cause
        from ill
        where not exists (
            select from etl.alert_member as member
            inner join etl.alert using (alert_id)
            where
                member.relation = ill.relation and member.rule = ill.rule and member.ended_at is null
                and alert.source = ill.source and alert.kind = ill.kind
        )
    ),

    opened as (
        insert into etl.alert (source, kind, cause, since, run_id)
        select source, kind, cause, min(since), min(run_id) from new group by source, kind, cause
        on conflict (source, kind, cause) where resolved_at is null do update set since = alert.since
        returning alert_id, source, kind, cause
    )

    insert into etl.alert_member as member (alert_id, relation, rule, why, since)
    select alert_id, relation, rule, left(why, 400), since
    from new inner join opened using (source, kind, cause)
    on conflict (alert_id, relation, rule) do update
    set why = excluded.why, since = excluded.since, noted_at = clock_timestamp(), ended_at = null
"""

# A cause is the error without the table's name and without numbers: what 440 tables fail of alike is one.
_OPEN = (
    """
    with found as (
        select
            'failed' as kind, relation, '' as rule, failed_since as since, error as why,
            left(regexp_replace(
                replace(replace(error, relation, ''), split_part(relation, '.', 2), ''), '[0-9]+', '#', 'g'
            ), 300) as cause
        from etl.table_failure
        where batch_id = %(batch)s
        union all
        select
            'failed', relation, '', failed_since, 'it could not be built: ' || error,
            'build: ' || left(replace(replace(error, relation, ''), split_part(relation, '.', 2), ''), 300)
        from etl.model_failure
        where batch_id = %(batch)s
        union all
        select 'degraded', looked.relation, looked.rule, broken.since, broken.why, null
        from (select distinct relation, rule from etl.quality_result where batch_id = %(batch)s) as looked
        cross join lateral (
            select min(first_seen_at) as since, max(why) as why
            from etl.quality_issue as issue
            where
                issue.relation = looked.relation and issue.rule = looked.rule
                -- What somebody knows of is no news.
                and status = 'open' and severity = 'error' and acknowledged_at is null
        ) as broken
        where broken.since is not null
        union all
        select 'failed', '', kind, started_at, %(error)s, left(%(error)s, 300)
        from etl.batch
        where
            batch_id = %(batch)s and %(error)s::text is not null
            and not exists (select from etl.table_failure where batch_id = %(batch)s)
            and not exists (select from etl.model_failure where batch_id = %(batch)s)
    ),

    ill as (
        select batch.source, batch.run_id, found.kind, relation, rule, since,
            regexp_replace(why, '[[:space:]]+', ' ', 'g') as why, cause, batch_id::text as apart
        from found
        cross join etl.batch
        where batch.batch_id = %(batch)s
    ),
"""
    + _ENTER
)

_END_MEMBERS = """
    update etl.alert_member as member set ended_at = clock_timestamp()
    from etl.alert
    where
        alert.alert_id = member.alert_id and alert.resolved_at is null and member.ended_at is null
        and case
            when kind = 'degraded' then not exists (
                select from etl.quality_issue as issue
                where
                    issue.relation = member.relation and issue.rule = member.rule
                    and status = 'open' and severity = 'error'
            )
            when kind = 'failed' and relation = '' then exists (
                select from etl.batch
                where
                    batch.source = alert.source and batch.kind = member.rule and status = 'success'
                    and started_at > alert.opened_at
            )
            when kind = 'failed' then
                not exists (select from etl.table_failure as failure where failure.relation = member.relation)
                and coalesce((
                    select status = 'success' from etl.model_build as build
                    where build.relation = member.relation
                    order by build_id desc limit 1
                ), true)
        end
"""

_END_WATCHED = """
    update etl.alert_member as member set ended_at = clock_timestamp()
    from etl.alert
    where
        alert.alert_id = member.alert_id and alert.source = any(%(named)s) and alert.kind = %(kind)s
        and member.ended_at is null
        and (alert.source, member.relation, member.rule) not in (
            select * from unnest(%(sources)s::text[], %(relation)s::text[], %(rule)s::text[])
        )
"""

_WATCH = (
    """
    with ill as (
        select *, null as run_id, %(kind)s as kind, null as cause, statement_timestamp()::text as apart
        from unnest(
            %(sources)s::text[], %(relation)s::text[], %(rule)s::text[], %(why)s::text[], %(since)s::timestamptz[]
        ) as listed (source, relation, rule, why, since)
    ),
"""
    + _ENTER
)
