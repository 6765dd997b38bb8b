"""What each rule and each check of a load found, kept in the ledger."""

from datetime import date

import psycopg

from etl_assets.warehouse.ledger import Batch


def record_result(
    connection: psycopg.Connection,
    batch: Batch,
    relation: str,
    rule: str,
    *,
    severity: str,
    passed: bool,
    rows_checked: int,
    rows_broken: int,
    scope: tuple[date, date] | None = None,
) -> None:
    """Write down what was found of a relation; of the dates of `scope` alone where it is given, both included.

    `severity` is error or warning.
    """
    first, last = scope or (None, None)
    connection.execute(
        "insert into etl.quality_result (batch_id, source, relation, rule, severity, slice_from, slice_to, passed,"
        " rows_checked, rows_broken) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [batch.id, batch.source, relation, rule, severity, first, last, passed, rows_checked, rows_broken],
    )
