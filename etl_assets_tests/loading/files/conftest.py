"""What the tests of loading files share."""

from pathlib import Path

import psycopg
import pytest

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.loading.files.load_file import FileLoad, FileLoader
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.files.tables import file_layout
from etl_assets.warehouse.tables import ensure_table
from etl_assets_tests.loading.files.visits import HEADER, ONE, VISITS, feed, table


@pytest.fixture
def warehouse(settings):
    with connect(settings, autocommit=True) as connection:
        yield connection


@pytest.fixture
def landing(settings: Settings) -> Path:
    folder = settings.landing("operating_room")
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def load(connection: psycopg.Connection, tmp_path: Path):
    """Loads lines under the usual header as one file."""

    def load(
        *body: str,
        header: str = HEADER,
        name: str = "a.csv",
        of: Feed | None = None,
        into: FileTable | None = None,
        **words,
    ) -> FileLoad:
        path = tmp_path / name
        path.write_text("\n".join([header, *body]) + "\n", newline="")
        into = into or table()
        ensure_table(connection, VISITS, file_layout(into))
        return FileLoader(
            connection, path, feed=of or feed(), table=into, target=VISITS, **{"batch_id": ONE} | words
        ).load()

    return load
