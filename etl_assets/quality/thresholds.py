"""Rules as they are in force: with the thresholds that people have set in place of the declared ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import psycopg

from etl_assets.declare.rules import Rule
from etl_assets.declare.source import Source
from etl_assets.declare.thresholds import check_threshold, declared_thresholds, with_thresholds
from etl_assets.errors import EtlError
from etl_assets.warehouse.rule_settings import RuleSetting, record_setting, settings_of_rule, settings_of_source


def rule_in_force(connection: psycopg.Connection, source: Source, rule: Rule) -> Rule:
    """The rule with the thresholds that are set; its `why` says which these are, and so does each of its issues."""
    own = declared_thresholds(rule)
    found = settings_of_rule(connection, f"{source.schema}.{rule.table}", rule.name) if own else []
    given = {each.parameter: each.value for each in found if each.parameter in own}
    if not given:
        return rule
    words = ", ".join(f"{name} is {value:g}, declared as {own[name]:g}" for name, value in given.items())
    return replace(with_thresholds(rule, given), why=f"{rule.why} Set here: {words}.")


@dataclass(frozen=True, kw_only=True)
class RuleThresholds:
    """One rule of a source, and its thresholds."""

    rule: Rule
    declared: Mapping[str, float]
    set_now: Mapping[str, RuleSetting]
    """Those set, by parameter."""


def list_thresholds(connection: psycopg.Connection, source: Source) -> tuple[list[RuleThresholds], list[RuleSetting]]:
    """Each rule of a source with its thresholds; and the settings that no rule has a parameter for any more."""
    left = {(each.relation, each.rule, each.parameter): each for each in settings_of_source(connection, source.name)}
    listed = []
    for rule in source.rules:
        own = declared_thresholds(rule)
        names = {name: (f"{source.schema}.{rule.table}", rule.name, name) for name in own}
        set_now = {name: left.pop(key) for name, key in names.items() if key in left}
        listed.append(RuleThresholds(rule=rule, declared=own, set_now=set_now))
    return listed, list(left.values())


def set_threshold(
    connection: psycopg.Connection,
    source: Source,
    rule_name: str,
    parameter: str,
    value: float | None,
    *,
    table: str | None = None,
    by: str,
    why: str,
) -> Rule:
    """Set a threshold of a rule, or put it back to what is declared where `value` is None; the rule as it is then.

    Raises:
        EtlError: There is no such rule or threshold, several tables have one of that name, the value makes no sense, or
            `by` or `why` is blank.
    """
    rule = rule_named(source, rule_name, table)
    relation = f"{source.schema}.{rule.table}"
    others = {each.parameter: each.value for each in settings_of_rule(connection, relation, rule.name)}
    if value is None and parameter not in others:
        raise EtlError(f"{relation} {rule.name}: nobody has set {parameter}. See: etl rules list {source.name}")
    try:
        if value is not None:
            check_threshold(rule, parameter, value, others)
    except ValueError as error:
        raise EtlError(f"{relation} {rule.name}: {error}. Nothing was set.") from None
    record_setting(connection, source.name, relation, rule.name, parameter, value=value, by=by, why=why)
    return rule_in_force(connection, source, rule)


def rule_named(source: Source, name: str, table: str | None) -> Rule:
    """The rule of that name, of a table where several have one.

    Raises:
        EtlError: There is none, or more than one.
    """
    found = [rule for rule in source.rules if rule.name == name and table in {None, rule.table}]
    if not found:
        of_table = f" of {table}" if table else ""
        raise EtlError(f"{source.name} has no rule {name}{of_table}. See: etl rules list {source.name}")
    if len(found) > 1:
        tables = ", ".join(sorted(rule.table for rule in found))
        raise EtlError(f"{name} is a rule of several tables: {tables}. Name one of them by --table.")
    return found[0]
