"""Prefetch: what is wanted next is fetched in the background while the caller works on what came before.

`ordered_map` has many calls under way at once, `prefetch_one` fetches one item of an iterator ahead. The threads are
daemons, unlike those of an executor: a process may end while calls are under way, and is not held up until the last
time-out has passed.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from itertools import islice
from queue import SimpleQueue
from typing import Generic, TypeVar

from etl_assets.readers.cancellation import CancellationToken

T = TypeVar("T")

POLL_INTERVAL = 0.1
"""Seconds after which the thread that waits for a result looks whether it will come at all."""


def ordered_map(
    calls: Iterable[Callable[[], T]], *, threads: int, prefetch: int, cancellation: CancellationToken
) -> Generator[T]:
    """Make calls by several threads at once and yield their results in order.

    When it ends, calls may be under way still: they end by `cancellation`, and nobody waits for them.

    Args:
        calls: Taken one by one, no earlier than `prefetch` calls before their result is wanted.
        threads: How many calls are under way at once, at most.
        prefetch: How many results, at most, have been called for and not yet taken.
        cancellation: Cancelled when the iterator ends, however it ends, and when a call fails; what waits on it ends
            too.

    Yields:
        The results, in the order of the calls.

    Raises:
        Exception: What the first call that failed raised; the results before it are not waited for.
        Cancelled: `cancellation` was cancelled.
    """
    pool: _WorkerPool[T] = _WorkerPool(threads, cancellation)
    remaining = iter(calls)
    pending: deque[Future[T]] = deque()
    try:
        pending.extend(map(pool.submit, islice(remaining, prefetch)))
        while pending:
            yield pool.result(pending.popleft())
            pending.extend(map(pool.submit, islice(remaining, 1)))
    finally:
        cancellation.cancel()
        pool.shut_down()


def prefetch_one(items: Iterator[T]) -> Generator[T]:
    """Prefetch one item ahead: a thread fetches it while the caller works on the one before.

    When it ends, however it ends, nothing is being fetched any more: whoever made the items may use again what they are
    made from, such as a connection.

    Raises:
        BaseException: What fetching an item raised, when its turn has come.
    """

    def fetch() -> tuple[T] | None:
        for item in items:
            return (item,)
        return None

    pool: _WorkerPool[tuple[T] | None] = _WorkerPool(1, CancellationToken())
    pending = pool.submit(fetch)
    try:
        while fetched := pending.result():
            pending = pool.submit(fetch)
            yield fetched[0]
    finally:
        wait((pending,))
        pool.shut_down()


class _WorkerPool(Generic[T]):
    """Daemon threads that make calls, started as they are needed."""

    def __init__(self, max_threads: int, cancellation: CancellationToken) -> None:
        self._max_threads = max_threads
        self._cancellation = cancellation
        self._threads: list[threading.Thread] = []
        self._tasks: SimpleQueue[tuple[Callable[[], T], Future[T]] | None] = SimpleQueue()
        self._failures: list[BaseException] = []

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have a call made as soon as a thread is free."""
        future: Future[T] = Future()
        self._tasks.put((call, future))
        if len(self._threads) < self._max_threads:
            thread = threading.Thread(target=self._work, daemon=True, name=f"prefetch-{len(self._threads) + 1}")
            self._threads.append(thread)
            thread.start()
        return future

    def result(self, future: Future[T]) -> T:
        """What a call gave, or the failure of the first that failed: it is why the others were given up."""
        while not (wait((future,), timeout=POLL_INTERVAL).done or self._cancellation.is_cancelled):
            pass
        if self._failures:
            raise self._failures[0]
        self._cancellation.check()
        return future.result()

    def shut_down(self) -> None:
        """Let the threads end when they have done what is under way."""
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while self._run_one():
            pass

    def _run_one(self) -> bool:
        """In a function of its own, so that a waiting thread does not hold the result of its last call."""
        task = self._tasks.get()
        if task is None:
            return False
        call, future = task
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits for it)
            self._failures.append(error)
            self._cancellation.cancel()
            future.set_exception(error)
        return True
