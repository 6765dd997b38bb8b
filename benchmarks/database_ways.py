"""The ways of benchmarks.database_copy, each a process: `python -m benchmarks.database_ways WAY`."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from benchmarks.database_tables import KEYS

DRIVER = "mysqlclient" if find_spec("MySQLdb") else "pymysql"
"""The faster one where it could be compiled."""


def make_lines() -> None:
    """The finished lines of each table in a file, for `bare COPY`."""
    from etl_assets.declare.database_reader import RowRange
    from etl_assets.readers.database import connect_database

    folder = Path(os.environ["BENCH_LINES"])
    folder.mkdir()
    reader = connect_database({"url": os.environ["ETL_OPEN_DENTAL_URL"]})
    for name, table in reader.describe(KEYS).items():
        with (folder / name).open("wb") as file:
            file.writelines(reader.read(table, RowRange(), batch_size=50_000))


def bare_copy() -> None:
    """The lines from their files."""
    from psycopg import sql

    from etl_assets.warehouse.connection import connect
    from etl_assets.warehouse.copy import copy_in

    with connect(_settings(), role=None) as connection:
        for name, columns in _columns().items():
            connection.execute(f"create table bare.{name} ({columns})")
            with (Path(os.environ["BENCH_LINES"]) / name).open("rb") as file:
                blocks = iter(lambda: file.read(1 << 20), b"")
                copy_in(connection, sql.SQL("copy {} from stdin").format(sql.Identifier("bare", name)), blocks)


def read_only() -> None:
    """All columns as they are, without converters, thrown away."""
    import MySQLdb
    import MySQLdb.cursors

    url = urlsplit(os.environ["ETL_OPEN_DENTAL_URL"])
    connection = MySQLdb.connect(
        host=url.hostname, port=url.port, user=url.username, password=url.password, database=url.path[1:], conv={},
        charset="utf8mb4", cursorclass=MySQLdb.cursors.SSCursor,
    )  # fmt: skip
    for name in KEYS:
        cursor = connection.cursor()
        cursor.execute(f"select * from {name}")
        while cursor._result.fetch_row(400, 0):  # noqa: SLF001 (the only way past the conversion into objects)
            pass
        cursor.close()


def rows(driver: str, batch_size: int = 10_000_000) -> None:
    """This project's reader on a COPY; a table in one statement, unless a smaller number of rows is given."""
    from psycopg import sql

    from etl_assets.declare.database_reader import RowRange
    from etl_assets.readers.database import connect_database
    from etl_assets.warehouse.connection import connect
    from etl_assets.warehouse.copy import copy_in

    schema = WAYS[sys.argv[1]].schema
    reader = connect_database({"url": os.environ["ETL_OPEN_DENTAL_URL"], "driver": driver})
    described = reader.describe(KEYS)
    with connect(_settings(), role=None) as connection:
        for name, columns in _columns().items():
            connection.execute(f"create table {schema}.{name} ({columns})")
            statement = sql.SQL("copy {} from stdin").format(sql.Identifier(schema, name))
            copy_in(connection, statement, reader.read(described[name], RowRange(), batch_size=batch_size))


def whole_load() -> None:
    """As `etl run open_dental securitylog paysplit sheetfield --only-load` does it, without Dagster around it."""
    from etl_assets.declare.dates import Span
    from etl_assets.declare.hours import AllowedHours
    from etl_assets.loading.database.load import DatabaseStrategy
    from etl_assets.loading.load import LoadRequest
    from etl_assets.loading.workers import load_tables
    from etl_assets.sources.open_dental import SOURCE
    from etl_assets.warehouse.ledger import open_batch

    hours = AllowedHours(
        time(0), time(23, 59, 59), ZoneInfo("UTC")
    )  # as at night: a first load may take a table at once
    with open_batch(_settings(), "open_dental", "load") as batch:
        settings, day = _settings(), Span(date.today(), date.today())  # noqa: DTZ011 (nothing is loaded by date)
        request = LoadRequest(settings=settings, source=SOURCE, tables=[*KEYS], span=day, batch=batch)
        reports = load_tables(DatabaseStrategy(request, hours), request)
    for report in reports.values():
        if report.failure:
            raise report.failure


