"""The old system's SQL over the warehouse, word for word: as its operators have it in their notes, so it runs."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from etl_assets import cli
from etl_assets.settings import Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.inventory import InventoryLine, staging_inventory
from etl_assets_tests.sources.trialsync_loads import SCALE, TrialSync, open_trialsync

STAFF, SCREENINGS, SITES, PATIENTS, STUDIES = 26, 14, 1, 3, 2
RECENT = """
SELECT 
    j.id,
    j.name,
    r.run_status,
    r.records_loaded,
    r.started_at,
    r.completed_at,
    EXTRACT(EPOCH FROM (r.completed_at - r.started_at)) as duration_seconds
FROM dw_etl_runs r
JOIN dw_etl_jobs j ON r.job_id = j.id
WHERE r.started_at > NOW() - INTERVAL '24 hours'
ORDER BY r.started_at DESC;
"""  # noqa: W291 (as it stands)
FAILED = """
SELECT 
    j.id,
    j.name,
    r.run_status,
    r.error_message,
    r.started_at
FROM dw_etl_runs r
JOIN dw_etl_jobs j ON r.job_id = j.id
WHERE r.run_status = 'failed'
ORDER BY r.started_at DESC
LIMIT 20;
"""  # noqa: W291
SUCCESS_RATES = """
SELECT 
    j.id,
    j.name,
    COUNT(*) as total_runs,
    SUM(CASE WHEN r.run_status = 'success' THEN 1 ELSE 0 END) as successful_runs,
    SUM(CASE WHEN r.run_status = 'failed' THEN 1 ELSE 0 END) as failed_runs,
    ROUND(100.0 * SUM(CASE WHEN r.run_status = 'success' THEN 1 ELSE 0 END) / COUNT(*), 2) as success_rate
FROM dw_etl_jobs j
LEFT JOIN dw_etl_runs r ON j.id = r.job_id
WHERE r.started_at > NOW() - INTERVAL '7 days'
GROUP BY j.id, j.name
ORDER BY success_rate DESC;
"""  # noqa: W291
JSONB = """
-- Extract specific fields from JSONB
SELECT 
    data->>'id' as study_id,
    data->>'name' as study_name,
    data->>'status' as status,
    (data->'sponsor'->>'name') as sponsor_name
FROM dim_studies_staging
WHERE data->>'status' = '07. Enrollment';
"""  # noqa: W291
JOB_CONFIG = """
            SELECT id, name, source_endpoint, target_table,
                   requires_parameters, parameter_name,
                   parameter_source_table, parameter_source_column
            FROM dw_etl_jobs
            WHERE id = %s AND is_active = true
"""
STUDY_VISITS = """
        SELECT DISTINCT 
            s.data->>'id' as study_id,
            v.data->>'id' as visit_id
        FROM dim_studies_staging s
        JOIN dim_visits_staging v ON v.data->'study'->>'id' = s.data->>'id'
