"""Prefetch: the next batch is fetched in the background while the one before is being worked on."""

from collections.abc import Generator, Iterator
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


def prefetch_one(items: Iterator[T]) -> Generator[T]:
    """Prefetch one item ahead: a thread fetches it while the caller works on the one before.

    When it ends, however it ends, nothing is being fetched any more: whoever made the items may use again what they are
    made from.

    Raises:
        BaseException: What fetching an item raised, when its turn has come.
    """
    pending = _Fetch(items)
    try:
        while fetched := pending.result():
            pending = _Fetch(items)
            yield fetched[0]
    finally:
        pending.join()


class _Fetch(Thread, Generic[T]):
    """Fetches one item; a daemon thread, so that a process can end while the source does not answer."""

    def __init__(self, items: Iterator[T]) -> None:
        super().__init__(daemon=True, name="prefetch")
        self._items = items
        self._fetched: tuple[T] | None = None
        self._failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Fetch it."""
        try:
            for item in self._items:
                self._fetched = (item,)
                return
        except BaseException as error:  # noqa: BLE001 (raised where the item is wanted)
            self._failure = error

    def result(self) -> tuple[T] | None:
        """The item, or None where there is none left."""
        self.join()
        if self._failure:
            raise self._failure
        return self._fetched
