"""What a run builds, what it passes over, and what it builds nothing on."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from etl_assets.declare.dates import Span
from etl_assets.loading.files.landing import scan_landing_folder
from etl_assets.loading.files.load import FileStrategy
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.dbt_results import NodeResult
from etl_assets.orchestration.models.model_run import build_models
from etl_assets.settings import Settings, read_settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

HEADER = "case_id,surgery_date,room_id,location_id,primary_procedure,or_in,or_out,sched_status"
FIRST, SECOND = "2026-03-02", "2026-03-20"
YEAR = Span(date(2026, 1, 1), date(2026, 12, 31))
READ_CASES = {
    *("dim_location", "dim_room", "dim_service", "dim_surgeon"),
    *("fact_block_utilization", "fact_cancellation", "fact_case", "fact_first_case_start"),
    *("fact_prime_time_utilization", "fact_turnover"),
}
READ_FACT = {
    *("mart_daily_board", "mart_monthly_by_room", "mart_monthly_by_service", "mart_monthly_by_surgeon"),
    "mart_schedule_accuracy",
}


def load(settings: Settings, name: str, *cases: tuple[str, str, str]) -> None:
    """Load a file of cases: id, date and procedure; one that takes longer ends later."""
    folder = settings.landing(SOURCE.name)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{case},{day},r1,main,{what},{day} 08:00,{day} {'10' if 'longer' in what else '09'}:00,Completed"
        for case, day, what in cases
    ]
    (folder / f"or_case_{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    with connect(settings, autocommit=True) as connection:
        scan_landing_folder(settings, SOURCE, connection)
    with open_batch(settings, SOURCE.name, "load") as batch:
        load_by(FileStrategy, settings, SOURCE, ["or_case"], span=YEAR, batch=batch, reload=False)


def build(settings: Settings, mode: str = "changed") -> tuple[set[str], list[NodeResult]]:
    """Build, and run the tests; the names of what was behind, and the results."""
    with open_batch(settings, SOURCE.name, "build") as batch:
        done = build_models(settings, batch, SOURCE, mode=mode, tests=source_manifest(SOURCE.name)["tests"].keys())
    return {name.partition(".")[2] for name in done.behind}, done.results


def written(results: list[NodeResult]) -> set[str]:
    return {each.unique_id.rpartition("__")[2] for each in results if each.kind == "model" and each.rows_changed}


def query(settings: Settings, statement: str) -> list[tuple]:
    with connect(settings, role=None, autocommit=True) as connection:
        found = connection.execute(statement)
        return found.fetchall() if found.description else []


@pytest.fixture(scope="module")
def built_once(module_settings: Settings) -> Settings:
    """Two cases, and everything built on them; of which each test gets a copy."""
    load(module_settings, "1", ("a", FIRST, "hip"), ("b", SECOND, "knee"))
    build(module_settings)
    return module_settings


@pytest.fixture
def built(built_once: Settings, new_database, tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    shutil.copytree(built_once.home, home)
    url = new_database(built_once.warehouse_url)
    return read_settings({"ETL_HOME": str(home), "ETL_WAREHOUSE_URL": url, "ETL_FILE_QUIET_SECONDS": "0"})


def test_where_nothing_has_changed_dbt_is_not_run(built: Settings) -> None:
    assert build(built) == (set(), [])


def test_a_file_that_changes_no_row_builds_nothing(built: Settings) -> None:
    load(built, "2", ("a", FIRST, "hip"))
    assert build(built) == (set(), [])


def test_what_was_loaded_and_not_built_is_behind_and_nothing_else(built: Settings) -> None:
    load(built, "2", ("a", FIRST, "hip again"))
    behind, results = build(built)
    assert behind == READ_CASES
    assert written(results) == {"fact_case"}
    # What reads the fact came to its turn after it; of what stayed as it was neither readers nor tests did.
    tried = {each.unique_id.rpartition("__")[2] for each in results if each.kind == "model"}
    assert tried == {*READ_CASES, *READ_FACT}
    tested = {each.unique_id.split(".")[2] for each in results if each.kind == "test"}
    assert "operating_room__marts_agree_with_the_facts" in tested
    assert not [name for name in tested if name.startswith("not_null_operating_room__fact_turnover")]


def test_only_the_dates_that_changed_are_read(built: Settings) -> None:
    query(built, "update operating_room.fact_prime_time_utilization set in_room_minutes = -1")
    load(built, "2", ("a", FIRST, "hip longer"))
    build(built)
    rows = "select surgery_date, in_room_minutes from operating_room.fact_prime_time_utilization order by 1"
    assert query(built, rows) == [(date.fromisoformat(FIRST), 120), (date.fromisoformat(SECOND), -1)]


def test_a_full_build_finds_what_was_missed_and_says_so(built: Settings) -> None:
    query(built, "update operating_room.fact_case set procedure_name = 'by hand' where case_id = 'b'")
    _, results = build(built, "full")
    assert written(results) == {"fact_case"}
    assert query(built, "select procedure_name from operating_room.fact_case where case_id = 'b'") == [("knee",)]
    found = (
        "select relation, value, severity from etl.quality_issue where rule = 'full_build_agrees' and status = 'open'"
    )
    assert query(built, found) == [("operating_room.fact_case", "1", "warning")]


def test_a_model_of_other_code_is_built_and_a_table_that_is_gone_is_made(built: Settings) -> None:
    query(built, "update etl.model_state set code_version = 'older' where relation = 'operating_room.mart_daily_board'")
    query(built, "drop table operating_room.mart_monthly_by_room")
    behind, _ = build(built)
    assert behind == {"mart_daily_board", "mart_monthly_by_room"}
    assert query(built, "select count(*) > 0 from operating_room.mart_monthly_by_room") == [(True,)]


def test_a_view_of_other_code_is_made_anew(built: Settings) -> None:
    view = "operating_room_staging.stg_or_schedule"
    query(built, f"update etl.model_state set code_version = 'older' where relation = '{view}'")
    behind, results = build(built)
    assert behind == {"stg_or_schedule"}
    assert written(results) == set()


def test_nothing_is_built_on_a_table_whose_test_fails_until_it_passes(built: Settings) -> None:
    broken = "update operating_room.fact_prime_time_utilization set room_key = {} where surgery_date = '2026-03-20'"
    query(built, broken.format(999))
    load(built, "2", ("a", FIRST, "hip longer"))
    _, results = build(built)
    failed = {each.unique_id.split(".")[2] for each in results if each.status == "fail"}
    assert {name[:67] for name in failed} == {"relationships_operating_room__fact_prime_time_utilization_room_key_"}
    skipped = {each.unique_id.rpartition("__")[2] for each in results if each.status == "skipped"}
    assert "mart_daily_board" in skipped
    # The fact is up to date now, and is not written: its test is run again all the same.
    behind, results = build(built)
    assert "mart_daily_board" in behind
    assert {each.status for each in results if each.unique_id.endswith("__mart_daily_board")} == {"skipped"}
    query(built, broken.format(1))
    build(built)
    assert build(built) == (set(), [])
