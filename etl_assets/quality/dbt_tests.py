"""Results of dbt tests, kept beside the findings of the declared rules: one issue a test."""

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import sql

from etl_assets.declare.rule_sql import literal
from etl_assets.quality.issues import CheckedRule, count_findings, upsert_issues
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.results import record_result

BROKEN = {"fail", "warn", "error"}


def record_tests(batch: Batch, source: str, tests: Iterable[Mapping[str, Any]]) -> None:
    """Record test results: open an issue for each test that failed, close the issues of tests that passed.

    Args:
        batch: Whose work it is.
        source: Whose models.
        tests: Each with relation, rule, why, severity, status (dbt's), failures and message.
    """
    with batch.connection.transaction():
        for test in tests:
            _record(batch, source, test, passed=test["status"] not in BROKEN)


def open_rules(connection: Connection, source: str) -> set[str]:
    """The rules of a source, tests among them, that found an error which is still open."""
    rows = connection.execute(
        "select distinct rule from etl.quality_issue where source = %s and status = 'open' and severity = 'error'",
        [source],
    )
    return {rule for (rule,) in rows}


def _record(batch: Batch, source: str, test: Mapping[str, Any], *, passed: bool) -> None:
    connection = batch.connection
    rule = CheckedRule(
        source=source,
        relation=test["relation"],
        rule=test["rule"],
        why=test["why"],
        severity=test["severity"],
        exception_type="InvalidValue",
    )
    record_result(
        connection,
        batch,
        rule.relation,
        rule.rule,
        severity=rule.severity,
        passed=passed,
        rows_checked=0,
        rows_broken=test["failures"],
    )
    found = sql.SQL(_FOUND).format(
        sql.SQL(literal(str(test["failures"]))),
        sql.SQL(literal(test["message"] or "the test failed")),
        sql.SQL(str(not passed)),
    )
    upsert_issues(connection, batch, rule, found=found, most=1)
    count_findings(connection, batch, rule, found=found, scope=None)
    if passed:
        connection.execute(_CLOSE, {"batch": batch.id, "relation": rule.relation, "rule": rule.rule})


_FOUND = (
    "(select '(table)' as row_key, '' as field, {}::text as value, {} as message, null::date as row_slice where {})"
)
_CLOSE = """
    update etl.quality_issue
    set status = 'closed', closed_at = now(), last_batch_id = %(batch)s
    where relation = %(relation)s and rule = %(rule)s and status <> 'closed'
"""
