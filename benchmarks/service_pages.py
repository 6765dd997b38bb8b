"""How fast a service's records come into staging, next to a page at a time and an INSERT a row; and whether all come.

    python -m benchmarks.service_pages [--shifts 100000] [--latency 0.05] [--rounds 3]

The sandbox serves about so many shifts of one billing period in pages of a thousand, from a process of its own, each
answer later by the latency. Each way loads them into an empty table of a real PostgreSQL, in a process of its own; the
ways take turns. Times are from the first request to the last commit, the token and imports left out.

The brief asks the database for the billing period of each shift, and inserts it with its document. `one INSERT a row`
leaves that question out, and commits once a page, which the brief does not say.
"""

import argparse
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import requests

from etl_assets.declare.dates import Span
from etl_assets.loading.load import LoadRequest
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.loading.workers import load_tables
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.settings import PROJECT, read_settings
from etl_assets.sources.tracktik import SOURCE
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.migrations import migrate

PERIOD = SOURCE.calendar.named("2026_01") if SOURCE.calendar else None
PAGE = 1000
WAYS = ("this project", "one INSERT a row", "the brief: a question and an INSERT a row")
INSERT = (
    "insert into brief.shifts (shift_id, billing_period_id, raw_data) values (%s, {period}, %s)"
    " on conflict (shift_id) do update set raw_data = excluded.raw_data"
)


def list_parameters(pad: timedelta = timedelta()) -> dict[str, str]:
    """The query parameters of the list; the project asks for a pad around the period, in which there is nothing."""
    endpoint = SOURCE.table("shifts").endpoint
    first, last = PERIOD.first - pad, PERIOD.last + pad
    return {**endpoint.parameters, endpoint.window: f"{first}|{last}", "limit": str(PAGE)}


def load_ours(settings) -> int:
    """As `etl run tracktik shifts` does it."""
    with open_batch(settings, "tracktik", "load") as batch:
        span = Span(PERIOD.first, PERIOD.last)
        request = LoadRequest(settings=settings, source=SOURCE, tables=["shifts"], span=span, batch=batch)
        report = load_tables(RestStrategy(request), request)["shifts"]
    if report.failure:
        raise report.failure
    return report.counts.rows_inserted


def load_one_by_one(settings, *, ask_period: bool) -> int:
    """One page after the other, one row after the other."""
    given = settings.of_source("tracktik")
    session, offset, rows = requests.Session(), 0, 0
    form = {name: given[name] for name in ("client_id", "client_secret", "username", "password")}
    answer = session.post(f"{given['url']}/oauth2/access_token", data={**form, "grant_type": "password"}, timeout=60)
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    with connect(settings) as connection:
        connection.execute("set search_path to tracktik")
        while True:
            page = session.get(
                f"{given['url']}/shifts", params={**list_parameters(), "offset": str(offset)}, timeout=60
            ).json()
            for shift in page["data"]:
                day = shift["startDateTime"][:10]
                if ask_period:
                    period = connection.execute("select get_billing_period(%s)", [day]).fetchone()[0]
                else:
                    period = PERIOD.id
                connection.execute(INSERT.format(period="%s"), [shift["id"], period, json.dumps(shift)])
            connection.commit()
            offset, rows = offset + PAGE, rows + len(page["data"])
            if offset >= page["meta"]["count"]:
                return rows


def run_one(way: str) -> None:
    """One way, in this process; the result goes to stdout as JSON."""
    settings = read_settings()
    with connect(settings) as connection:
        connection.execute("drop table if exists tracktik_staging.shifts")
        connection.execute("drop schema if exists brief cascade")
        connection.execute("create schema brief")
        connection.execute(
            "create table brief.shifts (shift_id bigint primary key, billing_period_id text, raw_data jsonb)"
        )
    begun = time.perf_counter()
    if way == WAYS[0]:
        rows, table, key = load_ours(settings), "tracktik_staging.shifts", "id"
    else:
        rows, table, key = load_one_by_one(settings, ask_period=way == WAYS[2]), "brief.shifts", "shift_id"
    seconds = time.perf_counter() - begun
    with connect(settings) as connection:
        loaded = connection.execute(
            # 12.50 and 12.5 hash alike: whoever decodes a document loses digits, and is not blamed for it here.
            f"select count(*), sum(jsonb_hash_extended(raw_data, {key})::numeric)::text from {table}"
        ).fetchone()
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(json.dumps({"seconds": seconds, "rows": rows, "held": loaded[0], "content": loaded[1], "rss": rss}))


