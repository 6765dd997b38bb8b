"""Calls made by several threads at once, their results in order."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from itertools import islice
from queue import SimpleQueue
from typing import Generic, TypeVar

from etl_assets.readers.rest.rate_limit import Stop

T = TypeVar("T")

LOOK_UP = 0.1
"""Seconds after which the thread that waits for a result looks whether it will come at all."""


def in_order(calls: Iterable[Callable[[], T]], *, threads: int, ahead: int, stop: Stop) -> Generator[T]:
    """Make calls by several threads at once.

    A process may end while calls are under way: the threads are daemons, unlike those of an executor, which would
    hold it up until the last time-out has passed.

    Args:
        calls: Taken one by one, no earlier than `ahead` calls before their result is wanted.
        threads: How many calls are under way at once, at most.
        ahead: How many results, at most, have been called for and not yet taken.
        stop: Set when the iterator ends, however it ends, and when a call fails; what waits on it ends too.

    Yields:
        The results, in the order of the calls.

    Raises:
        Exception: What the first call that failed raised; the results before it are not waited for.
        Abandoned: `stop` was set.
    """
    crew: _Crew[T] = _Crew(threads, stop)
    coming = iter(calls)
    waiting: deque[Future[T]] = deque()
    try:
        waiting.extend(map(crew.call, islice(coming, ahead)))
        while waiting:
            yield crew.result_of(waiting.popleft())
            waiting.extend(map(crew.call, islice(coming, 1)))
    finally:
        stop.set()
        crew.dismiss()


class _Crew(Generic[T]):
    """Threads that make calls, as many as are needed."""

    def __init__(self, most: int, stop: Stop) -> None:
        self._most = most
        self._stop = stop
        self._threads: list[threading.Thread] = []
        self._calls: SimpleQueue[tuple[Callable[[], T], Future[T]] | None] = SimpleQueue()
        self._failures: list[BaseException] = []

    def call(self, call: Callable[[], T]) -> Future[T]:
        """Have a call made as soon as a thread is free."""
        future: Future[T] = Future()
        self._calls.put((call, future))
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, daemon=True, name=f"ahead-{len(self._threads) + 1}")
            self._threads.append(thread)
            thread.start()
        return future

    def result_of(self, future: Future[T]) -> T:
        """What a call gave, or the failure of the first that failed: it is why the others were given up."""
        while not (wait((future,), timeout=LOOK_UP).done or self._stop.is_set):
            pass
        if self._failures:
            raise self._failures[0]
        self._stop.check()
        return future.result()

    def dismiss(self) -> None:
        """Let the threads end when they have done what is under way."""
        for _ in self._threads:
            self._calls.put(None)

    def _work(self) -> None:
        while self._make_one_call():
            pass

    def _make_one_call(self) -> bool:
        """In a function of its own, so that a waiting thread does not hold the result of its last call."""
        task = self._calls.get()
        if task is None:
            return False
        call, future = task
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for it)
            self._failures.append(error)
            self._stop.set()
            future.set_exception(error)
        return True
