"""Numbers that many records are computed from: draws by number, ids, and where in a long list something lies."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import accumulate

_MASK = (1 << 64) - 1


def draw(seed: int, kind: int, number: int, more: int = 0) -> int:
    """A number under 2 to the 40th that falls the same for the same numbers, and otherwise anyhow."""
    value = ((((seed << 16) + kind << 20) + more) * 0x9E3779B97F4A7C15 + number * 0xD1342543DE82EF95) & _MASK
    value = (value ^ value >> 31) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 29) * 0x94D049BB133111EB & _MASK
    return value >> 24


def uid(seed: int, kind: int, number: int) -> str:
    """A UUID, as JSON."""
    return f'"{seed & 0xFFFFFFFF:08x}-{kind:04x}-4000-8000-{number:012x}"'


@lru_cache(10_000)
def moment(day: date, hour: int = 0, minute: int = 0) -> str:
    """A time of a day, UTC, as JSON."""
    return f'"{day.isoformat()}T{hour:02d}:{minute:02d}:00Z"'


class Offsets:
    """Where a list's records lie that belong to owners, so many to each: eight bytes an owner, whatever they have."""

    def __init__(self, shares: Iterable[int]) -> None:
        self._ends = array("q", accumulate(shares))

    @property
    def size(self) -> int:
        """Records of all owners."""
        return self._ends[-1] if self._ends else 0

    def first(self, owner: int) -> int:
        """The position of an owner's first record."""
        return self._ends[owner - 1] if owner else 0

    def share(self, owner: int) -> int:
        """How many records an owner has."""
        return self._ends[owner] - self.first(owner)

    def locate(self, position: int) -> tuple[int, int]:
        """Whose record this is, and which of the owner's."""
        owner = bisect_right(self._ends, position)
        return owner, position - self.first(owner)

    def walk(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The same of all positions of a span."""
        if first >= end:
            return
        owner, place = self.locate(first)
        for _ in range(first, min(end, self.size)):
            while place >= self.share(owner):
                owner, place = owner + 1, 0
            yield owner, place
            place += 1
