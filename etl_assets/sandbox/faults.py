"""Faults on request: what a service under load, behind a proxy or in the midst of a change does to its callers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from etl_assets.sandbox.seeded_random import SeededRandom

COMMON_KINDS: Mapping[str, str] = {
    "status": "answers with `status`, 503 unless another is said",
    "too_many": "answers 429, with Retry-After of `retry_after` seconds",
    "dropped": "closes the connection without an answer",
    "cut_off": "closes the connection in the middle of the body, short of its Content-Length",
    "hangs": "answers after `seconds`",
    "not_json": "answers with JSON that breaks off, and a Content-Length that fits it",
}
"""Those that every stand-in has."""


@dataclass
class Fault:
    """One fault that was planned, and how many requests it has let pass or struck."""

    kind: str
    path: str | None
    nth: int
    times: int
    share: float | None
    status: int
    retry_after: int
    seconds: float
    by: int
    rng: SeededRandom
    seen: int = 0

    def strikes(self) -> bool:
        """Whether it strikes a request of a path that is meant, which is counted."""
        self.seen += 1
        if self.share is not None:
            return self.rng.chance(self.share)
        return self.nth <= self.seen < self.nth + self.times


@dataclass
class Faults:
    """The faults of a service; none unless some are planned."""

    kinds: Mapping[str, str]
    """What each kind does."""
    spared: str | None = None
    """A path that is struck only where it is named."""
    _planned: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(
        self,
        kind: str,
        *,
        path: str | None = None,
        nth: int = 1,
        times: int = 1,
        share: float | None = None,
        seed: int = 1,
        status: int = 503,
        retry_after: int = 1,
        seconds: float = 5.0,
        by: int = 1,
    ) -> Fault:
        """Let something go wrong.

        Args:
            kind: One of `kinds`.
            path: The address below the base that is struck, such as `shifts` or `shifts/5`, or of several, such as
                `shifts/*`; without it all are but the one that is spared.
            nth: The first request that is struck, counted from now, the next one being 1.
            times: How many are struck, one after the other.
            share: Instead: the share of requests that are struck.
            seed: What that chance is drawn from.
            status: For `status`.
            retry_after: For `too_many`, in seconds.
            seconds: For `hangs`.
            by: A number, for kinds that say so.

        Raises:
            ValueError: There is no such kind.
        """
        if kind not in self.kinds:
            raise ValueError(f"no fault is called {kind!r}; there are: {', '.join(sorted(self.kinds))}")
        rng = SeededRandom(seed, "fault", kind, path)
        fault = Fault(kind, path, nth, times, share, status, retry_after, seconds, by, rng)
        with self._lock:
            self._planned.append(fault)
        return fault

    def clear(self) -> None:
        """Let all go well from now on."""
        with self._lock:
            self._planned.clear()

    def striking(self, path: str) -> dict[str, Fault]:
        """The faults that strike a request, by kind; the request is counted."""
        with self._lock:
            return {each.kind: each for each in self._planned if self._is_meant(each, path) and each.strikes()}

    def _is_meant(self, fault: Fault, path: str) -> bool:
        return path != self.spared if fault.path is None else fnmatchcase(path, fault.path)
