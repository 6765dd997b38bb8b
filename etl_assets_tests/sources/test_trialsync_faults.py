"""What an earlier loader of these jobs did wrong: each test is named by what it prevents."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_assets.declare.job_list import read_jobs
from etl_assets.declare.rest import RestTable
from etl_assets.declare.tables import Full
from etl_assets.loading.rest.observed_drift import check_observed
from etl_assets.settings import PROJECT, Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.sources.trialsync.rules import PATIENT_STATUSES, SUBJECT_STATUSES, VISIT_STATUSES
from etl_assets.sources.trialsync.tables import SHAPES
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.sandbox.trialsync import Conductor
from etl_assets_tests.sources.trialsync_loads import SCALE, TrialSync, failures, open_trialsync

JOBS = PROJECT / "etl_assets" / "sources" / "trialsync" / "jobs.csv"
STUDIES, PATIENTS, SUBJECTS, STUDY_LIST, ALL_VISITS, SUBJECT_VISITS = 2, 3, 10, 164, 9, 160


@pytest.fixture(scope="module")
def loaded(module_settings: Settings) -> Iterator[TrialSync]:
    """Both instances loaded twice; tests only look."""
    with open_trialsync(module_settings) as trialsync:
        assert failures(trialsync.load()) == {}
        for service in trialsync.services.values():
            service.requests.clear()
        assert failures(trialsync.load()) == {}
        yield trialsync


@pytest.fixture
def trialsync(settings: Settings) -> Iterator[TrialSync]:
    """Nothing is loaded yet; a test may change the books."""
    with open_trialsync(settings) as opened:
        yield opened


def of_service(trialsync: TrialSync, path: str) -> list[tuple[str, object]]:
    """All records of a list, with the instance."""
    found: list[tuple[str, object]] = []
    for name, service in trialsync.services.items():
        with Conductor(service) as caller:
            found += [(name, record) for record in caller.records(path)]
    return found


def of_studies(trialsync: TrialSync, path: str) -> list[tuple[str, object]]:
    """The records of a list that each study has."""
    studies = {(name, study["id"]) for name, study in of_service(trialsync, "studies")}
    found: list[tuple[str, object]] = []
    for name, study in sorted(studies):
        with Conductor(trialsync.services[name]) as caller:
            found += [(name, record) for record in caller.records(f"studies/{study}/{path}")]
    return found


def staged(trialsync: TrialSync, table: str) -> list[tuple[str, object]]:
    return trialsync.query(
        f"select instance.name, data from trialsync_staging.{table}"
        " join etl.source_instance as instance on instance_id = source_instance_id where vanished_at is null"
    )


def in_order(records: list[tuple[str, object]]) -> list[str]:
    return sorted(f"{name} {json.dumps(record, sort_keys=True)}" for name, record in records)


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("dim_subject_statuses_staging", "subject-statuses/odata"),
        ("dim_system_organizations_staging", "system/organizations"),
    ],
)
def test_records_without_an_id_neither_collapse_into_one_nor_come_twice(loaded, table, path) -> None:
    expected = of_service(loaded, path)
    assert all("id" not in record for _, record in expected)
    assert len(expected) >= 2
    assert in_order(staged(loaded, table)) == in_order(expected)


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("dim_study_personnel_staging", "personnel"),
        ("dim_study_arms_staging", "arms"),
        ("dim_study_warnings_staging", "warnings"),
    ],
)
def test_records_whose_id_several_studies_share_are_all_kept(loaded, table, path) -> None:
    expected = of_studies(loaded, path)
    assert expected
    assert in_order(staged(loaded, table)) == in_order(expected)


def test_a_run_that_lost_a_batch_is_no_success_and_counts_its_own_rows(trialsync: TrialSync) -> None:
    trialsync.load(STUDIES)
    north = trialsync.services["north"]
    lost = trialsync.query("select min(entity_id) from trialsync_staging.dim_studies_staging")[0][0]
    north.faults.plan("status", path=f"studies/{lost}/subjects/odata", status=403)
    assert "1 of 3 requests failed" in failures(trialsync.load(SUBJECTS))["dim_subjects_staging"]
    runs = trialsync.query(
        "select name, run_status, state, records_loaded, rows_inserted, parents_asked, parents_failed from"
        " trialsync.dw_etl_runs join etl.source_instance on instance_id = credential_id where job_id = 10 order by 1"
    )
    arrived = dict(
        trialsync.query(
            "select name, count(*) from trialsync_staging.dim_subjects_staging"
            " join etl.source_instance on instance_id = source_instance_id group by 1"
        )
    )
    assert runs == [
        ("north", "failed", "partial", arrived["north"], arrived["north"], 3, 1),
        ("south", "success", "success", SCALE.subjects, SCALE.subjects, 3, 0),
    ]
    assert 0 < arrived["north"] < SCALE.subjects
    trialsync.load(SUBJECTS)
    last = (
        "select distinct on (credential_id) records_loaded, rows_inserted from trialsync.dw_etl_runs where job_id = 10"
    )
    assert trialsync.query(last + " order by credential_id, run_id desc") == [
        (SCALE.subjects, SCALE.subjects - arrived["north"]), (SCALE.subjects, 0)
    ]  # fmt: skip


LOAD_AND_BE_KILLED = """
from datetime import date
from etl_assets.declare.dates import Span
from etl_assets.loading.load import LoadOptions, LoadRequest
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.loading.workers import load_tables
from etl_assets.settings import read_settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.ledger import open_batch
settings = read_settings()
with open_batch(settings, "trialsync", "load") as batch:
    request = LoadRequest(settings=settings, source=SOURCE, tables=["dim_patient_visits_staging"],
        span=Span(date(2026, 3, 1), date(2026, 3, 1)), batch=batch, options=LoadOptions(jobs=[160]))
    load_tables(RestStrategy(request), request)
