"""What every test may ask for. PostgreSQL is real: one embedded server a session, a database of its own a module."""

import fcntl
import gc
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from etl_assets.declare.files import FileTable
from etl_assets.declare.rest import RestTable
from etl_assets.declare.tables import Table
from etl_assets.settings import PROJECT, Settings, read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.files.tables import file_layout
from etl_assets.warehouse.migrations import migrate
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.job_tables import job_layout
from etl_assets.warehouse.rest.tables import document_layout
from etl_assets.warehouse.tables import TableLayout, ensure_table
from etl_assets_tests import mariadb
from etl_assets_tests.mariadb import SESSION, mariadb_server, new_mysql_database  # noqa: F401 (fixtures)

_numbers = itertools.count(1)


def pytest_collection_finish() -> None:
    """What is there by now stays, and is no garbage: to go through it again and again takes a third of some tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """The process that hands out the tests keeps the server's folder; its workers find it in the environment."""
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # it too ends the servers
        folder = Path(tempfile.mkdtemp(prefix="etl-"))
        folder.chmod(0o755)
        os.environ[SESSION] = str(folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and SESSION in os.environ:
        folder = Path(os.environ.pop(SESSION))
        mariadb.stop(folder)
        embedded.stop_server(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def no_server_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ends the servers that tests have started in their own folders and left there, and says which."""
    yield
    homes = tmp_path_factory.getbasetemp().glob("*/postgres")
    left = [folder.parent.name for folder in homes if embedded.stop_server(folder)]
    assert left == [], "tests that have not ended the server they started"


@pytest.fixture(scope="session")
def server() -> Path:
    """The folder of the running server, whose database `pattern` has all migrations and staging tables."""
    folder = Path(os.environ[SESSION])
    with (folder / "pattern.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        embedded.start_server(folder)
        if not (folder / "pattern").exists():
            _trust_the_memory(folder)
            _make_pattern(folder)
            (folder / "pattern").touch()
    return folder


@pytest.fixture(scope="session")
def new_database(server: Path) -> Callable[..., str]:
    """Makes a database like the pattern, or like another one whose URL is given, and gives its URL."""

    def make(like: str | None = None) -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        pattern = urlsplit(like).path.removeprefix("/") if like else "pattern"
        with psycopg.connect(embedded.server_url(server, "postgres"), autocommit=True) as connection:
            if like:  # nobody may be in what is copied
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = %s and backend_type = 'client backend'",
                    [pattern],
                )
            connection.execute(f"create database {name} template {pattern}")
        return embedded.server_url(server, name)

    return make


@pytest.fixture(scope="session")
def empty_database(server: Path) -> Callable[[], str]:
    """Makes a database without a table, and gives its URL."""

    def make() -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(embedded.server_url(server, "postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template template0")
        return embedded.server_url(server, name)

    return make


@pytest.fixture(scope="module")
def warehouse_url(new_database: Callable[[], str]) -> str:
    """A migrated warehouse that the tests of one module share."""
    return new_database()


@pytest.fixture
def connection(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """A connection as the loader, whose work is rolled back when the test ends."""
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("set role etl_loader")
        yield connection
        connection.rollback()


@pytest.fixture
def settings(new_database: Callable[[], str], tmp_path: Path) -> Settings:
    """An installation of one test's own: its home, its landing folder, its warehouse."""
    return read_settings(
        {"ETL_HOME": str(tmp_path), "ETL_WAREHOUSE_URL": new_database(), "ETL_FILE_QUIET_SECONDS": "0"}
    )


@pytest.fixture(scope="module")
def module_settings(warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation that the tests of one module share."""
    home = str(tmp_path_factory.mktemp("home"))
    return read_settings({"ETL_HOME": home, "ETL_WAREHOUSE_URL": warehouse_url, "ETL_FILE_QUIET_SECONDS": "0"})


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the published data sets, which are not ours to ship."""
    folder = os.environ.get("ETL_REAL_DATA_DIR")
    if not folder:
        pytest.skip("ETL_REAL_DATA_DIR names no folder: the known answers of the real file were NOT checked")
    return Path(folder)


def _trust_the_memory(folder: Path) -> None:
    """No fsync: nothing here outlives the tests, and a checkpoint of their half a million files took a minute."""
    with (folder / "data" / "etl.conf").open("a") as file:
        file.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
    postmaster = (folder / "data" / "postmaster.pid").read_text().splitlines()[0]
    os.kill(int(postmaster), signal.SIGHUP)


def _make_pattern(folder: Path) -> None:
    with psycopg.connect(embedded.server_url(folder, "postgres"), autocommit=True) as connection:
        connection.execute("create database pattern")
    url = urlunsplit(urlsplit(embedded.server_url(folder))._replace(path="/pattern"))
    pattern = read_settings({"ETL_HOME": str(folder), "ETL_WAREHOUSE_URL": url})
    with connect(pattern, role=None, autocommit=True) as connection:
        migrate(connection, PROJECT / "sql" / "migrations")
    with connect(pattern) as connection:
        for source in SOURCES:
            for table in source.tables:
                if layout := _layout(table):
                    ensure_table(connection, Relation(source.schema, table.name), layout)


def _layout(table: Table) -> TableLayout | None:
    """What a staging table is made of; None where it is made of what its database says."""
    if isinstance(table, FileTable):
        return file_layout(table)
    if not isinstance(table, RestTable):
        return None
    return job_layout(table) if table.jobs else document_layout(table, instances=False)
