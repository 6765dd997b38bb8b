"""What a request asks of a list, read from its parameters as the real service reads them, and what it refuses."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from etl_assets.sandbox.tracktik.resources import RESOURCES, Resource

_TEXT_OPERATORS = frozenset({"contains", "startswith", "endswith", "inset"})
_ORDER_OPERATORS = frozenset({"gt", "gte", "lt", "lte", "between", "before", "after"})
OPERATORS = _TEXT_OPERATORS | _ORDER_OPERATORS | {"in", "not", "isnull", "isnotnull"}
_IGNORED_ON_MOMENTS = frozenset({"gt", "gte", "lt", "lte"})
"""These are accepted with a date and do nothing at all: everything comes back."""
MOST_VALUES = 100
DEFAULT_LIMIT = 100
_MONTH_DAYS = 31


class Refused(Exception):
    """A request that the service does not answer, with the status it sends instead."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field


@dataclass(frozen=True)
class Filter:
    """One condition; all of a request's must hold."""

    path: tuple[str, ...]
    operator: str
    value: str
    moment: bool = False

    @property
    def ignored(self) -> bool:
        """Whether the service accepts it and takes no notice."""
        return self.moment and self.operator in _IGNORED_ON_MOMENTS


@dataclass(frozen=True)
class Query:
    """What a list is asked for."""

    resource: Resource
    filters: tuple[Filter, ...] = ()
    fields: tuple[str, ...] = ()
    """Exactly these; empty for all but those on demand."""
    include: tuple[str, ...] = ()
    sort: tuple[tuple[tuple[str, ...], bool], ...] = ()
    """Path, and whether it goes downwards."""
    scope: tuple[tuple[str, ...], ...] = ()
    """One of these must hold whole."""
    search: str = ""
    inactive: bool = False
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    regions: frozenset[int] = frozenset()
    """Only what belongs to these; empty for all."""

    @property
    def whole(self) -> "Query":
        """The same, without regard to pages."""
        return replace(self, limit=0, offset=0)

    @property
    def span(self) -> tuple[date | None, date | None]:
        """The days that its window names, both included; open where it has none."""
        for each in self.filters:
            if each.path == (self.resource.window,) and each.operator == "between":
                return _days(each)
        return None, None

    @property
    def extras(self) -> bool:
        """Whether any field on demand is wanted, or looked at."""
        asked = {*self.fields, *(each.path[0] for each in self.filters)}
        return bool(asked & self.resource.on_demand) or bool(self.search)


def read_query(resource: Resource, parameters: Iterable[tuple[str, str]], *, most: int) -> Query:
    """Read the parameters of a list.

    Args:
        resource: Which list.
        parameters: Name and value, in the order they came.
        most: The most documents a page has; a higher limit is cut to it without a word.

    Raises:
        Refused: With status 400 and the name of what is wrong.
    """
    query, filters = _read(resource, parameters)
    if resource.needs_filter and not filters and not query.scope and not query.search:
        raise Refused(400, f"At least one filter is mandatory on {resource.path}", resource.window)
    return replace(query, filters=tuple(filters), limit=min(query.limit, most))


def read_one(resource: Resource, parameters: Iterable[tuple[str, str]]) -> Query:
    """Read the parameters of a single document: `fields` and `include`.

    Raises:
        Refused: With status 400.
    """
    return _read(resource, parameters)[0]


def _read(resource: Resource, parameters: Iterable[tuple[str, str]]) -> tuple[Query, list[Filter]]:
    options: dict[str, Any] = {}
    filters = []
    for name, value in parameters:
        if name == "page" or name in resource.refused:
            raise Refused(400, f"Unknown or unsupported parameter: {name}", name)
        if name in _OPTIONS:
            options[_OPTIONS[name][0]] = _OPTIONS[name][1](resource, value)
        else:
            filters.append(_filter(resource, name, value))
    return Query(resource, **options), filters


def read_regions(header: str | None, known: Mapping[int, object]) -> frozenset[int]:
    """The regions that TTC-Region-Filter names: those that do not exist are dropped without a word.

    Where none exists the header is ignored, and the data of every region come back.
    """
    named = (each.strip() for each in (header or "").split(","))
    return frozenset(int(each) for each in named if each.isascii() and each.isdigit() and int(each) in known)


