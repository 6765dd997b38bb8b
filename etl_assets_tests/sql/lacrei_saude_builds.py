"""Lacrei Saude loaded from a stand-in and built: an installation that tests look at, or take a copy of to change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from etl_assets.declare.dates import Span
from etl_assets.loading.database.load import DatabaseStrategy
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.dbt_results import NodeResult
from etl_assets.orchestration.models.model_run import build_models
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.settings import Settings, read_settings
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

PATIENTS, SEED = 60, 3
"""The community of the stand-ins: small, and with all that is odd on purpose."""
STAGING, MODEL, MARTS = "lacreisaude_staging_02", "lacreisaude_model", "lacreisaude_mart_exact"
DIMENSIONS = ("dim_patient", "dim_professional", "dim_clinic", "dim_report")
EXACT_MARTS = (
    "mart_appointments",
    "mart_feedback",
    "patients",
    "patient_disability",
    "professionals",
    "professional_appointments",
)


@dataclass(frozen=True)
class Network:
    """A stand-in of the source, and an installation that loads it."""

    url: str
    settings: Settings

    def load(self) -> int:
        """Load every table; returns how many rows changed."""
        first, names = SOURCE.database.start, [table.name for table in SOURCE.tables]
        with open_batch(self.settings, SOURCE.name, "load") as batch:
            reports = load_by(
                DatabaseStrategy,
                self.settings,
                SOURCE,
                names,
                span=Span(first, first),
                batch=batch,
                accept_shrink=True,
            )
        failures = {name: repr(report.failure) for name, report in reports.items() if report.failure}
        assert not failures, failures
        return sum(report.counts.changed for report in reports.values())

    def build(self, mode: str = "changed", *, tests: bool = False) -> list[NodeResult]:
        """Build the models, and run dbt's tests of what was written where they are asked for."""
        named = source_manifest(SOURCE.name)["tests"].keys() if tests else ()
        with open_batch(self.settings, SOURCE.name, "build") as batch:
            results = build_models(self.settings, batch, SOURCE, mode=mode, tests=named).results
        failed = {each.unique_id: each.message for each in results if each.is_failure or each.status == "skipped"}
        assert not failed, failed
        return results

    def load_and_build(self) -> set[str]:
        """Do both; returns the models of which rows were written."""
        self.load()
        return written(self.build())

    def at_source(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask, or change, the source."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement, values)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask, or change, the warehouse as its owner."""
        with connect(self.settings, role=None, autocommit=True) as connection:
            connection.execute("set time zone 'UTC'")
            found = connection.execute(statement, values)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    def marts(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the exact marts, in order."""
        return {mart: self.query(f"select * from {MARTS}.{mart} order by 1, 2, 3, 4, 5") for mart in EXACT_MARTS}

    def versions(self) -> dict[str, int]:
        """How many versions each dimension with a history has."""
        return {name: self.query(f"select count(*) from {MODEL}.{name}")[0][0] for name in DIMENSIONS}

    def copy(self, new_database: Callable[..., str], home: Path) -> "Network":
        """The same once more, source and warehouse, to be changed."""
        return network_at(new_database(self.url), new_database(self.settings.warehouse_url), home)


def network_at(url: str, warehouse_url: str, home: Path) -> Network:
    """An installation that loads this stand-in into this warehouse."""
    given = {
        "ETL_HOME": str(home),
        "ETL_WAREHOUSE_URL": warehouse_url,
        "ETL_LACREI_SAUDE_URL": url,
        "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "a secret of the tests, and of nobody else",
    }
    return Network(url, read_settings(given))


def filled(url: str, warehouse_url: str, home: Path, *, schema: str = "older") -> Network:
    """A stand-in filled with the community of these tests, loaded and built."""
    fill(url, schema=schema, patients=PATIENTS, seed=SEED)
    network = network_at(url, warehouse_url, home)
    network.load()
    network.build()
    return network


def refill(network: Network, schema: str) -> None:
    """The day on which the source changes its schema: the same facts in other columns."""
    fill(network.url, schema=schema, patients=PATIENTS, seed=SEED, anew=True)


def written(results: Sequence[NodeResult]) -> set[str]:
    """The models of which rows were written."""
    return {each.unique_id.split(".")[2] for each in results if each.rows_changed and each.kind == "model"}
