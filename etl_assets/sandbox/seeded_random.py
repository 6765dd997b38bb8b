"""Seeded random draws that fall the same on every machine and every Python.

Python promises that only of `Random.random()`; its distributions may change, the platform's `exp` may round
otherwise, and `sum` of floats did change in 3.12. So everything here is `random()` and plain arithmetic.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """A random generator whose draws depend on nothing but the words it was seeded with."""

    def __init__(self, *seed: object) -> None:
        self._next = random.Random(":".join(map(str, seed))).random  # noqa: S311 (believable, not secret)

    def chance(self, share: float) -> bool:
        """True in this share of draws."""
        return self._next() < share

    def randint(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._next() * (high - low + 1))

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[int(self._next() * len(items))]

    def weighted_choice(self, items: Sequence[T], weights: Sequence[int]) -> T:
        """One of the items, as likely as its weight says."""
        left = int(self._next() * sum(weights))
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        raise ValueError("there is nothing to pick from, or every weight is zero")

    def lognormal(self, median: float, spread: float) -> float:
        """A log-normal number: half of the draws lie under `median`; `spread` is sigma of the logarithm."""
        bell = -6.0  # twelve uniform numbers less six: nearly normal, with a deviation of one
        for _ in range(12):
            bell += self._next()
        power = 1 + spread * bell / 1024
        for _ in range(10):  # (1 + x/1024) to the 1024th is e to the x, well enough
            power *= power
        return median * power
