"""The stand-in, and what we ask of the service, held against the vendor's own description of its API.

The description (`tracktik/*.json` of ETL_REAL_DATA_DIR, OpenAPI) is not ours to ship; without it these are skipped.
Derived from it, and written down in our own words, are the names of `RESOURCES`, which of them are on demand, and the
names that `sources/tracktik/tables.py` asks for.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.resources import RESOURCES
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.settings import PROJECT
from etl_assets.sources.tracktik import SOURCE
from etl_assets_tests.sandbox.test_tracktik_service import Caller, window

FILES = ("tracktik_openapi_2022.json", "bos.scheduling.json")
"""Of the whole API; and of its scheduling, which is newer."""
ON_DEMAND, RELATION = re.compile("on demand", re.IGNORECASE), "ID of the resource by default"
STAGING = PROJECT / "sql" / "models" / "tracktik" / "staging"
NOT_THE_VENDORS = {("regions", "status")}
"""Read of documents that were loaded earlier; it is not asked for any more."""
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Specification:
    """The vendor's schemas by their names."""

    schemas: Mapping[str, Schema]

    def fields_of(self, path: str) -> Mapping[str, Schema]:
        """The fields of a list's records."""
        name = "".join(word.capitalize() for word in path.split("-"))
        found: Mapping[str, Schema] = self.schemas[f"{name}Item"]["properties"]
        return found

    def on_demand(self, path: str) -> set[str]:
        """Those that come only when they are asked for. Of a relation, the id comes always."""
        return {
            name
            for name, field in self.fields_of(path).items()
            if ON_DEMAND.search(field["description"]) and RELATION not in field["description"]
        }

    def problems(self, value: object, schema: Schema, where: str) -> Iterator[str]:
        """Where a value is not what the schema says; null is nothing, which every field may be."""
        if value is None:
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        if "oneOf" in schema:
            tried = [list(self.problems(value, each, where)) for each in schema["oneOf"]]
            yield from [] if [] in tried else tried[-1]
        for each in schema.get("allOf", ()):
            yield from self.problems(value, each, where)
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name in FORMS:
                yield from [] if FORMS[name](value) else [f"{where}: {value!r} is no {name}"]
            elif name.endswith(("Collection", "Item")) and not isinstance(value, dict):
                yield from [] if type(value) is int else [f"{where}: {value!r} is neither id nor object"]
            else:
                yield from self.problems(value, self.schemas[name], where)
        if "properties" in schema and isinstance(value, dict):
            yield from self.object_problems(value, schema["properties"], where)
        elif (expected := TYPES.get(schema.get("type", ""))) and not expected(value):
            yield f"{where}: {value!r} is no {schema['type']}"

    def object_problems(self, value: Mapping[str, object], fields: Mapping[str, Schema], where: str) -> Iterator[str]:
        """The same of an object and its fields."""
        for name, each in value.items():
            if name not in fields:
                yield f"{where}.{name}: the vendor has no such field"
            else:
                yield from self.problems(each, fields[name], f"{where}.{name}")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_read_by(read: Any, value: object) -> bool:
    try:
        read(value)
    except (TypeError, ValueError):
        return False
    return True


TYPES = {
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict | int),
}
"""An object that is not included is its id."""
FORMS = {
    # Declared as text; callers have found Unix times as well.
    "TimeStampNumber": lambda value: type(value) is int or is_read_by(datetime.fromisoformat, value),
    "TimeStampDate": lambda value: is_read_by(datetime.fromisoformat, value),
    "DateTime": lambda value: is_read_by(datetime.fromisoformat, value),
    "Date": lambda value: is_read_by(date.fromisoformat, value),
    # Declared as an object; the rules of overtime are an array.
    "JSON": lambda value: isinstance(value, dict | list),
}


@pytest.fixture(scope="module")
def specification(real_data: Path) -> Specification:
    schemas: dict[str, Schema] = {}
    for name in FILES:
        schemas |= json.loads((real_data / "tracktik" / name).read_text())["components"]["schemas"]
    return Specification(schemas)


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with serve(Company(periods=2)) as service, Caller(service) as caller:
        yield caller


def everything(caller: Caller, path: str) -> list[dict[str, Any]]:
    """All records of a list, with all that there is of them; of those that are read by window, of one day."""
    resource = RESOURCES[path]
    asked = {"fields": ",".join(resource.fields), "include": ",".join(resource.parts), "includeInactive": "true"}
    span = window(path, "2026-01-02|2026-01-02")
    return caller.data(path, {name: text for name, text in {**asked, **span, "limit": "1000"}.items() if text})


@pytest.mark.parametrize("path", RESOURCES)
def test_a_record_has_no_field_that_the_vendor_lacks_and_each_is_as_declared(
    specification: Specification, caller: Caller, path: str
) -> None:
    fields, records = specification.fields_of(path), everything(caller, path)
    assert records
    problems = (each for record in records for each in specification.object_problems(record, fields, path))
    assert sorted(set(problems)) == []


@pytest.mark.parametrize("path", RESOURCES)
def test_what_the_vendor_gives_on_demand_is_given_on_demand_alone(
    specification: Specification, caller: Caller, path: str
) -> None:
    on_demand = specification.on_demand(path) & set(RESOURCES[path].fields)
    assert RESOURCES[path].on_demand == on_demand
    [plain, *_] = caller.data(path, {**window(path), "limit": "1"})
    assert set(plain) == set(RESOURCES[path].fields) - on_demand
    assert [name for name in plain if isinstance(plain[name], dict)] == []


def read_by_the_models(table: str) -> set[str]:
    """The fields of a record that its staging view reads."""
    text = (STAGING / f"tracktik__stg_{table}.sql").read_text()
    versioned = {"createdOn", "updatedOn"} if "document_versions(" in text else set()
    return {path.split(".")[0] for path in re.findall(r"json_(?:field|relation)\('([\w.]+)'", text)} | versioned


@pytest.mark.parametrize("table", SOURCE.tables, ids=lambda table: table.name)
def test_what_we_read_is_what_the_vendor_has_and_is_asked_for(specification: Specification, table) -> None:
    fields, on_demand = specification.fields_of(table.endpoint.path), specification.on_demand(table.endpoint.path)
    parameters = table.endpoint.parameters
    named, included = (set(parameters.get(name, "").split(",")) - {""} for name in ("fields", "include"))
    read = read_by_the_models(table.name) | {each.path.split(".")[0] for each in table.parsed_fields}
    # Records of rules, profiles and settings say nothing of when they were made.
    lacking = {
        name for name in read - set(fields) - {"createdOn", "updatedOn"} if (table.name, name) not in NOT_THE_VENDORS
    }
    assert lacking == set()
    assert (named | included) - set(fields) == set()
    assert all(RELATION in fields[name]["description"] for name in included)
    needed = (read | {"id"}) & set(fields)
    assert (needed if named else needed & on_demand) - named - {name for table_, name in NOT_THE_VENDORS} == set()


@pytest.mark.parametrize("table", [table for table in SOURCE.tables if table.is_windowed], ids=lambda table: table.name)
def test_a_window_by_what_may_come_as_a_unix_time_takes_it(specification: Specification, table) -> None:
    field = specification.fields_of(table.endpoint.path)[table.load.slice_by]
    may_be_one = any(each["$ref"].endswith("/TimeStampNumber") for each in field["allOf"])
    assert table.load.allows_unix_time == may_be_one
