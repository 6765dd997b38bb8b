"""What a service's own specification (Swagger 2.0) declares: its operations, and the models of its records.

Nothing of its prose is kept. `render_shapes` writes what is left of it as YAML, a line an endpoint and a few a model,
and `read_shapes` reads that back: a source's room holds what it uses of its vendor's specification in this form.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from etl_assets.declare.yaml_text import parse_yaml

_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_SCALARS = {
    ("string", None): "str",
    ("string", "date-time"): "datetime",
    ("string", "uuid"): "uuid",
    ("integer", "int32"): "int",
    ("integer", "int64"): "int",
    ("number", "double"): "num",
    ("boolean", None): "bool",
    ("object", None): "object",
}
_NOT_LICENSED = "501"
_DEEPEST = 8
"""Models within models that are looked into for the paths of their fields."""


@dataclass(frozen=True)
class ApiType:
    """The type of a field."""

    name: str
    """`int`, `num`, `bool`, `str`, `datetime`, `uuid`, `object` (of any form), `enum`, or that of a model."""
    values: tuple[str, ...] = ()
    """Those of an enum."""
    is_list: bool = False

    @property
    def is_model(self) -> bool:
        """Whether it is an object of a model, or a list of such; models begin with a capital letter."""
        return self.name[0].isupper()

    def __str__(self) -> str:
        return ("list " if self.is_list else "") + self.name + (" " + "|".join(self.values) if self.values else "")


Model = Mapping[str, ApiType]
"""The fields of a record, in the specification's order."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    """In lower case."""
    path: str
    """With its placeholders in braces."""
    parameters: tuple[str, ...] = ()
    """Of the query."""
    codes: tuple[str, ...] = ()
    """The statuses that are declared."""
    shape: str = ""
    """Of the answer 200: `page` (an object with `Items`), `array`, `strings`, `object`, or empty: none is declared."""
    model: str = ""
    """Of a record."""

    @property
    def may_be_unlicensed(self) -> bool:
        """Whether 501 is declared: not every installation has it."""
        return _NOT_LICENSED in self.codes


@dataclass(frozen=True)
class Specification:
    """What a service declares, or the part of it that is used."""

    version: str
    base_path: str
    operations: tuple[Operation, ...]
    """By path and method."""
    models: Mapping[str, Model]

    def find(self, path: str, method: str = "get") -> Operation | None:
        """The operation of a path; how its placeholders are called makes no difference."""
        wanted = without_names(path)
        same = (each for each in self.operations if each.method == method and without_names(each.path) == wanted)
        return next(same, None)

    def select(self, paths: Iterable[str]) -> "Specification":
        """The part that reading these paths takes: their GET operations, and the models that these need, by name."""
        wanted = {without_names(path) for path in paths}
        chosen = tuple(each for each in self.operations if each.method == "get" and without_names(each.path) in wanted)
        needed = self._needed({each.model for each in chosen if each.model})
        return Specification(self.version, self.base_path, chosen, {name: self.models[name] for name in sorted(needed)})

    def fields_of(self, model: str) -> dict[str, ApiType]:
        """The fields of a record and of what lies in it, by their paths: `study.id`, `arms[]`, `arms[].Name`.

        Of models within themselves there is no end; one is made there.
        """
        return dict(self._fields_of(model, "", 0))

    def _fields_of(self, model: str, within: str, depth: int) -> Iterator[tuple[str, ApiType]]:
        for name, kind in self.models.get(model, {}).items():
            path = f"{within}{name}"
            yield path, kind
            if kind.is_list:
                path = f"{path}[]"
                yield path, ApiType(kind.name, kind.values)
            if kind.is_model and depth < _DEEPEST:
                yield from self._fields_of(kind.name, f"{path}.", depth + 1)

    def _needed(self, names: set[str]) -> set[str]:
        found: set[str] = set()
        while names:
            found |= names
            names = {field.name for name in names for field in self.models[name].values() if field.is_model} - found
        return found


