"""What is declared of jobs, held against a vendor's specification."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from etl_assets import cli
from etl_assets.loading.rest.specification_drift import job_drift, shape_drift
from etl_assets.readers.rest.specification import ApiType, read_shapes
from etl_assets.settings import Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch

assert SOURCE.service.shapes is not None
SHAPES = read_shapes(SOURCE.service.shapes.read_text())


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The installation that the commands find."""
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url or "")
    return settings


def test_the_jobs_are_as_the_vendor_has_them() -> None:
    assert list(job_drift(SOURCE.jobs, SHAPES)) == []


def test_an_endpoint_that_is_gone_new_or_of_another_kind_is_told() -> None:
    jobs = {job.id: job for job in SOURCE.jobs}
    found = job_drift(
        [
            replace(jobs[1], path="/api/v1/places"),
            replace(jobs[7], path="/api/v1/sites"),
            replace(jobs[1], record="PlaceModel"),
            replace(jobs[1], shape="object"),
        ],
        SHAPES,
    )
    assert list(found) == [
        "job 1 (Sites): the vendor no longer has /api/v1/places",
        "job 7 (Audits): the vendor has /api/v1/sites now, with SiteModel",
        "job 1 (Sites): the records are SiteModel, and the list of jobs says PlaceModel",
        "job 1 (Sites): the answer is of shape array, and the list of jobs says object",
    ]


def test_fields_and_values_that_are_gone_new_or_of_another_type_are_told() -> None:
    subject = dict(SHAPES.models["SubjectViewModel"])
    statuses = subject["status"].values
    subject["status"] = ApiType("enum", (*statuses[1:], "Withdrawn"))
    del subject["tag"]
    subject["screeningNumber"] = ApiType("int")
    subject["consentDate"] = ApiType("datetime")
    changed = replace(SHAPES, models={**SHAPES.models, "SubjectViewModel": subject})
    assert set(shape_drift(SHAPES, changed)) == {
        f"SubjectViewModel.status may be Withdrawn and is no longer {statuses[0]}",
        "SubjectViewModel.tag is gone; it was str",
        "SubjectViewModel.screeningNumber is int, and was str",
        "SubjectViewModel.consentDate is new: datetime",
    }
    fewer = replace(SHAPES, operations=SHAPES.operations[1:])
    assert list(shape_drift(SHAPES, fewer)) == [f"{SHAPES.operations[0].path} is gone"]
    assert list(shape_drift(fewer, SHAPES)) == [f"{SHAPES.operations[0].path} is new"]


def test_the_command_checks_and_refuses_what_is_no_specification(home: Settings, tmp_path: Path, capsys) -> None:
    assert cli.main(["discover", "trialsync", "--check"]) == 0
    said = capsys.readouterr().out
    assert "97 jobs" in said
    assert "No load has seen its records yet." in said
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"openapi": "3.0"}))
    assert cli.main(["discover", "trialsync", "--check", "--specification", str(path)]) == 1
    assert "is no Swagger 2.0 document" in capsys.readouterr().err


def test_the_command_fails_where_records_hold_something_else_until_that_is_resolved(home: Settings, capsys) -> None:
    with open_batch(home, "trialsync", "load") as batch:
        batch.connection.execute(
            "insert into etl.observed_field (relation, instance, path, json_type, first_seen_at, first_batch_id)"
            " values ('trialsync_staging.dim_sites_staging', 'north', %s, 'string', '2026-03-04', %s)",
            ["name", batch.id],
        )
        assert cli.main(["discover", "trialsync", "--check"]) == 0
        assert "The records of 1 tables hold what they should." in capsys.readouterr().out
        batch.connection.execute("update etl.observed_field set path = 'region'")
    assert cli.main(["discover", "trialsync", "--check"]) == 1
    said = capsys.readouterr()
    assert "trialsync_staging.dim_sites_staging: north: region is new since 2026-03-04" in said.out
    assert "1 differences" in said.err
    with connect(home) as connection:
        ((issue,),) = connection.execute("select issue_id from etl.quality_issue where status = 'open'").fetchall()
    assert cli.main(["issues", "resolve", str(issue), "--by", "Ada", "--notes", "the vendor has told us"]) == 0
    assert cli.main(["discover", "trialsync", "--check"]) == 0


def test_a_service_without_a_specification_is_checked_too(home: Settings, capsys) -> None:
    assert cli.main(["discover", "tracktik", "--check"]) == 0
    assert capsys.readouterr().out == "No load has seen its records yet.\n"
    assert cli.main(["discover", "tracktik"]) == 1
    assert "tracktik keeps no shapes of its endpoints." in capsys.readouterr().err


@pytest.mark.skipif("ETL_REAL_DATA_DIR" not in os.environ, reason="the vendor's specification is not ours to ship")
def test_the_vendors_own_specification_differs_in_nothing(home: Settings) -> None:
    found = next(Path(os.environ["ETL_REAL_DATA_DIR"]).glob("trialsync/*.json"))
    assert cli.main(["discover", "trialsync", "--check", "--specification", str(found)]) == 0
