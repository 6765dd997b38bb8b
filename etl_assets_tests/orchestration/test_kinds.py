"""What depends on the kind of a source: when it is read, and by which dates."""

from datetime import date, timedelta

import dagster as dg
import pytest

from etl_assets.declare.dates import Span
from etl_assets.orchestration.kinds import KINDS, kind_of
from etl_assets.orchestration.kinds.kind import LoadSchedule
from etl_assets.orchestration.partitions import partitions_of, recent_span, today
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.schedules import load_schedules
from etl_assets.settings import read_settings
from etl_assets.sources import SOURCES
from etl_assets.sources.trialsync import SOURCE as TRIALSYNC
from etl_assets_tests.declare.trials import STUDIES, VISITS, source

BEGAN = date(2024, 5, 6)


def test_every_source_is_of_one_kind() -> None:
    assert {type(each.reader) for each in SOURCES} == set(KINDS)


def test_a_service_of_lists_alone_is_read_by_the_clock_and_not_swept() -> None:
    trials = source(STUDIES)
    assert kind_of(trials).schedules(trials) == [LoadSchedule(name="lists", cron="0 * * * *", what="every list")]
    assert [schedule.name for schedule in load_schedules(trials)] == ["trials_lists"]


def test_a_service_without_a_calendar_is_read_by_days() -> None:
    trials = source(STUDIES, VISITS, start=BEGAN, open_windows=3)
    opened, swept = kind_of(trials).schedules(trials)
    assert (opened.name, opened.windows, opened.what) == ("open_days", 3, "the last 3 days")
    assert (swept.name, swept.windows, swept.what) == ("sweep", 365, "a year's days")
    three_days = Span(today() - timedelta(days=2), today())
    assert recent_span(trials, 3) == three_days
    assert kind_of(trials).due(read_settings({}), trials) == [(three_days, "the open days")]
    partitions = partitions_of(trials)
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    assert partitions.get_first_partition_key() == "2024-05-06"


def test_configured_jobs_are_run_phase_by_phase_and_each_instance_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    schedules = kind_of(TRIALSYNC).schedules(TRIALSYNC)
    assert [(each.name, each.cron) for each in schedules] == [
        (f"phase_{phase}", f"0 {phase + 1} * * *") for phase in range(6)
    ]
    assert [each.builds for each in schedules] == [False] * 5 + [True]
    jobs = {number for each in schedules for number in each.options["jobs"]}
    assert jobs == {job.id for job in TRIALSYNC.jobs if not job.replaced_by}
    for name in ("NORTH", "SOUTH"):
        monkeypatch.setenv(f"ETL_TRIALSYNC_{name}_URL", "https://conductor.example")
        monkeypatch.setenv(f"ETL_TRIALSYNC_{name}_API_KEY", "not-a-secret")
    monkeypatch.setenv("ETL_TRIALSYNC_INSTANCES", "north,south")
    first, *_, last = load_schedules(TRIALSYNC)
    with dg.build_schedule_context(resources={"warehouse": WarehouseResource()}) as context:
        # By the tick, which refuses what the daemon would: several runs without a key each.
        runs, built = (schedule.evaluate_tick(context).run_requests for schedule in (first, last))
    assert [run.run_key for run in runs] == ["north", "south"]
    assert [run.run_config["ops"]["load_trialsync"]["config"]["instances"] for run in runs] == [["north"], ["south"]]
    assert all(key.path[0] == "trialsync_staging" for run in runs for key in run.asset_selection)
    assert [run.asset_selection for run in built] == [None, None]


def test_a_sweep_begins_no_earlier_than_the_source() -> None:
    young = source(VISITS, start=today() - timedelta(days=1))
    assert recent_span(young, 365) == Span(today() - timedelta(days=1), today())


@pytest.mark.parametrize("each", SOURCES, ids=lambda each: each.name)
def test_every_table_is_in_one_op(each) -> None:
    names = [table.name for tables in kind_of(each).ops(each).values() for table in tables]
    assert sorted(names) == sorted(table.name for table in each.tables)
