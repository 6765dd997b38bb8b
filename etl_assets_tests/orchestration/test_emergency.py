"""An emergency rollback from end to end: the old pipeline's tables behind the views, and nothing that starts a load."""

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from etl_assets import cli
from etl_assets.cli import copies
from etl_assets.orchestration.launch import dagster_environment
from etl_assets.orchestration.standstill import dagster_records
from etl_assets.sandbox.receivers import Receivers, receivers
from etl_assets.settings import PROJECT
from etl_assets.sources.open_dental import SOURCE
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.switch import switch, switch_states
from etl_assets_tests.old_pipeline import PRACTICE, ZONE, make, put_new
from etl_assets_tests.orchestration.installation import Installation, install

BY = ("--by", "Ana <b>", "--why", "wrong numbers | in `claims`")
OURS = {
    "open_dental_changes", "open_dental_models", "open_dental_nightly_rebuild", "open_dental_sweep",
}  # fmt: skip


@pytest.fixture
def practice(
    tmp_path: Path,
    server: Path,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator["Practice"]:
    """An installation in use: both pipelines' tables, and live views that read ours."""
    with receivers() as heard:
        made = install(tmp_path / tmp_path.name[-30:], new_database, embedded.server_url(server, "postgres"))
        made.environment.update(heard.settings)
        made.settings.home.mkdir()
        with psycopg.connect(made.environment["ETL_WAREHOUSE_URL"], autocommit=True) as login:
            make(login)
            with connect(made.settings, autocommit=True) as loader:
                options = {"by": "grace", "old_schema": "old_raw", "zone": ZONE}
                switch(loader, PRACTICE, ["visit", "pair"], to="old", **options)
                put_new(login, 3, note="ours alone")
                switch(loader, PRACTICE, ["visit", "pair"], to="new", by="grace")
            for name, value in made.environment.items():
                monkeypatch.setenv(name, value)
            yield Practice(made, heard, login, capsys)


@dataclass
class Practice:
    """An installation in use, who hears of it, and the login's connection."""

    installation: Installation
    heard: Receivers
    login: psycopg.Connection
    capsys: pytest.CaptureFixture[str]

    def etl(self, *words: str, expected: int = 0) -> str:
        assert cli.main(words) == expected
        captured = self.capsys.readouterr()
        return captured.out + captured.err


def rows(login: psycopg.Connection) -> list[tuple]:
    login.execute("set timezone = 'UTC'")
    return login.execute("select visitnum, stamp::text from open_dental_live.visit order by 1").fetchall()


def states(made: Installation) -> dict[str, str]:
    with dagster_records(made.settings) as instance:
        return {state.instigator_name: state.status.value for state in instance.all_instigator_state()}


def report(made: Installation) -> str:
    (path,) = (made.settings.report_dir / "open_dental").glob("incident_*.md")
    return path.read_text()


def test_by_and_why_are_asked_for(practice) -> None:
    made = practice.installation
    with pytest.raises(SystemExit):
        cli.main(["emergency-rollback", "open_dental"])
    assert "required: --by, --why" in practice.capsys.readouterr().err
    assert "Say who rolls it back" in practice.etl(
        "emergency-rollback", "open_dental", "--by", " ", "--why", "x", expected=1
    )
    assert made.query("select count(*) from etl.incident") == [(0,)]


def test_views_read_the_old_tables_again_and_all_is_told_and_written_down(practice) -> None:
    made, heard, login = practice.installation, practice.heard, practice.login
    copies.compare_tables(
        Namespace(source=PRACTICE, table=["visit"], importance=None, old_schema="old_raw", zone=ZONE, show_values=False)
    )
    assert len(rows(login)) == 3
    said = practice.etl("emergency-rollback", "open_dental", *BY)
    # The schema and the zone of the old tables are those that the views were read in before; nobody said them.
    assert rows(login) == [(1, "2026-03-02 14:00:00+00"), (2, "2026-03-02 14:00:00+00")]
    assert "etl switch open_dental pair visit --to new --by NAME" in said
    assert "etl resume open_dental --by NAME --why WORDS" in said
    found = states(made)
    assert {name for name, status in found.items() if status == "STOPPED"} == OURS
    told = heard.of("pagerduty")
    assert [(each.action, each.title) for each in told] == [
        ("trigger", "[etl_assets] CRITICAL: open_dental: emergency rollback (rolled back to the old pipeline)")
    ]
    assert {each.channel for each in heard.received} == {"pagerduty", "email", "slack"}
    text = report(made)
    assert "- by: Ana &lt;b&gt;\n- why: wrong numbers &#124; in 'claims'" in text
    assert "| open_dental.visit | new |" in text
    assert "| grace | old |" in text
    assert "| open_dental.visit | " in text.split("compared last")[1]
    assert "| differs | 2 | 3 | 0 | 1 | 0 |" in text
    assert "ours alone" not in text


def test_a_second_time_nothing_changes_and_nobody_is_told_again(practice) -> None:
    made, heard = practice.installation, practice.heard
    practice.etl("emergency-rollback", "open_dental", *BY)
    before, switched = made.query("select * from etl.incident"), made.query("select * from etl.table_switch")
    number = len(heard.received)
    said = practice.etl("emergency-rollback", "open_dental", "--by", "Bo", "--why", "again")
    assert "Schedules: all were stopped already" in said
    assert "Views: none reads a table of ours" in said
    assert made.query("select * from etl.incident") == before
    assert made.query("select * from etl.table_switch") == switched
    assert len(heard.received) == number
    assert "| open_dental.visit | new |" in report(made), "what it was before is not forgotten"


def test_where_one_view_cannot_be_turned_none_is_and_the_rest_is_done(practice) -> None:
    made, heard, login = practice.installation, practice.heard, practice.login
    login.execute("drop table old_raw.visit")
    said = practice.etl("emergency-rollback", "open_dental", *BY, expected=1)
    assert "Views: FAILED: old_raw.visit is not in this database" in said
    with connect(made.settings) as loader:
        assert {each.reads for each in switch_states(loader)} == {"new"}
    assert {name for name, status in states(made).items() if status == "STOPPED"} == OURS
    assert heard.of("pagerduty")
    assert "Views: FAILED" in report(made)
    login.execute('create table old_raw.visit ("VisitNum" integer); grant select on old_raw.visit to etl_loader')
    practice.etl("emergency-rollback", "open_dental", *BY)
    with connect(made.settings) as loader:
        assert {each.reads for each in switch_states(loader)} == {"old"}


def test_runs_under_way_are_asked_to_end_those_of_others_are_not(practice) -> None:
    made = practice.installation
    with dagster_records(made.settings) as instance:
        ids = {}
        for name in ("open_dental", "tracktik"):
            run = instance.create_run_for_job(_job(name))
            ids[name] = run.run_id
        said = practice.etl("emergency-rollback", "open_dental", *BY)
        assert f"Runs: {ids['open_dental']} was asked to end" in said
        assert instance.get_run_by_id(ids["open_dental"]).status is dg.DagsterRunStatus.CANCELING
        assert instance.get_run_by_id(ids["tracktik"]).status is dg.DagsterRunStatus.NOT_STARTED


def _job(name: str) -> dg.JobDefinition:
    @dg.job(name=name)
    def made() -> None:
        pass

    return made


def test_a_silence_does_not_hide_it(practice) -> None:
    heard = practice.heard
    practice.etl("alerts", "silence", "open_dental", "--hours", "2", "--by", "x", "--why", "y")
    practice.etl("emergency-rollback", "open_dental", *BY)
    assert heard.of("pagerduty")


@contextmanager
def daemon(made: Installation) -> Iterator[None]:
    """Dagster's daemon, as production runs it."""
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(PROJECT / "workspace.yaml")]
    environment = {**made.environment, **dagster_environment(made.settings), "ETL_SOURCES": "open_dental"}
    log = (made.settings.home / "daemon.log").open("a")
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        log.close()


