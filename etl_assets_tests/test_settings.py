import pytest

from etl_assets.errors import EtlError
from etl_assets.settings import PROJECT, read_settings, setting_names


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


def test_a_value_that_cannot_be_read_is_named() -> None:
    with pytest.raises(EtlError, match="ETL_FILE_QUIET_SECONDS is 'soon'; a number was expected"):
        read_settings({"ETL_FILE_QUIET_SECONDS": "soon"})
