"""Whom TrialSync's records tell of: what is never loaded, who may read the rest, and where none of it may turn up."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_assets.readers.rest.specification import read_shapes
from etl_assets.sandbox.trialsync.people import PLANTED, person, planted_values
from etl_assets.settings import PROJECT, Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.sources.trialsync.tables import NEVER_LOAD
from etl_assets_tests.sources.trialsync_loads import SCALE, TrialSync, open_trialsync

READER, PERSONAL_READER = "etl_reader", "etl_personal_reader"
SECRET = re.compile(r"9\d\d-\d\d-\d{4}|INS9\d{9}", re.ASCII)
"""The planted social security and insurance numbers."""
OF_PATIENTS = ("PatientViewModel", "PatientDemographicsViewModel", "PatientPreviewModel", "SubjectPreviewModel")
SHAPES = PROJECT / "etl_assets" / "sources" / "trialsync" / "shapes.yaml"


@pytest.fixture(scope="module")
def lines() -> Iterator[list[str]]:
    """What is logged by anybody, the chattiest libraries included."""
    found: list[str] = []
    handler, root = logging.Handler(), logging.getLogger()
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield found
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture(scope="module")
def loaded(module_settings: Settings, lines: list[str]) -> Iterator[TrialSync]:
    """Both instances loaded; some patients were rejected."""
    with open_trialsync(module_settings) as trialsync:
        north = trialsync.services["north"]
        north.faults.plan("duplicates", path="patients/odata", by=3)
        north.faults.plan("duplicates", path="subject-statuses/odata", by=2)
        north.faults.plan("duplicates", path="patients/odata", by=3, nth=2)
        trialsync.load()
        yield trialsync


def held(trialsync: TrialSync, role: str | None = None) -> Iterator[tuple[str, str]]:
    """Each row, as JSON, of all of the warehouse that the role may read, and the table or view that it is of."""
    relations = trialsync.query(
        "select format('%I.%I', relnamespace::regnamespace, relname) from pg_class"
        " where relkind in ('r', 'p', 'v', 'm') and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
        + (
            f" and has_schema_privilege('{role}', relnamespace, 'usage')"
            f" and has_any_column_privilege('{role}', oid, 'select')"
            if role
            else ""
        )
    )
    for (name,) in relations:
        for (row,) in trialsync.query(f"select to_jsonb(held)::text from {name} as held", role):
            yield name, row


def test_what_is_planted_is_there_to_be_found(loaded: TrialSync) -> None:
    values = set(planted_values(1, SCALE.patients))
    found = " ".join(row for name, row in held(loaded) if name == "trialsync_staging.dim_patients_staging")
    assert person(1, 0).last_name in found
    assert person(1, 0).mrn in found
    assert len([value for value in values if value in found]) >= 3 * SCALE.patients


def test_no_social_security_or_insurance_number_is_in_any_table(loaded: TrialSync) -> None:
    rows = list(held(loaded))
    assert {"trialsync_staging.dim_patients_staging", "etl.rejected_row"} <= {name for name, _ in rows}
    assert [name for name, row in rows if SECRET.search(row)] == []


def test_the_account_goes_and_who_insures_stays(loaded: TrialSync) -> None:
    rows = loaded.query("select data from trialsync_staging.dim_patients_staging")
    assert all("ssn" not in data for (data,) in rows)
    insured = [data["primaryInsurance"] for (data,) in rows if data.get("primaryInsurance")]
    assert insured
    assert all("account" not in each and each["name"] for each in insured)


def test_no_reader_of_open_tables_meets_a_patient(loaded: TrialSync) -> None:
    seen = dict(held(loaded, READER))
    assert {"trialsync_staging.dim_studies_staging", "trialsync.dw_etl_runs"} <= seen.keys()
    assert [name for name, row in held(loaded, READER) if PLANTED.search(row)] == []


def test_neither_the_ledger_nor_a_rejected_record_shows_a_patient(loaded: TrialSync) -> None:
    rejected = loaded.query(
        "select raw from etl.rejected_row where relation = 'trialsync_staging.dim_patients_staging'"
    )
    assert rejected
    assert all(json.loads(raw)["firstName"].startswith("text of ") for (raw,) in rejected)
    of_ledger = [(name, row) for name, row in held(loaded) if name.startswith("etl.")]
    assert {name for name, _ in of_ledger} >= {"etl.rejected_row", "etl.parent_request", "etl.job_run"}
    assert [name for name, row in of_ledger if PLANTED.search(row)] == []


def test_no_log_holds_a_patient(loaded: TrialSync, lines: list[str], server: Path) -> None:
    assert lines, "else nothing was listened to"
    assert [line for line in lines if PLANTED.search(line)] == []
    logs = [path for folder in (loaded.settings.home, server) for path in folder.rglob("*log") if path.is_file()]
    assert logs
    assert [path.name for path in logs if PLANTED.search(path.read_text(errors="replace"))] == []


@pytest.mark.parametrize("role", [READER, PERSONAL_READER])
def test_each_of_the_88_tables_is_read_by_whom_it_is_for(loaded: TrialSync, role: str) -> None:
    assert len(SOURCE.tables) == 88
    readable = {table.name for table in SOURCE.tables if loaded.may_read(table.name, role)}
    assert len(readable) == (42 if role == READER else 88)
    assert readable == {table.name for table in SOURCE.tables if role == PERSONAL_READER or not table.personal_document}
    assert not loaded.query(
        "select relname from pg_class where relnamespace = 'trialsync_staging'::regnamespace and relkind = 'r'"
        f" and has_table_privilege('{role}', oid, 'insert, update, delete, truncate')"
    )


def test_what_somebody_granted_is_taken_back_by_the_next_load(loaded: TrialSync) -> None:
    loaded.execute("grant select on trialsync_staging.dim_patients_staging to etl_reader", "etl_loader")
    loaded.execute("revoke all on trialsync_staging.dim_studies_staging from etl_reader", "etl_loader")
    loaded.load(1)
    assert not loaded.may_read("dim_patients_staging", READER)
    assert loaded.may_read("dim_studies_staging", READER)
    assert loaded.may_read("dim_patients_staging", PERSONAL_READER)


def test_every_table_with_a_patient_in_its_records_is_closed() -> None:
    models = {name: str(fields) for name, fields in read_shapes(SHAPES.read_text()).models.items()}

    def tells(model: str, seen: frozenset[str] = frozenset()) -> bool:
        inner = {name for name in re.findall(r"\w+", models.get(model, "")) if name in models} - seen
        return model in OF_PATIENTS or any(tells(each, seen | {model}) for each in inner)

    told = {table.name for table in SOURCE.tables for job in table.jobs if tells(job.record)}
    by_patient = {
        table.name
        for table in SOURCE.tables
        for job in table.jobs
        if any(p.name == "patientId" for p in job.parameters)
    }
    assert {"dim_patients_staging", "dim_subjects_staging", "dim_patient_visits_staging"} <= told
    assert len(by_patient) == 11
    closed = {table.name for table in SOURCE.tables if table.personal_document}
    assert told | by_patient <= closed
    assert closed.isdisjoint({"dim_studies_staging", "dim_visits_staging", "dim_sites_staging", "dim_elements_staging"})


def test_what_opens_an_account_is_named_wherever_the_vendor_has_it() -> None:
    models = read_shapes(SHAPES.read_text()).models
    with_secrets = {
        (name, field) for name, fields in models.items() for field in fields if field.lower() in {"ssn", "account"}
    }
    assert with_secrets == {("PatientViewModel", "ssn"), ("InsuranceAccount", "account")}
    insured = {
        (name, field) for name, fields in models.items() for field in fields if "InsuranceAccount" in str(fields[field])
    }
    assert insured == {("PatientViewModel", "primaryInsurance"), ("PatientViewModel", "secondaryInsurance")}
    assert NEVER_LOAD == {"dim_patients_staging": ("ssn", "primaryInsurance.account", "secondaryInsurance.account")}
