"""Lists of trials at the size of the brief, loaded twice: what the second load writes, and how much memory both take.

    python -m benchmarks.trial_scale [--patients 152836] [--subjects 88773] [--visits 49]

The stand-in of Clinical Conductor serves studies, patients, patient visits and appointments from a process of its own:
5.9 million records by default. `etl run` loads them twice into an empty warehouse, and its checks look at them.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.trial_lists import PATIENTS, VISITS, warehouse
from etl_assets.sandbox.trialsync.books import Books, Scale
from etl_assets.sandbox.trialsync.service import Service
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect

STUDIES, APPOINTMENTS = 2, 25
"""Jobs, beside those of patients and visits."""
LOAD = ["-m", "etl_assets.cli", "run", "trialsync", "--only-load", "--job", str(STUDIES), str(PATIENTS), str(VISITS)]


def serve(scale: Scale) -> None:
    """Serve until this process is ended; how that is reached, as JSON."""
    with Service(Books(scale=scale)) as service:
        print(json.dumps(service.settings("bench")), flush=True)
        sys.stdin.read()


def load_twice(reached: dict[str, str], home: Path) -> None:
    """Load into an empty warehouse, load again, and print what each load did."""
    with warehouse(home) as url:
        own = {
            **os.environ,
            **reached,
            "ETL_TRIALSYNC_INSTANCES": "bench",
            "ETL_TRIALSYNC_BENCH_REQUESTS_PER_SECOND": "100000",
            "ETL_HOME": str(home),
            "ETL_WAREHOUSE_URL": url,
        }
        settings = read_settings(own)
        print(f"{'load':8} {'records':>11} {'written':>11} {'seconds':>8} {'peak MB so far':>15}")
        last = 0
        for name in ("first", "second"):
            begun = time.perf_counter()
            subprocess.run(  # noqa: S603
                [sys.executable, *LOAD, str(APPOINTMENTS)], env=own, check=True, stdout=subprocess.DEVNULL
            )
            seconds = time.perf_counter() - begun
            with connect(settings, role=None) as connection:
                row = connection.execute(
                    "select sum(rows_read), sum(rows_inserted + rows_updated + rows_deleted + rows_vanished),"
                    " max(load_id) from etl.table_load where load_id > %s and relation like 'trialsync_staging.%%'",
                    [last],
                ).fetchone()
            read, written, last = row or (0, 0, 0)
            megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{name:8} {read:11,} {written:11,} {seconds:8,.0f} {megabytes:15,.0f}", flush=True)


def main() -> None:
    """Serve in a process of its own, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=152_836)
    parser.add_argument("--subjects", type=int, default=88_773)
    parser.add_argument("--visits", type=int, default=49, help="of a study's protocol, about")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    scale = Scale(patients=options.patients, subjects=options.subjects, visits=options.visits)
    if options.serve:
        serve(scale)
        return
    words = [f"--{word}={value}" for word, value in vars(options).items() if word != "serve"]
    stand_in = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.trial_scale", "--serve", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if stand_in.stdin is None or stand_in.stdout is None:
        raise AssertionError("both are pipes")
    try:
        with tempfile.TemporaryDirectory(prefix="etl-benchmark-") as name:
            Path(name).chmod(0o755)
            load_twice(json.loads(stand_in.stdout.readline()), Path(name))
    finally:
        stand_in.stdin.close()
        stand_in.wait()


if __name__ == "__main__":
    main()
