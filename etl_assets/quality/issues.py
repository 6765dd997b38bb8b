"""Quality issues, the findings that people work on: upsert, list and resolve them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

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


def upsert_issues(
    connection: psycopg.Connection,
    batch: Batch,
    rule: CheckedRule,
    *,
    found: sql.Composable,
    parameters: Mapping[str, object] | None = None,
) -> None:
    """Upsert an issue a finding: new ones are opened, and so are closed ones that broke again.

    A resolved issue stays resolved while its value is the one that it was resolved with. Issues that were not found
    again are not closed here.

    Args:
        connection: With its transaction begun; nothing is committed here.
        batch: Whose work it is.
        rule: What was checked.
        found: What stands after `from`; it has row_key, field, value, message and row_slice, each key and field once.
        parameters: The values of the parameters in `found`.
    """
    connection.execute(sql.SQL(_UPSERT).format(found=found), {**vars(rule), "batch": batch.id, **(parameters or {})})


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
        "select issue_id, status, severity, relation, rule, key, field, message, slice, first_seen_at, resolved_by,"
        " resolution_notes from etl.quality_issue where (%(source)s::text is null or source = %(source)s)"
        " and (%(status)s::text is null or status = %(status)s) and (%(rule)s::text is null or rule = %(rule)s)"
        " order by severity, slice desc nulls last, relation, rule, key, field limit %(most)s",
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


_UPSERT = """
    insert into etl.quality_issue as issue (
        source, relation, rule, why, key, field, value, exception_type, severity, message, slice,
        first_batch_id, last_batch_id
    )
    select
        %(source)s, %(relation)s, %(rule)s, %(why)s, row_key, field, value, %(exception_type)s, %(severity)s, message,
        row_slice, %(batch)s, %(batch)s
    from {found}
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
