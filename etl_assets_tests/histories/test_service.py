"""Random histories of a service: what is built as it changes is what a build of everything makes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from etl_assets.declare.dates import Span
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.settings import Settings
from etl_assets.sources.tracktik import SOURCE
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.histories.builds import SEEDS, build, build_all, build_at_random, check_builds
from etl_assets_tests.histories.company_world import FIRST, LAST, PERIODS, CompanyWorld
from etl_assets_tests.loading.runs import load_by

ALL = Span(FIRST, LAST)
TABLES = [table.name for table in SOURCE.tables]


def load(settings: Settings, tables: Sequence[str], span: Span) -> None:
    with open_batch(settings, SOURCE.name, "load") as batch:
        reports = load_by(RestStrategy, settings, SOURCE, tables, span=span, batch=batch, accept_shrink=True)
    assert {name: report.failure for name, report in reports.items()} == dict.fromkeys(tables)


@contextmanager
def reached(settings: Settings, company: Company) -> Iterator[Settings]:
    """An installation that reaches the service of a company."""
    with serve(company, most_per_page=100) as service:
        yield replace(settings, given={**service.credentials, "ETL_TRACKTIK_CALLS_PER_MINUTE": "100000"})


def some_tables(random: Random, told: Sequence[str]) -> Sequence[str]:
    """Those that tell of what has changed, or all, or any: a shift may come long before whom it names."""
    drawn = random.random()
    if drawn < 0.6:
        return told
    return TABLES if drawn < 0.8 else random.sample(TABLES, random.choice([1, 4, 8]))


def some_periods(random: Random) -> Span:
    """All billing periods, or some, or one."""
    if random.random() < 0.5:
        return ALL
    first, last = sorted(random.choices(range(PERIODS), k=2))
    return Span(FIRST + timedelta(days=14 * first), FIRST + timedelta(days=14 * last + 13))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_built_as_it_changes_is_what_a_full_build_makes(settings: Settings, seed: int) -> None:
    world, random = CompanyWorld(Random(seed)), Random(seed)  # noqa: S311
    with reached(settings, world.company) as at:
        # As a rule the warehouse is full when it begins; otherwise what comes first is named before it is known.
        if random.random() < 0.7:
            load(at, TABLES, ALL)
            build(at, SOURCE)
        for _ in range(random.randint(3, 5)):
            for _ in range(random.choice([1, 1, 2])):
                # Seldom much: what one change reaches is not to be built for the sake of another.
                told = {table for _ in range(random.choice([1, 1, 2, 8])) for table in world.change()}
                load(at, some_tables(random, sorted(told)), some_periods(random))
            build_at_random(at, SOURCE, random)
        check_builds(at, SOURCE)


def test_what_is_told_of_a_member_reaches_the_shifts_that_it_counts_for(settings: Settings) -> None:
    company = Company(first=FIRST, periods=PERIODS, clients=12, positions=14, shifts_a_day=3)
    guard = next(shift.employee for shift in company.shifts(LAST - timedelta(days=9)) if shift.employee)
    with reached(settings, company) as at:
        load(at, TABLES, ALL)
        build(at, SOURCE)

        # Nothing was told of the shifts since, whose dates make the window in which employees are inferred.
        company.change_employee(guard, at=datetime(2026, 1, 9, 3, tzinfo=UTC), customId="E")
        load(at, ["employees"], ALL)
        assert "tracktik__fact_shifts" in build(at, SOURCE)
        assert build_all(at, SOURCE) == set()


def test_what_counts_from_a_western_evening_reaches_the_shifts_of_that_evening(settings: Settings) -> None:
    company = Company(first=FIRST, periods=PERIODS, clients=12, positions=14, shifts_a_day=0)
    western = next(n for n, p in sorted(company.positions.items()) if zone(company, p["account"]).endswith("Angeles"))
    # The last evening of two work weeks, which are built together; in UTC it is the next day.
    evening = datetime(2026, 1, 9, 3, tzinfo=UTC)
    company.add_shift(western, None, evening + timedelta(hours=1), 4, at=evening)
    with reached(settings, company) as at:
        load(at, TABLES, ALL)
        build(at, SOURCE)
        company.change_position(western, at=evening, name="Stand by")
        load(at, ["positions"], ALL)
        assert "tracktik__fact_shifts" in build(at, SOURCE)
        assert build_all(at, SOURCE) == set()


def test_a_client_that_is_described_late_reaches_shifts_from_before_its_first_reference(settings: Settings) -> None:
    company = Company(first=FIRST, periods=PERIODS, clients=12, positions=14, shifts_a_day=0)
    position = min(company.positions)
    company.add_shift(position, None, datetime(2025, 12, 27, 9, tzinfo=UTC), 4, at=datetime(2025, 12, 1, tzinfo=UTC))
    # A position that was written down after somebody had stood there: its first version stands for the time before it.
    # Its client has no name, which would be another version of the position.
    company.clients[company.positions[position]["account"]].update(name=None, company=None, customId=None)
    company.positions[position].update(createdOn="2026-01-20T00:00:00+00:00", updatedOn="2026-01-20T00:00:00+00:00")
    with reached(settings, company) as at:
        load(at, [name for name in TABLES if name != "clients"], ALL)
        build(at, SOURCE)
        load(at, ["clients"], ALL)
        assert "tracktik__fact_shifts" in build(at, SOURCE)
        assert build_all(at, SOURCE) == set()


def zone(company: Company, client: int) -> str:
    """The zone of a client's site."""
    return str(company.clients[client]["timeZone"])
