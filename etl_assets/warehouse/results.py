"""Check results of rules and loads, in the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from etl_assets.declare.dates import Span, bounds_of
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.relation import Relation


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
    scope: Span | None = None,
) -> None:
    """Record a check result of a relation; of the dates of `scope` alone where it is given, both included.

    `severity` is error or warning.
    """
    first, last = bounds_of(scope)
    connection.execute(
        "insert into etl.quality_result (batch_id, source, relation, rule, severity, slice_from, slice_to, passed,"
        " rows_checked, rows_broken) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [batch.id, batch.source, relation, rule, severity, first, last, passed, rows_checked, rows_broken],
    )


@dataclass(frozen=True, kw_only=True)
class LatestResult:
    """The latest result of one check of a relation."""

    passed: bool
    severity: str
    rows_checked: int
    rows_broken: int
    checked_at: datetime


def latest_results(
    connection: psycopg.Connection, relations: Collection[str], rules: Collection[str]
) -> dict[tuple[str, str], LatestResult]:
    """The latest result of each of these checks for each of these relations, by relation and check."""
    rows = connection.execute(
        "select relation, rule, newest.* from unnest(%s::text[]) as relation cross join unnest(%s::text[]) as rule"
        " cross join lateral ("
        "     select passed, severity, rows_checked, rows_broken, checked_at from etl.quality_result as result"
        "     where result.relation = relation.relation and result.rule = rule.rule"
        "     order by checked_at desc limit 1"
        " ) as newest",
        [list(relations), list(rules)],
    )
    return {
        (relation, rule): LatestResult(
            passed=passed, severity=severity, rows_checked=checked, rows_broken=broken, checked_at=at
        )
        for relation, rule, passed, severity, checked, broken, at in rows
    }


def has_passed_since(
    connection: psycopg.Connection, relation: Relation, rule: str, *, changed_by: UUID | None, rows: int | None
) -> bool:
    """Whether the latest result of a check is that it passed, once the last change of its relation was loaded.

    Args:
        connection: As the loader.
        relation: What was checked.
        rule: The check.
        changed_by: The batch that last wrote or deleted a row; None where none ever did.
        rows: How many rows it must have looked at; any number where None.
    """
    latest = connection.execute(
        "select passed and (%(rows)s::bigint is null or rows_checked = %(rows)s) and ("
        "     %(batch)s::uuid is null or batch_id = %(batch)s or checked_at > ("
        "         select max(loaded_at) from etl.table_load"
        "         where table_load.relation = %(relation)s and table_load.batch_id = %(batch)s))"
        " from etl.quality_result where relation = %(relation)s and rule = %(rule)s order by checked_at desc limit 1",
        {"relation": str(relation), "rule": rule, "batch": changed_by, "rows": rows},
    ).fetchone()
    return bool(latest and latest[0])
