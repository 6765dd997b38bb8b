"""What the tests of loading tables of a database share."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from etl_assets.settings import Settings
from etl_assets_tests.loading.database.clinic import Clinic


@pytest.fixture(scope="module")
def clinic_url(new_mysql_database: Callable[[], str]) -> str:
    """The database of a clinic that the tests of one module share."""
    return new_mysql_database()


@pytest.fixture
def clinic(module_settings: Settings, clinic_url: str) -> Iterator[Clinic]:
    """A clinic whose tables are empty, and of which nothing was ever loaded."""
    given = {**module_settings.given, "ETL_OPEN_DENTAL_URL": clinic_url}
    clinic = Clinic(replace(module_settings, given=given), clinic_url)
    clinic.begin_anew()
    yield clinic
    clinic.close()
