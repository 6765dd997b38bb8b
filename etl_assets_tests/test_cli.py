"""The `etl` command: what it says, above all when something is wrong."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from etl_assets import cli
from etl_assets.cli import sandboxes
from etl_assets.quality.issues import CheckedRule, count_findings, upsert_issues
from etl_assets.settings import Settings
from etl_assets.sources.tracktik import SOURCE as TRACKTIK
from etl_assets.warehouse import embedded
from etl_assets.warehouse.ledger import Counts, open_batch, record_load
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.results import record_result


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url or "")
    return settings.home


def said(capsys: pytest.CaptureFixture[str], *words: str, exit_code: int = 0) -> str:
    assert cli.main(words) == exit_code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_setting_is_printed_bare_for_scripts(home, capsys) -> None:
    assert said(capsys, "settings", "landing_dir") == f"{home / 'landing'}\n"


def test_no_secret_is_among_the_settings(home, settings, capsys) -> None:
    assert "postgresql://" not in said(capsys, "settings")


def test_the_environment_for_dagster_holds_no_password(home, settings, capsys) -> None:
    assert "postgresql" not in said(capsys, "env")


def test_the_url_is_what_a_client_needs(home, settings, capsys) -> None:
    assert said(capsys, "url").strip() == settings.warehouse_url


def test_a_source_that_is_not_there_is_answered_with_those_that_are(home, capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "operating_rom"])
    assert "no source 'operating_rom'; there are: operating_room" in capsys.readouterr().err


def test_a_table_that_is_not_there_is_answered_with_those_that_are(home, capsys) -> None:
    told = said(capsys, "run", "operating_room", "cases", exit_code=1)
    assert "operating_room declares no table 'cases'. It declares: block_schedule, or_case, or_schedule" in told


def test_a_date_that_is_none_is_shown_how(home, capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "operating_room", "--from", "31.1.2026"])
    assert "'31.1.2026' is no date of the form 2026-01-31" in capsys.readouterr().err


def test_a_dry_run_says_what_waits_and_takes_nothing_in(home, capsys) -> None:
    folder = home / "landing" / "operating_room"
    said(capsys, "sandbox", "operating_room", "--days", "3", "--rooms", "2")
    assert len(list(folder.iterdir())) == 3
    told = said(capsys, "run", "operating_room", "--dry-run")
    assert "2026-01-05 to 2026-01-07, 3 files (dry run)" in told
    assert "stg." not in said(capsys, "status")


def test_all_that_is_set_up_is_run_and_what_fails_keeps_none_of_the_others(home, capsys, monkeypatch) -> None:
    said(capsys, "sandbox", "operating_room", "--days", "3", "--rooms", "2")
    told = said(capsys, "run", "all", "--dry-run")
    assert "operating_room: 2026-01-05 to 2026-01-07, 3 files (dry run)" in told
    assert "open_dental: left out, for ETL_OPEN_DENTAL_URL is not set." in told
    monkeypatch.setenv("ETL_OPEN_DENTAL_URL", "nonsense")
    monkeypatch.setenv("ETL_SOURCES", "open_dental, operating_room")
    told = said(capsys, "run", "all", "--dry-run", exit_code=1)
    assert "etl: open_dental: " in told
    assert told.endswith("etl: open_dental failed, as is said above. The others were run.\n")
    assert "operating_room: 2026-01-05" in told
    assert "tracktik" not in told
    assert "period: that is chosen of one source" in said(capsys, "run", "all", "--period", "2026_01", exit_code=1)


def test_an_issue_that_is_not_there_cannot_be_resolved(home, capsys) -> None:
    told = said(capsys, "issues", "resolve", "7", "--by", "Ito", "--notes", "so it was", exit_code=1)
    assert told == "etl: Issue 7 is not open: it does not exist.\n"


def test_a_warehouse_that_is_up_to_date_is_told_so(home, capsys) -> None:
    assert said(capsys, "migrate") == "The warehouse is up to date.\n"


def test_a_defect_that_nobody_knows_is_named(home, capsys) -> None:
    told = said(capsys, "sandbox", "operating_room", "--defect", "flood=1", exit_code=1)
    assert "no defect is called flood" in told


def test_a_sandbox_that_cannot_be_is_refused(home, capsys) -> None:
    told = said(capsys, "sandbox", "trialsync", "--visits", "95", exit_code=1)
    assert told == "etl: a protocol has at most 90 visits, and a visit 900 elements\n"


def test_nothing_invented_goes_into_a_warehouse_of_somebody_s_own(home, settings, monkeypatch) -> None:
    """The tests' warehouse is named by its URL; the embedded one of a home is where a sandbox may stand in."""
    monkeypatch.delenv("ETL_TRACKTIK_URL", raising=False)
    with sandboxes.stand_ins(settings):
        assert "ETL_TRACKTIK_URL" not in os.environ
    try:
        with sandboxes.stand_ins(replace(settings, warehouse_url=None)):
            assert os.environ["ETL_TRACKTIK_URL"].startswith("http://127.0.0.1:")
            assert os.environ["ETL_TRIALSYNC_INSTANCES"] == "north,south"
            assert os.environ["ETL_TRIALSYNC_SOUTH_URL"].startswith("http://127.0.0.1:")
    finally:
        embedded.stop_server(home / "postgres")
    assert "ETL_TRACKTIK_URL" not in os.environ
    assert "ETL_TRIALSYNC_INSTANCES" not in os.environ


