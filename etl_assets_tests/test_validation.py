"""`etl validate` names what is wrong with declarations and settings, and asks nobody."""

import os
from pathlib import Path

import pytest

from etl_assets import cli
from etl_assets.sources import SOURCES

SECRET = "planted-secret-planted-secret-planted"  # noqa: S105 (nobody's)
LACREI = {"ETL_LACREI_SAUDE_URL": "postgresql://nobody@192.0.2.1/x", "ETL_LACREI_SAUDE_PSEUDONYM_KEY": SECRET}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ETL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ETL_HOME", str(tmp_path / "home"))
    # A warehouse that is not there: none is asked.
    monkeypatch.setenv("ETL_WAREHOUSE_URL", "postgresql://nobody@192.0.2.1/x")


def validate(capsys: pytest.CaptureFixture[str], exit_code: int = 0) -> str:
    assert cli.main(["validate"]) == exit_code
    said = capsys.readouterr()
    return said.out + said.err


def test_what_is_shipped_is_in_order(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = validate(capsys)
    assert told.endswith("All declarations, models and settings are in order.\n")
    assert all(f"{source.name} " in told for source in SOURCES)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ETL_TRACKTIC_URL": "x"}, "ETL_TRACKTIC_URL: its name is none of a setting or a source"),
        ({"ETL_TRACKTIK_URL": "x"}, "tracktik: it is half set up: not set is ETL_TRACKTIK_CLIENT_ID"),
        ({**LACREI, "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "short"}, "ETL_LACREI_SAUDE_PSEUDONYM_KEY has 5 characters"),
        ({**LACREI, "ETL_LACREI_SAUDE_ERASURE_KEY": "short"}, "ETL_LACREI_SAUDE_ERASURE_KEY has 5 characters"),
        ({**LACREI, "ETL_LACREI_SAUDE_MIN_PERSONS": "one"}, "ETL_LACREI_SAUDE_MIN_PERSONS is 'one'"),
        ({**LACREI, "ETL_LACREI_SAUDE_FREE_TEXT": "all"}, "ETL_LACREI_SAUDE_FREE_TEXT is 'all'"),
        ({**LACREI, "ETL_LACREI_SAUDE_WORKERS": "0"}, "ETL_LACREI_SAUDE_WORKERS is '0'"),
        ({**LACREI, "ETL_LACREI_SAUDE_HOURS": "at night"}, "ETL_LACREI_SAUDE_HOURS"),
        ({"ETL_TRIALSYNC_INSTANCES": "north,north_east"}, "none beginning another"),
        ({"ETL_FEEDS": "/nowhere/feeds.yaml"}, "operating_room: "),
    ],
)
def test_what_is_wrong_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = validate(capsys, exit_code=1)
    assert "1 thing is wrong:" in told
    assert message in told
    assert SECRET not in told


def test_all_that_is_wrong_is_named_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**LACREI, "ETL_LACREI_SAUDE_WORKERS": "0", "ETL_PAYROLL_URL": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ETL_LACREI_SAUDE_MIN_PERSONS", "one")
    assert "3 things are wrong:" in validate(capsys, exit_code=1)
