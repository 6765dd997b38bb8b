"""A day of simulated operation: it ends with every asset fresh, every check evaluated, no run left over.

Days on which nothing changes leave Dagster's records no larger. `ETL_SIMULATED_DAY=all` lives one day with all sources,
services and databases that are read every hour among them, in some ten minutes and more.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
import pytest

from etl_assets.drills.installation import Installation
from etl_assets.drills.rehearsal.company import GuardCompany
from etl_assets.drills.rehearsal.databases import Network, Practice
from etl_assets.drills.rehearsal.hospital import Hospital
from etl_assets.drills.rehearsal.trials import ContactBook, TrialOffice
from etl_assets.orchestration.asset_keys import asset_key
from etl_assets.orchestration.launch import dagster_environment
from etl_assets.quality.health import table_health
from etl_assets.settings import Settings, read_settings
from etl_assets.sources import SOURCES
from etl_assets.sources.operating_room import SOURCE as OPERATING_ROOM
from etl_assets.warehouse.connection import connect
from etl_assets_tests.orchestration.simulated_day import SimulatedDay

SEED = 3
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
"""The weekly report is written on Mondays."""
WHOLE = os.environ.get("ETL_SIMULATED_DAY") == "all"
_RELATIONS = "select schemaname, tablename from pg_tables union all select schemaname, viewname from pg_views"
LIVING = SOURCES if WHOLE else (OPERATING_ROOM,)


@pytest.fixture
def installed(settings: Settings, new_database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    environment = {
        "ETL_HOME": str(settings.home),
        "ETL_WAREHOUSE_URL": settings.warehouse_url or "",
        "ETL_DAGSTER_URL": new_database(),
        "ETL_FILE_QUIET_SECONDS": "0",
        "ETL_DAGSTER_KEEP_DAYS": "1",
    }
    with ExitStack() as opened:
        if WHOLE:
            services = [
                opened.enter_context(closing(made)) for made in (GuardCompany(SEED), TrialOffice(), ContactBook(SEED))
            ]
            at = Installation(environment)
            for place in (*services, Practice(at, SEED), Network(at, SEED)):
                environment |= place.environment
        made = read_settings(environment)
        for name, value in {**environment, **dagster_environment(made)}.items():
            monkeypatch.setenv(name, value)
        made.landing(OPERATING_ROOM.name).mkdir(parents=True, exist_ok=True)
        yield made


@pytest.fixture
def instance(installed: Settings) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as made:
        yield made


def test_a_day_ends_with_all_fresh_and_evaluated_and_quiet_ones_add_nothing(
    installed: Settings, instance: dg.DagsterInstance
) -> None:
    day, folder = SimulatedDay(instance, LIVING), installed.landing(OPERATING_ROOM.name)
    day.live(MONDAY, {1: lambda: Hospital(folder, SEED)})  # what nothing has happened to, the first night makes
    check_state(installed, day, MONDAY + timedelta(days=1))
    if WHOLE:
        return
    first = count_records(installed)

    a_day_passes(installed)
    day.live(MONDAY + timedelta(days=1), {})
    second = count_records(installed)
    assert second["event_logs"] < first["event_logs"]

    a_day_passes(installed)
    day.live(MONDAY + timedelta(days=2), {})
    third = count_records(installed)
    assert day.failed == unfinished(instance) == []
    assert {name: third[name] <= second[name] for name in second} == dict.fromkeys(second, True), (second, third)


def unfinished(instance: dg.DagsterInstance) -> list[str]:
    return [run.run_id for run in instance.get_runs() if not run.is_finished]


def check_state(installed: Settings, day: SimulatedDay, end: datetime) -> None:
    instance, graph = day.instance, day.repository.asset_graph
    assert day.failed == unfinished(instance) == []

    with connect(installed, role=None) as connection:
        there = {f"{schema}/{table}" for schema, table in connection.execute(_RELATIONS).fetchall()}
    # Nothing is made of a table that this version of a source does not have.
    absent = {
        key
        for source in day.sources
        for table in source.tables
        if (key := asset_key(source, table.name)).to_user_string() not in there
    }
    assert [each.name for each in day.sources if {asset_key(each, table.name) for table in each.tables} <= absent] == []
    stale = {}
    for key in graph.executable_asset_keys - absent:
        made = instance.get_latest_materialization_event(key)
        age = end - day.moment_of[made.run_id] if made else None
        window = day.definitions.resolve_assets_def(key).specs_by_key[key].freshness_policy.fail_window
        if age is None or age > window.to_timedelta():
            stale[key.to_user_string()] = age
    assert stale == {}

    results = instance.event_log_storage.get_latest_asset_check_execution_by_key(sorted(graph.asset_check_keys))
    expected = [key for key in graph.asset_check_keys if key.asset_key not in absent]
    never = [str(key) for key in expected if not (key in results and results[key].event)]
    assert never == []

    with connect(installed, role=None) as connection:
        ill = [each for source in day.sources for each in table_health(connection, source) if each.state != "healthy"]
        assert ill == []
        assert connection.execute("select count(*) from etl.batch where status = 'running'").fetchone() == (0,)


def count_records(installed: Settings) -> dict[str, int]:
    tables = ("runs", "event_logs", "asset_check_executions", "run_tags")
    with psycopg.connect(installed.dagster_url or "") as connection:
        return {name: connection.execute(f"select count(*) from {name}").fetchone()[0] for name in tables}


def a_day_passes(installed: Settings) -> None:
    """Whatever Dagster has recorded so far is of yesterday."""
    with psycopg.connect(installed.dagster_url or "") as connection:
        for table, column in (
            ("runs", "create_timestamp"),
            ("event_logs", "timestamp"),
            ("asset_check_executions", "create_timestamp"),
        ):
            connection.execute(f"update {table} set {column} = {column} - interval '25 hours'")