"""


def test_a_killed_run_neither_runs_for_ever_nor_leaves_a_stale_place_to_go_on_from(trialsync: TrialSync) -> None:
    trialsync.load(STUDIES, SUBJECTS)
    north = trialsync.services["north"]
    north.faults.plan("hangs", path="studies/*/subjects/*/patient-visits", nth=4, times=99, seconds=30)
    given = {**os.environ, **trialsync.settings.given, "ETL_HOME": str(trialsync.settings.home)}
    given["ETL_WAREHOUSE_URL"] = trialsync.settings.warehouse_url or ""
    loading = subprocess.Popen([sys.executable, "-c", LOAD_AND_BE_KILLED], env=given, cwd=PROJECT)
    try:
        until = time.monotonic() + 60
        while north.requests["studies/{}/subjects/{}/patient-visits"] < 3 and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        loading.kill()
        loading.wait()
    state = (
        "select run_status, state, completed_at is not null from trialsync.dw_etl_runs"
        " where job_id = 160 and credential_id = 1 order by run_id"
    )
    north.faults.clear()
    assert failures(trialsync.load(SUBJECT_VISITS)) == {}
    assert trialsync.query(state) == [("failed", "killed", True), ("success", "success", True)]
    rounds = "select round_ended_at > round_started_at from etl.job_state where job_id = 160"
    assert trialsync.query(rounds) == [(True,), (True,)]
    expected = of_service(trialsync, "patient-visits/odata")
    assert in_order(staged(trialsync, "dim_patient_visits_staging")) == in_order(expected)
    before = north.requests["studies/{}/subjects/{}/patient-visits"]
    trialsync.load(SUBJECT_VISITS)  # a round that has ended is no place to go on from: all are asked anew
    assert north.requests["studies/{}/subjects/{}/patient-visits"] == before + SCALE.subjects


def test_what_changes_while_a_run_is_under_way_is_not_lost_to_a_watermark(trialsync: TrialSync) -> None:
    trialsync.load(STUDIES)
    service = trialsync.services["north"]
    study = trialsync.query("select min(entity_id) from trialsync_staging.dim_studies_staging")[0][0]
    service.books.change("studies", study)  # behind the reader's back: the run has read it, and ends only now
    trialsync.execute(
        "update etl.job_run set started_at = started_at + interval '1 h', ended_at = ended_at + interval '1 h'"
    )
    trialsync.load(STUDIES)
    assert in_order(staged(trialsync, "dim_studies_staging")) == in_order(of_service(trialsync, "studies"))
    assert trialsync.query("select * from etl.watermark where relation like 'trialsync_staging.%'") == []


def test_studies_alone_are_asked_for_what_has_changed_and_in_a_sweep_for_all(trialsync: TrialSync) -> None:
    jobs = (STUDIES, SUBJECTS, ALL_VISITS)
    trialsync.load(*jobs)
    north = trialsync.services["north"]
    study = trialsync.query("select min(entity_id) from trialsync_staging.dim_studies_staging")[0][0]
    north.books.change("studies", study)
    north.latest.clear()
    assert failures(trialsync.load(*jobs)) == {}
    filters = {asked.path: asked.query["$filter"] for asked in north.latest if "$filter" in asked.query}
    assert list(filters) == ["studies/odata"]
    assert filters["studies/odata"].startswith("lastUpdatedOn ge 20")
    assert in_order(staged(trialsync, "dim_studies_staging")) == in_order(of_service(trialsync, "studies"))
    north.latest.clear()
    trialsync.load(STUDIES, full_compare=True)
    assert [asked for asked in north.latest if "$filter" in asked.query] == []


def test_records_that_are_as_the_vendor_declares_them_are_no_finding(trialsync: TrialSync) -> None:
    assert failures(trialsync.load(STUDIES, SUBJECTS, ALL_VISITS, PATIENTS)) == {}
    with open_batch(trialsync.settings, SOURCE.name, "check") as batch:
        assert check_observed(batch, SOURCE) == (4, [])
    values = trialsync.query("select distinct value from etl.observed_value where path = 'status'", "etl_transformer")
    known = {*PATIENT_STATUSES, *SUBJECT_STATUSES, *VISIT_STATUSES}
    assert {value for (value,) in values} - known == set()
    assert len(values) > 3
    may_read = "select has_table_privilege('etl_reader', 'etl.observed_value', 'select')"
    assert trialsync.query(may_read) == [(False,)]


def test_what_is_not_offered_is_asked_once_and_not_as_if_it_were_down(loaded: TrialSync) -> None:
    north = loaded.services["north"].requests
    answered = {"screenings/odata": 3, "enrollments/odata": 3}  # parents in a row that prove it
    for path, most in answered.items():
        assert 1 <= north[f"studies/{{}}/{path}"] <= most, path
    for path in ("invoices/odata", "prospects/odata", "study-types", "site-payments/odata"):
        assert north[path] == 1, path
    assert north["users/odata"] == north["queries/odata"] == 0
    states = dict(loaded.query("select job_id, availability from etl.job_state where instance_id = 1"))
    assert (states[168], states[172], states[14]) == ("not_offered", "not_licensed", "not_offered")


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("dim_sites_staging", "sites"),  # a bare list
        ("dim_staff_staging", "staff/odata"),  # a bare list where a page is asked for
        ("dim_sponsors_staging", "sponsors/odata"),  # a page
    ],
)
def test_lists_of_every_form_are_read(loaded: TrialSync, table: str, path: str) -> None:
    assert in_order(staged(loaded, table)) == in_order(of_service(loaded, path))


def test_single_objects_and_strings_are_records_too(loaded: TrialSync) -> None:
    with Conductor(loaded.services["north"]) as caller:
        details, names = caller.answer("instance/details"), caller.answer("system/lookup-lists")
    assert ("north", details) in staged(loaded, "dim_instance_details_staging")
    found = [record for name, record in staged(loaded, "dim_system_lookup_lists_staging") if name == "north"]
    assert in_order([("", record) for record in found]) == in_order([("", {"name": name}) for name in names])


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("|dim_sites_staging|", "|dim_sites_staging; drop schema etl cascade|"),
        ("|dim_sites_staging|", '|dim_sites_staging" (id int); --|'),
        ("studyId=dim_studies_staging.data->>'id'", "studyId=dim_studies_staging.data->>'id')or(1=1"),
        ("studyId=dim_studies_staging.data->>'id'", "studyId=dim_studies_staging.data->>'id'||pg_sleep(9)"),
        ("/api/v1/sites|", "/api/v1/sites/{siteId}|"),
    ],
)
def test_what_the_job_list_says_never_becomes_sql(tmp_path: Path, word: str, instead: str) -> None:
    text = JOBS.read_text()
    assert word in text
    path = tmp_path / "jobs.csv"
    path.write_text(text)
    assert len(declare(path)) == 97
    path.write_text(text.replace(word, instead, 1))
    with pytest.raises(ValueError, match=r"jobs.csv, line \d+: |a name is lower case letters"):
        declare(path)


def declare(path: Path) -> list[RestTable]:
    """The tables of a list, each by itself."""
    return [
        RestTable(name=job.table, key="id", load=Full(), endpoint=job.endpoint, jobs=[job])
        for job in read_jobs(path, SHAPES)
    ]


def test_two_jobs_of_one_table_give_each_record_once(loaded: TrialSync) -> None:
    studies = of_service(loaded, "studies")
    assert in_order(staged(loaded, "dim_studies_staging")) == in_order(studies)
    assert in_order(staged(loaded, "dim_patient_visits_staging")) == in_order(
        of_service(loaded, "patient-visits/odata")
    )
    both = "select job_id, count(*) from etl.job_run where state = 'success' and job_id in (2, 164, 9, 160) group by 1"
    assert dict(loaded.query(both)) == {2: 4, 164: 4, 9: 4, 160: 4}
    written = "select sum(rows_updated) from etl.job_run where job_id in (2, 164, 9, 160)"
    assert loaded.query(written) == [(0,)], "they do not write each other's rows over and over"


def test_two_jobs_of_different_records_cannot_share_a_table(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(JOBS.read_text().replace("|dim_sponsors_staging|", "|dim_sites_staging|"))
    with pytest.raises(ValueError, match="dim_sites_staging: two kinds of records would share it"):
        read_jobs(path, SHAPES)


def test_what_the_vendor_deleted_is_marked_and_stays(trialsync: TrialSync) -> None:
    trialsync.load(STUDIES, SUBJECTS)
    study = trialsync.query("select max(entity_id) from trialsync_staging.dim_studies_staging")[0][0]
    held = trialsync.query("select count(*) from trialsync_staging.dim_subjects_staging")
    trialsync.services["south"].books.delete("studies", study)
    trialsync.load(STUDIES, SUBJECTS, accept_shrink=True)
    gone = (
        "select 'study', entity_id from trialsync_staging.dim_studies_staging where vanished_at is not null"
        " union select distinct 'subject of', study_id from trialsync_staging.dim_subjects_staging"
        " where vanished_at is not null"
    )
    assert {row for row in trialsync.query(gone) if row[0] == "study"} == {("study", study)}
    assert {row[1] for row in trialsync.query(gone)} == {study}
    assert trialsync.query("select count(*) from trialsync_staging.dim_subjects_staging") == held
