"""The `etl` command: what it says, above all when something is wrong."""

from pathlib import Path

import pytest

from etl_assets import cli
from etl_assets.settings import Settings


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
    assert "0 relations" in said(capsys, "status")


def test_an_issue_that_is_not_there_cannot_be_resolved(home, capsys) -> None:
    told = said(capsys, "issues", "resolve", "7", "--by", "Ito", "--notes", "so it was", exit_code=1)
    assert told == "etl: Issue 7 is not open: it does not exist.\n"


def test_a_warehouse_that_is_up_to_date_is_told_so(home, capsys) -> None:
    assert said(capsys, "migrate") == "The warehouse is up to date.\n"


def test_a_defect_that_nobody_knows_is_named(home, capsys) -> None:
    told = said(capsys, "sandbox", "operating_room", "--defect", "flood=1", exit_code=1)
    assert "no defect is called flood" in told
