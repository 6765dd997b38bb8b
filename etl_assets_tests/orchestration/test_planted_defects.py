"""Planted defects, from the file to the checks and back: found exactly, resolved, mended. One story, in order."""

from datetime import date

import pytest

from etl_assets.sandbox.operating_room.write import DEFECTS, Written, write_files
from etl_assets.warehouse.connection import TRANSFORMER, connect
from etl_assets_tests.explained_cells import differing_cells, unlisted_parts
from etl_assets_tests.orchestration.installation import Installation

START, DAYS, ROOMS = date(2026, 1, 5), 56, 6


def write(installation: Installation, defects: dict[str, int]) -> Written:
    return write_files(installation.landing, start=START, days=DAYS, rooms=ROOMS, split="month", defects=defects)


@pytest.fixture(scope="module")
def planted(installation: Installation) -> Written:
    """Two of every kind, loaded by the command that people use."""
    written = write(installation, dict.fromkeys(DEFECTS, 2))
    installation.etl("run", "operating_room")
    return written


def open_findings(installation: Installation) -> dict[str, int]:
    rows = installation.query(
        "select check_name, count(*) from stg.unresolved_exceptions where source_table like 'stg.%' group by 1"
    )
    return dict(rows)


@pytest.mark.parametrize(
    "rule",
    [
        "InvalidSurgeryDates",
        "MissingRequiredFields",
        "InvalidTimeSequence",
        "OverlappingBlocks",
        "OverlappingCases",
        "UnusualCaseDuration",
        "RoomUtilizationOutlier",
        "BlockUtilizationAnomaly",
        "TurnoverTimeAnomaly",
    ],
)
def test_each_rule_finds_what_was_planted_and_no_more(installation, planted, rule) -> None:
    assert open_findings(installation).get(rule, 0) == planted.expected_findings[rule] > 0


def test_no_other_rule_finds_anything(installation, planted) -> None:
    assert set(open_findings(installation)) == set(planted.expected_findings)


def test_each_finding_names_the_row_that_was_planted(installation, planted) -> None:
    keys = {(row.rule, row.key) for row in planted.planted if row.rule}
    found = [
        (rule, key.partition("|")[2])  # behind its site
        for rule, key in installation.query(
            "select check_name, primary_key_value from stg.unresolved_exceptions where source_table like 'stg.%'"
        )
    ]
    extra = {rule for row in planted.planted for rule in row.extra}
    assert keys <= set(found)
    assert {rule for rule, key in found if (rule, key) not in keys} <= extra


def test_each_spoilt_line_is_rejected_with_its_file_and_line(installation, planted) -> None:
    rejected = installation.query("select distinct source_file, line_number from stg.data_load_error")
    assert set(rejected) == {(row.file, row.line) for row in planted.planted if row.rule is None}


def test_every_cell_is_what_its_rows_give(installation, planted) -> None:
    with connect(installation.settings, role=TRANSFORMER) as connection:
        assert differing_cells(connection, "operating_room") == {}
        assert unlisted_parts(connection, "operating_room") == {}


def test_a_cell_is_explained_down_to_file_line_and_broken_rule(installation, planted) -> None:
    defect = next(row for row in planted.planted if row.rule == "OverlappingCases")
    case = defect.key.split("|")[-1]
    [(day, site, room)] = installation.query(
        "select surgery_date, site_id, room_id from operating_room.fact_case where case_id = %s", case
    )
    mart, where = "operating_room.mart_daily_board", f"surgery_date={day} and site_id={site} and room_id={room}"
    said = installation.etl("explain", mart, "--where", where, "--column", "scheduled_cases", expected=0)
    lines = said.splitlines()
    [at] = [
        at for at, line in enumerate(lines) if line.strip().startswith(f"stg.or_case site_id {site}, case_id {case}")
    ]
    assert f": {defect.file}, line {defect.line}; batch " in lines[at]
    assert "error: OverlappingCases" in lines[at + 1]
    [(cases,)] = installation.query(
        "select scheduled_cases from operating_room.mart_daily_board"
        " where surgery_date = %s and site_id = %s and room_id = %s", day, site, room
    )  # fmt: skip
    assert len([line for line in lines if line.endswith(": scheduled_cases 1")]) == cases
    assert "faults of rows that could not be loaded, and are in no cell" in said
    assert not any(column in said for column in ("patient_id", "surgeon_name"))


def test_what_is_listed_is_bounded_and_the_sums_are_over_all(installation, planted) -> None:
    [(month, cases)] = installation.query(
        "select month, cases from operating_room.mart_monthly_by_service order by cases desc limit 1"
    )
    [(service,)] = installation.query(
        "select service_code from operating_room.mart_monthly_by_service where month = %s and cases = %s", month, cases
    )
    words = ("operating_room.mart_monthly_by_service", "--where", f"month={month}, service_code='{service}'")
    said = installation.etl("explain", *words, "--column", "cases", "--most", "3", expected=0)
    assert f"cases: {cases:,} rows of operating_room.fact_case, of which 3 follow" in said
    assert said.count("stg.or_case site_id") == 3


