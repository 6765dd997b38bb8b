"""A whole installation for tests: its home, its warehouse, Dagster's database, and the `etl` command in it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from etl_assets.settings import Settings, read_settings
from etl_assets.warehouse.connection import connect


@dataclass(frozen=True)
class Installation:
    """One installation, and what a person may do with it from outside."""

    environment: dict[str, str]

    @property
    def settings(self) -> Settings:
        return read_settings(self.environment)

    @property
    def landing(self) -> Path:
        return self.settings.landing("operating_room")

    def etl(self, *words: str, expected: int | None = None, given: str | None = None) -> str:
        """Run a command as a process of its own; its output, and its errors behind it. `given` is what it may read."""
        done = subprocess.run(
            self._command(words), capture_output=True, text=True, env=self.environment, input=given, check=False
        )
        right = (0, 2) if expected is None else (expected,)  # 2: it went through, and there are findings
        assert done.returncode in right, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command in a session of its own, so that all of it can be killed."""
        return subprocess.Popen(
            self._command(words), env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL
        )

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """As the power does."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def query(self, question: str, *values: object) -> list[tuple]:
        with connect(self.settings, role=None) as connection:
            return connection.execute(question, values or None).fetchall()

    def fingerprint(self) -> dict[str, tuple]:
        """Every row of every relation that is loaded or built, and where each lies: a write would show."""
        names = self.query(
            "select format('%%I.%%I', schemaname, relname) from pg_stat_user_tables"
            " where schemaname = any(%s) order by 1",
            ["stg", "operating_room", "tracktik_staging", "tracktik", "open_dental", "open_dental_mart"],
        )
        return {
            name: self.query(f"select count(*), md5(string_agg(xmin || ctid::text, ',' order by ctid)) from {name}")[0]
            for (name,) in names
        }

    @staticmethod
    def _command(words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "etl_assets.cli", *words]


def install(home: Path, new_database: Callable[[], str], server: str) -> Installation:
    """A new installation over new databases of the tests' server."""
    dagster = f"dagster_{home.name}_{os.getpid()}".lower()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{dagster}"')
    warehouse = new_database()
    return Installation(
        {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "DAGSTER_"))},
            "ETL_HOME": str(home),
            "ETL_WAREHOUSE_URL": warehouse,
            "ETL_DAGSTER_URL": warehouse.rsplit("/", 1)[0] + f"/{dagster}",
            "ETL_FILE_QUIET_SECONDS": "0",
            "PYTHONWARNINGS": "ignore",
        }
    )
