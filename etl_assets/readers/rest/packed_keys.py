"""Deduplication of the keys of a list across its pages, in eight bytes a value where the list is in their order."""

from array import array
from collections.abc import Sequence
from itertools import pairwise

from etl_assets.declare.document_reader import Key

MAX_INTEGER = (1 << 63) - 1


class PackedKeys:
    """The keys that came so far.

    While the keys of each page are behind those of all others, none can come twice: they are then packed, since a list
    may have millions. Once one is not, or is no whole number, they are kept as a set.
    """

    def __init__(self) -> None:
        self._packed = array("q")
        """The values of the keys in the order in which they came, one key behind the other."""
        self._width = 0
        """Values of one key."""
        self._last: Key = ()
        self._seen: set[Key] | None = None

    def take(self, keys: Sequence[Key]) -> set[Key]:
        """Add the keys of a page; those of them that came with a page before."""
        if self._seen is None:
            if (ordered := self._behind_all(keys)) is not None:
                self._pack(ordered)
                return set()
            self._seen = set(self._unpack())
            self._packed = array("q")
        earlier = self._seen.intersection(keys)
        self._seen.update(keys)
        return earlier

    def _behind_all(self, keys: Sequence[Key]) -> list[Key] | None:
        """The keys of a page in order; None where they cannot be packed, or one is not behind those that came."""
        if not all(type(value) is int and abs(value) <= MAX_INTEGER for key in keys for value in key):
            return None
        ordered = sorted(keys)
        return ordered if all(one < other for one, other in pairwise([self._last, *ordered])) else None

    def _pack(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self._packed.extend(key)  # type: ignore[arg-type]  # whole numbers, as was looked at
        if keys:
            self._last, self._width = keys[-1], len(keys[-1])

    def _unpack(self) -> list[Key]:
        values = iter(self._packed)
        return list(zip(*[values] * self._width, strict=True))
