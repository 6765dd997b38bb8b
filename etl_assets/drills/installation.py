"""An installation of a drill's own: a home, a warehouse, Dagster's records, and the `etl` command in it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from etl_assets.errors import EtlError
from etl_assets.settings import Settings, process_environment, read_settings
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect, warehouse_url


@dataclass(frozen=True)
class Installation:
    """One installation, and what a person may do with it from outside."""

    environment: dict[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "etl_assets.cli")
    """What is run as `etl`."""

    @property
    def settings(self) -> Settings:
        """What its environment says."""
        return read_settings(self.environment)

    @property
    def landing(self) -> Path:
        """Where files of the operating room are dropped."""
        return self.settings.landing("operating_room")

    def etl(self, *words: str, expected: int | None = None, given: str | None = None) -> str:
        """Run a command as a process of its own; its output, and its errors behind it. `given` is what it may read.

        Raises:
            EtlError: It ended otherwise than expected: with 0, or with 2, that there are findings, where nothing is.
        """
        code, output = self.execute(words, given)
        if code not in ((0, 2) if expected is None else (expected,)):
            raise EtlError(f"etl {' '.join(words)}: exit {code}\n{output}")
        return output

    def execute(self, words: Sequence[str], given: str | None) -> tuple[int, str]:
        """Run a command to its end; its exit code, and its output with its errors behind it."""
        done = subprocess.run(  # noqa: S603 (our own words)
            self.command(*words), capture_output=True, text=True, env=self.environment, input=given, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command in a session of its own, so that all of it can be killed."""
        return subprocess.Popen(  # noqa: S603 (our own words)
            self.command(*words), env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL
        )

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """As the power does."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def query(self, question: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]  # of any columns
        """The rows of a question to the warehouse."""
        with connect(self.settings, role=None) as connection:
            return connection.execute(question, values or None).fetchall()

    def administer(self, statement: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]  # of any columns
        """Run a statement as the server's owner, outside of a transaction; its rows, where it gives any."""
        with psycopg.connect(warehouse_url(self.settings), user="postgres", autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def command(self, *words: str) -> list[str]:
        """The `etl` command with its words."""
        return [*self.program, *words]


@contextmanager
def scratch_installation(settings: Mapping[str, str]) -> Iterator[Installation]:
    """A new installation with a warehouse of its own, for the time of the `with` block; nothing of it stays.

    Args:
        settings: Its settings besides; none is taken over from this process.
    """
    kept = {name: value for name, value in process_environment().items() if not name.startswith(("ETL_", "DAGSTER_"))}
    with tempfile.TemporaryDirectory(prefix="etl-drill-") as folder:
        Path(folder).chmod(0o755)  # the server runs as somebody else where this process is root
        home = Path(folder) / "home"
        made = Installation(
            {**kept, "ETL_HOME": str(home), "ETL_FILE_QUIET_SECONDS": "0", "PYTHONWARNINGS": "ignore", **settings}
        )
        # A service manager's TERM leaves no server behind either.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            made.etl("migrate")
            made.landing.mkdir(parents=True, exist_ok=True)
            yield made
        finally:
            signal.signal(signal.SIGTERM, before)
            embedded.stop_server(home / "postgres")
