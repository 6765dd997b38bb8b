"""Both stand-in instances of Clinical Conductor, small, and a loader that asks them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import psycopg

from etl_assets.declare.dates import Span
from etl_assets.loading.report import LoadReport
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.sandbox.trialsync.books import Scale
from etl_assets.sandbox.trialsync.service import Instances, Service
from etl_assets.settings import Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

SCALE = Scale(patients=8, studies=3, sites=2, subjects=8, visits=2, elements=2)
TODAY = Span(date(2026, 3, 1), date(2026, 3, 1))


@dataclass(frozen=True)
class TrialSync:
    """An installation, and the instances `north` (CCS) and `south` (CCE) that it loads."""

    settings: Settings
    services: Mapping[str, Service]

    def load(self, *jobs: int, **options: Any) -> dict[str, LoadReport]:
        """Load the tables of these jobs by them alone, or all that is active."""
        tables = [table.name for table in SOURCE.tables if not jobs or {job.id for job in table.jobs} & {*jobs}]
        with open_batch(self.settings, SOURCE.name, "load") as batch:
            return load_by(RestStrategy, self.settings, SOURCE, tables, span=TODAY, batch=batch, jobs=jobs, **options)

    def query(self, question: str, role: str | None = None) -> list[tuple]:
        with connect(self.settings, role=role) as connection:
            return connection.execute(question).fetchall()

    def execute(self, statement: str, role: str | None = None) -> None:
        with connect(self.settings, role=role, autocommit=True) as connection:
            connection.execute(statement)

    def may_read(self, table: str, role: str) -> bool:
        """Whether the role gets rows of a staging table, and not only is said to."""
        try:
            self.query(f"select count(data) from trialsync_staging.{table}", role)
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True


@contextmanager
def open_trialsync(settings: Settings, scale: Scale = SCALE) -> Iterator[TrialSync]:
    """Serve both instances; nothing is loaded yet."""
    with Instances(scale) as instances:
        fast = {f"ETL_TRIALSYNC_{name.upper()}_REQUESTS_PER_SECOND": "100000" for name in instances.services}
        given = {**instances.settings, **fast}
        yield TrialSync(replace(settings, given={**settings.given, **given}), instances.services)


def failures(reports: Mapping[str, LoadReport]) -> dict[str, str]:
    """What failed, by table."""
    return {name: str(report.failure) for name, report in reports.items() if report.failure}
