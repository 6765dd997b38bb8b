"""Checks of what has not changed are passed over; what the UI shows stays right, and what blocked still blocks."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.loader import LoadingContextForTest

from etl_assets.orchestration.checks import check_keys, rule_checks
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.staging_assets import LoadConfig
from etl_assets.settings import PROJECT, read_settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.ledger import Counts, open_batch, record_load
from etl_assets.warehouse.relation import Relation

TABLES = ("block_schedule", "or_case", "or_schedule")
RULES = check_keys(SOURCE)
READ_EVERY_TIME = {key for key, rule in RULES.items() if rule.name == "FilesTakenIn"}
"""They look at the ledger of files."""
BLOCKING = dg.AssetCheckKey(dg.AssetKey(["stg", "or_case"]), "InvalidTimeSequence")


@dg.multi_asset(specs=[dg.AssetSpec(["stg", name], skippable=True) for name in TABLES], can_subset=True)
def load(context: dg.AssetExecutionContext, config: LoadConfig) -> Iterator[dg.MaterializeResult]:
    """It loads nothing: the tests do."""
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=key)


@dg.asset(deps=[["stg", name] for name in TABLES])
def fact() -> None:
    """What is built on it."""


DEFS = dg.Definitions(
    assets=[load, fact],
    asset_checks=[rule_checks(SOURCE)],
    jobs=[
        dg.define_asset_job("everything"),
        dg.define_asset_job("loads", selection=dg.AssetSelection.assets(load).without_checks()),
        dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks()),
    ],
    resources={"warehouse": WarehouseResource()},
)


class Installed:
    """Dagster's records and the warehouse, both real."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def run(self, job: str = "everything", *, success: bool = True, config: Mapping | None = None) -> set:
        """Run a job; returns the checks that it told results of."""
        done = DEFS.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            tags={"dagster/partition": "2026-03-02"},
            run_config={"ops": {"load": {"config": config}}} if config else {},
        )
        assert done.success == success
        self.built = any(event.step_key == "fact" and event.is_step_success for event in done.all_events)
        stored = self.instance.all_logs(done.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        return {event.dagster_event.event_specific_data.asset_check_key for event in stored}

    def case(self, number: int, comes: str, goes: str) -> None:
        """A case is loaded, of 2 March."""
        with open_batch(read_settings(), "operating_room", "load") as batch:
            batch.connection.execute(
                "insert into stg.or_case (site_id, case_id, surgery_date, time_zone, feed, file_name, etl_batch_id,"
                " or_in, or_out, patient_id, room_id, location_id, primary_surgeon_prov_id)"
                " values ('', %s, '2026-03-02', 'UTC', 'f', 'f.csv', %s, %s, %s, 'p', %s, 'l', 's')",
                [str(number), batch.id, f"2026-03-02 {comes}", f"2026-03-02 {goes}", str(number)],
            )
            counts = Counts(rows_read=1, rows_inserted=1)
            record_load(batch.connection, batch, Relation("stg", "or_case"), counts, seconds=0.0)

    def shown_as_current(self) -> set[dg.AssetCheckKey]:
        """The checks whose latest result the UI shows beside the asset as it is now."""

        async def current() -> set[dg.AssetCheckKey]:
            context = LoadingContextForTest(self.instance)
            latest = self.instance.event_log_storage.get_latest_asset_check_execution_by_key(list(RULES))
            return {key for key, record in latest.items() if await record.targets_latest_materialization(context)}

        return asyncio.run(current())


@pytest.fixture
def installed(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    monkeypatch.setenv("ETL_HOME", str(tmp_path))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", new_database())
    monkeypatch.setenv("ETL_DAGSTER_URL", new_database())
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    with open_batch(read_settings(), "operating_room", "load") as batch:
        for table in TABLES:
            counts = Counts(rows_read=1, rows_inserted=1)
            record_load(batch.connection, batch, Relation("stg", table), counts, seconds=0.0)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield Installed(instance)


def test_rules_are_passed_over_where_nothing_has_changed_and_what_is_shown_is_current(installed) -> None:
    installed.case(1, "8:00", "9:00")
    assert installed.run() == set(RULES)
    assert installed.run() == READ_EVERY_TIME
    assert installed.built
    assert installed.shown_as_current() == set(RULES)
    installed.case(2, "9:30", "9:35")
    changed = {key for key, rule in RULES.items() if rule.table == "or_case" or "stg.or_case" in rule.breaking_rows()}
    assert installed.run() == changed | READ_EVERY_TIME
    assert installed.shown_as_current() == set(RULES)


def test_what_the_run_did_not_pass_over_and_did_not_come_to_is_not_shown_as_current(installed) -> None:
    installed.run()
    installed.run("loads")
    assert installed.shown_as_current() == set()
    installed.run()
    assert installed.shown_as_current() == set(RULES)


def test_what_blocked_goes_on_blocking(installed) -> None:
    installed.case(1, "9:00", "8:00")
    for _ in range(2):
        assert BLOCKING in installed.run(success=False)
        assert not installed.built
    for number in range(2, 40):
        installed.case(number, "8:00", "9:00")
    installed.run()
    assert installed.built


@pytest.mark.parametrize(
    ("job", "config"),
    [
        pytest.param("checks", None, id="somebody runs the checks alone"),
        pytest.param("everything", {"reload": True}, id="what is there is loaded again"),
        pytest.param("everything", {"full_compare": True}, id="every row is compared"),
    ],
)
def test_rules_look_again_where_a_run_says_so(installed, job, config) -> None:
    installed.run()
    assert installed.run(job, config=config) == set(RULES)


def test_where_dagster_has_no_results_all_rules_look_again(installed) -> None:
    installed.run()
    installed.instance.wipe()
    assert installed.run() == set(RULES)
