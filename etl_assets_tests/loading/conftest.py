"""What the tests of loading share."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from etl_assets.loading.files import FileLoad, load_file
from etl_assets.settings import Settings
from etl_assets.spec.feed import Feed
from etl_assets.spec.table import Table
from etl_assets.warehouse.tables import ensure_table
from etl_assets_tests.loading.clinic import Clinic
from etl_assets_tests.loading.visits import HEADER, ONE, VISITS, feed, table


@pytest.fixture
def load(connection: psycopg.Connection, tmp_path: Path):
    """Loads lines under the usual header as one file."""

    def load(
        *body: str,
        header: str = HEADER,
        name: str = "a.csv",
        of: Feed | None = None,
        into: Table | None = None,
        **words,
    ) -> FileLoad:
        path = tmp_path / name
        path.write_text("\n".join([header, *body]) + "\n", newline="")
        into = into or table()
        ensure_table(connection, into, VISITS)
        return load_file(connection, path, feed=of or feed(), table=into, target=VISITS, **{"batch_id": ONE} | words)

    return load


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
