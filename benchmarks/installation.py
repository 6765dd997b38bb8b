"""An installation of a benchmark's own, with its server, and what a command costs there."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl_assets.settings import read_settings, temporary_environment
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import warehouse_url

TICKS = os.sysconf("SC_CLK_TCK")
FINE = {0, 2}
"""Exit codes of a command that went through; 2 where there are findings."""


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    cpu: float
    """CPU-seconds of its processes and of the database's."""
    database: float
    """Those of the database alone."""
    said: str


@contextmanager
def own_installation(**settings: str) -> Iterator[Path]:
    """An installation for the time of the `with` block, migrated; its home. Files are taken at once.

    Args:
        settings: Environment variables besides, or instead.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        with temporary_environment({"ETL_HOME": str(home), "ETL_FILE_QUIET_SECONDS": "0", **settings}):
            warehouse_url(read_settings())
            try:
                etl(home, "migrate")
                yield home
            finally:
                embedded.stop_server(home / "postgres")


def etl(home: Path, *words: str) -> Cost:
    """Run a command of ours as a process."""
    return run(home, [sys.executable, "-m", "etl_assets.cli", *words])


def run(home: Path, command: Sequence[str]) -> Cost:
    """Run a command, and measure it; one that fails ends the benchmark."""
    started, children, server = time.monotonic(), _children(), server_cpu(home)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)
    seconds, database = time.monotonic() - started, server_cpu(home) - server
    cost = Cost(seconds, _children() - children + database, database, done.stdout)
    if done.returncode not in FINE:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return cost


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def server_cpu(home: Path) -> float:
    """CPU-seconds of the embedded server: its own, those of the sessions it has, and of those that have ended."""
    pidfile = next(home.rglob("postmaster.pid"), None)
    if pidfile is None:
        return 0.0
    postmaster = pidfile.read_text().split()[0]
    spent = sum(stat_of(postmaster)[11:15])
    for process in Path("/proc").glob("[0-9]*"):
        fields = stat_of(process.name)
        if fields and str(fields[1]) == postmaster:
            spent += sum(fields[11:13])
    return spent / TICKS


def stat_of(pid: str) -> list[int]:
    """The numbers of /proc/PID/stat from the state on, which stands as 0; none where the process has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return [0, *map(int, text.rpartition(")")[2].split()[1:])]