"""  # noqa: W291
TRUNCATE = "TRUNCATE TABLE dim_patients_staging;"
ZONES = ("UTC", "Pacific/Kiritimati", "Pacific/Marquesas", "America/Los_Angeles", "Asia/Kathmandu")


@pytest.fixture(scope="module")
def loaded(module_settings: Settings) -> Iterator[TrialSync]:
    """An installation that was loaded once, when an instance refused a list, and once of a run that was killed."""
    with open_trialsync(module_settings) as trialsync:
        trialsync.services["north"].faults.plan("status", path="staff/odata", status=403)
        trialsync.load()
        with connect(trialsync.settings) as connection:  # ... and nothing of this process is left
            (batch,) = connection.execute(
                "insert into etl.batch (batch_id, source, kind) values (gen_random_uuid(), 'trialsync', 'load')"
                " returning batch_id"
            ).fetchone()
            connection.execute(
                "insert into etl.job_run (source, job_id, instance_id, batch_id) values ('trialsync', %s, 1, %s)",
                [SITES, batch],
            )
        trialsync.load(STUDIES)
        yield trialsync


@pytest.fixture(scope="module")
def login(loaded: TrialSync) -> Iterator[Callable[[], psycopg.Connection]]:
    """Connects as somebody who reads: a login that is a member of etl_reader, with the schemas on its path."""
    url = urlsplit(loaded.settings.warehouse_url or "")
    loaded.execute(
        "create role trialsync_reader login password 'made-up' in role etl_reader;"
        "alter role trialsync_reader set search_path to trialsync, trialsync_staging"
    )
    mine = urlunsplit(url._replace(netloc=f"trialsync_reader:made-up@{url.netloc.rpartition('@')[2]}"))
    yield lambda: psycopg.connect(mine, autocommit=True)
    loaded.execute("drop role trialsync_reader")


@pytest.fixture
def reader(login: Callable[[], psycopg.Connection]) -> Iterator[psycopg.Connection]:
    with login() as connection:
        yield connection


def test_recent_runs_are_listed_with_what_they_loaded_and_took(reader: psycopg.Connection) -> None:
    rows = reader.execute(RECENT).fetchall()
    sites = [row for row in rows if row[0] == SITES]
    assert sorted((row[2], row[3]) for row in sites) == [
        ("failed", 0),
        ("success", SCALE.sites),
        ("success", SCALE.sites),
    ]
    assert all(row[6] >= 0 for row in rows)
    assert {row[2] for row in rows} == {"success", "failed"}
    started = [row[4] for row in rows]
    assert started == sorted(started, reverse=True)


@pytest.mark.parametrize("zone", ZONES)
def test_23_hours_ago_is_within_24_hours_and_25_are_not_wherever_one_sits(
    loaded: TrialSync, login: Callable[[], psycopg.Connection], zone: str
) -> None:
    with login() as reader, connect(loaded.settings, role=None) as ledger:
        reader.execute(f"set timezone to '{zone}'")
        before = reader.execute(RECENT).rowcount
        batch = ledger.execute("select batch_id from etl.batch where status = 'success' limit 1").fetchone()
        numbers = []
        for hours in (23, 25):
            row = ledger.execute(
                "insert into etl.job_run (source, job_id, instance_id, batch_id, state, started_at, ended_at) select"
                " 'trialsync', 27, 1, %s, 'success', now() - make_interval(hours => %s), now() returning run_id",
                [batch[0] if batch else None, hours],
            ).fetchone()
            numbers.append(row[0] if row else 0)
        ledger.commit()
        rows = reader.execute(RECENT).fetchall()
        ledger.execute("delete from etl.job_run where run_id = any(%s)", [numbers])
    assert len(rows) == before + 1
    (mine,) = [row for row in rows if row[0] == 27]
    assert 23 * 3600 - 5 < mine[6] < 23 * 3600 + 5


def test_what_failed_is_told_with_its_reason_newest_first(reader: psycopg.Connection) -> None:
    rows = reader.execute(FAILED).fetchall()
    assert len(rows) == 20
    assert {row[2] for row in rows} == {"failed"}
    newest, *_ = rows
    assert (newest[0], newest[3]) == (
        SITES,
        "its session ended without a word; what it had not committed was rolled back",
    )
    of_staff = [row for row in reader.execute(FAILED.replace("LIMIT 20", "")).fetchall() if row[0] == STAFF]
    assert len(of_staff) == 1
    assert "403" in of_staff[0][3]


def test_success_rates_count_every_instance_and_tell_a_job_that_is_not_offered(reader: psycopg.Connection) -> None:
    rates = {row[0]: row[1:] for row in reader.execute(SUCCESS_RATES).fetchall()}
    assert rates[STAFF] == ("Staff", 2, 1, 1, 50)
    assert [str(value) for value in rates[SITES][1:]] == ["3", "2", "1", "66.67"]
    assert rates[STUDIES] == ("Studies", 4, 4, 0, 100)
    assert rates[SCREENINGS] == ("Screenings", 2, 0, 2, 0)
    assert 4 not in rates, "a job that is off has no runs"
    states = "select distinct run_status, state from dw_etl_runs where job_id = any(%s) order by 2"
    assert reader.execute(states, [[SCREENINGS, SITES]]).fetchall() == [
        ("failed", "killed"), ("failed", "not_offered"), ("success", "success"),
    ]  # fmt: skip


def test_fields_come_out_of_the_documents(reader: psycopg.Connection, loaded: TrialSync) -> None:
    expected = loaded.query(
        "select data ->> 'id', data ->> 'name', data #>> '{sponsor,name}' from trialsync_staging.dim_studies_staging"
        " where data ->> 'status' like '07%' order by 1, 2"
    )
    rows = reader.execute(JSONB).fetchall()
    assert expected
    assert sorted((row[0], row[1], row[3]) for row in rows) == expected
    assert {row[2] for row in rows} == {"07. Enrollment"}
    assert all(row[3] for row in rows)


def test_what_the_old_executor_asked_is_answered(reader: psycopg.Connection) -> None:
    assert reader.execute(JOB_CONFIG, [10]).fetchall() == [
        (10, "Subjects", "/api/v1/studies/{studyId}/subjects/odata", "dim_subjects_staging", True, "studyId",
         "dim_studies_staging", "data->>'id'")
    ]  # fmt: skip
    assert reader.execute(JOB_CONFIG, [4]).fetchall() == []
    parents = reader.execute("SELECT DISTINCT data->>'id' FROM dim_studies_staging").fetchall()
    assert len(parents) == SCALE.studies
    visits = reader.execute(STUDY_VISITS).fetchall()
    assert {study for study, _ in visits} <= {study for (study,) in parents}
    assert len(visits) == reader.execute("select count(distinct data ->> 'id') from dim_visits_staging").fetchone()[0]


@pytest.mark.parametrize(
    ("statement", "job", "command"),
    [
        ("UPDATE dw_etl_jobs SET is_active = true WHERE id = 27", 27, "etl jobs enable 27 --by NAME --why TEXT"),
        ("UPDATE dw_etl_jobs SET is_active = false WHERE id = 3", 3, "etl jobs disable 3 --by NAME --why TEXT"),
        (
            "UPDATE dw_etl_jobs SET parameter_source_table = 'dim_studies_staging' WHERE id = 142",
            142,
            "All else is changed in jobs.csv",
        ),
        ("DELETE FROM dw_etl_jobs WHERE id = 14", 14, "etl jobs disable 14 --by NAME --why TEXT"),
    ],
)
def test_a_change_of_a_job_answers_where_it_is_declared_and_changes_nothing(
    reader: psycopg.Connection, statement: str, job: int, command: str
) -> None:
    before = reader.execute("select * from dw_etl_jobs order by id").fetchall()
    with pytest.raises(psycopg.errors.RaiseException) as refused:
        reader.execute(statement)
    assert f"Job {job} is declared in etl_assets/sources/trialsync/jobs.csv" in str(refused.value)
    assert command in str(refused.value)
    assert reader.execute("select * from dw_etl_jobs order by id").fetchall() == before
    assert len(before) == 97


@pytest.mark.parametrize(
    "statement",
    [
        TRUNCATE,
        "INSERT INTO dw_etl_runs (job_id, run_status, started_at) VALUES (3, 'running', now())",
        "UPDATE dw_etl_runs SET run_status = 'success'",
        "INSERT INTO dim_studies_staging (data) VALUES ('{}')",
        "SELECT data FROM dim_patients_staging",
    ],
)
def test_a_reader_writes_nothing_and_sees_no_patients(reader: psycopg.Connection, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)):
        reader.execute(statement)


def test_the_key_figures_are_those_of_the_notes(reader: psycopg.Connection, loaded: TrialSync) -> None:
    loaded.execute("analyze")
    row = reader.execute("select * from staging_statistics")
    names = [column.name for column in row.description or ()]
    figures = dict(zip(names, row.fetchall()[0], strict=True))
    assert {name: figures[name] for name in names[:6]} == {
        "total_jobs": 90, "active_jobs": 76, "disabled_jobs": 14,
        "parameterized_jobs": 40, "non_parameterized_jobs": 50, "replacement_jobs": 7,
    }  # fmt: skip
    held = [table for table in staging(loaded) if table.records]
    assert (figures["total_staging_tables"], figures["tables_with_data"]) == (88 + 2, len(held))
    assert figures["total_records"] == sum(table.records or 0 for table in held)
    assert figures["total_bytes"] == sum(table.size for table in staging(loaded))


def staging(trialsync: TrialSync, **options: bool) -> list[InventoryLine]:
    with connect(trialsync.settings) as connection:
        return list(staging_inventory(connection, ["trialsync_staging"], **options))


def test_the_inventory_has_each_table_with_its_size_and_why_it_is_empty(loaded: TrialSync) -> None:
    loaded.execute("analyze")
    tables = {table.relation.name: table for table in staging(loaded)}
    assert len(tables) == 88 + 2
    assert {name: table.records for name, table in tables.items()} == {
        table.relation.name: table.records for table in staging(loaded, exact=True)
    }
    sites = tables["dim_sites_staging"]
    assert (sites.records, sites.why_empty) == (2 * SCALE.sites, None)
    assert loaded.query("select pg_total_relation_size('trialsync_staging.dim_sites_staging')") == [(sites.size,)]
    assert sites.last_loaded_at is not None
    assert sites.last_changed_at is not None
    assert sites.last_changed_at <= sites.last_loaded_at
    why = {name: table.why_empty for name, table in tables.items() if table.records == 0}
    assert why.pop("ghl_contacts_staging", "").startswith("Contacts of GoHighLevel; none before ETL_")
    assert why.pop("ghl_custom_fields_staging", "").startswith("Custom fields of GoHighLevel; none before ETL_")
    assert why["dim_users_staging"] == "Job 4 is off: Invalid endpoint (404)."
    assert why["dim_screenings_staging"] == "Job 14 is not offered."
    assert why["dim_study_actions_staging"] == "Job 27 is off: Needs parameter fix (should be re-enabled)."
    assert why["dim_patient_conditions_staging"] == "The source has none."
    assert None not in why.values()
    assert {name for name in why if "not offered" in (why[name] or "")} == {
        table.name for table in SOURCE.tables if table.unoffered and any(job.is_active for job in table.jobs)
    }


@pytest.mark.parametrize(("words", "mark"), [((), "~"), (("--exact",), "")])
def test_the_command_tells_an_estimate_from_a_count(
    loaded: TrialSync,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    mark: str,
) -> None:
    loaded.execute("analyze")
    monkeypatch.setenv("ETL_HOME", str(loaded.settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", loaded.settings.warehouse_url or "")
    assert cli.main(["inventory", "trialsync", *words]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    (sites,) = [line for line in lines if line.startswith("trialsync_staging.dim_sites_staging ")]
    assert sites.split()[1] == f"{mark}{2 * SCALE.sites}"
    assert "kB" in sites
    (users,) = [line for line in lines if line.startswith("trialsync_staging.dim_users_staging ")]
    assert users.endswith("Job 4 is off: Invalid endpoint (404).")
    records = sum(table.records or 0 for table in staging(loaded, exact=True))
    assert re.fullmatch(rf"90 tables, \d+ with data, {'about ' if mark else ''}{records:,} records, [\d.]+ MB\.", total)


def test_an_empty_table_says_why_in_its_comment(loaded: TrialSync) -> None:
    comments = dict(loaded.query(
        "select relname, obj_description(oid, 'pg_class') from pg_class"
        " where relnamespace = 'trialsync_staging'::regnamespace and relkind = 'r'"
    ))  # fmt: skip
    assert comments["dim_invoices_staging"] == "Clinical Conductor does not offer it."
    assert comments["dim_engagements_staging"] == "Job 31 is off: CCE-only feature (501 error)."
    assert comments["dim_sites_staging"] is None
    assert len([name for name, comment in comments.items() if comment]) == 12 + 14 + 2, (
        "not offered, off, of GoHighLevel"
    )


def test_an_estimate_that_nobody_made_is_not_taken_for_nothing(loaded: TrialSync) -> None:
    loaded.execute("create table trialsync_staging.newly_made (id int); insert into trialsync_staging.newly_made"
                   " values (1)", "etl_loader")  # fmt: skip
    try:
        (made,) = [each for each in staging(loaded) if each.relation.name == "newly_made"]
        assert made.records in {None, 1}
        assert (made.why_empty, made.last_loaded_at) == (None, None)
    finally:
        loaded.execute("drop table trialsync_staging.newly_made", "etl_loader")


def test_what_was_truncated_is_brought_back_by_the_next_load(loaded: TrialSync) -> None:
    held = "select source_instance_id, entity_id, data from trialsync_staging.dim_patients_staging order by 1, 2"
    before = loaded.query(held)
    loaded.execute(f"set search_path to trialsync, trialsync_staging; {TRUNCATE}", "etl_loader")
    assert loaded.query(held) == []
    loaded.load(PATIENTS)
    assert loaded.query(held) == before
    assert len(before) == 2 * SCALE.patients
    assert loaded.query(
        "select count(*) from trialsync_staging.dim_patients_staging where vanished_at is not null"
    ) == [(0,)]


def test_the_worst_of_the_instances_stands_in_the_job_and_each_has_a_row_of_its_own(reader: psycopg.Connection) -> None:
    job = "select last_run_status, last_run_records from dw_etl_jobs where id = %s"
    of_instances = "select instance_name, last_run_status from dw_etl_job_instances where id = %s order by 1"
    assert reader.execute(of_instances, [STAFF]).fetchall() == [("north", "failed"), ("south", "success")]
    assert reader.execute(job, [STAFF]).fetchall()[0][0] == "failed"
    assert reader.execute(job, [PATIENTS]).fetchall() == [("success", 2 * SCALE.patients)]
    # Of the last read, which asked for what had changed: the newest study of each.
    assert reader.execute(job, [STUDIES]).fetchall() == [("success", 2)]
    assert reader.execute(job, [4]).fetchall() == [("Never run", None)]
    keys = {column.name for column in reader.execute("select * from dw_api_credentials").description or ()}
    assert keys == {"id", "instance_name", "base_url", "is_active", "created_at", "updated_at"}
