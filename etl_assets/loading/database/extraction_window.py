"""The leave to read a source: it ends with the source's hours, and with the run."""

from collections.abc import Generator, Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Permit(Protocol):
    """Asked before each thing that is asked of the source."""

    def hold(self) -> None:
        """Raise TransientError where the source may not be read any more, or somebody has ended the run."""

    def watch(self, items: Iterable[Item]) -> Generator[Item, None, None]:
        """Pass items on as they come, as long as `hold` does not raise. Ends the reading when it is closed."""


def end(items: Iterable[object]) -> None:
    """Have a reading end that is not at its end: the connection is free for another then."""
    if isinstance(items, Generator):
        items.close()
