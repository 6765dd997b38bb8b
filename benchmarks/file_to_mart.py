"""How long a dropped file takes to be in the marts, with `etl dev` running; and what it costs while nothing comes.

    python -m benchmarks.file_to_mart [--files 10] [--idle 60]

An installation of its own, with `etl dev` on a free port: the operating room has six weeks loaded, the sandboxes stand
in for the other sources, and files of one case each are dropped, each at another moment of the sensor's interval. The
clock runs from when the file is there until its run has succeeded. Linux.
"""

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.installation import TICKS, etl, own_installation, server_cpu, stat_of
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import dagster_url, warehouse_url

HEADER = "case_id,surgery_date,room_id,location_id,patient_id,primary_surgeon_prov_id,or_in,or_out,sched_status"
FIRST = date(2026, 3, 2)
QUIET_SECONDS = "5"
"""How long a file must have been left alone: as it is set by default."""
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.1
LOOKS = 20
MOMENTS = (
    ("quiet time, and the sensor's wait", "select first_seen_at from etl.source_file where file_name = %s"),
    ("the sensor asks for a run", "PIPELINE_ENQUEUED"),
    ("the daemon takes it from the queue", "PIPELINE_STARTING"),
    ("its process starts", "PIPELINE_START"),
    (
        "load and rules",
        "select max(timestamp) at time zone 'UTC' from event_logs where run_id = %s and step_key like"
        " 'build%%' and dagster_event_type = 'STEP_START'",
    ),
    ("models and their tests", "PIPELINE_SUCCESS"),
)
"""The parts, each with what tells when it ended: a query of the ledger or of the run's events, or an event's kind."""
EVENT = "select max(timestamp) at time zone 'UTC' from event_logs where run_id = %s and dagster_event_type = %s"
RUN = "select run_id from etl.source_file join etl.batch using (batch_id) where file_name = %s"
LOOKED = "select count(*) from job_ticks where type = 'SENSOR' and status = 'SKIPPED'"


class Bench:
    """An installation under `etl dev`, and its two databases."""

    def __init__(
        self, home: Path, landing: Path, warehouse: psycopg.Connection, dagster: psycopg.Connection, group: int
    ) -> None:
        self.home, self.landing, self.warehouse, self.dagster, self.group = home, landing, warehouse, dagster, group

    def drop(self, number: int) -> list[float]:
        """Drop a file of one case and wait for its run: the seconds of each part."""
        day = FIRST + timedelta(days=number)
        name = f"or_case_bench_{number}.csv"
        row = f"B{number},{day},R1,MAIN,P{number},S1,{day} 08:00:00,{day} 09:00:00,Completed"
        (self.landing / f"{name}.part").write_text(f"{HEADER}\n{row}\n")
        (self.landing / f"{name}.part").rename(self.landing / name)
        dropped = time.time()
        run = self._wait_for_run(name)
        ended = [self._moment(what, run, name) for _, what in MOMENTS]
        return [later - earlier for earlier, later in zip([dropped, *ended], ended, strict=False)]

    def wait_for_looks(self) -> None:
        """Wait until the sensors have looked some times and found nothing to do: all is started by then."""
        give_up = time.monotonic() + WAIT_SECONDS
        while _first(self.dagster, LOOKED) < LOOKS:
            if time.monotonic() > give_up:
                sys.exit("The sensors do not look.")
            time.sleep(1)

    def idle(self, seconds: float) -> tuple[float, int]:
        """CPU-seconds of all processes, and looks of the sensors, in some seconds in which nothing comes."""
        before, looks = self._cpu_seconds(), _first(self.dagster, LOOKED)
        time.sleep(seconds)
        return self._cpu_seconds() - before, _first(self.dagster, LOOKED) - looks

    def _wait_for_run(self, file_name: str) -> str:
        """The run that loaded a file, once it has succeeded."""
        give_up = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < give_up:
            run = _first(self.warehouse, RUN, file_name)
            status = _first(self.dagster, "select status from runs where run_id = %s", run)
            if status == "SUCCESS":
                return str(run)
            if status == "FAILURE":
                sys.exit(f"The run {run} failed.")
            time.sleep(POLL_SECONDS)
        sys.exit(f"No run has loaded {file_name} in {WAIT_SECONDS:.0f} s.")

    def _moment(self, what: str, run: str, file_name: str) -> float:
        if "source_file" in what:
            return float(_first(self.warehouse, what, file_name).timestamp())
        if what.startswith("select"):
            return float(_first(self.dagster, what, run).timestamp())
        return float(_first(self.dagster, EVENT, run, what).timestamp())

    def _cpu_seconds(self) -> float:
        """Of the services' process group and of the warehouse's server."""
        ticks = 0
        for path in Path("/proc").glob("[0-9]*"):
            fields = stat_of(path.name)
            if fields and fields[2] == self.group:
                ticks += sum(fields[11:15])  # those that have ended are counted with their parents
        return ticks / TICKS + server_cpu(self.home)


@contextmanager
def running() -> Iterator[Bench]:
    """An installation with six weeks of the operating room loaded, and `etl dev` in it."""
    with own_installation(ETL_FILE_QUIET_SECONDS=QUIET_SECONDS) as home:
        settings = read_settings()
        etl(home, "sandbox", "operating_room")
        etl(home, "run", "operating_room")
        with (
            _dev(home) as group,
            psycopg.connect(warehouse_url(settings), autocommit=True) as warehouse,
            psycopg.connect(dagster_url(settings).replace("+psycopg2", ""), autocommit=True) as dagster,
        ):
            yield Bench(home, settings.landing("operating_room"), warehouse, dagster, group)


@contextmanager
def _dev(home: Path) -> Iterator[int]:
    """`etl dev` on a free port; the process group in which its services run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (home / "dev.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-m", "etl_assets.cli", "dev", "--port", str(port)], stdout=log, stderr=log
        )
        try:
            yield _service_group(process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _service_group(process: "subprocess.Popen[bytes]") -> int:
    give_up = time.monotonic() + WAIT_SECONDS
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while time.monotonic() < give_up and process.poll() is None:
        for child in children.read_text().split():
            if os.getpgid(int(child)) == int(child):
                return int(child)
        time.sleep(POLL_SECONDS)
    sys.exit("etl dev does not start.")


def _first(connection: psycopg.Connection, query: str, *values: object) -> Any:
    row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None


def _load() -> float:
    """How busy the machine is: over two on two cores, the times say little."""
    return os.getloadavg()[0]


def main() -> None:
    """Idle, then the files one after another, then the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds in which nothing comes")
    options = parser.parse_args()
    with running() as bench:
        bench.wait_for_looks()
        cpu, looks = bench.idle(options.idle)
        print(f"idle: {cpu:.1f} CPU-seconds in {options.idle:.0f} s, {looks} looks; load {_load():.1f}", flush=True)
        taken = []
        for number in range(options.files):
            time.sleep(secrets.randbelow(5_000) / 1_000)
            taken.append(bench.drop(number))
            print(f"file {number + 1}: {sum(taken[-1]):.1f} s; load {_load():.1f}", flush=True)
    print(f"{'part':36} {'median s':>9} {'most s':>9}")
    for (name, _), seconds in zip(MOMENTS, zip(*taken, strict=True), strict=True):
        print(f"{name:36} {median(seconds):9.1f} {max(seconds):9.1f}")
    whole = [sum(parts) for parts in taken]
    print(f"{'from file to mart':36} {median(whole):9.1f} {max(whole):9.1f}")


if __name__ == "__main__":
    main()
