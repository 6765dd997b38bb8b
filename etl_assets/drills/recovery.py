"""The drill of recovery: processes of `etl dev` are killed in the middle of runs, and nobody helps.

Everything is real: `etl dev` with its daemon, webserver and code server, the embedded server, files that are dropped,
a database that is read. At the end every table is compared with that of an installation that nothing happened to.
"""

import os
import signal
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psutil
import psycopg

from etl_assets.drills.content import content_differences
from etl_assets.drills.dev import Dev, running_dev, wait_for
from etl_assets.drills.installation import Installation, scratch_installation
from etl_assets.orchestration.partitions import recent_span, tags_of
from etl_assets.sandbox.open_dental.fill import host
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import warehouse_url

ROWS = 8_000
"""Of a file: what it takes to load them is long enough to be killed in."""
DAYS = 5
FIRST = date(2026, 1, 5)
PATIENTS = 40
MOVES_SECONDS = 120
"""How long it may take until work that was given is under way, and until a fault is noticed."""
HEALS_SECONDS = 300
"""How long it may take until all is well again: a run that is tried again waits for its turn."""
ENDS_SECONDS = 45
SCHEMAS = ("stg", "operating_room", "open_dental", "open_dental_mart")
OF_LOADS = (
    *("etl_batch_id", "created_at", "updated_at", "surrogate_key", "valid_from"),
    *("load_datetime", "first_load_datetime", "last_update_datetime"),
)
"""Columns that say when and by which load a row was written, or first seen."""
_RUNNING = "select count(*) from etl.batch where status = 'running'"
_COUNTED = "select count(*), count(distinct {key}) from {relation}"


@dataclass
class _Drill:
    dev: Dev
    source_url: str
    say: Callable[[str], None]
    files: int = 1
    is_good: bool = True

    @property
    def cases(self) -> int:
        """The cases of all files so far."""
        return self.files * ROWS

    def disturb(self, fault: str, kill: Callable[[Dev], Sequence[int]]) -> None:
        """Have work under way, kill something, and wait until all is well again."""
        changed_at = self._change_source()
        _drop_file(self.dev.at, self.files)
        self.files += 1
        wait_for(lambda: self.dev.ask(_RUNNING) != [(0,)], MOVES_SECONDS)  # a sensor finds the file in its time
        run = self.dev.launch("open_dental", tags_of(OPEN_DENTAL, recent_span(OPEN_DENTAL, 1)))
        is_under_way = wait_for(lambda: self._is_under_way(run), MOVES_SECONDS)
        lines, failures = len(self.dev.lines()), self.dev.failures()
        killed, moment, killed_at = kill(self.dev), time.monotonic(), time.time()
        is_noticed = wait_for(lambda: self._is_noticed(lines, failures), MOVES_SECONDS)
        noticed_after = time.monotonic() - moment
        is_well = wait_for(lambda: self._is_well(changed_at, killed_at), HEALS_SECONDS)
        healed_after = time.monotonic() - moment
        lost, doubled = self._counted() if is_well else (-1, -1)
        self.note(
            f"{fault:40} noticed after {noticed_after:5.1f} s, healed after {healed_after:5.1f} s,"
            f" rows lost {lost}, rows doubled {doubled}"
            + "; no run was under way" * (not is_under_way)
            + "; nothing was killed" * (not killed)
            + "; nobody noticed" * (not is_noticed)
            + f"; not healed: {self._state()}" * (not is_well),
            is_under_way and bool(killed) and is_noticed and is_well and not lost and not doubled,
        )

    def note(self, what: str, is_right: bool) -> None:
        """Say whether something was as it should be."""
        self.is_good &= is_right
        self.say(f"{'ok  ' if is_right else 'FAIL'}  {what}")

    def _change_source(self) -> datetime:
        with psycopg.connect(self.source_url, autocommit=True) as source:
            source.execute('update procedurelog set "DateTStamp" = now()')
            source.execute('update patient set "DateTStamp" = now()')
            row = source.execute('select max("DateTStamp") from patient').fetchone()
        moment: datetime = row[0] if row else datetime.now(UTC)
        return moment

    def _is_under_way(self, run: str) -> bool:
        """Whether both sources are being loaded, checked or built."""
        working = self.dev.ask("select count(distinct source) from etl.batch where status = 'running'")
        return working == [(2,)] and self.dev.status(run) == "STARTED"

    def _is_noticed(self, lines: int, failures: int) -> bool:
        with suppress(psycopg.Error):
            return len(self.dev.lines()) > lines or self.dev.failures() > failures
        return False

    def _is_well(self, changed_at: datetime, killed_at: float) -> bool:
        """Whether everything answers, everything was loaded and built, and nothing is under way."""
        try:
            return (
                not self.dev.unfinished()
                and self.dev.ask(_RUNNING) == [(0,)]
                and self.dev.ask("select max(datetstamp) from open_dental.patient") == [(changed_at,)]
                and self.dev.ask("select count(*) from operating_room.fact_case") == [(self.cases,)]
                and self.dev.has_ticked_since(killed_at)
                and self.dev.repository() is not None
            )
        except (OSError, psycopg.Error):
            return False

    def _counted(self) -> tuple[int, int]:
        """Rows of files and of the database that are lost, and that are there twice."""
        lost = doubled = 0
        for relation, key, wanted in (
            ("stg.or_case", "case_id", self.cases),
            ("operating_room.fact_case", "case_id", self.cases),
            ("open_dental.patient", "patnum", PATIENTS),
        ):
            ((rows, keys),) = self.dev.ask(_COUNTED.format(key=key, relation=relation))
            lost, doubled = lost + max(wanted - keys, 0), doubled + rows - keys
        return lost, doubled

    def _state(self) -> str:
        with suppress(OSError, psycopg.Error):
            return f"runs {self.dev.unfinished()}, code {self.dev.repository()}, ledger {self.dev.ask(_RUNNING)}"
        return "nothing answers"


