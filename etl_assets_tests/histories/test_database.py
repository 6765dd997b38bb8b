"""Random histories of a database: what is built as it changes is what a build of everything makes."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from random import Random

import pytest

from etl_assets.declare.dates import Span
from etl_assets.loading.database.load import DatabaseStrategy
from etl_assets.orchestration.models.build_plan import source_builds
from etl_assets.settings import Settings
from etl_assets.sources.open_dental import SOURCE
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.histories.builds import SEEDS, build, build_at_random, check_builds
from etl_assets_tests.histories.practice_world import PracticeWorld
from etl_assets_tests.loading.runs import load_by

NO_DATES = Span(date(2026, 1, 1), date(2026, 1, 1))
"""A database's tables are not loaded by date."""


def modelled_tables() -> Sequence[str]:
    """The tables of staging that models are built of."""
    inputs = {name for build in source_builds(SOURCE.name).values() for name in build.inputs}
    return sorted(table.name for table in SOURCE.tables if f"{SOURCE.schema}.{table.name}" in inputs)


def load(settings: Settings, tables: Sequence[str], *, sweep: bool = False) -> None:
    with open_batch(settings, SOURCE.name, "load") as batch:
        reports = load_by(
            DatabaseStrategy,
            settings,
            SOURCE,
            tables,
            span=NO_DATES,
            batch=batch,
            full_compare=sweep,
            accept_shrink=True,
            any_hour=True,
        )
    assert {name: report.failure for name, report in reports.items()} == dict.fromkeys(tables)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_built_as_it_changes_is_what_a_full_build_makes(
    settings: Settings, new_mysql_database: Callable[[], str], seed: int
) -> None:
    url, names, random = new_mysql_database(), modelled_tables(), Random(seed)  # noqa: S311
    settings = replace(settings, given={**settings.given, "ETL_OPEN_DENTAL_URL": url})
    with closing(PracticeWorld(Random(seed), url, names)) as world:  # noqa: S311
        load(settings, names)
        build(settings, SOURCE)
        for _ in range(random.randint(2, 4)):
            for _ in range(random.choice([1, 1, 2])):
                told = {world.change() for _ in range(random.choice([1, 1, 3, 10]))}
                # As a rule only that, so that no change is built for the sake of another. Two tables are never read at
                # one moment: a row comes before the one that it names, and after it.
                some = random.choice([*[sorted(told)] * 3, names, random.sample(names, 8)])
                load(settings, some, sweep=random.random() < 0.4)
            build_at_random(settings, SOURCE, random)
    check_builds(settings, SOURCE)


def test_whatever_its_date_what_is_read_may_change_any_row() -> None:
    """A claim says what its procedures' rows of another date came to, and a split counts on the date of its payment."""
    made = {name: each for name, each in source_builds(SOURCE.name).items() if "open_dental_mart" in name}
    facts = {name: each for name, each in made.items() if name.split(".")[1].startswith(("fact_", "mart_"))}
    assert "open_dental_mart.fact_claim" in facts
    assert [name for name, each in facts.items() if each.dated_inputs] == []
    assert {name: each.undated_inputs for name, each in facts.items()} == {
        name: each.inputs for name, each in facts.items()
    }
