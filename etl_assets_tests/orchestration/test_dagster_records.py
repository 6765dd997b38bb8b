"""What Dagster's own database keeps of runs, and what it lets go of; the database is real."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from etl_assets.orchestration.housekeeping import forget_old_runs
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.settings import PROJECT

DAYS = dg.StaticPartitionsDefinition(["mon", "tue"])
YEAR = dg.DailyPartitionsDefinition("2025-01-01", end_date="2026-01-01")


@dg.multi_asset(
    specs=[dg.AssetSpec("fact", partitions_def=DAYS)],
    check_specs=[dg.AssetCheckSpec("has_rows", asset="fact"), dg.AssetCheckSpec("is_new", asset="fact")],
    can_subset=True,
)
def facts(context: dg.AssetExecutionContext):
    """Of its checks one finds nothing to say."""
    if context.run.tags.get("fails"):
        raise dg.Failure("as it is told to", allow_retries=False)
    yield dg.MaterializeResult(asset_key="fact", metadata={"rows": 7})
    yield dg.AssetCheckResult(asset_key="fact", check_name="has_rows", passed=True)


@dg.multi_asset(specs=[dg.AssetSpec("whole"), dg.AssetSpec("absent", skippable=True)], can_subset=True)
def wholes():
    yield dg.MaterializeResult(asset_key="whole", metadata={"rows": 9})


@dg.multi_asset(
    specs=[dg.AssetSpec(name, partitions_def=YEAR) for name in ("loaded", "late")],
    can_subset=True,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def year(context: dg.AssetExecutionContext):
    """Of a run that is told to fail, one asset comes to be made and the other does not."""
    for name in ("loaded", "late"):
        if name == "late" and context.run.tags.get("fails"):
            raise dg.Failure("as it is told to", allow_retries=False)
        yield dg.MaterializeResult(asset_key=name)


class Records:
    """A Dagster instance as the project's own dagster.yaml makes it, and its database."""

    def __init__(self, instance: dg.DagsterInstance, url: str) -> None:
        self.instance = instance
        self.url = url

    def run(self, assets: list, *, partition: str | None = None, success: bool = True) -> str:
        tags = {} if success else {"fails": "yes"}
        done = dg.materialize(assets, instance=self.instance, partition_key=partition, tags=tags, raise_on_error=False)
        assert done.success == success
        return done.run_id

    def run_dates(self, first: str, last: str, *, success: bool = True) -> str:
        """Run the daily assets over dates, in one run."""
        job = dg.Definitions(assets=[year], jobs=[dg.define_asset_job("year")]).resolve_job_def("year")
        done = job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            tags={
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
                **({} if success else {"fails": "yes"}),
            },
        )
        assert done.success == success
        return done.run_id

    def failed_partitions(self, asset: str, partitions: dg.PartitionsDefinition) -> list[str]:
        """Those that the UI shows as failed."""
        cached = get_and_update_asset_status_cache_value(self.instance, dg.AssetKey(asset), partitions)
        return sorted(cached.deserialize_failed_partition_subsets(partitions).get_partition_keys())

    def query(self, statement: str, *values: object) -> list[tuple]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def kinds(self, run: str) -> dict[str, int]:
        """The events of a run by their kind, but for plain messages and those of the run's engine."""
        found = dict(
            self.query("select dagster_event_type, count(*) from event_logs where run_id = %s group by 1", run)
        )
        return {kind: number for kind, number in found.items() if kind not in {None, "ENGINE_EVENT", "LOGS_CAPTURED"}}

    def age(self, *runs: str) -> None:
        """Two months pass over these runs."""
        for statement in (
            "update runs set create_timestamp = create_timestamp - interval '60 days' where run_id = any(%s)",
            "update asset_check_executions set create_timestamp = create_timestamp - interval '60 days'"
            " where run_id = any(%s)",
        ):
            self.query(statement, list(runs))

    def keep_house(self) -> None:
        context = dg.build_op_context(instance=self.instance, resources={"warehouse": WarehouseResource()})
        forget_old_runs(context)


