"""Thresholds of rules that people have set in the ledger, by whom and why; every setting is kept."""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from etl_assets.errors import EtlError


@dataclass(frozen=True)
class RuleSetting:
    """One threshold that is set in place of the declared one."""

    relation: str
    rule: str
    parameter: str
    value: float
    set_by: str
    why: str
    set_at: datetime


def settings_of_rule(connection: psycopg.Connection, relation: str, rule: str) -> list[RuleSetting]:
    """The thresholds that are set of one rule of a table, by parameter."""
    rows = connection.execute(
        "select relation, rule, parameter, value, set_by, why, set_at from etl.rule_threshold"
        " where relation = %s and rule = %s order by parameter",
        [relation, rule],
    )
    return [RuleSetting(*row) for row in rows]


def settings_of_source(connection: psycopg.Connection, source: str) -> list[RuleSetting]:
    """The thresholds that are set of all rules of a source."""
    rows = connection.execute(
        "select relation, rule, parameter, value, set_by, why, set_at from etl.rule_threshold"
        " where source = %s order by relation, rule, parameter",
        [source],
    )
    return [RuleSetting(*row) for row in rows]


def record_setting(
    connection: psycopg.Connection,
    source: str,
    relation: str,
    rule: str,
    parameter: str,
    *,
    value: float | None,
    by: str,
    why: str,
) -> None:
    """Set a threshold from now on; None puts it back to what is declared.

    Raises:
        EtlError: `by` or `why` is blank.
    """
    if not by.strip() or not why.strip():
        raise EtlError("A threshold is set by somebody, with a reason; one of the two is empty.")
    connection.execute(
        "insert into etl.rule_setting (source, relation, rule, parameter, value, set_by, why)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [source, relation, rule, parameter, value, by, why],
    )
