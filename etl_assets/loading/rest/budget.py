"""The budget of a night: how many requests for the rows of parent tables an instance is asked at most, or how long.

A list is read whole, whatever it costs. What remains of a round when the budget is spent, the next run goes on with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

from etl_assets.errors import EtlError

REQUESTS, HOURS = "nightly_requests", "nightly_hours"
"""The settings of an instance that say it."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one run may ask of one instance; no end where neither is set."""

    requests: int | None = None
    """Parents at most, of all jobs together."""
    time: timedelta | None = None
    """From the start of the run."""
    quotas: Mapping[int, int] = field(default_factory=dict)
    """Of these requests, how many each job is given."""
    began: float = field(default_factory=monotonic)

    @classmethod
    def of(cls, given: Mapping[str, str], where: str) -> "Budget":
        """The budget that the settings of an instance name; `where` is what their names begin with, for messages.

        Raises:
            EtlError: One is no number.
        """
        requests, hours = (_number(given, word, where) for word in (REQUESTS, HOURS))
        return cls(
            requests=None if requests is None else int(requests),
            time=None if hours is None else timedelta(hours=hours),
        )

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self.time is not None and monotonic() - self.began >= self.time.total_seconds()

    def quota(self, job: int) -> int | None:
        """How many parents a job may ask for; all of them where None."""
        return None if self.requests is None else self.quotas.get(job, 0)


def _number(given: Mapping[str, str], word: str, where: str) -> float | None:
    text = given.get(word)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 < number < float("inf"):
        raise EtlError(f"{where}_{word.upper()} is {text!r}; a number over 0 was expected.")
    return number
