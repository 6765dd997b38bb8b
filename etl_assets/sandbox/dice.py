"""Chance that falls the same on every machine and every Python.

Python promises that only of `Random.random()`; its distributions may change, the platform's `exp` may round
otherwise, and `sum` of floats did change in 3.12. So everything here is `random()` and plain arithmetic.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


class Dice:
    """Draws that depend on nothing but the words they were made with."""

    def __init__(self, *words: object) -> None:
        self._next = random.Random(":".join(map(str, words))).random  # noqa: S311 (believable, not secret)

    def chance(self, share: float) -> bool:
        """True in this share of draws."""
        return self._next() < share

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._next() * (high - low + 1))

    def pick(self, things: Sequence[Thing]) -> Thing:
        """One of the things, each as likely."""
        return things[int(self._next() * len(things))]

    def weighted(self, things: Sequence[Thing], weights: Sequence[int]) -> Thing:
        """One of the things, as likely as its weight says."""
        left = int(self._next() * sum(weights))
        for thing, weight in zip(things, weights, strict=True):
            left -= weight
            if left < 0:
                return thing
        raise ValueError("there is nothing to pick from, or every weight is zero")

    def around(self, median: float, spread: float) -> float:
        """A log-normal number: half of the draws lie under `median`; `spread` is sigma of the logarithm."""
        bell = -6.0  # twelve uniform numbers less six: nearly normal, with a deviation of one
        for _ in range(12):
            bell += self._next()
        power = 1 + spread * bell / 1024
        for _ in range(10):  # (1 + x/1024) to the 1024th is e to the x, well enough
            power *= power
        return median * power
