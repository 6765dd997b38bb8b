"""What a look into the landing folder asks for."""

import os
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.sensor import MIN_INTERVAL_LOOP_TIME

from etl_assets.declare.dates import Span
from etl_assets.definitions import defs
from etl_assets.loading.files.load import FileStrategy
from etl_assets.orchestration.checks import check_keys
from etl_assets.orchestration.models.build_plan import source_builds
from etl_assets.orchestration.orphaned_runs import SESSION_TAG
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.schedules import nightly_rebuild
from etl_assets.orchestration.sensors import ATTEMPTS, ORPHANS_SECONDS, WORK_TAG, work_sensor
from etl_assets.settings import Settings
from etl_assets.sources import SOURCES
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.table_failures import record_load_outcomes
from etl_assets_tests.loading.runs import load_by

MONDAY = date(2026, 3, 2)
STAGING = {dg.AssetKey(["stg", name]) for name in ("block_schedule", "or_case", "or_schedule")}


@pytest.fixture
def landing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url or "")
    monkeypatch.setenv("ETL_FILE_QUIET_SECONDS", "0")
    folder = settings.landing("operating_room")
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def drop(landing: Path, name: str, *days: int) -> None:
    dates = [MONDAY + timedelta(days=day) for day in days]
    rows = [f"{name}-{day},{day},1" for day in dates]
    path = landing / name
    path.write_text("\n".join(["case_id,surgery_date,room_id", *rows]) + "\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))


def look(instance: dg.DagsterInstance | None, *, cursor: str | None = None) -> list[dg.RunRequest]:
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=defs.get_repository_def(),
        resources={"warehouse": WarehouseResource()},
    )
    return list(work_sensor(SOURCE).evaluate_tick(context).run_requests)


def seconds_ago(seconds: float) -> str:
    return str(time.time() - seconds)


def dates_of(request: dg.RunRequest) -> tuple[str, str]:
    return (
        request.tags["dagster/asset_partition_range_start"],
        request.tags["dagster/asset_partition_range_end"],
    )


def load(settings: Settings) -> None:
    with open_batch(settings, "operating_room", "load") as batch:
        load_by(
            FileStrategy, settings, SOURCE, ["or_case"], span=Span(MONDAY, MONDAY + timedelta(days=400)), batch=batch
        )


def build(settings: Settings) -> None:
    """Have every model stand as built of what there is now, without its rows."""
    with connect(settings, role=None, autocommit=True) as connection:
        for build in source_builds("operating_room").values():
            schema, name = build.relation.split(".")
            connection.execute(f"create table if not exists {schema}.{name} ()")
            connection.execute(
                "insert into etl.model_state as held (relation, code_version, seen)"
                " select %s, %s, coalesce(jsonb_object_agg(input, etl.newest_change(input)), '{}')"
                " from unnest(%s::text[]) as input"
                " on conflict (relation) do update set seen = excluded.seen",
                [build.relation, build.code, list(build.inputs)],
            )


def test_nothing_new_starts_nothing(landing, instance) -> None:
    assert look(instance) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_where_files_are_dropped_every_round_of_the_daemon_is_a_look_and_elsewhere_every_third(source) -> None:
    rounds = 1 if source.name == "operating_room" else 3
    seconds = work_sensor(source).minimum_interval_seconds
    assert (rounds - 1) * MIN_INTERVAL_LOOP_TIME < seconds < rounds * MIN_INTERVAL_LOOP_TIME


def test_where_nothing_is_to_be_done_dagsters_records_are_not_opened(landing) -> None:
    assert look(None, cursor=seconds_ago(1)) == []


def test_a_run_whose_process_died_is_found_within_a_minute(landing, instance) -> None:
    request = dg.RunRequest(tags={SESSION_TAG: "of a process that is gone", WORK_TAG: "some"}, asset_selection=[])
    start(instance, request, dg.DagsterRunStatus.STARTED)
    [run] = instance.get_runs()
    for cursor, found in ((seconds_ago(1), False), (seconds_ago(ORPHANS_SECONDS + 1), True)):
        look(instance, cursor=cursor)
        assert (instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE) == found


def test_a_run_whose_process_died_is_found_at_once_where_work_waits(landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0)
    request = dg.RunRequest(tags={SESSION_TAG: "of a process that is gone", WORK_TAG: "some"}, asset_selection=[])
    start(instance, request, dg.DagsterRunStatus.STARTED)
    [run] = instance.get_runs()
    look(instance, cursor=seconds_ago(1))
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_clock_that_was_put_back_does_not_stop_the_looks_for_orphaned_runs(landing, instance) -> None:
    request = dg.RunRequest(tags={SESSION_TAG: "of a process that is gone", WORK_TAG: "some"}, asset_selection=[])
    start(instance, request, dg.DagsterRunStatus.STARTED)
    look(instance, cursor=seconds_ago(-3_600))
    [run] = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.FAILURE


def test_a_new_file_starts_one_run_for_its_dates_and_tables(landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0, 1, 4)
    [request] = look(instance)
    assert dates_of(request) == ("2026-03-02", "2026-03-06")
    assert set(request.asset_selection) & STAGING == {dg.AssetKey(["stg", "or_case"])}
    assert dg.AssetKey(["operating_room", "fact_turnover"]) in request.asset_selection


