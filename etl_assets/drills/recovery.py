"""The drill of recovery: processes of `etl dev` are killed in the middle of runs, and nobody helps.

Everything is real: `etl dev` with its daemon, webserver and code server, the embedded server, files that are dropped,
a database that is read. At the end every table is compared with that of an installation that nothing happened to.
"""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import psutil
import psycopg

from etl_assets.drills.content import differences
from etl_assets.drills.dev import Dev, running_dev
from etl_assets.drills.installation import Installation, scratch_installation
from etl_assets.sandbox.open_dental.fill import host
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import warehouse_url

ROWS = 8_000
"""Of a file: what it takes to load them is long enough to be killed in."""
DAYS = 5
FIRST = date(2026, 1, 5)
PATIENTS = 40
HEALS_SECONDS = 300
"""How long it may take until all is well again: a run that is tried again waits for its turn."""
SCHEMAS = ("stg", "operating_room", "open_dental", "open_dental_mart")
OF_LOADS = ("etl_batch_id", "etl_loaded_at", "etl_updated_at", "loaded_at", "updated_at", "file_id", "line_number")
_RUNNING = "select count(*) from etl.batch where source = %s and status = 'running'"


@dataclass
class _Drill:
    at: Installation
    dev: Dev
    source_url: str
    say: Callable[[str], None]
    files: list[Path] = field(default_factory=list)
    rows: int = 0
    is_good: bool = True

    def disturb(self, fault: str, kill: Callable[[Dev], Sequence[int]]) -> None:
        """Have work under way, kill something, and wait until all is well again."""
        begun = time.time()
        patients = self._change_source()
        run = self.dev.launch("open_dental")
        self._drop_file()
        is_under_way = _wait_for(lambda: self._is_under_way(run), 120)
        before = len(self.dev.lines())
        killed, moment = kill(self.dev), time.monotonic()
        noticed = _wait_for(lambda: len(self.dev.lines()) > before or self.dev.has_failed_since(begun), 120)
        noticed_after = time.monotonic() - moment
        is_well = _wait_for(lambda: self._is_well(run, begun), HEALS_SECONDS)
        healed_after = time.monotonic() - moment
        lost, doubled = self._counted(patients)
        good = is_under_way and bool(killed) and noticed and is_well and not lost and not doubled
        self.is_good &= good
        self.say(
            f"{'ok  ' if good else 'FAIL'}  {fault:48} noticed after {noticed_after:5.1f} s, healed after"
            f" {healed_after:5.1f} s, rows lost {lost}, rows doubled {doubled}"
            + "; no run was under way" * (not is_under_way)
            + "; nobody noticed" * (not noticed)
            + f"; not healed: {self._state()}" * (not is_well)
        )

    def note(self, what: str, is_right: bool) -> None:
        """Say whether something was as it should be."""
        self.is_good &= is_right
        self.say(f"{'ok  ' if is_right else 'FAIL'}  {what}")

    def _change_source(self) -> int:
        with psycopg.connect(self.source_url, autocommit=True) as source:
            source.execute('update patient set "DateTStamp" = now()')
            source.execute('update procedurelog set "DateTStamp" = now()')
            row = source.execute("select count(*) from patient").fetchone()
        return int(row[0]) if row else 0

    def _drop_file(self) -> None:
        number = len(self.files)
        lines = ["case_id,surgery_date,room_id,or_in,or_out"]
        for row in range(ROWS):
            day = FIRST + timedelta(days=number * 7 + row % DAYS)
            lines.append(f"C{number}-{row},{day},{row // DAYS},{day} 08:00,{day} 11:00")  # each in a room of its own
        path = self.at.landing / f"or_case_{number}.csv"
        made = self.at.landing.parent / path.name
        made.write_text("\n".join(lines) + "\n")
        made.replace(path)
        self.files.append(path)
        self.rows += ROWS

    def _is_under_way(self, run: str) -> bool:
        return self.at.query(_RUNNING, "operating_room") != [(0,)] and self.dev.status(run) == "STARTED"

    def _is_well(self, run: str, begun: float) -> bool:
        """Whether everything answers, everything was loaded and built, and nothing is under way."""
        try:
            if self.dev.unfinished() or not self.dev.is_answering():
                return False
            if self.dev.status(run) != "SUCCESS" and not self.dev.has_succeeded_since("open_dental", begun):
                return False
            cases = self.at.query("select count(*) from operating_room.fact_case")
            return cases == [(self.rows,)] and self.at.query(
                "select count(*) from etl.batch where status = 'running'"
            ) == [(0,)]
        except (OSError, psycopg.Error):
            return False

    def _counted(self, patients: int) -> tuple[int, int]:
        """Rows of files and of patients that are lost, and that are there twice."""
        lost = doubled = 0
        for relation, key, wanted in (
            ("stg.or_case", "case_id", self.rows),
            ("operating_room.fact_case", "case_id", self.rows),
            ("open_dental.patient", '"PatNum"', patients),
        ):
            ((rows, keys),) = self.at.query(f"select count(*), count(distinct {key}) from {relation}")
            lost, doubled = lost + max(wanted - keys, 0), doubled + rows - keys
        return lost, doubled

    def _state(self) -> str:
        with suppress(OSError, psycopg.Error):
            return f"runs {self.dev.unfinished()}, answering {self.dev.is_answering()}"
        return "nothing answers"
