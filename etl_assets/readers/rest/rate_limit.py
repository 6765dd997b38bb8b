"""Rate limiting: a sliding window over all threads, and the waits that a service's response headers ask for."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from etl_assets.errors import TransientError
from etl_assets.readers.cancellation import CancellationToken

EPOCH_FROM = 1e9
"""A reset from here on is a moment, in seconds since 1970; below, it is a number of seconds from now."""
SECONDS_A_DAY = 86_400


class RateLimiter:
    """At most so many calls in any span of time, over all threads, and none while the service asks for quiet.

    A sliding window: a call counts from when it goes out until a span after it was answered, so that the service never
    counts more than that, whichever moment in between it takes. An even rate would make short reads wait for nothing.
    """

    def __init__(self, calls: int | None = None, per: timedelta = timedelta(minutes=1)) -> None:
        if calls is not None and calls < 1:
            raise ValueError(f"a pace of {calls} calls lets none out")
        self._calls = calls
        self._per = per.total_seconds()
        self._lock = threading.Lock()
        self._in_flight = 0
        self._completed: deque[float] = deque()
        self._paused_until = -math.inf

    @contextmanager
    def acquire(self, cancellation: CancellationToken, *, max_pause: timedelta) -> Iterator[None]:
        """Wait until a call may go out; the call is made inside of the `with`.

        Raises:
            Cancelled: `cancellation` was cancelled in the meantime.
            TransientError: The service asks for a longer pause than `max_pause`.
        """
        while (wait := self._try_acquire(max_pause.total_seconds())) > 0:
            cancellation.wait(wait)
        try:
            cancellation.check()
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self._completed.append(time.monotonic())

    def pause(self, seconds: float) -> None:
        """Let no call out, of any thread, for so long from now."""
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def _try_acquire(self, max_pause: float) -> float:
        """Take a place and give 0, or give the seconds until it is worth trying again."""
        with self._lock:
            now = time.monotonic()
            pause = self._paused_until - now
            if pause > max_pause:
                raise TransientError(
                    f"The service asks for {pause:,.0f} s of quiet; it is waited for {max_pause:,.0f} s at most."
                )
            wait = max(pause, self._seconds_until_free(now))
            if wait <= 0:
                self._in_flight += 1
            return wait

    def _seconds_until_free(self, now: float) -> float:
        if self._calls is None:
            self._completed.clear()
            return 0
        while self._completed and self._completed[0] + self._per <= now:
            self._completed.popleft()
        if self._in_flight + len(self._completed) < self._calls:
            return 0
        # Where all are under way, the first to be answered counts for a whole span from then on.
        return (self._completed[0] + self._per - now) if self._completed else self._per


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, as seconds or as a date; None where it says nothing."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    moment = _parse_date(value)
    return _parse_number(value) if moment is None else max(0.0, moment.timestamp() - _service_now(headers))


def seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    """The seconds until calls are allowed again, where `X-RateLimit-Remaining` is 0; else None.

    Some services say how long their interval is, and not when it ends: then all of it is waited for. Where
    `X-RateLimit-Daily-Remaining` is 0 the day is over, by UTC: no service says by which clock its days are counted.
    """
    if _parse_number(headers.get("X-RateLimit-Daily-Remaining")) == 0:
        return SECONDS_A_DAY - _service_now(headers) % SECONDS_A_DAY
    if _parse_number(headers.get("X-RateLimit-Remaining")) != 0:
        return None
    reset = _parse_number(headers.get("X-RateLimit-Reset"))
    if reset is None:
        interval = _parse_number(headers.get("X-RateLimit-Interval-Milliseconds"))
        return interval and interval / 1000
    return reset if reset < EPOCH_FROM else max(0.0, reset - _service_now(headers))


def _service_now(headers: Mapping[str, str]) -> float:
    """The service's own clock where it tells it: ours may differ, and a moment is meant by its clock."""
    moment = _parse_date(headers.get("Date"))
    return time.time() if moment is None else moment.timestamp()


def _parse_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
