"""Two small instances of the stand-in, and loads of what the models read of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

from etl_assets.declare.dates import Span
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.orchestration.models.build_plan import source_builds
from etl_assets.sandbox.trialsync.books import Books, Scale
from etl_assets.sandbox.trialsync.service import serve_instances
from etl_assets.settings import Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

SMALL = Scale(patients=14, studies=3, sites=2, subjects=24, visits=3, elements=1)
NO_DATES = Span(date(2026, 1, 1), date(2026, 1, 1))
"""Lists are not loaded by date."""


@dataclass(frozen=True)
class TrialInstances:
    """What the instances have, which may be changed, and a warehouse that loads them."""

    settings: Settings
    books: Mapping[str, Books]

    def load(self, tables: Sequence[str] = ()) -> int:
        """Load staging tables, or all that models are built of; returns how many rows were written."""
        wanted = list(tables) or modelled_tables()
        with open_batch(self.settings, SOURCE.name, "load") as batch:
            reports = load_by(
                RestStrategy, self.settings, SOURCE, wanted, span=NO_DATES, batch=batch, accept_shrink=True
            )
        assert {name: report.failure for name, report in reports.items()} == dict.fromkeys(wanted)
        return sum(report.counts.changed for report in reports.values())


def modelled_tables() -> list[str]:
    """The staging tables that models are built of, in the order in which they are loaded."""
    inputs = {name for build in source_builds(SOURCE.name).values() for name in build.inputs}
    return [table.name for table in SOURCE.tables if f"{SOURCE.schema}.{table.name}" in inputs]


@contextmanager
def trial_instances(settings: Settings, scale: Scale = SMALL) -> Iterator[TrialInstances]:
    """Serve two instances for as long as the block lasts."""
    with serve_instances(scale) as served:
        quickly = {f"ETL_TRIALSYNC_{name.upper()}_REQUESTS_PER_SECOND": "100000" for name in served.services}
        reached = replace(settings, given={**settings.given, **served.settings, **quickly})
        yield TrialInstances(reached, {name: service.books for name, service in served.services.items()})