def last_tick(made: Installation, name: str) -> float:
    with dagster_records(made.settings) as instance:
        for state in instance.all_instigator_state():
            if state.instigator_name == name:
                ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
                return ticks[0].timestamp if ticks else 0
    return 0


def wait_for_tick(made: Installation, name: str, *, after: float) -> None:
    for _ in range(90):
        if last_tick(made, name) > after:
            return
        time.sleep(1)
    raise AssertionError(f"{name} has not ticked: {(made.settings.home / 'daemon.log').read_text()[-2000:]}")


def test_a_daemon_that_is_started_again_leaves_it_stopped_until_it_is_resumed(practice) -> None:
    made, heard, login = practice.installation, practice.heard, practice.login
    with daemon(made):
        wait_for_tick(made, "open_dental_models", after=0)
        practice.etl("emergency-rollback", "open_dental", *BY)
        stopped = time.time()
        wait_for_tick(made, "alerts", after=stopped + 16)
        assert last_tick(made, "open_dental_models") < stopped
    restarted = time.time()
    with daemon(made):
        wait_for_tick(made, "alerts", after=restarted)
        wait_for_tick(made, "alerts", after=time.time())
        assert last_tick(made, "open_dental_models") < stopped
        said = practice.etl("resume", "open_dental", "--by", "Ana", "--why", "the join is mended")
        assert "started open_dental_changes, open_dental_models, open_dental_nightly_rebuild, open_dental_sweep" in said
        resumed = time.time()
        wait_for_tick(made, "open_dental_models", after=resumed)
    assert {status for name, status in states(made).items() if name in OURS} == {"DECLARED_IN_CODE"}
    assert [each.action for each in heard.of("pagerduty")] == ["trigger", "resolve"]
    assert "by Ana: the join is mended" in report(made)
    assert len(rows(login)) == 2, "views are switched one by one, after a comparison, and not by the resumption"
    assert "nothing to resume" in practice.etl("resume", "open_dental", "--by", "Ana", "--why", "x")


def test_what_was_stopped_by_hand_before_is_not_started(practice) -> None:
    made = practice.installation
    practice.etl("emergency-rollback", "open_dental", *BY)
    practice.etl("resume", "open_dental", "--by", "Ana", "--why", "x")
    with dagster_records(made.settings) as instance:
        (sweep,) = (each for each in instance.all_instigator_state() if each.instigator_name == "open_dental_sweep")
        instance.stop_schedule(sweep.instigator_origin_id, sweep.selector_id)
    practice.etl("emergency-rollback", "open_dental", *BY)
    said = practice.etl("resume", "open_dental", "--by", "Ana", "--why", "x")
    assert "open_dental_changes" in said
    assert "open_dental_sweep" not in said
    assert states(made)["open_dental_sweep"] == "STOPPED"


def test_the_source_has_exactly_the_schedules_that_are_expected() -> None:
    from etl_assets.orchestration.code_location import code_location

    repository = code_location([SOURCE]).get_repository_def()
    names = {each.name for each in (*repository.schedule_defs, *repository.sensor_defs)}
    assert {name for name in names if name.startswith("open_dental_")} == OURS
