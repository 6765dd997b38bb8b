"""How fast tables of a MariaDB come into PostgreSQL, next to pgloader, to dlt, and to what reading and writing cost.

    python -m benchmarks.database_copy [--scale 0.1] [--rounds 3]

At scale 1 there are 2,000,000 rows like those of Open Dental's securitylog, 1,000,000 like paysplit's and 500,000 like
sheetfield's with long text, in a MariaDB of its own. Each way runs in a process of its own, whose start is counted, and
makes the three tables in an empty schema of a real PostgreSQL; the ways take turns. Memory is that process's peak.

`bare COPY` is what writing costs: the finished lines from a file, into tables made in the same transaction. `read
only` is what reading costs: all columns as they are, taken and thrown away. `rows` is this project's reader on a COPY
into tables made in the same transaction, a statement a table, as a first load does it in the hours of the source;
`short reads` takes 50,000 rows a statement, as it does at other times. `whole load` is what a run does: the key, the
ledger, and rows and sums compared with the source. pgloader and dlt are told to make no indexes.

Needs mariadbd and the extra `bench` (see README.md here). What needs pgloader or mysqlclient is left out, and said to
be, where they are not installed.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.database_tables import KEYS, ROWS, fill
from benchmarks.database_ways import DRIVER, WAYS, ways_left_out
from etl_assets.settings import PROJECT, read_settings
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.migrations import migrate
from etl_assets_tests import mariadb

PEERS = ("pgloader", "dlt connectorx", "dlt pyarrow")


class Result(NamedTuple):
    """One run of one way."""

    seconds: float
    megabytes: float
    rows: int
    content: str
    """What the values come to, or why that cannot be said."""


def run_way(way: str, environment: dict[str, str]) -> tuple[float, float]:
    """One way in a process of its own; its seconds and its peak memory in MB."""
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.database_ways", way],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"{way} failed:\n{said[-3000:]}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return seconds, usage.ru_maxrss / unit


def held(schema: str, settings) -> tuple[int, str]:
    """How many rows a way made, and what their values come to as this project's types."""
    rows, contents = 0, []
    with connect(settings, role=None) as connection:
        for table in ROWS:
            # By place and not by name: dlt spells names its own way, and puts columns of its own behind.
            columns = connection.execute(
                "select said.attname, format_type(own.atttypid, own.atttypmod) from pg_attribute as own"
                " join pg_attribute as said on said.attrelid = to_regclass(%s) and said.attnum = own.attnum"
                " where own.attrelid = %s::regclass and own.attnum > 0 order by own.attnum",
                [f"{schema}.{table}", f"bare.{table}"],
            ).fetchall()
            values = ", ".join(f'said."{name}"::{kind}' for name, kind in columns)
            try:
                count, content = connection.execute(
                    f"select count(*), sum(hashtextextended(row({values})::text, 0)::numeric)::text"
                    f" from {schema}.{table} as said"
                ).fetchone()
            except Exception as error:  # noqa: BLE001 (of another type, or not there: told in the table)
                return rows, str(error).splitlines()[0][:60]
            rows += count
            contents.append(content)
    return rows, " ".join(contents)


def measure(ways: list[str], rounds: int, settings, environment: dict[str, str]) -> dict[str, list[Result]]:
    """Take turns."""
    results: dict[str, list[Result]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            if way in PEERS and number >= max(rounds - 1, 1):
                continue
            schema = WAYS[way].schema
            with connect(settings, role=None, autocommit=True) as connection:
                connection.execute(f"drop schema if exists {schema} cascade")
                connection.execute(f"create schema {schema}")
                connection.execute(f"grant all on schema {schema} to etl_loader")
                connection.execute("truncate etl.extraction, etl.key_range, etl.row_before")
            seconds, megabytes = run_way(way, environment)
            rows, content = held(schema, settings) if schema != "nothing" else (sum(ROWS.values()), "")
            results[way].append(Result(seconds, megabytes, rows, content))
    return results


def show(results: dict[str, list[Result]], rows: int) -> None:
    """A line a way."""
    bare = statistics.median(result.seconds for result in results["bare COPY"])
    right = results["bare COPY"][0].content
    ours = statistics.median(result.seconds for result in results["rows"])
    print(f"{'way':24} {'seconds':>8} {'(min-max)':>15} {'rows/s':>10} {'x bare':>7} {'x rows':>7} {'MB':>6}  values")
    for way, runs in results.items():
        seconds = [run.seconds for run in runs]
        middle = statistics.median(seconds)
        content = runs[0].content
        values = "exact" if content == right else f"NOT exact: {content[:50]}" if content else ""
        print(
            f"{way:24} {middle:>8.2f} {f'({min(seconds):.2f}-{max(seconds):.2f})':>15} {rows / middle:>10,.0f}"
            f" {middle / bare:>7.2f} {middle / ours:>7.2f} {max(run.megabytes for run in runs):>6.0f}  {values}"
        )


@contextmanager
def servers() -> Iterator[tuple[Path, str]]:
    """A folder with a PostgreSQL and a MariaDB in it; the MariaDB's URL."""
    folder = Path(tempfile.mkdtemp(prefix="etl-bench-"))
    folder.chmod(0o755)
    try:
        yield folder, mariadb.start(folder)
    finally:
        mariadb.stop(folder)
        embedded.stop_server(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Fill, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", action="append", choices=[*WAYS], help="only these, and bare COPY and rows")
    options = parser.parse_args()
    try:
        run(options)
    except pytest.skip.Exception as error:  # how the tests' MariaDB says that there is none
        print(f"database_copy is left out: {error}")


def run(options: argparse.Namespace) -> None:
    """Fill, and measure what can run here."""
    with servers() as (folder, server):
        rows = fill(server, options.scale)
        url = embedded.start_server(folder / "postgres")
        environment = {
            **os.environ,
            "ETL_HOME": str(folder),
            "ETL_WAREHOUSE_URL": url,
            "ETL_OPEN_DENTAL_URL": f"{server.rstrip('/')}/bench",
            "BENCH_LINES": str(folder / "lines"),
        }
        settings = read_settings(environment)
        with connect(settings, role=None, autocommit=True) as connection:
            migrate(connection, PROJECT / "sql" / "migrations")
        run_way("make lines", environment)
        left_out = ways_left_out()
        ways = [way for way in WAYS if way != "make lines" and way not in left_out]
        if options.way:
            ways = [way for way in ways if way in {"bare COPY", "rows", *options.way}]
        megabytes = sum(file.stat().st_size for file in (folder / "lines").iterdir()) / 1e6
        print(
            f"{rows:,} rows of {len(KEYS)} tables, {megabytes:.0f} MB as lines; medians of {options.rounds} rounds."
            f" {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}; MySQL by {DRIVER}."
        )
        for way, reason in left_out.items():
            print(f"left out: {way}, for {reason}.")
        show(measure(ways, options.rounds, settings, environment), rows)


if __name__ == "__main__":
    main()
