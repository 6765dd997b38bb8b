from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.settings import PROJECT, read_settings, setting_names
from etl_assets.sources import SOURCES, chosen_sources


def test_an_empty_environment_is_enough() -> None:
    settings = read_settings({})
    assert settings.home == PROJECT / ".etl"
    assert settings.landing("operating_room") == PROJECT / ".etl" / "landing" / "operating_room"
    assert settings.embedded


def test_a_url_makes_the_warehouse_an_external_one_and_stays_secret() -> None:
    settings = read_settings({"ETL_WAREHOUSE_URL": "postgresql://u:secret@host/db"})
    assert not settings.embedded
    assert "secret" not in repr(settings)
    assert "warehouse_url" not in setting_names()


def test_a_code_location_may_hold_some_of_the_sources() -> None:
    assert read_settings({"ETL_SOURCES": "tracktik, open_dental"}).sources == ("tracktik", "open_dental")
    assert [source.name for source in chosen_sources(["tracktik", "open_dental"])] == ["tracktik", "open_dental"]
    assert chosen_sources(read_settings({}).sources) == SOURCES
    with pytest.raises(
        EtlError, match=r"ETL_SOURCES names payroll: no source is called so\. There are operating_room,"
    ):
        chosen_sources(["payroll", "tracktik"])


def test_a_value_that_cannot_be_read_is_named() -> None:
    with pytest.raises(EtlError, match="ETL_FILE_QUIET_SECONDS is 'soon'; a number was expected"):
        read_settings({"ETL_FILE_QUIET_SECONDS": "soon"})


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    path = tmp_path / "secrets"
    path.write_text(
        "# of the north\nETL_TRIALSYNC_NORTH_KEY='p#w $HOME'\nexport ETL_TRIALSYNC_SOUTH_KEY=abc\nETL_MAX_FINDINGS=7\n"
    )
    path.chmod(0o600)
    return path


def test_a_secrets_file_gives_settings_and_the_environment_wins(secrets: Path) -> None:
    settings = read_settings({"ETL_SECRETS_FILE": str(secrets), "ETL_MAX_FINDINGS": "9"})
    given = settings.of_source("trialsync")
    assert (given["north_key"], given["south_key"]) == ("p#w $HOME", "abc")
    assert settings.max_findings == 9


def test_a_secrets_file_that_others_may_read_is_refused(secrets: Path) -> None:
    secrets.chmod(0o640)
    with pytest.raises(EtlError, match=r"others than its owner may use .*\(640\): chmod 600"):
        read_settings({"ETL_SECRETS_FILE": str(secrets)})


def test_a_secrets_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EtlError, match=r"ETL_SECRETS_FILE: .*absent cannot be read: FileNotFoundError"):
        read_settings({"ETL_SECRETS_FILE": str(tmp_path / "absent")})


def test_a_line_of_a_secrets_file_that_is_no_setting_is_told_without_its_words(secrets: Path) -> None:
    secrets.write_text("ETL_TRIALSYNC_NORTH_KEY=begin\nthe-rest-of-a-secret\n")
    with pytest.raises(EtlError, match=r"has 1 lines that are no ETL_WORD=value\.") as raised:
        read_settings({"ETL_SECRETS_FILE": str(secrets)})
    assert "rest-of-a-secret" not in str(raised.value)
