"""Loads of what the models read of the two stand-in instances."""

from collections.abc import Sequence

from etl_assets.loading.rest.load import RestStrategy
from etl_assets.orchestration.models.build_plan import source_builds
from etl_assets.sandbox.trialsync.books import Scale
from etl_assets.sources.trialsync import SOURCE
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by
from etl_assets_tests.sources.trialsync_loads import TODAY, TrialSync, failures

SMALL = Scale(patients=14, studies=3, sites=2, subjects=24, visits=3, elements=1)


def modelled_tables() -> list[str]:
    """The staging tables that models are built of, in the order in which they are loaded."""
    inputs = {name for build in source_builds(SOURCE.name).values() for name in build.inputs}
    return [table.name for table in SOURCE.tables if f"{SOURCE.schema}.{table.name}" in inputs]


def load_modelled(trialsync: TrialSync, tables: Sequence[str] = ()) -> int:
    """Load some of these tables, or all of them; returns how many rows were written."""
    with open_batch(trialsync.settings, SOURCE.name, "load") as batch:
        reports = load_by(
            RestStrategy,
            trialsync.settings,
            SOURCE,
            list(tables) or modelled_tables(),
            span=TODAY,
            batch=batch,
            accept_shrink=True,
        )
    assert failures(reports) == {}
    return sum(report.counts.changed for report in reports.values())
