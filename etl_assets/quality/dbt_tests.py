"""What dbt's tests found, kept beside the findings of our own rules: one issue a test."""

from collections.abc import Iterable, Mapping
from typing import Any

from etl_assets.warehouse.ledger import Batch

BROKEN = {"fail", "warn", "error"}


def record_tests(batch: Batch, source: str, tests: Iterable[Mapping[str, Any]]) -> None:
    """Open an issue for each test that failed, and close those of tests that passed.

    Args:
        batch: Whose work it is.
        source: Whose models.
        tests: Each with relation, rule, why, severity, status (dbt's), failures and message.
    """
    with batch.connection.transaction():
        for test in tests:
            values = {**test, "source": source, "batch": batch.id, "passed": test["status"] not in BROKEN}
            batch.connection.execute(_RESULT, values)
            batch.connection.execute(_CLOSE if values["passed"] else _OPEN, values)


_RESULT = """
    insert into etl.quality_result (batch_id, source, relation, rule, severity, passed, rows_checked, rows_broken)
    values (%(batch)s, %(source)s, %(relation)s, %(rule)s, %(severity)s, %(passed)s, 0, %(failures)s)
"""
_OPEN = """
    insert into etl.quality_issue as held (
        source, relation, rule, why, key, value, exception_type, severity, message, first_batch_id, last_batch_id
    )
    values (
        %(source)s, %(relation)s, %(rule)s, %(why)s, '(table)', %(failures)s::text, 'InvalidValue', %(severity)s,
        coalesce(%(message)s, 'the test failed'), %(batch)s, %(batch)s
    )
    on conflict (relation, rule, key, field) do update set
        value = excluded.value,
        message = excluded.message,
        last_seen_at = now(),
        last_batch_id = excluded.last_batch_id,
        closed_at = null,
        status = case
            when held.status = 'resolved' and held.value is not distinct from excluded.value then 'resolved'
            else 'open'
        end
"""
_CLOSE = """
    update etl.quality_issue
    set status = 'closed', closed_at = now(), last_batch_id = %(batch)s
    where relation = %(relation)s and rule = %(rule)s and status <> 'closed'
"""