def without_names(path: str) -> str:
    """A path whose placeholders have no names: `studies/{}/visits`."""
    return _PLACEHOLDER.sub("{}", path)


def parse_specification(document: Mapping[str, Any]) -> Specification:
    """Read a Swagger 2.0 document, as JSON or YAML has it.

    Raises:
        KeyError: It is none, or has a type that is not known here.
    """
    definitions = document["definitions"]
    operations = (
        _operation(method, path, declared, definitions)
        for path, methods in document["paths"].items()
        for method, declared in methods.items()
    )
    return Specification(
        document["info"].get("x-swagger-net-version") or document["info"]["version"],
        document.get("basePath", ""),
        tuple(sorted(operations, key=lambda each: (each.path, each.method))),
        {name: _model(declared) for name, declared in definitions.items()},
    )


def render_shapes(specification: Specification) -> str:
    """GET operations and models as YAML; the same text for the same specification."""
    lines = ["# Of a vendor's specification, what is used of it; written by readers/rest/specification.py."]
    lines += [f"version: {_flow(specification.version)}", f"base_path: {specification.base_path}", "endpoints:"]
    lines += [f"  {each.path}: {_flow(dict(_entries(each)))}" for each in specification.operations]
    models = {name: {field: str(kind) for field, kind in model.items()} for name, model in specification.models.items()}
    return "\n".join([*lines, _block({"models": models})])


def read_shapes(text: str) -> Specification:
    """What `render_shapes` wrote."""
    shapes = parse_yaml(text)
    operations = (
        Operation(
            "get",
            path,
            tuple(given.get("parameters", ())),
            tuple(map(str, given["codes"])),
            given.get("shape", ""),
            given.get("model", ""),
        )
        for path, given in shapes["endpoints"].items()
    )
    models = {
        name: {field: _read_type(kind) for field, kind in model.items()} for name, model in shapes["models"].items()
    }
    return Specification(shapes["version"], shapes["base_path"], tuple(operations), models)


def _block(value: object) -> str:
    """Block style; objects of plain values are put into lines."""
    text: str = yaml.safe_dump(value, default_flow_style=None, width=118, sort_keys=False)
    return text


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").rstrip()


def _entries(operation: Operation) -> Iterator[tuple[str, object]]:
    yield "shape", operation.shape
    if operation.model:
        yield "model", operation.model
    yield "codes", [int(code) for code in operation.codes]
    if operation.parameters:
        yield "parameters", list(operation.parameters)


def _read_type(text: str) -> ApiType:
    words = text.split()
    is_list = words[0] == "list"
    name, *values = words[is_list:]
    return ApiType(name, tuple(values[0].split("|")) if values else (), is_list)


def _operation(method: str, path: str, declared: Mapping[str, Any], definitions: Mapping[str, Any]) -> Operation:
    parameters = tuple(each["name"] for each in declared.get("parameters", ()) if each["in"] == "query")
    shape, model = _answer(declared["responses"].get("200", {}).get("schema"), definitions)
    return Operation(method, path, parameters, tuple(declared["responses"]), shape, model)


def _answer(schema: Mapping[str, Any] | None, definitions: Mapping[str, Any]) -> tuple[str, str]:
    if schema is None:
        return "", ""
    answer = _type(schema)
    if answer.is_list:
        return ("array", answer.name) if answer.is_model else ("strings", "")
    if not answer.is_model:
        return "", ""
    items = definitions[answer.name].get("properties", {}).get("Items")
    return ("page", _type(items).name) if items else ("object", answer.name)


def _model(declared: Mapping[str, Any]) -> Model:
    return {name: _type(schema) for name, schema in declared.get("properties", {}).items()}


def _type(schema: Mapping[str, Any]) -> ApiType:
    if "$ref" in schema:
        return ApiType(schema["$ref"].rpartition("/")[2])
    if schema["type"] == "array":
        items = _type(schema["items"])
        return ApiType(items.name, items.values, is_list=True)
    if "enum" in schema:
        return ApiType("enum", tuple(schema["enum"]))
    return ApiType(_SCALARS[schema["type"], schema.get("format")])
