"""What is written down of Clinical Conductor's API, and the stand-in, held against the vendor's own specification.

The specification (`trialsync/*.json` of ETL_REAL_DATA_DIR, Swagger 2.0) is not ours to ship; without it what needs it
is skipped. The stand-in is always held against `shapes.yaml`.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from etl_assets.readers.rest.specification import (
    ApiType,
    Operation,
    Specification,
    parse_specification,
    read_shapes,
    render_shapes,
    without_names,
)
from etl_assets.sandbox.trialsync.books import Books, Scale
from etl_assets.sandbox.trialsync.service import Service
from etl_assets.settings import PROJECT
from etl_assets_tests.sandbox.trialsync import Conductor

SHAPES = PROJECT / "etl_assets" / "sources" / "trialsync" / "shapes.yaml"
REAL_PATHS = (
    "/api/v1/studies/{studyId}/monitor-queries/odata",
    "/api/v1/patient-visits/{id}/elements",
    "/api/v1/patient-visits/{id}/stipends",
    "/api/v1/system/study-statuses",
    "/api/v1/studies/{studyId}/visits/{visitId}/elements/odata",
    "/api/v1/studies/{studyId}/arms",
)
"""Where the vendor has what seven of the jobs look for in vain."""
COMMITTED = read_shapes(SHAPES.read_text())
IDS: Mapping[str, tuple[str, str]] = {
    "studies": ("studies", "id"),
    "patients": ("patients/odata", "id"),
    "subjects": ("studies/{studies}/subjects/odata", "id"),
    "visits": ("studies/{studies}/visits/odata", "id"),
    "actions": ("studies/{studies}/actions/odata", "id"),
    "patient-visits": ("patient-visits/odata", "id"),
}
"""Where the ids come from that stand in a path behind these words."""


@pytest.fixture(scope="module")
def vendors(real_data: Path) -> Specification:
    return parse_specification(json.loads((real_data / "trialsync" / "clinical_conductor_openapi.json").read_text()))


@pytest.fixture(scope="module")
def jobs(real_data: Path) -> list[str]:
    lines = (real_data / "trialsync" / "jobs.csv").read_text().splitlines()[1:]
    return [line.split("|")[2] for line in lines]


def test_what_is_committed_is_what_the_vendor_declares(vendors: Specification) -> None:
    committed = SHAPES.read_text()
    paths = [operation.path for operation in read_shapes(committed).operations]
    assert render_shapes(vendors.select(paths)) == committed


def test_every_endpoint_that_is_read_and_that_the_vendor_has_is_in_it(vendors: Specification, jobs: list[str]) -> None:
    committed = {without_names(each.path) for each in read_shapes(SHAPES.read_text()).operations}
    offered = {without_names(path) for path in {*jobs, *REAL_PATHS} if vendors.find(path)}
    assert offered <= committed
    assert {without_names(path) for path in REAL_PATHS} <= offered
    beyond = {"/api/v1/patients/{}", "/api/v1/studies/{}/actions/{}/unit-completions"}
    assert committed - offered == beyond


def test_the_jobs_paths_are_offered_as_often_as_was_counted(vendors: Specification, jobs: list[str]) -> None:
    operations = [vendors.find(path) for path in jobs[:90]]
    shapes = [operation.shape for operation in operations if operation]
    assert (operations.count(None), shapes.count("page"), shapes.count("array") + shapes.count("strings")) == (
        28,
        24,
        34,
    )
    assert shapes.count("object") == 4


def is_uuid(value: object) -> bool:
    return isinstance(value, str) and str(uuid.UUID(value)) == value


def is_moment(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


IS_OF: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda value: type(value) is int,
    "num": lambda value: type(value) in {int, float},
    "bool": lambda value: isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "uuid": is_uuid,
    "datetime": is_moment,
    "object": lambda value: isinstance(value, dict),
}


def problems(value: object, kind: ApiType, models: Mapping[str, Mapping[str, ApiType]], where: str) -> Iterator[str]:
    """Where a value is not of its type; null is nothing, which every field may be, but nothing in a list."""
    if kind.is_list and isinstance(value, list):
        for each in value:
            yield from [f"{where}: null in a list"] if each is None else []
            yield from problems(each, ApiType(kind.name, kind.values), models, where)
    elif value is None:
        return
    elif kind.is_list:
        yield f"{where}: no list"
    elif kind.values:
        yield from [] if value in kind.values else [f"{where}: {value!r} is none of {kind.values}"]
    elif kind.is_model and isinstance(value, dict):
        yield from [f"{where}: has other fields"] if list(value) != list(models[kind.name]) else []
        for name in value.keys() & models[kind.name].keys():
            yield from problems(value[name], models[kind.name][name], models, f"{where}.{name}")
    elif kind.is_model or not IS_OF[kind.name](value):
        yield f"{where}: {value!r} is no {kind}"


@pytest.fixture(scope="module")
def caller() -> Iterator[Conductor]:
    books = Books(scale=Scale(patients=80, subjects=90))
    with Service(books, instance_type="CCE") as service, Conductor(service) as caller:
        yield caller


def paths_of(caller: Conductor, operation: Operation) -> list[str]:
    """Paths of an operation with ids that are there: of up to 100 parents, or of one where these have parents."""
    words = operation.path.removeprefix("/api/v1/").split("/")
    paths, parent = [""], ""
    for word in words:
        if not word.startswith("{"):
            paths, parent = [f"{path}/{word}" for path in paths], word
        else:
            source, field = IDS[parent]
            first = paths[0].strip("/").split("/")[1] if "{" in source else ""
            found = [record[field] for record in caller.records(source.format(studies=first))]
            paths = [f"{path}/{each}" for path in paths[:1] for each in found]
    return [path.strip("/") for path in paths[:: 1 + len(paths) // 100]]


def found_at(caller: Conductor, operation: Operation) -> list[Any]:
    """What there is at the paths of an operation, each answer in the operation's shape."""
    found: list[Any] = []
    for path in paths_of(caller, operation):
        query = {"top": 100, "count": "true"} if path.endswith("/odata") else {}
        answer = caller.answer(path, **query)
        if operation.shape == "page":
            assert answer.keys() == {"Items", "NextPageLink", "Count"}
            assert type(answer["Count"]) is int
            found += answer["Items"]
        else:
            assert isinstance(answer, dict if operation.shape == "object" else list)
            found += answer if isinstance(answer, list) else [answer]
    return found


