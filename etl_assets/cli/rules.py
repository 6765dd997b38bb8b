"""Commands for the thresholds of rules."""

import argparse

from etl_assets.cli.arguments import Commands, add_author, command, source_named
from etl_assets.declare.thresholds import declared_thresholds
from etl_assets.quality.thresholds import list_thresholds, set_threshold
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.rule_settings import RuleSetting


def rules_list(options: argparse.Namespace) -> None:
    """List the rules of a source with their thresholds: what is declared, and what somebody has set."""
    source = options.source
    with connect(read_settings()) as connection:
        listed, left = list_thresholds(connection, source)
    for each in listed:
        print(f"{source.schema}.{each.rule.table} {each.rule.name}" + ("" if each.declared else "  (no thresholds)"))
        for name, value in each.declared.items():
            print(f"    {name} = {value:g}" + (_set(each.set_now[name]) if name in each.set_now else ""))
    for setting in left:
        print(f"{setting.relation} {setting.rule}: no rule has a threshold {setting.parameter} any more{_set(setting)}")


def _set(setting: RuleSetting) -> str:
    return f"; set to {setting.value:g} by {setting.set_by} on {setting.set_at:%Y-%m-%d}: {setting.why}"


def rules_set(options: argparse.Namespace) -> None:
    """Set a threshold of a rule: the next run looks at everything by it. Who and why is kept."""
    _set_to(options, options.value)


def rules_reset(options: argparse.Namespace) -> None:
    """Put a threshold back to what is declared. Who and why is kept."""
    _set_to(options, None)


def _set_to(options: argparse.Namespace, value: float | None) -> None:
    with connect(read_settings()) as connection:
        rule = set_threshold(
            connection,
            options.source,
            options.rule,
            options.parameter,
            value,
            table=options.table,
            by=options.by,
            why=options.why,
        )
    now = declared_thresholds(rule).get(options.parameter)
    is_now = "is no threshold of it" if now is None else f"is {now:g}"
    print(f"{options.source.schema}.{rule.table} {rule.name}: {options.parameter} {is_now}.")


def add_rule_commands(commands: Commands) -> None:
    """The command `rules`."""
    rules = commands.add_parser("rules", help="Thresholds of rules.").add_subparsers(
        required=True, metavar="list | set | reset"
    )
    command(rules, "list", rules_list).add_argument("source", type=source_named)
    for name, act in (("set", rules_set), ("reset", rules_reset)):
        made = command(rules, name, act)
        made.add_argument("source", type=source_named)
        made.add_argument("rule")
        made.add_argument("parameter")
        if name == "set":
            made.add_argument("value", type=float)
        made.add_argument("--table", help="whose rule, where several tables have one of that name")
        add_author(made)
