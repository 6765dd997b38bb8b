"""How long something is tried again, and how what was tried is told when it is given up."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result, wait_exponential, wait_random

from etl_assets.errors import TransientError
from etl_assets.readers.rest.rate_limit import Stop

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """An attempt that failed and may pass another time."""

    what: str
    quiet: float = 0.0
    """Seconds that the service asks to be left alone for."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a service is waited for, and how often it is asked again."""

    connect: timedelta = timedelta(seconds=10)
    """For a connection."""
    silence: timedelta = timedelta(minutes=1)
    """For the next bytes of an answer."""
    attempts: int = 6
    """How often a call is made, at most."""
    first_wait: timedelta = timedelta(seconds=1)
    """Before the second attempt; doubled for each further one. As much again, at most, is added by chance."""
    longest_wait: timedelta = timedelta(minutes=1)
    """The most that doubling leads to. A service that asks for more is obeyed."""
    total: timedelta = timedelta(minutes=10)
    """For one call with all its attempts, the time in which it waits its turn left out."""

    def insist(self, attempt: Callable[[], T | Failure], call: "Call") -> T:
        """Try until it passes.

        Args:
            attempt: Gives what is wanted or a failure. What it raises ends the matter.
            call: What is tried; its `stop` ends the waits.

        Raises:
            TransientError: It failed `attempts` times, or the next attempt would lie beyond `total`.
            Abandoned: `stop` was set.
        """
        failures: Counter[str] = Counter()
        began = monotonic()

        def noted() -> T | Failure:
            outcome = attempt()
            if isinstance(outcome, Failure):
                failures[outcome.what] += 1
            return outcome

        retrying = Retrying(
            sleep=call.stop.wait,
            wait=self._wait(),
            stop=lambda state: self._is_enough(state, call),
            retry=retry_if_result(lambda outcome: isinstance(outcome, Failure)),
            before_sleep=lambda state: _log(state, call),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        outcome = retrying(noted)
        if not isinstance(outcome, Failure):
            return outcome
        tries = failures.total()
        raise TransientError(
            f"{call.name}: given up after {tries} {'try' if tries == 1 else 'tries'} in {monotonic() - began:,.1f} s: "
            + "; ".join(f"{what} ({times}x)" for what, times in failures.most_common())
            + (f"; {outcome.quiet:,.0f} s of quiet asked" if outcome.quiet else "")
            + "."
        )

    def _wait(self) -> Callable[[RetryCallState], float]:
        doubled = wait_exponential(multiplier=self.first_wait.total_seconds(), max=self.longest_wait.total_seconds())
        # Without chance, threads that failed together would come back together.
        chance = wait_random(0, self.first_wait.total_seconds())
        return lambda state: max(doubled(state), _failure(state).quiet) + chance(state)

    def _is_enough(self, state: RetryCallState, call: "Call") -> bool:
        spent = (state.seconds_since_start or 0.0) - call.queued
        return state.attempt_number >= self.attempts or spent + state.upcoming_sleep > self.total.total_seconds()


@dataclass
class Call:
    """One call, from its first attempt to its last."""

    name: str
    stop: Stop
    queued: float = field(default=0.0, init=False)
    """Seconds in which it waited its turn."""


def _failure(state: RetryCallState) -> Failure:
    outcome = state.outcome.result() if state.outcome else None
    return outcome if isinstance(outcome, Failure) else Failure("")


def _log(state: RetryCallState, call: Call) -> None:
    logger.warning(
        "%s: %s; try %s in %.1f s", call.name, _failure(state).what, state.attempt_number + 1, state.upcoming_sleep
    )