def test_what_is_not_set_up_is_said_before_anything_is_run(home, capsys, monkeypatch) -> None:
    monkeypatch.delenv("ETL_TRACKTIK_URL", raising=False)
    told = said(capsys, "run", "tracktik", exit_code=1)
    assert "not set is ETL_TRACKTIK_URL" in told
    assert "sources/tracktik/README.md" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--period", "2026_99"), "no billing period '2026_99'; there are 2020_01 to 2034_26"),
        (("--period", "2026_02..2026_01"), "--period 2026_02..2026_01: 2026_01 is before 2026_02; turn them round."),
        (("--period", "2026_01.."), "--period 2026_01..: say both ends, as in 2026_01..2026_05"),
        (("--period", "..2026_01"), "--period ..2026_01: say both ends"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "--from 2026-02-01 --to 2026-01-01: the first date is after"),
        (("--period", "2026_01", "--from", "2026-01-01"), "Say --period, or --from and --to, and not both."),
    ],
)
def test_a_billing_period_that_makes_no_sense_is_refused(home, capsys, monkeypatch, words, message) -> None:
    for word in TRACKTIK.reader.required_settings:
        monkeypatch.setenv(f"ETL_TRACKTIK_{word.upper()}", "x")
    assert message in said(capsys, "run", "tracktik", *words, exit_code=1)


def test_a_command_that_is_not_understood_has_an_exit_code_of_its_own(home, capsys) -> None:
    with pytest.raises(SystemExit, match="64"):
        cli.main(["run"])


@pytest.mark.parametrize(("severity", "expected"), [("error", 2), ("warning", 0)])
def test_findings_of_severity_error_are_an_exit_code(home, settings, capsys, severity, expected) -> None:
    with open_batch(settings, "operating_room", "check") as batch:
        rule = CheckedRule(
            source="operating_room", relation="stg.or_case", rule="Order", why="Time does not run back.",
            severity=severity, exception_type="InvalidValue",
        )  # fmt: skip
        found = sql.SQL(
            "(select 'case ' || number as row_key, 'or_in' as field, null as value, 'wrong' as message,"
            " date '2026-03-02' as row_slice from generate_series(1, 7) as number)"
        )
        with batch.connection.transaction():
            upsert_issues(batch.connection, batch, rule, found=found, most=3)
            count_findings(batch.connection, batch, rule, found=found, scope=None)
            record_result(
                batch.connection, batch, rule.relation, rule.rule, severity=severity, passed=False, rows_checked=7,
                rows_broken=7,
            )  # fmt: skip
            record_load(
                batch.connection, batch, Relation("stg", "or_case"), Counts(rows_read=7, rows_inserted=7), seconds=0.0
            )
    assert "0 checks passed" in said(capsys, "status", "operating_room", exit_code=expected)
    listed = said(capsys, "issues", "list", "--source", "operating_room")
    assert f"         7  {severity:7}  Order" in listed
    assert "7 findings of 1 rules; single ones: --rule NAME" in listed
    assert "3 issues" in said(capsys, "issues", "list", "--rule", "Order")


def test_the_inventory_tells_an_estimate_from_a_count(home, settings, capsys) -> None:
    lines = said(capsys, "inventory", "operating_room", "--exact").splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["stg.block_schedule", "stg.or_case", "stg.or_schedule"]
    assert all("never" in line and "It was never loaded." in line for line in lines[1:-1])
    assert lines[-1].startswith("3 tables, 0 with data, 0 records, ")


def test_the_old_inventory_of_jobs_comes_out_line_by_line(home, settings, capsys, real_data) -> None:
    lines = said(capsys, "jobs", "list", "trialsync", "--format", "pipe").splitlines()
    export = (real_data / "trialsync" / "etl_jobs_export.txt").read_text().splitlines()
    assert len(lines) == 90
    assert [line.split("|")[:-2] for line in lines] == [line.split("|")[:-2] for line in export]
    assert {tuple(line.split("|")[-2:]) for line in lines} == {("Never run", "0")}


def test_the_lines_of_jobs_have_the_old_fields_and_leave_out_those_that_stand_in(home, settings, capsys) -> None:
    lines = [line.split("|") for line in said(capsys, "jobs", "list", "trialsync", "--format", "pipe").splitlines()]
    assert {len(line) for line in lines} == {11}
    assert [sum(line[4] == word for line in lines) for word in ("Active", "Disabled")] == [76, 14]
    assert [sum(line[5] == word for line in lines) for word in ("Yes", "No")] == [40, 50]
    assert ["160", "Subject Patient Visits"] in [line[:2] for line in lines]
    assert "189" not in [line[0] for line in lines]
    everything = said(capsys, "jobs", "list", "trialsync")
    assert "97 jobs: 83 on, 14 off." in everything
    assert "see 189" in everything
