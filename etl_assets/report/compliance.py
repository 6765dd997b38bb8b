"""Compliance: whether audit tables are complete, what was deleted by whose decision, and who switched or settled what.

Reasons that people gave for an erasure, or for a finding of a row, may name a patient: they are left in the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import class_row, dict_row

from etl_assets.declare.source import Source
from etl_assets.report.period import ReportPeriod
from etl_assets.report.weeks import COMPARED

DECIDED_WITHIN = timedelta(days=90)
MOST_DECISIONS = 100


@dataclass(frozen=True, kw_only=True)
class AuditTable:
    """A table that outlives its source, or is declared to be an audit trail."""

    relation: str
    rows_held: int
    """As the last load counted them."""
    rows_retained: int
    """Of them those that the source no longer has."""
    conflicts: int
    """Rows of the source that are not taken, for other rows are held by their keys."""
    compared_at: datetime | None
    """When it was last compared with its source; None where it never was."""
    incomplete_because: str
    """Empty where it is complete."""


@dataclass(frozen=True, kw_only=True)
class AuditTrail:
    """The audit tables of a source."""

    source: Source
    declared: int
    """Those that are declared; a version of the source may lack some."""
    tables: Sequence[AuditTable]
    """Those that were ever loaded."""

    @property
    def incomplete(self) -> list[AuditTable]:
        """Those that are not what the source has had."""
        return [table for table in self.tables if table.incomplete_because]


@dataclass(frozen=True, kw_only=True)
class RecordedDecision:
    """What somebody decided."""

    at: datetime
    what: str
    subject: str
    """A relation, a job or a source; never a row."""
    done_by: str
    why: str
    """Empty where the reason may be of a person."""


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """What is to be said of compliance."""

    trails: Sequence[AuditTrail]
    """A line a source that has audit tables."""
    decisions: Sequence[RecordedDecision]
    """The newest first, up to `MOST_DECISIONS`."""
    deleted_by_hand: int
    """Rows of staging that somebody else than a load deleted, which nobody has settled."""
    refused_files: int
    rejected_rows: int
    """Faults of rows that are quarantined, and nobody has resolved."""


def compliance(connection: psycopg.Connection, sources: Sequence[Source], period: ReportPeriod) -> Compliance:
    """Read what compliance asks for.

    Args:
        connection: As a role that may read the ledger.
        sources: Whose.
        period: Decisions of the time before its end are listed.
    """
    given = {
        "sources": [source.name for source in sources],
        "relations": [f"{source.schema}.{table.name}" for source in sources for table in source.tables],
        "schemas": sorted({source.schema for source in sources}),
        "since": period.moment - DECIDED_WITHIN,
        "most": MOST_DECISIONS,
    }
    with connection.cursor(row_factory=class_row(RecordedDecision)) as cursor:
        decisions = cursor.execute(_DECISIONS, given).fetchall()
    row = connection.execute(_NOT_TAKEN, given).fetchone() or (0, 0, 0)
    trails = [trail for source in sources if (trail := _audit_trail(connection, source)).declared]
    return Compliance(
        trails=trails, decisions=decisions, deleted_by_hand=row[0], refused_files=row[1], rejected_rows=row[2]
    )


def _audit_trail(connection: psycopg.Connection, source: Source) -> AuditTrail:
    declared = [
        f"{source.schema}.{table.name}"
        for table in source.tables
        if table.tags.get("importance") == "audit" or table.details.get("keep_deleted")
    ]
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_AUDIT, {"relations": declared, "rule": COMPARED}).fetchall()
    tables = [
        AuditTable(
            relation=row["relation"],
            rows_held=row["rows_held"],
            rows_retained=row["rows_apart"],
            conflicts=row["conflicts"],
            compared_at=row["compared_at"],
            incomplete_because=_incomplete_because(row),
        )
        for row in rows
    ]
    return AuditTrail(source=source, declared=len(declared), tables=tables)


def _incomplete_because(row: dict[str, object]) -> str:
    reasons = {
        "has_failed": "its last load failed",
        "in_doubt": "the next load compares every row, for it differed from its source",
        "differs": "it differs from its source",
        "deleted_by_hand": "rows were deleted by hand",
        "conflicts": "the source has other rows under keys that are held",
    }
    return "; ".join(reason for name, reason in reasons.items() if row[name])


_NOT_TAKEN = """
    select
        (
            select coalesce(sum(n), 0)::bigint
            from etl.write_by_hand
            where settled_at is null and operation <> 'insert' and relation = any(%(relations)s)
        ),
        (select count(*) from etl.source_file where status = 'failed' and source = any(%(sources)s)),
        (select count(*) from etl.rejected_row where status = 'new' and relation = any(%(relations)s))
