"""A whole installation for tests: its home, its warehouse, Dagster's database, and the `etl` command in it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from etl_assets.drills.installation import Installation as AnInstallation
from etl_assets_tests.warm_commands import run_command


@dataclass(frozen=True)
class Installation(AnInstallation):
    """One that tests look into."""

    def execute(self, words: Sequence[str], given: str | None) -> tuple[int, str]:
        """As it is there, in a process that has the libraries imported."""
        return run_command(words, self.environment, given)

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
