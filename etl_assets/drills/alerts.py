"""The drill of alerts: things go wrong in an installation of its own, and what arrives at real receivers is counted.

Loads, the ledger, the outbox and the receivers are real; the clock of the sender is let run ahead, so that a quarter of
an hour takes a second.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from etl_assets.alerts.dispatch import send_alerts, summary_hour
from etl_assets.alerts.watch import watch_freshness, watch_loads, watch_platform
from etl_assets.drills.dev import wait_for
from etl_assets.drills.installation import Installation, scratch_installation
from etl_assets.orchestration.launch import dagster_environment
from etl_assets.sandbox.open_dental.fill import HOSTED, host
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets.sandbox.receivers import Receivers, receivers
from etl_assets.settings import PROJECT
from etl_assets.sources import SOURCES
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.warehouse.connection import connect, warehouse_url
from etl_assets.warehouse.under_way import loads_under_way

PATIENTS = 40
CRITICAL, REFERENCE = "patient", "definition"
EVERY_CHANNEL = {"pagerduty": 1, "email": 1, "slack": 1}
NO_CHANNEL: dict[str, int] = {}
BEATS_SECONDS = 120
"""How long the daemon may take until its heartbeat is heard, and is waited for when it is dead."""
SILENT_SECONDS = 40


@dataclass
class _Drill:
    at: Installation
    heard: Receivers
    say: Callable[[str], None]
    ahead: timedelta = timedelta(0)
    is_good: bool = True

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def look(self, minutes: float = 0) -> None:
        """Let time pass, and have the sender look as its sensor does."""
        self.ahead += timedelta(minutes=minutes)
        with connect(self.at.settings, autocommit=True) as connection:
            watch_loads(connection, SOURCES, self.now)
            watch_freshness(connection, SOURCES)
            watch_platform(connection, [], self.now)
            send_alerts(self.at.settings, SOURCES, connection, self.now)

    def expect(self, what: str, channels: dict[str, int], *, words: str = "") -> None:
        """Compare what has arrived since the last time, the daily summary left out, and say so."""
        found, self.heard.received = self.heard.received, []
        news = [each for each in found if "daily summary" not in each.title]
        arrived = dict(Counter(each.channel for each in news))
        strangers = [each.title for each in news if words and words not in each.title + each.action.upper()]
        wanted = f" (expected {_counted(channels)})" * (arrived != channels)
        self.note(f"{what}: {_counted(arrived)}{wanted}", arrived == channels and not strangers)
        for title in strangers:
            self.say(f"      not expected: {title}")

    def note(self, what: str, is_right: bool) -> None:
        """Say whether something was as it should be."""
        self.is_good &= is_right
        self.say(f"{'ok  ' if is_right else 'FAIL'}  {what}")


def _counted(channels: dict[str, int]) -> str:
    return ", ".join(f"{number} by {name}" for name, number in sorted(channels.items())) or "none"


def drill_alerts(say: Callable[[str], None]) -> bool:
    """Have things go wrong, and say what messages came, a line a step; returns whether they were the right ones."""
    with receivers() as heard, scratch_installation({"ETL_SOURCES": "open_dental,operating_room"}) as at:
        url = host(warehouse_url(at.settings), patients=PATIENTS)
        at.environment.update({**heard.settings, "ETL_OPEN_DENTAL_URL": url})
        drill = _Drill(at, heard, say)
        at.etl("run", "open_dental", "--only-load")
        drill.look()
        drill.expect("all is well", NO_CHANNEL)
        for step in (_source_stops, _rule_breaks, _table_is_late, _load_hangs, _reference_table_fails, _daemon_dies):
            drill.ahead = timedelta(0)
            step(drill)
        say("The drill went as it should." if drill.is_good else "The drill did NOT go as it should.")
        return drill.is_good


def _source_stops(drill: _Drill) -> None:
    at, number = drill.at, len(OPEN_DENTAL.tables)
    with _superuser(at) as server:
        server.execute(f"alter database {HOSTED} with allow_connections false")
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [HOSTED])
        at.etl("run", "open_dental", "--only-load", expected=1)
        drill.look()
        drill.expect(f"a source of {number} tables stops", EVERY_CHANNEL, words="CRITICAL")
        at.etl("run", "open_dental", "--only-load", expected=1)
        drill.look(minutes=5)
        drill.expect("it is still down five minutes later", NO_CHANNEL)
        drill.look(minutes=11)
        drill.expect("nobody acknowledges it for a quarter of an hour", {"email": 1, "slack": 1}, words="ACKNOWLEDGED")
        server.execute(f"alter database {HOSTED} with allow_connections true")
    at.etl("run", "open_dental", "--only-load")
    drill.look()
    drill.expect("it is back", EVERY_CHANNEL, words="RESOLVE")
    drill.look(minutes=60)
    drill.expect("an hour later", NO_CHANNEL)


def _rule_breaks(drill: _Drill) -> None:
    write_files(drill.at.landing, start=date(2026, 1, 5), days=3, rooms=2, defects={"or_in_after_or_out": 3})
    drill.at.etl("run", "operating_room", expected=1)
    drill.look(minutes=9)
    drill.expect("a blocking rule is broken, nine minutes ago", NO_CHANNEL)
    drill.look(minutes=2)
    drill.expect("two minutes later", {"email": 1, "slack": 1}, words="IMPORTANT: operating_room")
    write_files(drill.at.landing, start=date(2026, 1, 5), days=3, rooms=2)
    drill.at.etl("run", "operating_room")
    drill.look()
    drill.expect("the file came again, mended", {"email": 1, "slack": 1}, words="RESOLVED")


def _table_is_late(drill: _Drill) -> None:
    hours = OPEN_DENTAL.fresh_within.total_seconds() / 3600 + 1
    with connect(drill.at.settings, role=None) as connection:
        connection.execute(
            "update etl.table_load set loaded_at = loaded_at - make_interval(hours => %s) where relation = %s",
            [int(hours), f"{OPEN_DENTAL.schema}.{CRITICAL}"],
        )
    drill.look()
    drill.expect("a critical table is late", EVERY_CHANNEL, words="CRITICAL")
    drill.at.etl("run", "open_dental", CRITICAL, "--only-load")
    drill.look()
    drill.expect("it was loaded", EVERY_CHANNEL, words="RESOLVE")


def _load_hangs(drill: _Drill) -> None:
    relation = f"{OPEN_DENTAL.schema}.{CRITICAL}"
    with connect(drill.at.settings, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('etl load ' || %s, 0))", [relation])
        with psycopg.connect(drill.at.environment["ETL_OPEN_DENTAL_URL"]) as source:
            source.execute('update patient set "DateTStamp" = now()')  # else there is nothing to load
        process = drill.at.start("run", "open_dental", CRITICAL, "--only-load")
        wait_for(lambda: any(each.relation == relation for each in loads_under_way(connection)), 60)
        drill.look()
        drill.expect("a load of a critical table waits", NO_CHANNEL)
        allowed = OPEN_DENTAL.copied_table(CRITICAL).monitoring.max_extraction_time_minutes
        drill.look(minutes=allowed + 1)
        drill.expect(f"it goes on for longer than its {allowed} minutes", EVERY_CHANNEL, words="CRITICAL")
    process.wait(60)
    drill.ahead = timedelta(0)
    drill.look()
    drill.expect("it went on, and ended", EVERY_CHANNEL, words="RESOLVE")


def _reference_table_fails(drill: _Drill) -> None:
    with psycopg.connect(drill.at.environment["ETL_OPEN_DENTAL_URL"]) as source:
        source.execute(f"lock table {REFERENCE} in access exclusive mode")
        drill.at.etl("run", "open_dental", REFERENCE, "--only-load", expected=1)
    drill.look(minutes=60)
    drill.expect("a reference table fails", NO_CHANNEL)
    hour = drill.now.replace(hour=summary_hour(drill.at.settings), minute=1)
    drill.ahead += (hour if hour > drill.now else hour + timedelta(days=1)) - drill.now
    drill.look()
    summaries = [each for each in drill.heard.received if "daily summary" in each.title and REFERENCE in each.body]
    is_one = [each.channel for each in summaries] == ["email"]
    drill.note(f"it stands in the daily summary: {len(summaries)} by email", is_one)
    drill.expect("and nowhere else", NO_CHANNEL)
    drill.at.etl("run", "open_dental", REFERENCE, "--only-load")
    drill.look()
    drill.expect("it is loaded again", NO_CHANNEL)


def _daemon_dies(drill: _Drill) -> None:
    environment = {**drill.at.environment, **dagster_environment(drill.at.settings)}
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(PROJECT / "workspace.yaml")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    daemon = subprocess.Popen(command, env=environment, start_new_session=True, **quiet)  # type: ignore[call-overload]  # noqa: S603
    try:
        is_beating = wait_for(lambda: drill.heard.heartbeats > 1, BEATS_SECONDS)
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
    time.sleep(2)  # what was on its way has arrived
    before = drill.heard.heartbeats
    time.sleep(SILENT_SECONDS)
    after = drill.heard.heartbeats - before
    drill.note(f"the daemon is killed: {before} heartbeats before, {after} after", is_beating and not after)


@contextmanager
def _superuser(at: Installation) -> Iterator[psycopg.Connection]:
    with psycopg.connect(warehouse_url(at.settings), autocommit=True) as connection:
        yield connection
