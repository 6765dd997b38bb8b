"""The next batch, while the one before is being worked on."""

from collections.abc import Generator, Iterator
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Generator[T]:
    """Take each item in a thread of its own while the caller works on the one before.

    When it ends, however it ends, nothing is being taken any more: whoever made the items may use again what they are
    made from.

    Raises:
        BaseException: What the taking of an item raised, when its turn has come.
    """
    coming = _Taking(items)
    try:
        while taken := coming.result():
            coming = _Taking(items)
            yield taken[0]
    finally:
        coming.join()


class _Taking(Thread, Generic[T]):
    """The taking of one item; a daemon, so that a process can end while the source does not answer."""

    def __init__(self, items: Iterator[T]) -> None:
        super().__init__(daemon=True, name="ahead")
        self._items = items
        self._taken: tuple[T] | None = None
        self._failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Take it."""
        try:
            for item in self._items:
                self._taken = (item,)
                return
        except BaseException as error:  # noqa: BLE001 (raised where the item is wanted)
            self._failure = error

    def result(self) -> tuple[T] | None:
        """The item, or None where there is none left."""
        self.join()
        if self._failure:
            raise self._failure
        return self._taken
