"""Lists of trials at the size of the brief, loaded twice: what the second load writes, and how much memory both take.

    python -m benchmarks.trial_scale [--patients 152836] [--subjects 88773] [--visits 49]

The stand-in of Clinical Conductor serves studies, patients, patient visits and appointments from a process of its own:
5.9 million records by default. `etl run` loads them twice into an empty warehouse, and its checks look at them.
"""

import argparse
import resource
import subprocess
import sys
import time

from benchmarks.installation import own_installation
from benchmarks.trial_lists import PATIENTS, VISITS, served
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect

STUDIES, APPOINTMENTS = 2, 25
"""Jobs, beside those of patients and visits."""
JOBS = map(str, (STUDIES, PATIENTS, VISITS, APPOINTMENTS))
LOAD = (sys.executable, "-m", "etl_assets.cli", "run", "trialsync", "--only-load", "--job", *JOBS)


def load_twice() -> None:
    """Load into an empty warehouse, load again, and print what each load did."""
    print(f"{'load':8} {'records':>11} {'written':>11} {'seconds':>8} {'peak MB so far':>15}")
    last = 0
    for name in ("first", "second"):
        begun = time.perf_counter()
        subprocess.run(LOAD, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        seconds = time.perf_counter() - begun
        with connect(read_settings(), role=None) as connection:
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
    with served(vars(parser.parse_args())) as reached, own_installation(**reached):
        load_twice()


if __name__ == "__main__":
    main()