def test_lines_are_not_told_of_a_file_that_has_changed(installation, planted) -> None:
    [(day, site, room, file)] = installation.query(
        "select surgery_date, fact.site_id, fact.room_id, file_name from operating_room.fact_case as fact"
        " inner join stg.or_case as loaded using (case_id, surgery_date) where fact.room_id is not null limit 1"
    )
    path = installation.landing / file
    content = path.read_bytes()
    where = f"surgery_date={day} and site_id={site} and room_id={room}"
    try:
        path.write_bytes(content + b"\n")
        said = installation.etl("explain", "operating_room.mart_daily_board", "--where", where, expected=0)
    finally:
        path.write_bytes(content)
    assert f"{file}, line not known: the file is not the one that was loaded" in said


def test_a_cell_that_is_not_what_its_rows_give_is_told(installation, planted) -> None:
    set_cases = (
        "update operating_room.mart_daily_board set scheduled_cases = scheduled_cases + %s"
        " where (surgery_date, site_id, room_id) in (select surgery_date, site_id, room_id"
        " from operating_room.mart_daily_board order by 1, 2, 3 limit 1)"
        " returning surgery_date, site_id, room_id, scheduled_cases"
    )
    [(day, site, room, cases)] = installation.query(set_cases, 1)
    where = f"surgery_date={day} and site_id={site} and room_id={room}"
    try:
        said = installation.etl("explain", "operating_room.mart_daily_board", "--where", where, expected=2)
    finally:
        installation.query(set_cases, -1)
    assert f"scheduled_cases {cases} {cases - 1} DIFFERS" in " ".join(said.split())
    assert "scheduled_cases: the mart says something else than its rows do now." in said
    with connect(installation.settings, role=TRANSFORMER) as connection:
        assert differing_cells(connection, "operating_room") == {}


def test_counts_add_up_in_every_file(installation, planted) -> None:
    rows = installation.query(
        "select file_name, rows_read, inserted + updated + unchanged, rejected from ("
        " select file_name, load.rows_read, rows_inserted as inserted, rows_updated as updated,"
        " rows_unchanged as unchanged, load.rows_rejected as rejected"
        " from etl.table_load as load join etl.source_file using (file_id)) as each_load"
    )
    assert {name: read for name, read, _, _ in rows} == dict(planted.rows)
    assert all(read == kept + rejected for _, read, kept, rejected in rows)


def test_running_again_changes_no_row_and_says_so(installation, planted) -> None:
    before = installation.fingerprint()
    said = installation.etl("run", "operating_room")
    assert f"no new files in {installation.landing}, nothing to do" in said
    assert ", 0 rows changed;" in said
    assert installation.fingerprint() == before


def test_a_file_in_no_source_s_folder_is_told_of(installation, planted) -> None:
    stray = installation.landing.parent / "or_case_stray.csv"
    stray.touch()
    said = installation.etl("run", "operating_room")
    stray.unlink()
    assert "1 files lie in" in said
    assert "or_case_stray.csv: move them to the folder of their source" in said


def test_loading_every_date_again_writes_nothing_either(installation, planted) -> None:
    before = installation.fingerprint()
    said = installation.etl("run", "operating_room", "--from", str(START), "--to", "2026-03-01")
    assert ", 0 rows changed;" in said
    assert installation.fingerprint() == before


def test_what_is_resolved_stays_resolved(installation, planted) -> None:
    before = open_findings(installation)["UnusualCaseDuration"]
    [(issue,)] = installation.query(
        "select min(exception_id) from stg.unresolved_exceptions where check_name = 'UnusualCaseDuration'"
    )
    installation.etl("issues", "resolve", str(issue), "--by", "Dr. Ito", "--notes", "it was so")
    installation.etl("run", "operating_room", "--from", str(START), "--to", "2026-03-01")
    assert open_findings(installation)["UnusualCaseDuration"] == before - 1
    status = installation.query("select status from stg.data_quality_exception where exception_id = %s", issue)
    assert status == [("resolved",)]


def test_mending_the_data_closes_every_finding_and_supersedes_every_reject(installation, planted) -> None:
    write(installation, {})
    installation.etl("run", "operating_room")
    # A date a century early is in no file any more, and its date was in no file that came since.
    installation.etl("run", "operating_room", "--from", str(START), "--to", "2026-03-01")
    assert open_findings(installation) == {}
    assert installation.query("select distinct status from stg.data_load_error") == [("SUPERSEDED",)]