"""
_AUDIT = """
    select
        held.relation,
        held.rows_held,
        held.rows_apart,
        held.in_doubt,
        exists (select from etl.table_failure as failure where failure.relation = held.relation) as has_failed,
        compared.checked_at as compared_at,
        not coalesce(compared.passed, true) as differs,
        exists (
            select from etl.write_by_hand as hand
            where hand.relation = held.relation and settled_at is null and operation <> 'insert'
        ) as deleted_by_hand,
        (select count(*) from etl.row_refused as refused where refused.relation = held.relation and stands) as conflicts
    from etl.extraction as held
    left join lateral (
        select
            checked_at,
            passed
        from etl.quality_result as result
        where result.relation = held.relation and result.rule = %(rule)s
        order by checked_at desc
        limit 1
    ) as compared on true
    where held.relation = any(%(relations)s)
    order by held.relation
"""
# Of what is settled row by row, a line a person, rule and day.
_DECISIONS = """
    with decided as (
        select
            done_at as at,
            format(
                'retention: %%s rows with %%s before %%s deleted',
                to_char(rows_deleted, 'FM999,999,999,990'),
                date_column,
                before
            ) as what,
            relation as subject,
            done_by,
            reason as why
        from etl.retention
        where relation = any(%(relations)s)
        union all
        select
            erased_at,
            format('erasure %%s: %%s erased', erasure_id, case
                when cardinality(digests) = 1 then 'one person' else cardinality(digests) || ' keys of a person'
            end),
            source,
            erased_by,
            ''
        from etl.erasure
        where source = any(%(sources)s)
        union all
        select
            switched_at,
            'the live view reads the ' || reads || ' table',
            relation,
            switched_by,
            ''
        from etl.table_switch
        where relation = any(%(relations)s)
        union all
        select
            decided_at,
            format('job %%s switched %%s', job_id, case when is_active then 'on' else 'off' end),
            source,
            decided_by,
            why
        from etl.job_decision
        where source = any(%(sources)s)
        union all
        select
            max(resolved_at),
            format('%%s findings of %%s resolved', count(*), rule),
            relation,
            resolved_by,
            ''
        from etl.quality_issue
        where status = 'resolved' and source = any(%(sources)s)
        group by relation, rule, resolved_by, (resolved_at at time zone 'UTC')::date
        union all
        select
            starts_at,
            format('alerts silenced until %%s UTC', to_char(ends_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')),
            coalesce(nullif(relation, ''), source),
            created_by,
            why
        from etl.silence
        where source = any(%(sources)s)
        union all
        select
            acknowledged_at,
            format('alert %%s acknowledged', alert_id),
            source,
            acknowledged_by,
            acknowledged_why
        from etl.alert
        where acknowledged_at is not null and source = any(%(sources)s)
        union all
        select
            max(resolved_at),
            format('%%s rejected rows resolved', count(*)),
            relation,
            resolved_by,
            ''
        from etl.rejected_row
        where status = 'resolved' and relation = any(%(relations)s)
        group by relation, resolved_by, (resolved_at at time zone 'UTC')::date
        union all
        select
            counted_since,
            'the table accepted as it is, and counted anew',
            relation,
            counted_by,
            why
        from etl.counted_table
        where counted_by is not null and relation = any(%(relations)s)
        union all
        select
            since,
            format('pseudonyms: version %%s of the secret', version),
            source,
            made_by,
            why
        from etl.pseudonym_key
        where source = any(%(sources)s)
    )

    select
        at,
        what,
        subject,
        coalesce(done_by, '') as done_by,
        coalesce(why, '') as why
    from decided
    where at >= %(since)s
    order by at desc, what, subject
    limit %(most)s
"""
