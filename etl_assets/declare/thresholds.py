"""Thresholds of rules: the numbers in a rule's declaration, and the rule with other ones in their place."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from etl_assets.declare.rules import Finds, RowCheck, Rule

BLOCKS_ABOVE = "blocks_above"


def declared_thresholds(rule: Rule) -> dict[str, float]:
    """The thresholds of a rule by the name of their parameter: its numbers, and the share above which it blocks.

    A number of days stands for a duration. A rule that is not declared to block is not among those that can be made to.
    """
    blocks = {} if rule.blocks_above is None else {BLOCKS_ABOVE: rule.blocks_above}
    numbers = {
        name: value
        for name, value in rule.values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return blocks | numbers


def with_thresholds(rule: Rule, given: Mapping[str, float]) -> Rule:
    """The rule with these thresholds in place of its own; what it has no parameter for is passed over."""
    own = declared_thresholds(rule)
    numbers = {name: _like(own[name], value) for name, value in given.items() if name in own}
    fields: dict[str, Any] = {}
    if isinstance(rule, Finds | RowCheck):
        parameters = {name: value for name, value in numbers.items() if name != BLOCKS_ABOVE}
        if parameters:
            fields["parameters"] = {**rule.parameters, **parameters}
        numbers = {name: value for name, value in numbers.items() if name == BLOCKS_ABOVE}
    for name, value in numbers.items():
        fields[name] = timedelta(days=value) if isinstance(getattr(rule, name), timedelta) else value
    return replace(rule, **fields) if fields else rule


def check_threshold(rule: Rule, parameter: str, value: float, others: Mapping[str, float]) -> None:
    """Raise a ValueError where a threshold makes no sense.

    Args:
        rule: As it is declared.
        parameter: One of its thresholds.
        value: What it is to be.
        others: Those that are set already.
    """
    own = declared_thresholds(rule)
    if parameter not in own:
        raise ValueError(f"it has no threshold {parameter!r}; it has: {', '.join(own) or 'none'}")
    if not math.isfinite(value):
        raise ValueError(f"{parameter} is to be a number, and not {value}")
    if isinstance(own[parameter], int) and value != int(value):
        raise ValueError(f"{parameter} is to be a whole number, as {own[parameter]} is, and not {value:g}")
    if parameter == BLOCKS_ABOVE and not 0 <= value <= 1:
        raise ValueError(f"{parameter} is to be a share of rows, from 0 to 1, and not {value:g}")
    then = {**own, **others, parameter: value}
    if "low" in then and "high" in then and then["low"] > then["high"]:
        raise ValueError(f"low, {then['low']:g}, would be over high, {then['high']:g}")


def _like(own: float, value: float) -> float:
    return int(value) if isinstance(own, int) else value
