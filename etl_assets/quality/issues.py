"""The findings that people work on: list them, and resolve them."""

from dataclasses import dataclass
from datetime import date, datetime

import psycopg

from etl_assets.errors import EtlError


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
