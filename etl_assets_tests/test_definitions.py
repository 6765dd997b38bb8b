"""The code location as Dagster finds it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.definitions import defs
from etl_assets.orchestration.code_location import code_location
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.settings import PROJECT
from etl_assets.sources import SOURCES, chosen_sources
from etl_assets.sources.tracktik import SOURCE as TRACKTIK
from etl_assets.warehouse import embedded

GRAPH = defs.get_repository_def().asset_graph
LAYERS = {"report", "staging", "typed", "lookup", "intermediate", "dimension", "fact", "mart"}
SEEDS = {"service_alias", "enumeration"}


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """Dagster keeps its records in the embedded server, which is started for it: not left running behind a test."""
    folder = PROJECT / ".etl" / "postgres"
    ran = embedded.is_running(folder)
    yield
    if not ran:
        embedded.stop_server(folder)


@pytest.mark.usefixtures("as_it_was")
def test_it_is_valid_with_an_empty_environment(tmp_path: Path) -> None:
    """No variable but the home that Python itself wants; no warehouse, and nothing to resolve a host with."""
    dagster = Path(sys.executable).with_name("dagster")
    done = subprocess.run(
        [dagster, "definitions", "validate"],
        cwd=PROJECT,
        env={"HOME": str(tmp_path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_code_location_of_one_source_holds_its_assets_alone() -> None:
    graph = code_location(chosen_sources(["tracktik"])).get_repository_def().asset_graph
    assert {graph.get(key).tags["source"] for key in graph.materializable_asset_keys} == {"tracktik"}
    reports = {dg.AssetKey(["report", "tracktik", kind]) for kind in ("daily", "weekly")}
    assert reports < graph.materializable_asset_keys
    assert graph.materializable_asset_keys - reports < GRAPH.materializable_asset_keys


@pytest.mark.parametrize("key", sorted(GRAPH.materializable_asset_keys), ids=lambda key: key.to_user_string())
def test_every_asset_says_whose_it_is_and_what_it_is(key: dg.AssetKey) -> None:
    node = GRAPH.get(key)
    assert node.group_name.startswith(f"{node.tags['source']}_")
    assert node.owners
    assert node.description
    assert node.tags.get("layer") in LAYERS or key.path[-1] in SEEDS


def test_billing_periods_are_partitions_from_staging_to_the_fact() -> None:
    calendar = [period.id for period in TRACKTIK.calendar.periods]
    for key in (["tracktik_staging", "shifts"], ["tracktik_typed", "stg_shifts"], ["tracktik", "fact_shifts"]):
        assert GRAPH.get(dg.AssetKey(key)).partitions_def.get_partition_keys() == calendar
    assert GRAPH.get(dg.AssetKey(["tracktik_staging", "clients"])).partitions_def is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({}, "not set is ETL_TRACKTIK_URL, ETL_TRACKTIK_CLIENT_ID", id="not set up"),
        pytest.param(dict.fromkeys(TRACKTIK.reader.required_settings, "x"), None, id="set up"),
    ],
)
def test_a_service_is_asked_by_the_clock_once_it_is_set_up(monkeypatch, given, said) -> None:
    for word in TRACKTIK.reader.required_settings:
        monkeypatch.delenv(f"ETL_TRACKTIK_{word.upper()}", raising=False)
    for word, value in given.items():
        monkeypatch.setenv(f"ETL_TRACKTIK_{word.upper()}", value)
    periods = {"tracktik_open_periods": 2, "tracktik_sweep": 26}
    for name, number in periods.items():
        schedule = defs.get_repository_def().get_schedule_def(name)
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_schedule_context(
                instance=instance,
                resources={"warehouse": WarehouseResource()},
                repository_def=defs.get_repository_def(),
            )
            tick = schedule.evaluate_tick(context)
        if said:
            assert said in tick.skip_message
        else:
            tags = tick.run_requests[0].tags
            keys = list(TRACKTIK.calendar.by_id)
            first, last = (keys.index(tags[f"dagster/asset_partition_range_{end}"]) for end in ("start", "end"))
            assert last - first + 1 == number
            assert TRACKTIK.calendar.period_of(datetime.now(UTC).date()).id == keys[last]


def test_a_fact_depends_on_the_same_date_of_staging() -> None:
    view = GRAPH.get(dg.AssetKey(["operating_room_staging", "stg_or_case"]))
    assert view.partitions_def == GRAPH.get(dg.AssetKey(["stg", "or_case"])).partitions_def
    assert view.parent_keys == {dg.AssetKey(["stg", "or_case"])}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_rule_is_a_check_that_gives_its_reason(source) -> None:
    for rule in source.rules:
        check = GRAPH.get(dg.AssetCheckKey(dg.AssetKey([source.schema, rule.table]), rule.name))
        assert rule.why in check.description
        assert check.blocking == (rule.blocks_above is not None)


def test_every_model_has_tests_that_show_as_checks() -> None:
    checked = {key.asset_key for key in GRAPH.asset_check_keys}
    by_python = {("tracktik", "billing_periods"), ("trialsync", "job_report"), ("gohighlevel", "job_report")}
    models = {
        key
        for key in GRAPH.materializable_asset_keys
        if key.path[0] in {source.name for source in SOURCES} and tuple(key.path) not in by_python
    }
    assert models <= checked


def test_a_source_that_nothing_is_built_on_is_loaded_and_checked_and_that_is_all() -> None:
    repository = defs.get_repository_def()
    assert {each.name for each in repository.schedule_defs if "gohighlevel" in each.name} == {
        "gohighlevel_phase_0",
        "gohighlevel_job_report",
    }
    keys = {key.to_user_string() for key in GRAPH.materializable_asset_keys if "ghl" in key.path[-1]}
    assert keys == {"trialsync_staging/ghl_contacts_staging", "trialsync_staging/ghl_custom_fields_staging"}


def test_every_asset_is_stale_in_the_ui_when_nothing_builds_it() -> None:
    keys = GRAPH.materializable_asset_keys
    assert [key.to_user_string() for key in keys if GRAPH.get(key).freshness_policy is None] == []


def test_sensors_and_schedules_run_by_themselves() -> None:
    repository = defs.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "operating_room_files",
        "tracktik_models",
        "open_dental_models",
        "trialsync_models",
        "lacrei_saude_models",
        "alerts",
    }
    assert all(sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in repository.sensor_defs)
    assert all(schedule.default_status is dg.DefaultScheduleStatus.RUNNING for schedule in repository.schedule_defs)


def test_a_database_s_tables_are_an_op_for_each_importance_the_critical_ones_first() -> None:
    ops = {
        node.name: node for node in defs.resolve_job_def("open_dental").graph.nodes if node.name.startswith("load_open")
    }
    by_priority = sorted(ops, key=lambda name: -int(ops[name].tags["dagster/priority"]))
    assert by_priority == [f"load_open_dental_{name}" for name in IMPORTANCES]
    tables = {key for key in GRAPH.materializable_asset_keys if key.path[0] == "open_dental"}
    assert len(tables) == 440
    assert {GRAPH.get(key).tags["importance"] for key in tables} == set(IMPORTANCES)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("open_dental_changes", {}),
        ("open_dental_sweep", {f"load_open_dental_{name}": {"config": {"full_compare": True}} for name in IMPORTANCES}),
    ],
)
def test_a_database_is_read_by_the_clock_in_its_hours_and_swept(monkeypatch, name, config) -> None:
    schedule = defs.get_repository_def().get_schedule_def(name)

    def ticks(hours: str | None) -> list[dg.RunRequest]:
        for word, value in {"URL": "mysql://etl@localhost/x", "HOURS": hours}.items():
            if value:
                monkeypatch.setenv(f"ETL_OPEN_DENTAL_{word}", value)
        context = dg.build_schedule_context(resources={"warehouse": WarehouseResource()})
        return schedule.evaluate_tick(context).run_requests

    (request,) = ticks(None)
    assert request.run_config.get("ops", {}) == config
    now = datetime.now(UTC)
    elsewhere = f"{(now.hour + 2) % 24:02}:00-{(now.hour + 3) % 24:02}:00"
    assert ticks(elsewhere) == []


def test_the_constraints_hold_names_and_versions_only() -> None:
    lines = [line for line in (PROJECT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
