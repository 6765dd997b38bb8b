"""Keep processes running until told to stop: what dies is started again, and what cannot run ends all of them.

What they are is said in `services.py`.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from etl_assets.errors import EtlError
from etl_assets.orchestration.process_group import (
    GRACE_SECONDS,
    Process,
    StopSignals,
    end_groups,
    has_members,
    kill_group,
    start_group,
)

LOOK_SECONDS = 0.5
SETTLED_SECONDS = 60.0
"""What has run for so long can run: when it ends it is started again, however often it has been before."""
MOST_TRIES = 6
"""How often something is started that does not settle: after 1, 2, 4, 8 and 16 seconds."""


class Supervised(Protocol):
    """Something that is to run."""

    @property
    def name(self) -> str:
        """What a message calls it, such as `the daemon`."""

    def start(self) -> None:
        """Start it.

        Raises:
            EtlError: It cannot be started now.
        """

    def fault(self) -> str | None:
        """What has become of it, such as `ended with exit code 1`; None while it runs. It takes no time."""

    def is_hopeless(self) -> bool:
        """Whether it has said itself that another start cannot help."""

    def is_ready(self) -> bool:
        """Whether those that are named after it may be started."""

    def groups(self) -> Iterator[Process]:
        """The leaders of the process groups that are to be ended with it."""


@dataclass
class SupervisedProcess:
    """A command that is to run."""

    name: str
    command: Sequence[str]
    keeps_children: bool = False
    """Whether what it leaves when it is killed goes on, as runs do; it ends with all the rest."""
    hopeless_code: int | None = None
    """The exit code by which it says that another start cannot help."""
    is_listening: Callable[[], bool] = lambda: True
    """Whether those that need it may be started, for the first time."""
    whereabouts: Callable[[], object] = lambda: None
    """What it has connected to. It is started again when that is elsewhere."""
    _process: Process | None = None
    _connected_to: object = None
    _left: list[Process] = field(default_factory=list)

    def start(self) -> None:
        """Start it, as the leader of a process group."""
        self._connected_to = self.whereabouts()
        self._process = start_group(self.command)

    def fault(self) -> str | None:
        """How it has ended, None while it runs."""
        self._left = [leader for leader in self._left if has_members(leader)]
        if self._process is None:
            return "was not started"
        code = self._process.poll()
        if code is None and self._connected_to == self.whereabouts():
            return None
        if self.keeps_children and code is not None:
            self._left.append(self._process)
        elif code is None:
            end_groups([self._process])
            return "must look for its database elsewhere"
        else:
            kill_group(self._process)
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def is_hopeless(self) -> bool:
        """Whether it ended with the exit code that says so."""
        return (
            self._process is not None
            and self.hopeless_code is not None
            and self._process.returncode == self.hopeless_code
        )

    def is_ready(self) -> bool:
        """Whether it listens."""
        return self.is_listening()

    def groups(self) -> Iterator[Process]:
        """It, and what earlier ones have left."""
        if self._process is not None:
            yield self._process
        yield from self._left


@dataclass
class Watch:
    """Looks after one of those that are to run."""

    of: Supervised
    say: Callable[[str], None]
    tries: int = 1
    started: float = 0.0
    again_at: float | None = 0.0

    def look(self, now: float) -> None:
        """Start it, and again where it has ended, after a pause.

        Raises:
            EtlError: It does not settle.
        """
        if self.again_at is None:
            if fault := self.of.fault():
                self._wait_for_next(fault, now)
        elif now >= self.again_at:
            self._start(now)

    def _start(self, now: float) -> None:
        self.started, self.again_at = now, None
        try:
            self.of.start()
        except EtlError as error:
            self._wait_for_next(f"could not be started: {error}", now)

    def _wait_for_next(self, fault: str, now: float) -> None:
        if self.of.is_hopeless():
            raise EtlError(f"{self.of.name} {fault}, and cannot run: what it said stands above. All was stopped.")
        self.tries = 1 if now - self.started >= SETTLED_SECONDS else self.tries
        if self.tries >= MOST_TRIES:
            raise EtlError(
                f"{self.of.name} {fault}. It was started {self.tries} times and never ran for {SETTLED_SECONDS:.0f}"
                " seconds; what it said stands above. All was stopped."
            )
        pause = 2.0 ** (self.tries - 1)
        self.tries += 1
        self.again_at = now + pause
        self.say(f"{self.of.name} {fault}; it is started again in {pause:.0f} s")


def supervise(
    those: Sequence[Supervised], *, grace: float = GRACE_SECONDS, say: Callable[[str], None] | None = None
) -> int:
    """Start what is to run, keep it running until this process is told to stop, and leave none of it.

    Main thread only.

    Args:
        those: In the order in which they are started, and looked after.
        grace: Seconds that their processes have to end by themselves in the end.
        say: What is told of what is started again, a line each; to stderr where nothing is named.

    Returns:
        0 after Ctrl-C, and 128 and the signal's number after another signal, as shells have it.

    Raises:
        EtlError: Something does not go on running, however often it is started; all else was ended.
    """
    say = say or _say_on_stderr
    watches = [Watch(each, say) for each in those]
    with StopSignals() as stop:
        try:
            while stop.number is None:
                for watch in watches:
                    watch.look(time.monotonic())
                    if not watch.of.is_ready():
                        break  # what comes after it needs it
                time.sleep(LOOK_SECONDS)
        finally:
            end_groups([leader for each in those for leader in each.groups()], grace=grace)
    return stop.exit_code


def _say_on_stderr(line: str) -> None:
    sys.stderr.write(f"etl: {line}\n")
    sys.stderr.flush()
