"""Run a command that starts processes of its own, and leave none of them behind, however this process is stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

STOPPED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A person's Ctrl-C, a service manager, and a terminal that was closed."""
GRACE_SECONDS = 30.0
"""How long the command may take to end by itself, once it was told to; Dagster lets runs under way note that."""
LAST_GRACE_SECONDS = 5.0
"""How long what it leaves behind may take, before it is killed."""
POLL_SECONDS = 0.05


class _Stopped(BaseException):
    """This process was told to stop."""

    def __init__(self, number: int) -> None:
        self.number = number


class _StopOnce:
    """Signal handler: the first signal raises, once it may; no other one disturbs what is done about it."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._may_raise = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, and raise `_Stopped` where that is allowed."""
        del frame
        self._number = self._number or number
        if self._may_raise:
            self.disallow()
            raise _Stopped(self._number)

    def allow(self) -> None:
        """Raise from now on, and at once where a signal came before."""
        self._may_raise = True
        if self._number:
            self(self._number, None)

    def disallow(self) -> None:
        """Only note signals from now on."""
        self._may_raise = False


def run_process_group(command: Sequence[str], *, grace: float = GRACE_SECONDS) -> int:
    """Run a command in a process group of its own, until it ends or this process is told to stop. Main thread only.

    Args:
        command: The program and its words.
        grace: Seconds that it is given to end by itself, when this process is told to stop.

    Returns:
        Its exit code; 0 after Ctrl-C, and 128 and the signal's number after another signal, as shells have it.
    """
    stop = _StopOnce()
    with _signals_handled_by(stop):
        # Nothing is raised before it is known what is to be ended.
        process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 (the caller's own words)
        try:
            code = _wait(process, stop)
        finally:
            _end(process, grace)
        return code


def _wait(process: "subprocess.Popen[bytes]", stop: _StopOnce) -> int:
    try:
        stop.allow()
        code = process.wait()
        stop.disallow()
    except _Stopped as stopped:
        return 0 if stopped.number == signal.SIGINT else 128 + stopped.number
    return code


@contextmanager
def _signals_handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in STOPPED_BY}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """End a command, and then what is left of its group: by a request first, and by force where that does not help."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if _signal_group(process, number):
            end = time.monotonic() + LAST_GRACE_SECONDS
            while _signal_group(process, 0) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> bool:
    """Send a signal to the whole group, 0 for none; whether there is anybody in it."""
    process.poll()  # what has ended and was not waited for is in the group still
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True
