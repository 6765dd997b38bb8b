"""What is written down of Clinical Conductor's API, held against the vendor's own specification.

The specification (`trialsync/*.json` of ETL_REAL_DATA_DIR, Swagger 2.0) is not ours to ship; without it these are
skipped.
"""

import json
from pathlib import Path

import pytest

from etl_assets.readers.rest.specification import (
    Specification,
    parse_specification,
    read_shapes,
    render_shapes,
    without_names,
)
from etl_assets.settings import PROJECT

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
