"""How fast lists of trials and of each patient come into staging, next to the brief's template and dlt's rest_api.

    python -m benchmarks.trial_lists [--records 200000] [--parents 10000] [--latency 0.05] [--sample 300] [--rounds 1]

The stand-in of Clinical Conductor serves from a process of its own, each answer later by the latency. Two reads:
`list` is one OData list of patient visits in pages of a thousand; `parents` is a request for the allergies of each
patient, of whom one in nine has any. Each way loads into an empty table of a real PostgreSQL with the brief's index
over the documents, in a process of its own, as often as `--rounds` says; times are from the first request to the last
commit, imports left out. Nobody keeps to the vendor's rate here.

The template is the brief's, one page and one row after the other with its pause of a tenth of a second, mended where it
could not run: it takes bare arrays, and gives the missing value to its INSERT. For `parents` it asks for a sample, from
which its parents a second follow.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import requests

from etl_assets.declare.dates import Span
from etl_assets.loading.load import LoadOptions, LoadRequest
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.loading.workers import load_tables
from etl_assets.sandbox.trialsync.books import Books, Scale
from etl_assets.sandbox.trialsync.service import Service
from etl_assets.settings import PROJECT, read_settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.migrations import migrate

PAGE = 1000
LIST = "patient-visits/odata"
SPONSORS, PATIENTS, VISITS, ALLERGIES = 34, 3, 9, 148
"""Jobs of the list."""
PAUSE = 0.1
"""Seconds that the template waits behind each page."""
OURS, TEMPLATE, DLT = "this project", "the brief's template", "dlt rest_api"
READS = ("list", "parents")
TODAY = Span(date(2026, 1, 1), date(2026, 1, 1))
INSERT = (
    "insert into brief.staging (data, source_id, source_instance_id, etl_job_id, etl_run_id, loaded_at)"
    " values (%s, '1', 1, 3, 1, now())"
)


def _load_ours(read: str) -> tuple[float, int]:
    settings = read_settings()
    job = VISITS if read == "list" else ALLERGIES
    table = next(job_of.table for job_of in SOURCE.jobs if job_of.id == job)
    _load_job(settings, PATIENTS if read == "parents" else SPONSORS)  # the parents; and the tables are made once
    begun = time.perf_counter()
    _load_job(settings, job)
    seconds = time.perf_counter() - begun
    with connect(settings) as connection:
        rows = connection.execute(f"select count(*) from trialsync_staging.{table}").fetchone()
    return seconds, rows[0] if rows else 0


def _load_job(settings, job: int) -> None:
    table = next(each.table for each in SOURCE.jobs if each.id == job)
    with open_batch(settings, "trialsync", "load") as batch:
        options = LoadOptions(jobs=[job])
        request = LoadRequest(
            settings=settings, source=SOURCE, tables=[table], span=TODAY, batch=batch, options=options
        )
        report = load_tables(RestStrategy(request), request)[table]
    if report.failure:
        raise report.failure


def _load_template(read: str, sample: int) -> tuple[float, int]:
    """Page after page into memory, then an INSERT a row; one commit a list."""
    begun, asked, rows = time.perf_counter(), 0, 0
    with connect(read_settings(), role=None) as connection:
        connection.execute(
            "create schema brief; create table brief.staging (id serial primary key, data jsonb,"
            " source_id varchar(255), source_instance_id int, etl_job_id int, etl_run_id int, loaded_at timestamptz,"
            " created_at timestamptz default now(), updated_at timestamptz default now());"
            " create index on brief.staging using gin (data)"
        )
        each = [f"patients/{20_001 + at}/allergies" for at in range(sample)]
        for path in [LIST] if read == "list" else each:
            records = list(_template_records(path))
            for record in records:
                connection.execute(INSERT, [json.dumps(record)])
            connection.commit()
            asked, rows = asked + 1, rows + len(records)
    return time.perf_counter() - begun, rows


def _template_records(path: str) -> Iterator[object]:
    skip, size = 0, PAGE
    while size == PAGE:
        answer = requests.get(
            f"{_given('URL')}/CCSWEB/api/v1/{path}",
            headers={"CCAPIKey": _given("API_KEY")},
            params={"$top": str(PAGE), "$skip": str(skip), "$orderby": "id"},
            timeout=60,
        )
        answer.raise_for_status()
        found = answer.json()
        records = found["Items"] if isinstance(found, dict) else found
        yield from records
        skip, size = skip + PAGE, len(records)
        time.sleep(PAUSE)


def _load_dlt(read: str) -> tuple[float, int]:
    home = Path(os.environ["ETL_HOME"]) / "dlt"
    os.environ.update({"DLT_DATA_DIR": str(home), "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"})
    import dlt
    from dlt.sources.rest_api import rest_api_source

    pages = {"type": "offset", "limit": PAGE, "offset_param": "$skip", "limit_param": "$top", "total_path": None}
    order = {"$orderby": "id"}
    visits = {"path": LIST, "params": order, "data_selector": "Items", "paginator": pages}
    patients = {"path": "patients/odata", "params": order, "data_selector": "$", "paginator": pages}
    resources = [{"name": read, "endpoint": visits if read == "list" else patients}]
    if read == "parents":
        path = "patients/{resources.parents.id}/allergies"
        resources.append({"name": "allergies", "endpoint": {"path": path, "paginator": "single_page"}})
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{_given('URL')}/CCSWEB/api/v1/",
                "headers": {"CCAPIKey": _given("API_KEY")},
            },
            "resource_defaults": {"write_disposition": "append", "max_table_nesting": 0, "parallelized": True},
            "resources": resources,
        }
    )
    pipeline = dlt.pipeline(
        "trials",
        destination=dlt.destinations.postgres(read_settings().warehouse_url),
        dataset_name="by_dlt",
        pipelines_dir=str(home / "pipelines"),
    )
    begun = time.perf_counter()
    pipeline.run(source)
    seconds = time.perf_counter() - begun
    with connect(read_settings(), role=None) as connection:
        table = read if read == "list" else "allergies"
        rows = connection.execute(f"select count(*) from by_dlt.{table}").fetchone()
    return seconds, rows[0] if rows else 0


def _given(name: str) -> str:
    return os.environ[f"ETL_TRIALSYNC_BENCH_{name}"]


def run_one(way: str, read: str, sample: int) -> None:
    """One way, in this process; seconds and rows go to stdout as JSON."""
    if way == OURS:
        seconds, rows = _load_ours(read)
    elif way == TEMPLATE:
        seconds, rows = _load_template(read, sample)
    else:
        seconds, rows = _load_dlt(read)
    print(json.dumps([seconds, rows]))


def serve(scale: Mapping[str, int], **words: float) -> None:
    """Serve books of a scale until this process is ended; how that is reached, as JSON. `words` are of `Service`."""
    with Service(Books(scale=Scale(**scale)), **words) as service:
        print(json.dumps(service.settings("bench")), flush=True)
        sys.stdin.read()


@contextmanager
def served(scale: Mapping[str, int], **words: float) -> Iterator[dict[str, str]]:
    """The stand-in in a process of its own, as `serve` has it; the environment in which its one instance is asked."""
    given = json.dumps({"scale": scale, **words})
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.trial_lists", "--serve", given],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None or process.stdin is None:
        raise AssertionError("both are pipes")
    try:
        yield {
            **json.loads(process.stdout.readline()),
            "ETL_TRIALSYNC_INSTANCES": "bench",
            "ETL_TRIALSYNC_BENCH_REQUESTS_PER_SECOND": "100000",
        }
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def warehouse(folder: Path) -> Iterator[str]:
    """A migrated warehouse of its own; its URL."""
    url = embedded.start_server(folder / "server")
    try:
        with connect(
            read_settings({"ETL_HOME": str(folder), "ETL_WAREHOUSE_URL": url}), role=None, autocommit=True
        ) as owner:
            migrate(owner, PROJECT / "sql" / "migrations")
        yield url
    finally:
        embedded.stop_server(folder / "server")


def measure(read: str, way: str, environment: Mapping[str, str], sample: int) -> tuple[float, int]:
    """Seconds and rows of one way, into a warehouse of its own."""
    with tempfile.TemporaryDirectory(prefix="etl-benchmark-") as name:
        Path(name).chmod(0o755)
        with warehouse(Path(name)) as url:
            own = {**os.environ, **environment, "ETL_HOME": name, "ETL_WAREHOUSE_URL": url}
            words = ["--way", way, "--read", read, "--sample", str(sample)]
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "benchmarks.trial_lists", *words], env=own, stdout=subprocess.PIPE, check=True
            )
    seconds, rows = json.loads(done.stdout.splitlines()[-1])
    return seconds, rows


def _report(read: str, number: int, sample: int, rounds: int, environment: Mapping[str, str]) -> None:
    """Measure the ways in turns and print the table of one read; `number` is of its records, or its parents."""
    ways = (OURS, TEMPLATE, DLT)
    os.environ.update(environment)
    for path in (LIST, "patients/odata"):
        found = sum(1 for _ in _template_records(path))  # what the stand-in has computed once it gives again
        number = found if read == "list" and path == LIST else number
    taken: dict[str, list[float]] = {way: [] for way in ways}
    rows: dict[str, int] = {}
    for _ in range(rounds):
        for way in ways:
            seconds, rows[way] = measure(read, way, environment, sample)
            asked = sample if (read, way) == ("parents", TEMPLATE) else number
            taken[way].append(asked / seconds)
    ours = statistics.median(taken[OURS])
    what = "records" if read == "list" else "parents"
    print(f"\n{number:,} {what}\n{'way':22} {what + ' a second':>20} {'x slower':>9} {'rows':>9}")
    for way in ways:
        rate = statistics.median(taken[way])
        print(f"{way:22} {rate:20,.0f} {ours / rate:9.1f} {rows[way]:9,}")


def main() -> None:
    """Measure both reads, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--parents", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--sample", type=int, default=300, help="parents that the template is asked for")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=READS)
    for hidden in ("--way", "--read"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(**options.serve)
    elif options.way:
        run_one(options.way, options.read, options.sample)
    else:
        numbers = {"list": options.records, "parents": options.parents}
        print(f"{options.latency * 1000:.0f} ms an answer, {os.cpu_count()} cores; medians of {options.rounds} rounds.")
        for read in [options.only] if options.only else READS:
            number = numbers[read]
            scale = {"patients": number, "subjects": number // 7}  # about as many visits as patients
            with served(scale, latency=options.latency, cache_bytes=4 << 30) as environment:
                _report(read, number, options.sample, options.rounds, environment)


if __name__ == "__main__":
    main()
