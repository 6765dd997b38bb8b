"""What a request asks for in OData's words, and the part of a list that answers it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from etl_assets.readers.rest.specification import ApiType, Model
from etl_assets.sandbox.trialsync.lists import Listing

DEFAULT_TOP, MOST_TOP = 50, 1000
MOST_SORTED = 20_000
"""Longer lists are given in their own order or its reverse: all of it would have to be computed."""
_CONDITION = re.compile(r"([\w/]+) (eq|ne|gt|ge|lt|le) ('[^']*'|[\w.:+-]+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
}


class BadQuery(Exception):
    """A request that is answered with 400; the message says why."""


@dataclass(frozen=True)
class Query:
    """The part of a list that is asked for."""

    top: int | None
    """Records that are wanted in all, on this page and those that its link leads to."""
    skip: int
    count: bool
    order: tuple[tuple[str, bool], ...]
    """Fields, and whether each is ordered from the last to the first."""
    conditions: tuple[tuple[str, str, str], ...]
    """Field, operator and literal."""


def read_query(parameters: Mapping[str, str], model: Model, models: Mapping[str, Model]) -> Query:
    """Read the query of a request.

    Raises:
        BadQuery: It is none.
    """
    top = _whole(parameters, "$top")
    if top is not None and top > MOST_TOP:
        raise BadQuery(f"The limit of '{MOST_TOP}' for Top query has been exceeded.")
    words = [each.split() for each in parameters.get("$orderby", "").split(",") if each.strip()]
    order = tuple((field, rest == ["desc"]) for field, *rest in words)
    conditions = tuple(_CONDITION.findall(parameters.get("$filter", "")))
    if " and ".join(map(" ".join, conditions)) != parameters.get("$filter", "").strip():
        raise BadQuery("The $filter cannot be read.")
    for field in (*(field for field, _ in order), *(field for field, _, _ in conditions)):
        _check(field, model, models)
    return Query(top, _whole(parameters, "$skip") or 0, parameters.get("$count") == "true", order, conditions)


def select(listing: Listing, query: Query) -> Listing:
    """The list as the query orders and filters it.

    Raises:
        BadQuery: It is too long for that.
    """
    fields = tuple(field for field, _ in query.order)
    natural = fields == listing.order[: len(fields)]
    turned = {is_last for _, is_last in query.order}
    if natural and not query.conditions and len(turned) <= 1:
        return _reversed(listing) if True in turned else listing
    if listing.size > MOST_SORTED:
        raise BadQuery(f"The sandbox sorts and filters lists of up to {MOST_SORTED} records.")
    texts = [(json.loads(text), text) for text in listing.render(0, listing.size)]
    texts = [each for each in texts if all(_holds(each[0], condition) for condition in query.conditions)]
    for field, is_last in reversed(query.order):
        texts.sort(key=partial(_sortable, field), reverse=is_last)
    return Listing(len(texts), lambda first, end: (text for _, text in texts[first:end]), listing.order)


def _reversed(listing: Listing) -> Listing:
    def render(first: int, end: int) -> Iterator[str]:
        size = listing.size
        return reversed(list(listing.render(max(size - end, 0), max(size - first, 0))))

    return Listing(listing.size, render, listing.order)


def _whole(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BadQuery(f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _check(field: str, model: Model, models: Mapping[str, Model]) -> None:
    kind = None
    for name in field.split("/"):
        kind = model.get(name)
        if kind is None:
            raise BadQuery(f"Could not find a property named '{name}'.")
        model = models.get(kind.name, {})
    if kind == ApiType(kind.name if kind else "") and kind.is_model:
        raise BadQuery(f"'{field}' is an object.")


def _value(record: Any, field: str) -> Any:
    for name in field.split("/"):
        record = record and record[name]
    return record


def _sortable(field: str, each: tuple[Any, str]) -> tuple[bool, Any]:
    value = _value(each[0], field)
    return (value is not None, value)


def _holds(record: Any, condition: tuple[str, str, str]) -> bool:
    field, operator, literal = condition
    value = _value(record, field)
    if value is None or literal == "null":
        return operator == ("eq" if value is None and literal == "null" else "ne")
    if isinstance(value, bool):
        return _COMPARE[operator](value, literal == "true")
    # Moments are written alike, so that their texts compare as they do.
    return _COMPARE[operator](value, type(value)(literal.strip("'").replace(".000Z", "Z") or 0))
