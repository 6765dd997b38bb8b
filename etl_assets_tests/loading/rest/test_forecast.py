"""The forecast of a service's jobs, held against what their next run costs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_assets.loading.rest.budget import Budget
from etl_assets.loading.rest.forecast import Forecast, forecast
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.rest.job_ledger import active_jobs, instance_numbers
from etl_assets_tests.loading.rest.trial_office import Office, open_office


@pytest.fixture
def office(settings: Settings, tmp_path: Path) -> Iterator[Office]:
    with open_office(settings, tmp_path, studies=12, subjects=5) as opened:
        yield opened


def forecast_of(office: Office, instance: str, **budget) -> Forecast:
    with connect(office.settings, autocommit=True) as connection:
        number = instance_numbers(connection, office.source.name)[instance]
        active = active_jobs(connection, office.source.name)
        jobs = [job for job in office.source.jobs if job.id in active]
        return forecast(connection, office.source, jobs, number, Budget(**budget))


def test_the_next_run_costs_what_was_forecast(office: Office) -> None:
    office.load(instances=["north"])
    expected = forecast_of(office, "north")
    assert {each.job.id: each.parents for each in expected.jobs if each.parents} == {2: 12, 3: 60}
    # On a machine that stands still for a while some requests are made twice, and forecast so.
    assert expected.requests == pytest.approx(1 + 12 + 60 + 1, rel=0.2)
    office.requests.clear()
    office.load(jobs=[each.job.id for each in expected.jobs], instances=["north"])
    assert office.requests.total() == pytest.approx(expected.requests, rel=0.2)
    assert expected.time.total_seconds() > 0


def test_nights_follow_from_the_budget(office: Office) -> None:
    office.load(instances=["north"])
    assert forecast_of(office, "north").nights == 1
    assert forecast_of(office, "north", requests=30).nights == 3
    hour = forecast_of(office, "north").time
    assert forecast_of(office, "north", time=hour / 3.5).nights == 4
