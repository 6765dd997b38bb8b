"""Results of dbt tests, kept beside the findings of the declared rules: one issue a test."""

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import sql

from etl_assets.quality.issues import CheckedRule, upsert_issues
from etl_assets.warehouse.ledger import Batch

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
            values = {**test, "source": source, "batch": batch.id, "passed": test["status"] not in BROKEN}
            batch.connection.execute(_RESULT, values)
            if values["passed"]:
                batch.connection.execute(_CLOSE, values)
            else:
                _open(batch, source, test)


def _open(batch: Batch, source: str, test: Mapping[str, Any]) -> None:
    upsert_issues(
        batch.connection,
        batch,
        CheckedRule(
            source=source,
            relation=test["relation"],
            rule=test["rule"],
            why=test["why"],
            severity=test["severity"],
            exception_type="InvalidValue",
        ),
        found=_FOUND,
        parameters={"failures": str(test["failures"]), "message": test["message"]},
    )


_RESULT = """
    insert into etl.quality_result (batch_id, source, relation, rule, severity, passed, rows_checked, rows_broken)
    values (%(batch)s, %(source)s, %(relation)s, %(rule)s, %(severity)s, %(passed)s, 0, %(failures)s)
"""
_FOUND = sql.SQL(
    "(values ('(table)', '', %(failures)s::text, coalesce(%(message)s, 'the test failed'), null::date))"
    " as failed_test (row_key, field, value, message, row_slice)"
)
_CLOSE = """
    update etl.quality_issue
    set status = 'closed', closed_at = now(), last_batch_id = %(batch)s
    where relation = %(relation)s and rule = %(rule)s and status <> 'closed'
"""