def drill_recovery(say: Callable[[str], None], faults: Collection[str] = ()) -> bool:
    """Kill processes in the middle of runs, and say how soon all was well, a line a fault; returns whether it was.

    Args:
        say: Takes a line.
        faults: Those of `FAULTS` that are wanted; all of them where none is named.
    """
    sources = {"ETL_SOURCES": "open_dental,operating_room"}
    with scratch_installation(sources) as calm, scratch_installation(sources) as at:
        source_url = host(warehouse_url(calm.settings), patients=PATIENTS)
        for each in (calm, at):
            each.environment["ETL_OPEN_DENTAL_URL"] = source_url
        _drop_file(at, 0)
        for source in ("operating_room", "open_dental"):
            at.etl("run", source)
        with running_dev(at) as dev:
            drill = _Drill(dev, source_url, say)
            for fault in faults or FAULTS:
                drill.disturb(fault, FAULTS[fault])
            _stop(drill)
        _compare(drill, at, calm)
    say("The drill went as it should." if drill.is_good else "The drill did NOT go as it should.")
    return drill.is_good


def _drop_file(at: Installation, number: int) -> None:
    """A file of cases, of days that no other one has."""
    lines = ["case_id,surgery_date,room_id,or_in,or_out"]
    for row in range(ROWS):
        day = FIRST + timedelta(days=number * 7 + row % DAYS)
        lines.append(f"C{number}-{row},{day},{row // DAYS},{day} 08:00,{day} 11:00")  # each in a room of its own
    made = at.landing.parent / f"or_case_{number}.csv"
    made.write_text("\n".join(lines) + "\n")
    made.replace(at.landing / made.name)


def _stop(drill: _Drill) -> None:
    dev = drill.dev
    dev.process.terminate()
    is_over = wait_for(lambda: dev.process.poll() is not None, ENDS_SECONDS)
    left = dev.left()
    code = dev.process.poll()
    drill.note(f"etl dev is told to stop: exit code {code}, processes left {len(left)}", is_over and not left)
    for command in left:
        drill.say(f"      left: {command[:150]}")
    drill.note(f"batches that are still running: {dev.ask(_RUNNING)[0][0]}", dev.ask(_RUNNING) == [(0,)])
    drill.note(f"runs that have not ended: {len(dev.unfinished())}", not dev.unfinished())


def _compare(drill: _Drill, at: Installation, calm: Installation) -> None:
    """Load all of it in an installation that nothing happens to, and compare."""
    for path in sorted(at.landing.glob("*.csv")):
        (calm.landing / path.name).write_bytes(path.read_bytes())
    for source in ("operating_room", "open_dental"):
        for each in (at, calm):
            each.etl("run", source)
    compared, found = content_differences(at, calm, schemas=SCHEMAS, without=OF_LOADS)
    for table in found:
        drill.say(f"      {table.relation}: {table.lost} rows lost, {table.doubled} doubled")
    drill.note(f"all tables and models beside an undisturbed load: {compared:,} rows, {len(found)} differ", not found)


def _kill_runs(dev: Dev) -> list[int]:
    return _kill(dev.run_processes())


def _kill_daemon(dev: Dev) -> list[int]:
    return _kill([dev.service("dagster._daemon").pid])


def _kill_daemon_and_runs(dev: Dev) -> list[int]:
    daemon = dev.service("dagster._daemon")
    return _kill([daemon.pid, *(child.pid for child in daemon.children(recursive=True))])


def _kill_code(dev: Dev) -> list[int]:
    return _kill([child.pid for child in dev.service("code_server").children()])


def _kill_code_server(dev: Dev) -> list[int]:
    server = dev.service("code_server")
    return _kill([server.pid, *(child.pid for child in server.children(recursive=True))])


def _kill_webserver(dev: Dev) -> list[int]:
    return _kill([dev.service("dagster_webserver").pid])


def _kill_postgres(dev: Dev) -> list[int]:
    postmaster = psutil.Process(embedded.postmaster_pid(dev.postgres))
    return _kill([postmaster.pid, *(child.pid for child in postmaster.children(recursive=True))])


def _kill_postmaster(dev: Dev) -> list[int]:
    return _kill([embedded.postmaster_pid(dev.postgres)])


def _kill_all(dev: Dev) -> list[int]:
    kills = (_kill_daemon_and_runs, _kill_code_server, _kill_webserver, _kill_postgres)
    return [pid for kill in kills for pid in kill(dev)]


def _kill(pids: Sequence[int]) -> list[int]:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return list(pids)


FAULTS: dict[str, Callable[[Dev], Sequence[int]]] = {
    "the processes of the runs": _kill_runs,
    "the daemon, its runs go on": _kill_daemon,
    "the daemon and its runs": _kill_daemon_and_runs,
    "the process that holds the code": _kill_code,
    "the code server, both processes": _kill_code_server,
    "the webserver": _kill_webserver,
    "PostgreSQL, postmaster and all backends": _kill_postgres,
    "PostgreSQL, the postmaster alone": _kill_postmaster,
    "all of these at once": _kill_all,
}
