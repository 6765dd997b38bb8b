"""Findings that no SELECT over staging's rows makes: somebody else has them, and here they become issues."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from etl_assets.quality.issues import CheckedRule, count_findings, open_counts, upsert_issues
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.results import record_result

MAX_RECORDED = 1_000
"""Issues that are kept of one rule and table."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One finding."""

    key: str
    field: str
    value: str
    """What a resolution holds for: another value opens it again."""
    message: str


def record_findings(batch: Batch, rule: CheckedRule, found: Sequence[Found]) -> list[Found]:
    """Keep these findings of a rule as issues, and close those that were not found again.

    Args:
        batch: Whose work it is.
        rule: What was checked.
        found: Each key and field once.

    Returns:
        Those that nobody has resolved.
    """
    connection, findings = batch.connection, sql.Identifier("pg_temp", "finding")
    with connection.transaction():
        connection.execute(
            "create temporary table finding (row_key text, field text, value text, message text, row_slice date)"
            " on commit drop"
        )
        connection.cursor().executemany(
            "insert into finding (row_key, field, value, message) values (%s, %s, %s, %s)",
            [(each.key, each.field, each.value, each.message) for each in found],
        )
        upsert_issues(connection, batch, rule, found=findings, most=MAX_RECORDED)
        connection.execute(_CLOSE, {**vars(rule), "batch": batch.id})
        count_findings(connection, batch, rule, found=findings, scope=None)
        still_open, _ = open_counts(connection, rule, found=findings)
        resolved = connection.execute(
            "select key, field from etl.quality_issue where relation = %s and rule = %s and status = 'resolved'",
            [rule.relation, rule.rule],
        ).fetchall()
        record_result(
            connection,
            batch,
            rule.relation,
            rule.rule,
            severity=rule.severity,
            passed=still_open == 0,
            rows_checked=0,
            rows_broken=len(found),
        )
    return [each for each in found if (each.key, each.field) not in resolved]


_CLOSE = """
    update etl.quality_issue as issue
    set status = 'closed', closed_at = now(), last_batch_id = %(batch)s
    where
        relation = %(relation)s
        and rule = %(rule)s
        and status <> 'closed'
        and not exists (select from pg_temp.finding where row_key = issue.key and field = issue.field)
"""