def problems_at(caller: Conductor, operation: Operation, models: Mapping[str, Mapping[str, ApiType]]) -> set[str]:
    kind = ApiType(operation.model or "str")
    return {each for record in found_at(caller, operation) for each in problems(record, kind, models, operation.model)}


EMPTY = {"/api/v1/system/study-customfields", "/api/v1/studies/{studyId}/actions/{actionId}/unit-completions"}


@pytest.mark.parametrize("operation", COMMITTED.operations, ids=lambda operation: operation.path)
def test_what_is_served_has_the_fields_and_types_that_are_declared(caller: Conductor, operation: Operation) -> None:
    assert problems_at(caller, operation, COMMITTED.models) == set()
    assert bool(found_at(caller, operation)) == (operation.path not in EMPTY)


def test_what_is_served_is_as_the_vendor_declares_it(caller: Conductor, vendors: Specification) -> None:
    for committed in COMMITTED.operations:
        operation = vendors.find(committed.path)
        assert operation is not None
        assert problems_at(caller, operation, vendors.models) == set()


def test_every_path_that_is_served_is_declared_and_every_declared_one_is_served(caller: Conductor) -> None:
    declared = {without_names(operation.path).removeprefix("/api/v1/") for operation in COMMITTED.operations}
    assert set(caller.service.paths) == declared


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "5"),
        ("bool", 1),
        ("uuid", "x"),
        ("datetime", "2026-01-01T00:00:00"),
        ("SitePreviewModel", {"id": 1, "name": "x"}),
        ("SitePreviewModel", {"id": 1, "uid": None, "name": "x", "city": "y"}),
        ("SitePreviewModel", "x"),
        ("list str", "x"),
        ("list str", [None]),
        ("enum A|B", "C"),
    ],
)
def test_the_check_finds_what_is_wrong(kind: str, value: object) -> None:
    words = kind.split()
    declared = ApiType(
        words[-1] if words[0] != "enum" else "enum", ("A", "B") * (words[0] == "enum"), words[0] == "list"
    )
    try:
        found = list(problems(value, declared, COMMITTED.models, "it"))
    except ValueError:
        found = ["cannot be read"]
    assert found
