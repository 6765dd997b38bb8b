"""The report as an asset, by its schedules and by its command, in a whole installation."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from etl_assets.definitions import defs
from etl_assets.orchestration.code_location import code_location
from etl_assets.orchestration.reports import report_asset
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.sources import SOURCES, chosen_sources
from etl_assets_tests.orchestration.installation import Installation

CLOCK = {"report_daily": "15 6 * * *", "report_weekly": "30 6 * * 1"}


def test_materialised_it_is_a_file_and_says_how_all_is(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in installation.environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.ephemeral() as instance:
        for kind in ("daily", "weekly"):
            done = dg.materialize(
                [report_asset(SOURCES, kind)], instance=instance, resources={"warehouse": WarehouseResource()}
            )
            (event,) = done.get_asset_materialization_events()
            path = Path(str(event.materialization.metadata["path"].value))
            assert event.asset_key == dg.AssetKey(["report", "all", kind])
            assert event.materialization.metadata["verdict"].value == "Nothing was ever loaded."
            assert path.parent == installation.settings.report_dir
            assert path.name.startswith(f"{kind}_all_{datetime.now(UTC):%Y-}")
            assert "<h1>" + kind.title() in path.read_text()
            assert installation.query("select path from etl.report where kind = %s", kind) == [(str(path),)]
    samples = installation.query(
        "select count(*), count(distinct measure) from etl.daily_sample where day = current_date"
    )
    assert samples[0][0] == 2 + len(SOURCES) * 8  # the second report of the day took no more


def test_the_command_says_where_it_wrote(installation: Installation, tmp_path: Path) -> None:
    out = tmp_path / "new" / "tracktik.html"
    said = installation.etl("report", "--source", "tracktik", "--weekly", "--out", str(out), expected=0)
    assert said.splitlines() == ["Nothing was ever loaded.", str(out)]
    assert "Weekly report of the warehouse of tracktik" in out.read_text()
    assert "Open Dental" not in out.read_text()


@pytest.mark.parametrize("name", sorted(CLOCK))
def test_a_schedule_asks_for_the_report_alone(name: str) -> None:
    repository = defs.get_repository_def()
    schedule = repository.get_schedule_def(name)
    assert schedule.cron_schedule == CLOCK[name]
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance=instance, repository_def=repository)
        assert len(schedule.evaluate_tick(context).run_requests) == 1
    kind = name.removeprefix("report_")
    assert repository.get_job(schedule.job_name).asset_layer.executable_asset_keys == {
        dg.AssetKey(["report", "all", kind])
    }


def test_two_code_locations_write_reports_of_their_own() -> None:
    keys = [
        set(code_location(chosen_sources(names)).get_repository_def().asset_graph.get_all_asset_keys())
        for names in (["tracktik"], ["gohighlevel", "operating_room"])
    ]
    assert dg.AssetKey(["report", "tracktik", "daily"]) in keys[0]
    assert dg.AssetKey(["report", "operating_room__gohighlevel", "weekly"]) in keys[1]
    assert keys[0] & keys[1] == set()
