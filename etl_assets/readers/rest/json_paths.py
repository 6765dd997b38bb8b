"""JSON paths: decodes the values at a few dotted paths of an object, and passes over all else, in one pass.

Each set of paths becomes a msgspec struct: what is not named is skipped without being made into anything.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

_NAMES = re.compile(r"[^.@]*@.+|[^.]+")

Tree = dict[str, Any]


@dataclass(frozen=True)
class Leaf:
    """A value that is wanted of an object."""

    path: str
    type: Any
    """What msgspec makes of it."""
    is_required: bool = True
    """Whether the object is of another form without it; else its value is None where it, or what holds it, is null or
    left out."""


def split_path(path: str) -> list[str]:
    """The names along a path: `meta.count` is two, `@odata.count` one, for an annotation has a point in its name."""
    return _NAMES.findall(path)


class PathDecoder:
    """Decodes objects to structs of the values at some paths. Thread-safe."""

    def __init__(self, leaves: Sequence[Leaf], *, strict: bool = True) -> None:
        """Build the struct, which takes a while: `path_decoder` builds it once.

        Args:
            leaves: What is wanted; one path may be wanted twice, if as the same type.
            strict: Whether a number must be one; else a string of digits is a number too.

        Raises:
            ValueError: One path leads through the value of another.
        """
        tree: Tree = {}
        for leaf in leaves:
            _plant(tree, leaf)
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(_struct_of(tree)[0], strict=strict).decode
        self._tree = tree

    def getter(self, path: str) -> Callable[[Any], Any]:
        """Gives the value at a path out of what was decoded; for required values only."""
        return attrgetter(".".join(self._attributes(path)))

    def value(self, decoded: object, path: str | None) -> Any:
        """The value at a path, required or not; None where there is no path."""
        if path is None:
            return None
        for name in self._attributes(path):
            decoded = getattr(decoded, name, None)
        return decoded

    def _attributes(self, path: str) -> list[str]:
        found, node = [], self._tree
        for name in split_path(path):
            found.append(_attribute(list(node).index(name)))
            node = node[name]
        return found


@lru_cache(maxsize=256)
def path_decoder(*leaves: Leaf, strict: bool = True) -> PathDecoder:
    """As `PathDecoder` has it; the same one for the same leaves."""
    return PathDecoder(leaves, strict=strict)


def _plant(tree: Tree, leaf: Leaf) -> None:
    *above, last = split_path(leaf.path)
    for name in above:
        tree = tree.setdefault(name, {})
        if isinstance(tree, Leaf):
            raise ValueError(f"{leaf.path} leads through {tree.path}, which is a value")
    there = tree.setdefault(last, leaf)
    if isinstance(there, dict) or there.type != leaf.type:
        raise ValueError(f"what lies at {leaf.path} cannot be read in two ways")


def _attribute(number: int) -> str:
    return f"at_{number}"


def _struct_of(tree: Tree) -> tuple[Any, bool]:
    """The struct of a tree of names, and whether an object must have it."""
    fields: list[tuple[str, Any, Any]] = []
    some_required = False
    for number, (name, inner) in enumerate(tree.items()):
        kind, is_required = (inner.type, inner.is_required) if isinstance(inner, Leaf) else _struct_of(inner)
        some_required = some_required or is_required
        if is_required:
            fields.append((_attribute(number), kind, msgspec.field(name=name)))
        else:
            fields.append((_attribute(number), kind | None, msgspec.field(default=None, name=name)))
    return msgspec.defstruct("Values", fields, kw_only=True), some_required
