"""The sensor of alerts over a real warehouse and Dagster's own records: what it finds, sends and shows."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.sensor_definition import SensorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import serializable_error_info_from_exc_info

from etl_assets.definitions import defs
from etl_assets.errors import EtlError
from etl_assets.orchestration.dagster_faults import dagster_faults, retry_is_pending
from etl_assets.orchestration.reports import missed_reports
from etl_assets.settings import PROJECT, Settings
from etl_assets.sources import SOURCES
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.warehouse.alerts import Member, watch
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.reports import last_written, record_report
from etl_assets.warehouse.table_failures import record_load_outcomes


@pytest.fixture
def instance(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("ETL_HOME", str(tmp_path))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url or "")
    monkeypatch.setenv("ETL_DAGSTER_URL", settings.warehouse_url or "")
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made


@dg.op
def fails() -> None:
    raise KeyError("a value: Jane")


@dg.op
def works() -> None:
    pass


@dg.job(name="odd_job")
def failing() -> None:
    fails()


@dg.job(name="odd_job")
def working() -> None:
    works()


def look(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    repository = defs.get_repository_def()
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, repository_def=repository, resources=defs.resources
    ) as context:
        found = repository.get_sensor_def("alerts")(context)
    assert isinstance(found, dg.SensorResult)
    return found


def test_a_model_s_health_is_shown_at_its_asset_too(instance: dg.DagsterInstance, settings: Settings) -> None:
    first = look(instance, None)
    with connect(settings, autocommit=True) as connection, connection.transaction():
        member = Member(relation="open_dental_mart.fact_claim", why="no build", since=datetime.now(UTC))
        watch(connection, "late", {OPEN_DENTAL.name: [member]})
    (shown,) = look(instance, first.cursor).asset_events
    assert shown.asset_key == dg.AssetKey(["open_dental_mart", "fact_claim"])


def test_a_change_of_health_is_shown_once_at_its_asset(instance: dg.DagsterInstance, settings: Settings) -> None:
    first = look(instance, None)
    assert not first.asset_events
    relation = f"{OPEN_DENTAL.schema}.patient"
    with open_batch(settings, OPEN_DENTAL.name, "load") as batch:
        record_load_outcomes(batch, failed={relation: "the disk is full"}, loaded=[])
    second = look(instance, first.cursor)
    (shown,) = second.asset_events
    assert isinstance(shown, dg.AssetObservation)
    assert shown.asset_key.path[-1] == "patient"
    assert (shown.metadata["health"].value, shown.metadata["why"].value) == ("failed", "the disk is full")
    third = look(instance, second.cursor)
    assert not third.asset_events
    with open_batch(settings, OPEN_DENTAL.name, "load") as batch:
        record_load_outcomes(batch, failed={}, loaded=[relation])
    (well,) = look(instance, third.cursor).asset_events
    assert well.metadata["health"].value == "healthy again"


def faults(instance: dg.DagsterInstance, known: set[str]) -> list[tuple[str, str]]:
    found = dagster_faults(instance, datetime.now(UTC), with_batches=lambda runs: known & set(runs))
    return [(each.rule, each.why) for each in found]


def test_a_run_that_failed_before_its_work_is_a_fault_until_one_goes_well(instance: dg.DagsterInstance) -> None:
    run = failing.execute_in_process(instance=instance, raise_on_error=False).run_id
    assert faults(instance, set()) == [("run of odd_job", f"run {run} failed before it did anything")]
    assert faults(instance, {run}) == [], "the ledger knows what became of it"
    working.execute_in_process(instance=instance)
    assert faults(instance, set()) == []


def test_a_run_that_is_tried_again_is_no_fault_yet(instance: dg.DagsterInstance) -> None:
    tags = {"dagster/max_retries": "1"}
    run = failing.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id
    instance.add_run_tags(run, {"dagster/will_retry": "true"})
    assert faults(instance, set()) == []
    assert retry_is_pending(instance, run)
    again = {"dagster/root_run_id": run, "dagster/parent_run_id": run, "dagster/retry_number": "1"}
    failing.execute_in_process(instance=instance, raise_on_error=False, tags={**tags, **again})
    assert not retry_is_pending(instance, run)
    assert not retry_is_pending(instance, "no such run")


def test_a_report_that_was_not_written_is_missed_a_few_hours_later(settings: Settings) -> None:
    now = datetime.now(UTC)

    def missed(moment: datetime) -> list[str]:
        with connect(settings) as connection:
            written = {kind: last_written(connection, kind, "all") for kind in ("daily", "weekly")}
        return [each.rule for each in missed_reports(SOURCES, lambda kind, _: written[kind], moment)]

    assert missed(now) == []
    with open_batch(settings, "tracktik", "load"):
        pass
    assert missed(now + timedelta(hours=25)) == []
    assert missed(now + timedelta(hours=27)) == ["daily report"]
    assert missed(now + timedelta(days=8)) == ["daily report", "weekly report"]
    with connect(settings, autocommit=True) as connection:
        record_report(connection, kind="daily", scope="all", built_at=now + timedelta(hours=26), path=Path("x"), size=1)
    assert missed(now + timedelta(hours=27)) == []


def test_a_tick_that_fails_is_a_fault_until_the_next_goes_well_and_shows_no_value(instance: dg.DagsterInstance) -> None:
    location = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("etl_assets"), "__repository__")
    origin = location.get_instigator_origin("tracktik_models")
    selector = origin.get_selector().get_id()
    data = SensorInstigatorData(sensor_type=SensorType.STANDARD)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
    instance.add_instigator_state(state)

    def tick(status: TickStatus, raised: Exception | None = None) -> None:
        error = None
        try:
            if raised:
                raise raised
        except Exception:  # noqa: BLE001 (any that a tick may fail of)
            error = serializable_error_info_from_exc_info(sys.exc_info())
        kind, moment = InstigatorType.SENSOR, time.time()
        name = "tracktik_models"
        instance.create_tick(TickData(origin.get_id(), name, kind, status, moment, selector_id=selector, error=error))

    tick(TickStatus.FAILURE, KeyError("a value: Jane"))
    assert faults(instance, set()) == [("tick of tracktik_models", "KeyError")]
    tick(TickStatus.FAILURE, EtlError("the warehouse cannot be reached"))
    assert faults(instance, set()) == [("tick of tracktik_models", "the warehouse cannot be reached")]
    tick(TickStatus.SKIPPED)
    assert faults(instance, set()) == []