def test_files_of_far_dates_are_runs_of_their_own(landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0)
    drop(landing, "or_case_2.csv", 100)
    assert [dates_of(request) for request in look(instance)] == [
        ("2026-03-02", "2026-03-02"),
        ("2026-06-10", "2026-06-10"),
    ]


def test_a_file_that_spans_what_divides_is_one_run(landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0, 100)
    assert [dates_of(request) for request in look(instance)] == [("2026-03-02", "2026-06-10")]


def test_the_same_work_is_asked_for_once_by_its_key(landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0)
    [first], [second] = look(instance), look(instance)
    assert first.run_key == second.run_key


def test_work_under_way_is_not_asked_for_again(landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0)
    [request] = look(instance)
    start(instance, request, dg.DagsterRunStatus.STARTED)
    assert look(instance) == []


def test_a_run_that_failed_is_tried_again_and_then_given_up_aloud(landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0)
    keys = set()
    for _ in range(ATTEMPTS):
        [request] = look(instance)
        keys.add(request.run_key)
        start(instance, request, dg.DagsterRunStatus.FAILURE)
    assert len(keys) == ATTEMPTS
    assert look(instance) == []


def test_dates_loaded_without_their_models_are_built_with_their_checks(settings, landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0, 1)
    look(instance)
    load(settings)
    [request] = look(instance)
    assert dates_of(request) == ("2026-03-02", "2026-03-03")
    assert not set(request.asset_selection) & STAGING
    assert set(check_keys(SOURCE)) <= set(request.asset_check_keys)
    build(settings)
    assert look(instance) == []


def test_the_old_date_of_a_case_that_moved_is_built_too(settings, landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0)
    look(instance)
    load(settings)
    build(settings)
    (landing / "or_case_2.csv").write_text(
        f"case_id,surgery_date,room_id\nor_case_1.csv-{MONDAY},{MONDAY + timedelta(days=3)},1\n"
    )
    look(instance)
    load(settings)
    assert [dates_of(request) for request in look(instance)] == [("2026-03-02", "2026-03-05")]


def test_a_file_nobody_can_read_starts_nothing_and_is_in_the_ledger(settings, landing, instance) -> None:
    (landing / "or_case_1.xlsx").write_bytes(b"no workbook")
    assert look(instance) == []
    with connect(settings) as connection:
        assert connection.execute("select status from stg.file_tracking").fetchall() == [("FAILED",)]


def test_what_is_built_on_a_failed_table_is_left_out_until_it_is_loaded(settings, landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0, 1)
    look(instance)
    load(settings)
    with open_batch(settings, "operating_room", "load") as batch:
        record_load_outcomes(batch, failed={"stg.block_schedule": "it is broken"}, loaded=[])
    [request] = look(instance)
    asked = {key.to_user_string() for key in request.asset_selection}
    assert {"operating_room_staging/stg_or_case", "operating_room/dim_date"} <= asked
    assert not asked & {"operating_room_staging/stg_block_schedule", "operating_room/fact_block_utilization"}
    assert {key.asset_key for key in request.asset_check_keys} <= set(request.asset_selection) | STAGING
    start(instance, request, dg.DagsterRunStatus.SUCCESS)
    assert look(instance) == [], "what could be built was built"

    with open_batch(settings, "operating_room", "load") as batch:
        record_load_outcomes(batch, failed={}, loaded=["stg.block_schedule"])
    [request] = look(instance)
    assert dg.AssetKey(["operating_room", "fact_block_utilization"]) in request.asset_selection


def test_the_nightly_rebuild_leaves_out_what_is_stale(settings, landing, instance) -> None:
    drop(landing, "or_case_1.csv", 0)
    look(instance)
    load(settings)

    def night() -> dg.RunRequest:
        context = dg.build_schedule_context(
            instance=instance, repository_def=defs.get_repository_def(), resources={"warehouse": WarehouseResource()}
        )
        [request] = nightly_rebuild(SOURCE).evaluate_tick(context).run_requests
        return request

    assert night().asset_selection is None
    with open_batch(settings, "operating_room", "load") as batch:
        record_load_outcomes(batch, failed={"stg.or_case": "it is broken"}, loaded=[])
    asked = {key.to_user_string() for key in night().asset_selection}
    assert "operating_room/dim_date" in asked
    assert not asked & {"operating_room/fact_case", "operating_room/mart_daily_board"}


def start(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    """The run that the daemon would have made of a request."""
    job = defs.get_repository_def().get_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job, tags=dict(request.tags), asset_selection=frozenset(request.asset_selection))
    assert run.tags[WORK_TAG]
    instance.run_storage.handle_run_event(run.run_id, _ended(run, status))


def _ended(run: dg.DagsterRun, status: dg.DagsterRunStatus) -> dg.DagsterEvent:
    kinds = {
        dg.DagsterRunStatus.STARTED: dg.DagsterEventType.RUN_START,
        dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
        dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
    }
    return dg.DagsterEvent(event_type_value=kinds[status].value, job_name=run.job_name)
