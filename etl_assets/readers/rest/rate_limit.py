"""When the next call may go out: what the service allows, counted over all threads, and waits that can be ended."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from weakref import WeakSet

from etl_assets.errors import TransientError

EPOCH_FROM = 1e9
"""A reset from here on is a moment, in seconds since 1970; below, it is a number of seconds from now."""


class Abandoned(TransientError):
    """Nobody waits for the answer any more: the read was given up, or its connection closed."""


class Stop:
    """Ends waits: once it is set, every wait on it, begun or yet to begin, raises `Abandoned`."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._children: WeakSet[Stop] = WeakSet()

    def child(self) -> "Stop":
        """A stop that is set with this one, and can be set alone."""
        child = Stop()
        with self._lock:
            self._children.add(child)
        if self._event.is_set():
            child.set()
        return child

    def set(self) -> None:
        """End the waits on it and on its children."""
        self._event.set()
        with self._lock:
            children = list(self._children)
        for child in children:
            child.set()

    @property
    def is_set(self) -> bool:
        """Whether waits on it end at once."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Abandoned` where it is set."""
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Wait; raise `Abandoned` as soon as it is set."""
        if self._event.wait(seconds):
            raise Abandoned("The answer is no longer waited for; what was read so far is not kept.")


class Pace:
    """At most so many calls in any span of time, over all threads, and none while the service asks for quiet.

    A sliding window: a call counts from when it goes out until a span after it was answered, so that the service never
    counts more than that, whichever moment in between it takes. An even pace would make short reads wait for nothing.
    """

    def __init__(self, calls: int | None = None, per: timedelta = timedelta(minutes=1)) -> None:
        if calls is not None and calls < 1:
            raise ValueError(f"a pace of {calls} calls lets none out")
        self._calls = calls
        self._per = per.total_seconds()
        self._lock = threading.Lock()
        self._under_way = 0
        self._answered: deque[float] = deque()
        self._quiet_until = -math.inf

    @contextmanager
    def turn(self, stop: Stop, *, longest_quiet: timedelta) -> Iterator[None]:
        """Wait until a call may go out; the call is made inside of the `with`.

        Raises:
            Abandoned: `stop` was set in the meantime.
            TransientError: The service asks for more quiet than `longest_quiet`.
        """
        while (wait := self._take(longest_quiet.total_seconds())) > 0:
            stop.wait(wait)
        try:
            stop.check()
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._answered.append(time.monotonic())

    def keep_quiet(self, seconds: float) -> None:
        """Let no call out, of any thread, for so long from now."""
        with self._lock:
            self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)

    def _take(self, longest_quiet: float) -> float:
        """Take a place and give 0, or give the seconds until it is worth asking again."""
        with self._lock:
            now = time.monotonic()
            quiet = self._quiet_until - now
            if quiet > longest_quiet:
                raise TransientError(
                    f"The service asks for {quiet:,.0f} s of quiet; it is waited for {longest_quiet:,.0f} s at most."
                )
            wait = max(quiet, self._until_room(now))
            if wait <= 0:
                self._under_way += 1
            return wait

    def _until_room(self, now: float) -> float:
        if self._calls is None:
            self._answered.clear()
            return 0
        while self._answered and self._answered[0] + self._per <= now:
            self._answered.popleft()
        if self._under_way + len(self._answered) < self._calls:
            return 0
        # Where all are under way, the first to be answered counts for a whole span from then on.
        return (self._answered[0] + self._per - now) if self._answered else self._per


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, as seconds or as a date; None where it says nothing."""
    said = headers.get("Retry-After")
    if said is None:
        return None
    moment = _date(said)
    return _number(said) if moment is None else max(0.0, moment.timestamp() - _service_now(headers))


def until_reset(headers: Mapping[str, str]) -> float | None:
    """The seconds until calls are allowed again, where `X-RateLimit-Remaining` is 0; else None."""
    if _number(headers.get("X-RateLimit-Remaining")) != 0:
        return None
    reset = _number(headers.get("X-RateLimit-Reset"))
    if reset is None or reset < EPOCH_FROM:
        return reset
    return max(0.0, reset - _service_now(headers))


def _service_now(headers: Mapping[str, str]) -> float:
    """The service's own clock where it tells it: ours may differ, and a moment is meant by its clock."""
    told = _date(headers.get("Date"))
    return time.time() if told is None else told.timestamp()


def _date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