def pgloader() -> None:
    """Its own way of types, but for dates without a time zone."""
    source, target = os.environ["ETL_OPEN_DENTAL_URL"], os.environ["ETL_WAREHOUSE_URL"]
    commands = Path(os.environ["ETL_HOME"]) / "pgloader.load"
    commands.write_text(
        f"load database from {source} into {target}\n"
        " with include drop, create tables, create no indexes, no foreign keys, reset no sequences, workers = 2,"
        " concurrency = 1\n"
        " cast type datetime to timestamp drop default drop not null, type timestamp to timestamptz drop default"
        " drop not null, type date to date drop default drop not null, type tinyint to smallint drop typemod\n"
        " alter schema 'bench' rename to 'pgloader';\n"
    )
    done = subprocess.run(["pgloader", str(commands)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode or "FATAL" in done.stdout or "ERROR" in done.stdout:
        raise RuntimeError(done.stdout + done.stderr)


def dlt(backend: str) -> None:
    """Dlt's sql_database, as its page says, into Postgres."""
    home = Path(os.environ["ETL_HOME"]) / "dlt"
    os.environ |= {
        "DLT_DATA_DIR": str(home),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    }
    import dlt as library
    from dlt.sources.sql_database import sql_database

    url = os.environ["ETL_OPEN_DENTAL_URL"]
    if backend != "connectorx":
        url = url.replace("mysql://", "mysql+mysqldb://" if DRIVER == "mysqlclient" else "mysql+pymysql://")
    pipeline = library.pipeline(
        f"bench_{backend}",
        pipelines_dir=str(home),
        destination=library.destinations.postgres(os.environ["ETL_WAREHOUSE_URL"]),
        dataset_name=WAYS[sys.argv[1]].schema,
    )
    pipeline.run(sql_database(url, table_names=[*KEYS], backend=backend), write_disposition="replace")


def _settings():
    from etl_assets.settings import read_settings

    return read_settings()


def _columns() -> dict[str, str]:
    """The columns of each table, as SQL."""
    from etl_assets.readers.database import connect_database

    reader = connect_database({"url": os.environ["ETL_OPEN_DENTAL_URL"]})
    return {
        name: ", ".join(f'"{column.staging_name}" {column.staging_type}' for column in table.columns)
        for name, table in reader.describe(KEYS).items()
    }


@dataclass(frozen=True)
class Way:
    """One way, and the schema in which it makes its tables."""

    schema: str
    go: Callable[[], None]


WAYS = {
    "make lines": Way("nothing", make_lines),
    "read only": Way("nothing", read_only),
    "bare COPY": Way("bare", bare_copy),
    "rows": Way("ours", lambda: rows(DRIVER)),
    "rows, short reads": Way("ours_short", lambda: rows(DRIVER, 50_000)),
    "rows, pymysql": Way("ours_pymysql", lambda: rows("pymysql")),
    "whole load": Way("open_dental", whole_load),
    "pgloader": Way("pgloader", pgloader),
    "dlt connectorx": Way("dlt_connectorx", lambda: dlt("connectorx")),
    "dlt pyarrow": Way("dlt_pyarrow", lambda: dlt("pyarrow")),
}


def ways_left_out() -> dict[str, str]:
    """The ways that cannot run on this machine, and why."""
    missing = {}
    if DRIVER == "pymysql":
        missing["read only"] = "mysqlclient is not installed"
        missing["rows, pymysql"] = "mysqlclient is not installed, and `rows` is by PyMySQL itself"
    if not which("pgloader"):
        missing["pgloader"] = "pgloader is not installed"
    return missing


if __name__ == "__main__":
    WAYS[sys.argv[1]].go()
