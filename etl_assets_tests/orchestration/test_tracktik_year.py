"""A year of billing periods, loaded and built at once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import dagster as dg
import pytest

from etl_assets.orchestration.models.build_plan import plan_build, source_builds
from etl_assets.orchestration.partitions import today
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.sources.tracktik.tables import CALENDAR
from etl_assets.warehouse.connection import Connection, connect
from etl_assets_tests.orchestration.installation import Installation

YEAR = [period.id for period in CALENDAR.periods if period.fiscal_year == 2025]


@pytest.fixture(scope="module")
def year(installation: Installation) -> Iterator[Installation]:
    company = Company(first=date(2024, 12, 27), periods=26, shifts_a_day=6, clients=12, positions=15)
    with serve(company) as service:
        reached = {**service.credentials, "ETL_TRACKTIK_CALLS_PER_MINUTE": "100000"}
        ready = replace(installation, environment={**installation.environment, **reached})
        ready.etl("run", "tracktik", "--period", f"{YEAR[0]}..{YEAR[-1]}")
        yield ready


def test_26_periods_are_one_run_and_a_partition_each(year: Installation) -> None:
    assert len(YEAR) == 26
    assert year.query("select count(distinct run_id) from etl.batch where source = 'tracktik'") == [(1,)]
    rows = year.query("select billing_period_id, count(*) from tracktik.fact_shifts group by 1 order by 1")
    assert [period for period, _ in rows] == YEAR
    assert sum(number for _, number in rows) == year.query("select count(*) from tracktik_staging.shifts")[0][0]
    leaves = "select relid::regclass::text from pg_partition_tree('tracktik.fact_shifts') where isleaf order by 1"
    assert [leaf for (leaf,) in year.query(leaves)] == [f"tracktik.fact_shifts_{period}" for period in YEAR]


def test_dagster_shows_every_period_as_materialised(year: Installation, monkeypatch) -> None:
    for name, value in year.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(year.settings.home / "dagster"))
    with dg.DagsterInstance.get() as instance:
        for key in (["tracktik_staging", "shifts"], ["tracktik", "fact_shifts"]):
            assert sorted(instance.get_materialized_partitions(dg.AssetKey(key))) == YEAR


def test_a_query_on_one_period_reads_one_partition(year: Installation) -> None:
    plan = "\n".join(
        line
        for (line,) in year.query(
            "explain select sum(bill_total) from tracktik.fact_shifts where billing_period_id = %s", YEAR[11]
        )
    )
    assert [period for period in YEAR if f"fact_shifts_{period}" in plan] == [YEAR[11]]


def test_a_build_that_fails_stays_to_be_done(year: Installation) -> None:
    with connect(year.settings, role=None) as connection:
        connection.execute("alter table tracktik.fact_shifts owner to etl_loader")
        connection.execute(
            "insert into etl.table_load (batch_id, relation, slices_changed, seconds, rows_read, rows_inserted,"
            " rows_updated, rows_unchanged, rows_deleted, rows_rejected) select batch_id,"
            " 'tracktik_staging.shifts', array[date '2025-01-01'], 0, 1, 0, 1, 0, 0, 0 from etl.batch limit 1"
        )
    failed = (
        "select status from etl.batch where source = 'tracktik' and kind = 'build' order by started_at desc limit 1"
    )
    year.etl("run", "tracktik", "--period", YEAR[0], expected=1)
    assert year.query(failed) == [("failed",)]
    with connect(year.settings) as connection:
        assert "tracktik.fact_shifts" in behind(connection)
        connection.execute("reset role")
        connection.execute("alter table tracktik.fact_shifts owner to etl_transformer")
    year.etl("run", "tracktik", "--period", YEAR[0])
    with connect(year.settings) as connection:
        assert behind(connection) == []


def behind(connection: Connection) -> list[str]:
    builds = source_builds("tracktik")
    return [build.relation for build in plan_build(connection, builds, builds, as_of=today()).behind]