def serve_sandbox(shifts: int, latency: float) -> None:
    """Serve the sandbox until this process is ended; prints as JSON how it is reached, and how many shifts it has."""
    company = Company(first=PERIOD.first, last=PERIOD.last, shifts_a_day=shifts // 14, clients=400, positions=2000)
    with serve(company, latency=latency) as service:
        count = service.prepare("shifts", list_parameters())
        service.prepare("shifts", list_parameters(SOURCE.table("shifts").load.pad))
        print(json.dumps({"count": count, "environment": service.credentials}), flush=True)
        sys.stdin.read()


@contextmanager
def service(shifts: int, latency: float) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The sandbox in a process of its own."""
    arguments = ["--serve", "--shifts", str(shifts), "--latency", str(latency)]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.service_pages", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        announced = json.loads(process.stdout.readline())
        yield announced["count"], {**announced["environment"], "ETL_TRACKTIK_CALLS_PER_MINUTE": "1000000"}
    finally:
        process.kill()
        process.wait()


def measure(environment: Mapping[str, str], rounds: int, count: int) -> None:
    """Take turns, and print a table."""
    results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "benchmarks.service_pages", "--way", way],
                env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
            results[way].append(json.loads(done.stdout))
    ours = statistics.median(result["seconds"] for result in results[WAYS[0]])
    print(f"{'way':44} {'seconds':>8} {'(min-max)':>15} {'shifts/s':>9} {'x ours':>7} {'RSS MB':>7}")
    for way, found in results.items():
        times = [result["seconds"] for result in found]
        middle = statistics.median(times)
        print(
            f"{way:44} {middle:8.2f} {f'({min(times):.2f}-{max(times):.2f})':>15} {count / middle:9,.0f}"
            f" {middle / ours:7.1f} {found[-1]['rss']:7,.0f}"
        )
    contents = {result["content"] for found in results.values() for result in found}
    counts = {result["held"] for found in results.values() for result in found}
    same = "the same documents" if len(contents) == 1 else "NOT THE SAME DOCUMENTS"
    print(f"Every way holds {', '.join(f'{held:,}' for held in sorted(counts))} shifts of {count:,}; {same}.")


def main() -> None:
    """Start the service and a warehouse, measure, and say on what machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shifts", type=int, default=100_000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve_sandbox(options.shifts, options.latency)
        return
    if options.way:
        run_one(options.way)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server and the files go with us
    with (
        tempfile.TemporaryDirectory(prefix="etl-benchmark-") as name,
        service(options.shifts, options.latency) as served,
    ):
        count, reached = served
        folder = Path(name)
        folder.chmod(0o755)
        environment = {**reached, "ETL_HOME": name, "ETL_WAREHOUSE_URL": embedded.start_server(folder / "server")}
        try:
            with connect(read_settings(environment), role=None, autocommit=True) as connection:
                migrate(connection, PROJECT / "sql" / "migrations")
                connection.execute("grant create on database warehouse to etl_loader")
                version = connection.info.server_version // 10_000
            print(f"{count:,} shifts in pages of {PAGE:,}, {options.latency * 1000:.0f} ms each; medians of"
                  f" {options.rounds} rounds. {os.cpu_count()} cores, Python {platform.python_version()},"
                  f" PostgreSQL {version}, {platform.system()}.")  # fmt: skip
            measure(environment, options.rounds, count)
        finally:
            embedded.stop_server(folder / "server")


if __name__ == "__main__":
    main()
