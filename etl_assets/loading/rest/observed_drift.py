"""What a service's records were seen to hold, held against what is declared of them.

A table whose records the vendor's specification has, written down in the service's shapes, is held against that; of the
others against what its first load saw.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from etl_assets.declare.rest import RestTable
from etl_assets.declare.source import Source
from etl_assets.quality.issues import CheckedRule
from etl_assets.quality.recorded import Found, record_findings
from etl_assets.readers.rest.specification import ApiType, Specification, read_shapes
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.observed_fields import (
    NULL,
    WITHHELD,
    ObservedField,
    ObservedValue,
    observed_fields,
    observed_values,
)

RULE = "ObservedFields"
_WHY = "Models read fields by name: one that is no longer filled reads as null without a word, and a new value as none."
_JSON_TYPES = {"int": "number", "num": "number", "bool": "boolean", "object": "object"}
"""What the types of a specification are in JSON; those that are not here are strings, but for models."""
_ANY_FORM = "object"


def declared_fields(source: Source, table: RestTable) -> Mapping[str, ApiType]:
    """What the vendor's specification says of a table's records, by path; nothing where none is kept of them."""
    shapes = source.service.shapes
    if shapes is None:
        return {}
    specification = _read(shapes, shapes.stat().st_mtime_ns)
    model = next((job.record for job in table.jobs if job.record), "")
    return specification.fields_of(model)


def codes_of(source: Source, table: RestTable) -> dict[str, Sequence[str]]:
    """The paths of a table's codes, with the values that the specification has of each; none of a personal field."""
    found: dict[str, Sequence[str]] = dict.fromkeys(table.codes, ())
    found |= {path: kind.values for path, kind in declared_fields(source, table).items() if kind.values}
    personal = {field.path for field in table.fields if field.name in table.personal}
    return {path: values for path, values in found.items() if path not in personal}


def check_observed(batch: Batch, source: Source) -> tuple[int, list[str]]:
    """Hold what loads have seen of a service's records against what is declared, and keep what is found as issues.

    Returns:
        The tables whose records a load has looked at, and a line for each finding that nobody has resolved.
    """
    looked_at, lines = 0, []
    for declared in source.tables:
        table, relation = source.rest_table(declared.name), Relation(source.schema, declared.name)
        fields = observed_fields(batch.connection, relation)
        if not fields:
            continue
        looked_at += 1
        rule = CheckedRule(
            source=source.name,
            relation=str(relation),
            rule=RULE,
            why=_WHY,
            severity="warning",
            exception_type="SchemaDrift",
        )
        found = field_drift(declared_fields(source, table), fields, observed_values(batch.connection, relation))
        lines += [f"{relation}: {each.message}" for each in record_findings(batch, rule, list(found))]
    return looked_at, lines


def field_drift(
    declared: Mapping[str, ApiType], fields: Sequence[ObservedField], values: Sequence[ObservedValue]
) -> Iterator[Found]:
    """Say where the records of a table part from what is declared of them, or from what they were at first.

    Args:
        declared: The fields of the specification; empty where there is none of these records.
        fields: All that is remembered of the table.
        values: The same of its codes.
    """
    for instance in sorted({each.instance for each in fields}):
        of_instance = _Instance(
            instance,
            declared,
            [each for each in fields if each.instance == instance],
            [each for each in values if each.instance == instance],
        )
        yield from of_instance.drift()


class _Instance:
    """The records of one instance of a table."""

    def __init__(
        self,
        name: str,
        declared: Mapping[str, ApiType],
        fields: Sequence[ObservedField],
        values: Sequence[ObservedValue],
    ) -> None:
        self._name = name
        self._declared = declared
        self._values = values
        self._by_path: dict[str, list[ObservedField]] = defaultdict(list)
        for each in sorted(fields, key=lambda each: each.first_seen_at):
            self._by_path[each.path].append(each)
        self._first_batch = min(fields, key=lambda each: each.first_seen_at).first_batch

    def drift(self) -> Iterator[Found]:
        """What is new, of another type, of another value, or no longer filled; the outermost field alone."""
        new: set[str] = set()
        unfilled: set[str] = set()
        for path in sorted(self._by_path):
            seen = self._by_path[path]
            if self._is_within(path, new):
                continue
            if self._is_new(path):
                new.add(path)
                yield self._found(path, "new", f"{path} is new since {_day(seen[0].first_seen_at)}")
                continue
            yield from self._other_types(path)
            filled = [each for each in seen if each.json_type != NULL]
            gone = [each.gone_since for each in filled if each.gone_since]
            if filled and len(gone) == len(filled) and not self._is_within(path, unfilled):
                unfilled.add(path)
                last = max(each.last_seen_at for each in filled)
                message = f"{path} is no longer filled since {_day(max(gone))}; it was last seen on {_day(last)}"
                yield self._found(path, "unfilled", message)
        yield from self._other_values()

    def _is_new(self, path: str) -> bool:
        """Whether a field is not declared; or, where none is, came later than what it lies in."""
        if self._declared:
            return path not in self._declared and not self._is_of_any_form(path)
        if path.endswith("[]"):
            return False
        within, _, _ = path.rpartition(".")
        container = next((each for each in self._by_path.get(within, ()) if each.json_type == "object"), None)
        since = container.first_batch if container else self._first_batch
        return self._by_path[path][0].first_batch != since

    def _is_of_any_form(self, path: str) -> bool:
        return any(
            kind.name == _ANY_FORM and not kind.is_list and _lies_in(path, each)
            for each, kind in self._declared.items()
        )

    def _other_types(self, path: str) -> Iterator[Found]:
        filled = [each for each in self._by_path[path] if each.json_type != NULL]
        kind = self._declared.get(path)
        if kind:
            expected, words = {_json_type(kind)}, f"{kind} is declared"
        else:
            expected = {each.json_type for each in filled if each.first_batch == filled[0].first_batch}
            words = f"it was {' or '.join(sorted(expected))} before"
        for each in filled:
            if each.json_type not in expected and each.gone_since is None:
                message = f"{path} is of type {each.json_type} since {_day(each.first_seen_at)}; {words}"
                yield self._found(path, f"type {each.json_type}", message)

    def _other_values(self) -> Iterator[Found]:
        first: dict[str, UUID] = {}
        for each in sorted(self._values, key=lambda each: each.first_seen_at):
            first.setdefault(each.path, each.first_batch)
        for each in self._values:
            kind = self._declared.get(each.path)
            known = each.value in kind.values if kind and kind.values else each.first_batch == first[each.path]
            if not known:
                value = "what does not read as a code" if each.value == WITHHELD else each.value
                message = f"{each.path} may be {value} since {_day(each.first_seen_at)}"
                yield self._found(each.path, f"value {each.value}", message)

    def _is_within(self, path: str, others: set[str]) -> bool:
        return any(_lies_in(path, other) for other in others)

    def _found(self, path: str, what: str, message: str) -> Found:
        of_instance = f"{self._name}: " * bool(self._name)
        return Found(
            key="|".join(filter(None, [self._name, what])), field=path, value=what, message=of_instance + message
        )


def _lies_in(path: str, other: str) -> bool:
    return path.startswith((f"{other}.", f"{other}[]"))


def _json_type(kind: ApiType) -> str:
    if kind.is_list:
        return "array"
    return "object" if kind.is_model else _JSON_TYPES.get(kind.name, "string")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> Specification:
    """The shapes of a service, read again where the file has changed."""
    del changed
    return read_shapes(path.read_text(encoding="utf-8"))