def _filter(resource: Resource, name: str, value: str) -> Filter:
    path, _, operator = name.partition(":")
    operator = operator.lower()
    names = _path(resource, path)
    if operator and operator not in OPERATORS:
        raise Refused(400, f"Unknown operator: {name}", path)
    if operator == "in" and len(value.split(",")) > MOST_VALUES:
        raise Refused(400, f"{path}:in takes at most {MOST_VALUES} values", path)
    found = Filter(names, operator, value, moment=len(names) == 1 and names[0] in resource.moments)
    if operator == "between":
        first, last = _days(found) if found.moment else (None, None)
        if first and last and names[0] == resource.window and (last - first).days > _MONTH_DAYS:
            raise Refused(400, f"{path}:between spans more than one month", path)
        if not found.moment and value.count("|") != 1:
            raise Refused(400, f"{path}:between takes two values, A|B", path)
    elif found.moment and operator in ("", "before", "after"):
        _day(path, value)
    return found


def _path(resource: Resource, path: str) -> tuple[str, ...]:
    """The names of a path such as `employee.region.name`, each checked against the resource that it leads to."""
    names, here = tuple(path.split(".")), resource
    for place, name in enumerate(names):
        if name in here.refused or name not in here.fields:
            raise Refused(400, f"Unknown field: {path}", path)
        rest = names[place + 1 :]
        if not rest or rest == ("id",):
            return names
        if name in here.parts and len(rest) == 1 and rest[0] in here.parts[name]:
            return names
        if name not in here.relations:
            raise Refused(400, f"Unknown field: {path}", path)
        here = RESOURCES[here.relations[name]]
    return names


def _days(found: Filter) -> tuple[date, date]:
    name = ".".join(found.path)
    parts = found.value.split("|")
    if len(parts) != 2:  # noqa: PLR2004
        raise Refused(400, f"{name}:between takes two dates, A|B", name)
    return _day(name, parts[0]), _day(name, parts[1])


def _day(name: str, value: str) -> date:
    """A date; a time of day behind it is taken no notice of. Only the international format is understood here."""
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise Refused(400, f"{name}: {value!r} is no date", name) from None


def _whole(name: str, value: str, *, least: int) -> int:
    if not (value.isascii() and value.isdigit()) or int(value) < least:
        raise Refused(400, f"{name} must be a whole number from {least} on: {value!r}", name)
    return int(value)


def _split(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


def _known(resource: Resource, name: str) -> str:
    if name not in resource.fields:
        raise Refused(400, f"Unknown field in fields: {name}", name)
    return name


def _includable(resource: Resource, name: str) -> str:
    if name not in resource.parts and name not in resource.relations:
        raise Refused(400, f"Unknown relation in include: {name}", name)
    return name


def _order(resource: Resource, name: str) -> tuple[tuple[str, ...], bool]:
    return _path(resource, name.removeprefix("-")), name.startswith("-")


def _scope(resource: Resource, value: str) -> tuple[tuple[str, ...], ...]:
    wanted = tuple(tuple(_split(each)) for each in value.split("|"))
    for each in (name for group in wanted for name in group):
        if each not in resource.scopes:
            raise Refused(400, f"Unknown scope: {each}", "scope")
    return wanted


# Parameter -> what it says of a query, and how that is read.
_OPTIONS: Mapping[str, tuple[str, Callable[[Resource, str], Any]]] = {
    "limit": ("limit", lambda _, value: _whole("limit", value, least=1)),
    "offset": ("offset", lambda _, value: _whole("offset", value, least=0)),
    "fields": ("fields", lambda resource, value: tuple(_known(resource, each) for each in _split(value))),
    "include": ("include", lambda resource, value: tuple(_includable(resource, each) for each in _split(value))),
    "sort": ("sort", lambda resource, value: tuple(_order(resource, each) for each in _split(value))),
    "scope": ("scope", _scope),
    "q": ("search", lambda _, value: value),
    "includeInactive": ("inactive", lambda _, value: value.lower() in {"true", "1"}),
}
