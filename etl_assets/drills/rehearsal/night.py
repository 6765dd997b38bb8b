"""The night of a rehearsal: faults one after another; of each when it was told, when healed, and at what cost."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg

from etl_assets.alerts.dispatch import send_alerts
from etl_assets.alerts.watch import watch_freshness, watch_loads
from etl_assets.drills.installation import Installation
from etl_assets.drills.rehearsal.comparison import Discrepancy, find_discrepancies
from etl_assets.drills.rehearsal.places import Place
from etl_assets.errors import EtlError
from etl_assets.sandbox.receivers import Received, Receivers
from etl_assets.sources import SOURCES
from etl_assets.warehouse.connection import connect, warehouse_url

MAX_RUNS = 3
"""Runs after which a fault counts as not healed."""
WAIT_SECONDS = 120
FINE = (0, 2)
"""Exit codes of a run that went through."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    output: str


@dataclass
class Trouble:
    """One fault: what was told of it, how it was healed, and what it has cost."""

    fault: str
    notices: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What was to be told, and was not."""
    healed: str = ""
    difference: Discrepancy = field(default_factory=Discrepancy)
    heals_by: Sequence[str] = ()
    """The words of the command that heals it; those of an ordinary run where none are said."""
    _struck: float = field(default_factory=time.monotonic)

    def strike(self) -> None:
        """Count the seconds from now."""
        self._struck = time.monotonic()

    def tell(self, words: str) -> None:
        """Note that it is told now, by what."""
        self.notices.append(f"{time.monotonic() - self._struck:.0f} s: {words}")

    def expect(self, is_told: object, words: str) -> None:
        """Note that it is told now, if it is; else it counts as not told."""
        if is_told:
            self.tell(words)
        else:
            self.wrong.append(words)

    def pass_by(self, words: str) -> None:
        """Note that nobody is told, by design."""
        self.notices.append(f"no alert: {words}")


class Night:
    """An installation in which things go wrong."""

    def __init__(self, at: Installation, heard: Receivers, say: Callable[[str], None], *, builds: bool) -> None:
        """Begin.

        Args:
            at: The installation; what the loads need to find their sources is in its environment.
            heard: Where its alerts arrive.
            say: Takes a line.
            builds: Whether runs build models, too; else they load and check staging.
        """
        self.at, self.heard, self.say, self.builds = at, heard, say, builds
        self.troubles: list[Trouble] = []

    @property
    def is_good(self) -> bool:
        """Whether no row was lost or doubled so far, and all was told and healed that was to be."""
        return not any(each.wrong or each.difference.where or "NOT" in each.healed for each in self.troubles)

    def words(self, place: Place, *more: str) -> list[str]:
        """The words of a run of a source."""
        return ["run", place.source.name, *place.run_words, *more, *([] if self.builds else ["--only-load"])]

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command in a session of its own."""
        return subprocess.Popen(  # noqa: S603 (our own words)
            self.at.command(*words),
            env=self.at.environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: "subprocess.Popen[str]") -> Done:
        """Wait until a command has ended."""
        output, _ = process.communicate()
        return Done(process.returncode, output)

    def etl(self, *words: str) -> Done:
        """Run a command to its end, whatever it is."""
        return self.end(self.begin(*words))

    def kill(self, process: "subprocess.Popen[str]") -> None:
        """As the power does: the command and all that it has started."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    @contextmanager
    def fault(self, what: str, place: Place) -> Iterator[Trouble]:
        """Something goes wrong in the block, and is over when it ends; then runs heal it, and staging is compared."""
        trouble = Trouble(f"{place.source.name}: {what}")
        yield trouble
        began, runs = time.monotonic(), 0
        trouble.difference = self.compare(place)
        while trouble.difference.where or not trouble.healed:
            if runs == MAX_RUNS:
                trouble.healed = f"NOT in {runs} runs"
                break
            is_through = self.etl(*(trouble.heals_by or self.words(place))).code in FINE
            runs += 1
            trouble.difference = self.compare(place)
            if is_through and not trouble.difference.where:
                trouble.healed = f"{runs} run{'s' * (runs > 1)}, {time.monotonic() - began:.0f} s"
        self.note(trouble)

    def note(self, trouble: Trouble, *, is_right: bool = True) -> None:
        """Count a fault, and say its line."""
        if not is_right:
            trouble.wrong.append("that it went through")
        self.troubles.append(trouble)
        self.say(_line(trouble))

    def load(self, place: Place) -> None:
        """Run a source that is well.

        Raises:
            EtlError: The run failed.
        """
        done = self.etl(*self.words(place))
        if done.code not in FINE:
            raise EtlError(f"{place.source.name} could not be loaded undisturbed:\n{done.output}")

    def compare(self, place: Place) -> Discrepancy:
        """What staging holds against what the source does."""
        with connect(self.at.settings, role=None) as connection:
            return find_discrepancies(connection, place.truths())

    def look(self, minutes: float = 0) -> Sequence[Received]:
        """Have the sender of alerts look, in so many minutes by its clock; the news that have arrived."""
        now = datetime.now(UTC) + timedelta(minutes=minutes)
        with connect(self.at.settings, autocommit=True) as connection:
            watch_loads(connection, SOURCES, now)
            watch_freshness(connection, SOURCES)
            send_alerts(self.at.settings, SOURCES, connection, now)
        found, self.heard.received = self.heard.received, []
        return [each for each in found if "daily summary" not in each.title]

    @contextmanager
    def held_before_commit(self, ledger: str = "etl.table_load") -> Iterator[Callable[[], int]]:
        """Let no load commit for as long as the block lasts: its rows are written, and its line of the ledger waits.

        What is given waits until one has come so far, and says which process of the server works for it.
        """
        with psycopg.connect(warehouse_url(self.at.settings)) as holder:
            holder.execute(f"lock table {ledger} in share mode")

            def waiting() -> int:
                found = self.wait_for(
                    "select pid from pg_stat_activity where %s = any(pg_blocking_pids(pid)) order by backend_start",
                    holder.info.backend_pid,
                )
                return int(found[0][0])

            yield waiting

    def wait_for(self, question: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]  # of any columns
        """Ask the warehouse until it gives rows; returns them.

        Raises:
            EtlError: It has given none for two minutes.
        """
        end = time.monotonic() + WAIT_SECONDS
        with psycopg.connect(warehouse_url(self.at.settings), autocommit=True) as connection:
            while not (found := connection.execute(question, values).fetchall()):
                if time.monotonic() > end:
                    raise EtlError(f"waited {WAIT_SECONDS} s in vain for: {question}")
                time.sleep(0.1)
        return found


def channels_of(found: Sequence[Received]) -> str:
    """By which channels messages have arrived, such as `email, slack`."""
    return ", ".join(sorted(Counter(each.channel for each in found)))


HEADER = f"{'fault':62} {'told in':58} {'healed in':20} {'lost':>6} {'doubled':>8}"


def _line(trouble: Trouble) -> str:
    notices = "; ".join([*trouble.notices, *(f"NOT TOLD: {words}" for words in trouble.wrong)])
    differ = f"  in {', '.join(trouble.difference.where)}" * bool(trouble.difference.where)
    return (
        f"{trouble.fault:62} {notices:58} {trouble.healed:20} {trouble.difference.lost:>6,}"
        f" {trouble.difference.doubled:>8,}{differ}"
    )
