"""Retry policy: which time-outs apply, how often a call is retried, and the backoff between attempts."""

import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from etl_assets.errors import TransientError
from etl_assets.readers.cancellation import CancellationToken
from etl_assets.readers.rest.unreadable import BrokenAnswer, Excerpt

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FailedAttempt:
    """An attempt that failed and is worth a retry."""

    reason: str
    retry_after: float = 0.0
    """Seconds that the service asks to be left alone for."""
    may_be_too_large: bool = False
    """Whether the answer did not come in time, or not whole: a smaller one may."""
    excerpt: Excerpt | None = None
    """How the answer begins, where it came and is broken."""
    is_server_error: bool = False
    """Whether the service says that it failed itself (500): it may be what was asked that it cannot do."""
    is_unreachable: bool = False
    """Whether nobody took the connection."""


class IncompleteAnswer(TransientError):
    """An answer did not come in time, or not whole, and a smaller one is to be asked for."""


class ServerError(TransientError):
    """A service answered each attempt that it failed itself (500)."""


@dataclass
class CircuitBreaker:
    """Circuit breaker of one service: open while nobody is there, it has each call made once and not retried."""

    is_open: bool = False
    """Whether a call was given up because nobody took the connection, and none has got through since."""


@dataclass
class Call:
    """One call, from its first attempt to its last."""

    name: str
    cancellation: CancellationToken
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    """Shared by the calls to a service."""
    is_confidential: bool = False
    """Whether what answers it may echo credentials, and must not be repeated."""
    is_divisible: bool = False
    """Whether a smaller answer can be asked for: then it is not retried where that may help."""
    seconds_rate_limited: float = field(default=0.0, init=False)
    """Seconds in which it waited for the rate limiter."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Time-outs, attempts and exponential backoff with jitter for the calls to one service."""

    connect_timeout: timedelta = timedelta(seconds=10)
    """For a connection."""
    read_timeout: timedelta = timedelta(minutes=1)
    """For the next bytes of a response."""
    max_attempts: int = 6
    """How often a call is made, at most."""
    initial_backoff: timedelta = timedelta(seconds=1)
    """Before the second attempt; doubled for each further one. As much again, at most, is added as jitter."""
    max_backoff: timedelta = timedelta(minutes=1)
    """The most that doubling leads to. A service that asks for more is obeyed."""
    total_timeout: timedelta = timedelta(minutes=10)
    """For one call with all its attempts, the time in which it waits for the rate limiter left out."""

    def run(self, attempt: Callable[[], T | FailedAttempt], call: Call) -> T:
        """Retry an attempt until it succeeds.

        Args:
            attempt: Gives what is wanted or a failed attempt. What it raises is not retried.
            call: What is attempted; its `cancellation` ends the waits.

        Raises:
            IncompleteAnswer: It failed of its size, as it seems, and the call is divisible.
            BrokenAnswer: As TransientError, of an answer that came and cannot be read.
            ServerError: As TransientError, of a service that failed itself each time.
            TransientError: It failed `max_attempts` times, or the next attempt would lie beyond `total_timeout`; at
                the first failure where nobody was reached by the calls before.
            Cancelled: `cancellation` was cancelled.
        """
        failures: Counter[str] = Counter()
        is_server_error = True
        began = monotonic()
        backoff = min(self.initial_backoff, self.max_backoff)
        while isinstance(outcome := attempt(), FailedAttempt):
            failures[outcome.reason] += 1
            is_server_error &= outcome.is_server_error
            if call.is_divisible and outcome.may_be_too_large:
                raise IncompleteAnswer(f"{call.name}: {outcome.reason}.")
            # Without jitter, threads that failed together would come back together.
            jitter = random.uniform(0, self.initial_backoff.total_seconds())  # noqa: S311 (no secret)
            wait = max(backoff.total_seconds(), outcome.retry_after) + jitter
            spent = monotonic() - began - call.seconds_rate_limited
            most = 1 if call.breaker.is_open and outcome.is_unreachable else self.max_attempts
            if failures.total() >= most or spent + wait > self.total_timeout.total_seconds():
                call.breaker.is_open = outcome.is_unreachable
                error = ServerError if is_server_error else TransientError if outcome.excerpt is None else BrokenAnswer
                raise _given_up(error, call, failures, outcome, monotonic() - began)
            logger.warning("%s: %s; try %s in %.1f s", call.name, outcome.reason, failures.total() + 1, wait)
            call.cancellation.wait(wait)
            backoff = min(2 * backoff, self.max_backoff)
        call.breaker.is_open = False
        return outcome


def _given_up(
    error: type[TransientError], call: Call, failures: Counter[str], last: FailedAttempt, seconds: float
) -> TransientError:
    tries = failures.total()
    given_up = error(
        f"{call.name}: given up after {tries} {'try' if tries == 1 else 'tries'} in {seconds:,.1f} s: "
        + "; ".join(f"{reason} ({times}x)" for reason, times in failures.most_common())
        + (f"; {last.retry_after:,.0f} s of quiet asked" if last.retry_after else "")
        + "."
    )
    if isinstance(given_up, BrokenAnswer):
        given_up.excerpt = last.excerpt
    return given_up
