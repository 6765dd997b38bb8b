"""Processes that start processes of their own, each in a group of its own, so that none of them is left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

STOPPED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A person's Ctrl-C, a service manager, and a terminal that was closed."""
GRACE_SECONDS = 30.0
"""How long commands may take to end by themselves, once they were told to; Dagster lets runs under way note that."""
LAST_GRACE_SECONDS = 5.0
"""How long what they leave behind may take, before it is killed."""
POLL_SECONDS = 0.05
SIGNAL_OF_PARENT_S_DEATH = 1
"""PR_SET_PDEATHSIG of linux/prctl.h."""

Process = subprocess.Popen[bytes]


class StopSignals:
    """Notes that this process was told to stop, for the time of the `with` block. Main thread only.

    Nothing is raised: a process that was just started is always known to whoever has to end it.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: Mapping[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in STOPPED_BY}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, earlier in self._before.items():
            signal.signal(number, earlier)

    @property
    def exit_code(self) -> int:
        """0 after Ctrl-C or without a signal, and 128 and the signal's number after another one, as shells have it."""
        return 0 if self.number is None or self.number == signal.SIGINT else 128 + self.number

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.number = self.number or number


def start_group(command: Sequence[str]) -> Process:
    """Start a command as the leader of a process group of its own; on Linux it is told to end when we die."""
    return subprocess.Popen(  # noqa: S603 (the caller's own words)
        command,
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 (who starts has one thread)
    )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(SIGNAL_OF_PARENT_S_DEATH, signal.SIGTERM)


def has_members(leader: Process) -> bool:
    """Whether there is anybody in the group of a command, which may have ended itself."""
    return _signal_group(leader, 0)


def end_groups(leaders: Iterable[Process], *, grace: float = GRACE_SECONDS) -> None:
    """End commands, and then what is left of their groups: by a request first, by force where that does not help.

    Args:
        leaders: Commands that `start_group` started; they may have ended.
        grace: Seconds that they have together to end by themselves.
    """
    groups = list(leaders)
    for leader in groups:
        if leader.poll() is None:
            leader.terminate()
    _wait_until(lambda: all(leader.poll() is not None for leader in groups), grace)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = [leader for leader in groups if _signal_group(leader, number)]
        _wait_until(lambda: not any(map(has_members, left)), LAST_GRACE_SECONDS)  # noqa: B023 (called at once)
    for leader in groups:
        with suppress(subprocess.TimeoutExpired):
            leader.wait(LAST_GRACE_SECONDS)


def kill_group(leader: Process) -> None:
    """Kill what a command that has ended has left in its group."""
    _signal_group(leader, signal.SIGKILL)


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(POLL_SECONDS)


def _signal_group(leader: Process, number: int) -> bool:
    """Send a signal to the whole group, 0 for none; whether there is anybody in it."""
    leader.poll()  # what has ended and was not waited for is in the group still
    try:
        os.killpg(leader.pid, number)
    except ProcessLookupError:
        return False
    return True