@pytest.fixture(scope="module")
def dagster_url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def records(tmp_path: Path, dagster_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    monkeypatch.setenv("ETL_HOME", str(tmp_path))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", dagster_url)
    monkeypatch.setenv("ETL_DAGSTER_URL", dagster_url)
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield Records(instance, dagster_url)
        instance.wipe()


def test_a_run_that_went_well_keeps_what_it_made_and_found_and_no_more(records: Records) -> None:
    run = records.run([facts, wholes], partition="mon")
    kept = records.kinds(run)
    assert kept == {
        "PIPELINE_START": 1,
        "STEP_START": 2,
        "ASSET_MATERIALIZATION": 2,
        "ASSET_CHECK_EVALUATION": 1,
        "STEP_SUCCESS": 2,
        "PIPELINE_SUCCESS": 1,
    }
    checks = "select check_name, execution_status from asset_check_executions where run_id = %s"
    assert records.query(checks, run) == [("has_rows", "SUCCEEDED")]


def test_a_run_that_failed_keeps_all_that_tells_why_and_what_it_did_not_come_to(records: Records) -> None:
    run = records.run([facts, wholes], partition="mon", success=False)
    kept = records.kinds(run)
    assert kept["ASSET_MATERIALIZATION_PLANNED"] == 3
    assert kept["STEP_FAILURE"] == 1
    assert kept["STEP_OUTPUT"] == 1
    assert "ASSET_CHECK_EVALUATION_PLANNED" not in kept


def test_a_year_in_one_run_is_planned_by_one_write_an_asset(records: Records) -> None:
    run = records.run_dates("2025-01-01", "2025-12-31", success=False)
    planned = records.query(
        "select asset_key, count(distinct partition), count(*), count(distinct xmin::text) from event_logs"
        " where run_id = %s and dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED' group by 1 order by 1",
        run,
    )
    assert planned == [('["late"]', 365, 365, 1), ('["loaded"]', 365, 365, 1)]


def test_the_dates_that_a_run_over_many_did_not_make_are_shown_as_failed_until_they_are_made(records: Records) -> None:
    records.run_dates("2025-03-01", "2025-03-03", success=False)
    assert records.failed_partitions("late", YEAR) == ["2025-03-01", "2025-03-02", "2025-03-03"]
    assert records.failed_partitions("loaded", YEAR) == []

    records.run_dates("2025-03-02", "2025-03-02")
    assert records.failed_partitions("late", YEAR) == ["2025-03-01", "2025-03-03"]


def test_a_partition_by_name_is_shown_as_failed_until_it_is_made(records: Records) -> None:
    records.run([facts], partition="tue", success=False)
    assert records.failed_partitions("fact", DAYS) == ["tue"]
    records.run([facts], partition="tue")
    assert records.failed_partitions("fact", DAYS) == []


def test_the_last_run_that_planned_an_asset_is_found_by_its_partition_too(records: Records) -> None:
    failed = records.run_dates("2025-03-01", "2025-03-03", success=False)
    storage, late = records.instance.event_log_storage, dg.AssetKey("late")
    assert storage.get_latest_planned_materialization_info(late).run_id == failed
    assert storage.get_latest_planned_materialization_info(late, "2025-03-02").run_id == failed
    assert storage.get_latest_planned_materialization_info(late, "2025-03-04") is None


def test_a_check_that_a_failed_run_did_not_come_to_shows_what_was_found_before(records: Records) -> None:
    records.run([facts], partition="mon")
    records.run([facts], partition="mon", success=False)
    key = dg.AssetCheckKey(dg.AssetKey("fact"), "has_rows")
    summary = records.instance.event_log_storage.get_asset_check_summary_records([key])[key]
    assert summary.last_check_execution_record.status.value == "SUCCEEDED"


def test_what_failed_alone_is_tried_again(records: Records) -> None:
    """The planned events of a run are not needed for it."""
    run = records.instance.get_run_by_id(records.run([facts, wholes], partition="mon", success=False))
    snapshot = records.instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    assets, checks = records.instance.run_domain.get_keys_to_reexecute(run.run_id, snapshot)
    assert dg.AssetKey("fact") in assets
    assert dg.AssetKey("whole") not in assets
    assert {key.name for key in checks} == {"has_rows", "is_new"}


def test_of_old_runs_that_alone_stays_which_is_shown_today(records: Records) -> None:
    monday, tuesday, tuesday_again = (records.run([facts], partition=day) for day in ("mon", "tue", "tue"))
    failed = records.run([facts], partition="mon", success=False)
    first, second = records.run([wholes]), records.run([wholes])
    young = records.run([facts], partition="tue")
    records.age(monday, tuesday, tuesday_again, failed, first)
    for _ in range(2):
        records.keep_house()
        assert {run.run_id for run in records.instance.get_runs()} == {monday, second, young}
        assert {run for (run,) in records.query("select distinct run_id from event_logs")} == {monday, second, young}
        assert records.kinds(monday) == {"PIPELINE_START": 1, "ASSET_MATERIALIZATION": 1, "PIPELINE_SUCCESS": 1}
        assert records.kinds(young)["STEP_SUCCESS"] == 1

    storage = records.instance.event_log_storage
    assert storage.get_materialized_partitions(dg.AssetKey("fact")) == {"mon", "tue"}
    latest = records.instance.get_latest_materialization_event(dg.AssetKey("whole"))
    assert latest.run_id == second
    assert latest.asset_materialization.metadata["rows"].value == 9
    checked = "select run_id from asset_check_executions where check_name = 'has_rows'"
    assert records.query(checked) == [(young,)]
    tags = "select count(*) from asset_event_tags where event_id not in (select id from event_logs)"
    assert records.query(tags) == [(0,)]


def test_a_check_keeps_its_last_result_however_old(records: Records) -> None:
    old = [records.run([facts], partition="mon") for _ in range(3)]
    records.age(*old)
    records.keep_house()
    assert records.query("select check_name, run_id from asset_check_executions") == [("has_rows", old[-1])]


def test_the_days_are_a_setting(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    old, _ = records.run([wholes]), records.run([wholes])
    records.age(old)
    monkeypatch.setenv("ETL_DAGSTER_KEEP_DAYS", "61")
    records.keep_house()
    assert records.instance.get_run_by_id(old)
    monkeypatch.setenv("ETL_DAGSTER_KEEP_DAYS", "59")
    records.keep_house()
    assert records.instance.get_run_by_id(old) is None


def test_of_events_that_no_run_logged_the_old_go_but_for_the_last(records: Records) -> None:
    for state in ("late", "healthy again", "late"):
        records.instance.report_runless_asset_event(dg.AssetObservation("whole", description=state))
    runless = (
        "select event::jsonb #>> '{dagster_event,event_specific_data,asset_observation,description}' from event_logs"
    )
    records.keep_house()
    assert len(records.query(f"{runless} where run_id = ''")) == 3
    records.query("update event_logs set timestamp = timestamp - interval '60 days' where run_id = ''")
    records.keep_house()
    assert records.query(f"{runless} where run_id = ''") == [("late",)]


def test_two_runs_that_come_upon_a_pool_at_once_both_go_on(records) -> None:
    """The second waits for the first one's transaction; Dagster's own way fails there."""
    storage = records.instance.event_log_storage
    with psycopg.connect(records.url) as first, ThreadPoolExecutor(1) as pool:
        first.execute(
            """insert into concurrency_limits (concurrency_key, "limit", using_default_limit) values ('new', 1, true)"""
        )
        second = pool.submit(storage.initialize_concurrency_limit_to_default, "new")
        while not first.execute("select 1 from pg_locks where not granted").fetchone():
            assert not second.done()
        first.commit()
        assert second.result(timeout=30)
    assert [each.limit for each in storage.get_pool_limits() if each.name == "new"] == [1]
    assert storage.get_concurrency_info("new").slot_count == 1


@pytest.mark.parametrize("is_webserver", [False, True])
def test_after_postgresql_was_restarted_the_first_who_asks_is_answered(records: Records, is_webserver: bool) -> None:
    """Its connections have died with it, and nobody was told."""
    if is_webserver:
        records.instance.optimize_for_webserver(0, 1800, 20)
    run = records.run([wholes])
    ended = records.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    assert ended
    assert records.instance.get_run_by_id(run) is not None
    assert records.instance.all_logs(run)
    assert list(records.instance.all_instigator_state()) == []
