"""The documents that a query finds, each as the bytes that are sent."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from operator import itemgetter
from typing import Any

from etl_assets.sandbox.tracktik.answers import rendered
from etl_assets.sandbox.tracktik.books import Books
from etl_assets.sandbox.tracktik.documents import document_of, documents
from etl_assets.sandbox.tracktik.money import Number
from etl_assets.sandbox.tracktik.query import Filter, Query
from etl_assets.sandbox.tracktik.resources import RESOURCES, Resource
from etl_assets.sandbox.tracktik.terms import Document

Test = Callable[[Document], bool]


def select(books: Books, query: Query) -> list[bytes]:
    """Every document of a query, whatever its page, by id or in the order that it asks for."""
    with books.lock:
        tests = _tests(books, query)
        found = [one for one in _candidates(books, query) if all(test(one) for test in tests)]
        for path, downwards in reversed(query.sort):
            keyed = [(_sortable(_value(books, query.resource, one, path)), one) for one in found]
            found = [one for _, one in sorted(keyed, key=itemgetter(0), reverse=downwards)]
        return [rendered(_shown(books, query, one)).encode() for one in found]


def select_one(books: Books, query: Query, number: int) -> bytes | None:
    """One document by its id; None where there is none."""
    with books.lock:
        found = document_of(books, query.resource, number)
        return rendered(_shown(books, query, found)).encode() if found else None


def _candidates(books: Books, query: Query) -> Iterator[Document]:
    """Documents among which the query's must be: by id where it names ids, else by its window."""
    for each in query.filters:
        if each.path == ("id",) and each.operator in ("", "in"):
            numbers = {int(text) for text in each.value.split(",") if text.strip().isdigit()}
            for number in sorted(numbers):
                found = document_of(books, query.resource, number)
                if found is not None:
                    yield found
            return
    yield from documents(books, query.resource, query.span, extras=query.extras)


def _tests(books: Books, query: Query) -> list[Test]:
    resource = query.resource
    tests = [_test(books, resource, each) for each in query.filters if not each.ignored]
    if resource.only_active and not query.inactive:
        tests.append(lambda one: one["status"] == "ACTIVE")
    if query.scope:
        tests.append(lambda one: any(all(_in_scope(books, one, name) for name in group) for group in query.scope))
    if query.search:
        wanted = query.search.casefold()
        tests.append(lambda one: any(type(value) is str and wanted in value.casefold() for value in one.values()))
    if query.regions:
        region = _region_path(resource)
        if region:
            tests.append(lambda one: _value(books, resource, one, region) in query.regions)
    return tests


def _region_path(resource: Resource) -> tuple[str, ...]:
    """Where a document says to which region it belongs; regions, rules and codes are everybody's."""
    if resource.path in ("regions", "holiday-groups"):
        return ()
    if "region" in resource.relations:
        return ("region",)
    if resource.path == "shifts":
        return ("position", "account", "region")
    return ("account", "region") if "account" in resource.relations else ()


def _in_scope(books: Books, shift: Document, name: str) -> bool:
    now = books.now.timestamp()
    if name == "IS_CURRENT":
        return bool(shift["startsOn"] <= now < shift["endsOn"])
    return bool(shift["startsOn"] > now)


def _test(books: Books, resource: Resource, each: Filter) -> Test:
    holds = _moment_test(each) if each.moment else _plain_test(each)
    if len(each.path) == 1:
        [name] = each.path
        return lambda one: holds(one[name])
    return lambda one: holds(_value(books, resource, one, each.path))


def _moment_test(each: Filter) -> Callable[[Any], bool]:
    """Dates are compared by the first ten characters: the site's own date where the moment is of a site."""
    wanted = each.value
    if each.operator == "between":
        first, last = (part[:10] for part in wanted.split("|"))
        return lambda value: value is not None and first <= value[:10] <= last
    if each.operator == "before":
        return lambda value: value is not None and value[:10] < wanted[:10]
    if each.operator == "after":
        return lambda value: value is not None and value[:10] > wanted[:10]
    if each.operator == "":
        return lambda value: value is not None and value[:10] == wanted[:10]
    return _plain_test(each)


def _plain_test(each: Filter) -> Callable[[Any], bool]:
    wanted = each.value
    values = {text.strip() for text in wanted.split(",")}
    low, _, high = wanted.partition("|")
    tests: dict[str, Callable[[Any], bool]] = {
        "": lambda value: _text(value) == _spelt(value, wanted),
        "not": lambda value: _text(value) != _spelt(value, wanted),
        "in": lambda value: _text(value) in values,
        "contains": lambda value: wanted.casefold() in _text(value).casefold(),
        "startswith": lambda value: _text(value).casefold().startswith(wanted.casefold()),
        "endswith": lambda value: _text(value).casefold().endswith(wanted.casefold()),
        "gt": lambda value: _number(value) > _number(wanted),
        "gte": lambda value: _number(value) >= _number(wanted),
        "lt": lambda value: _number(value) < _number(wanted),
        "lte": lambda value: _number(value) <= _number(wanted),
        "between": lambda value: _number(low) <= _number(value) <= _number(high),
        "isnull": lambda value: value is None,
        "isnotnull": lambda value: value is not None,
        "inset": lambda value: values <= {text.strip() for text in _text(value).split(",")},
        "before": lambda value: _text(value) < wanted,
        "after": lambda value: _text(value) > wanted,
    }
    return tests[each.operator]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _spelt(value: Any, wanted: str) -> str:
    """What is wanted, spelt as the value is: flags may be asked for as 1 and 0, numbers with other decimals."""
    if isinstance(value, bool):
        return {"1": "true", "0": "false"}.get(wanted, wanted.lower())
    if isinstance(value, (int, Decimal, Number)) and _number(value) == _number(wanted):
        return _text(value)
    return wanted


def _number(value: Any) -> Decimal:
    try:
        found = Decimal(_text(value))
    except InvalidOperation:
        return Decimal("-Infinity")
    return found if found == found else Decimal("-Infinity")  # noqa: PLR0124 (NaN is not even itself)


def _sortable(value: Any) -> tuple[int, Decimal, str]:
    if value is None:
        return 0, Decimal(0), ""
    if isinstance(value, (bool, int, Decimal, Number)):
        return 1, _number(int(value) if isinstance(value, bool) else value), ""
    return 1, Decimal(0), str(value)


def _value(books: Books, resource: Resource, document: Document, path: Sequence[str]) -> Any:
    """What a path leads to, over relations and into parts; None where it ends before."""
    value: Any = document[path[0]]
    for before, name in pairwise(path):
        if isinstance(value, dict):
            value = value.get(name)
        elif value is not None and name != "id":
            resource = RESOURCES[resource.relations[before]]
            found = document_of(books, resource, value)
            value = found[name] if found else None
    return value


def _shown(books: Books, query: Query, document: Document) -> Document:
    """The document with the fields that are wanted, its relations as ids but for those that are included."""
    resource = query.resource
    names = query.fields or [name for name in resource.fields if name not in resource.on_demand]
    names = [*names, *(name for name in query.include if name not in names)]
    if not resource.parts and not query.include:
        return {name: document[name] for name in names}
    return {name: _inside(books, query, name, document[name]) for name in names}


def _inside(books: Books, query: Query, name: str, value: Any) -> Any:
    resource = query.resource
    if name in resource.parts:
        return value if name in query.include else value["id"]
    if name in query.include and value is not None:
        target = RESOURCES[resource.relations[name]]
        found = document_of(books, target, value)
        return _shown(books, Query(target), found) if found else value
    return value
