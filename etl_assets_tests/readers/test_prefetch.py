import gc
import subprocess
import sys
import threading
import time
import weakref
from functools import partial

import pytest

from etl_assets.readers.cancellation import CancellationToken, Cancelled
from etl_assets.readers.prefetch import ordered_map, prefetch_one


def test_results_come_in_the_order_of_the_calls() -> None:
    def call(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    calls = (partial(call, number) for number in range(20))
    assert list(ordered_map(calls, threads=4, prefetch=8, cancellation=CancellationToken())) == list(range(20))


def test_no_calls_give_no_results() -> None:
    assert list(ordered_map([], threads=4, prefetch=8, cancellation=CancellationToken())) == []


def test_no_more_is_called_for_than_is_allowed_ahead() -> None:
    made = []
    results = ordered_map(
        (partial(made.append, number) for number in range(100)), threads=3, prefetch=6, cancellation=CancellationToken()
    )
    for taken in range(1, 4):
        next(results)
        time.sleep(0.05)
        assert len(made) == 6 + taken - 1
    results.close()


def test_a_result_that_was_taken_is_not_held() -> None:
    class Page:
        pass

    results = ordered_map([Page] * 10, threads=2, prefetch=4, cancellation=CancellationToken())
    pages = [weakref.ref(next(results)) for _ in range(4)]
    time.sleep(0.05)
    gc.collect()
    assert [page() for page in pages[:3]] == [None] * 3
    results.close()


def test_a_failure_is_told_without_waiting_for_the_results_before_it() -> None:
    cancellation = CancellationToken()

    def fail() -> None:
        raise ValueError("the second")

    def wait() -> None:
        cancellation.wait(30)

    began = time.monotonic()
    with pytest.raises(ValueError, match="the second"):
        list(ordered_map([wait, fail, wait], threads=3, prefetch=3, cancellation=cancellation))
    assert time.monotonic() - began < 2
    assert cancellation.is_cancelled


@pytest.mark.parametrize("deaf", [False, True], ids=["ends at the stop", "does not hear it"])
def test_a_stop_from_outside_ends_the_wait_for_a_result(deaf) -> None:
    cancellation, heard = CancellationToken(), threading.Event()
    threading.Timer(0.1, cancellation.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(
            ordered_map(
                [partial(heard.wait, 5) if deaf else partial(cancellation.wait, 5)],
                threads=1,
                prefetch=1,
                cancellation=cancellation,
            )
        )
    assert time.monotonic() - began < 1
    heard.set()


def test_leaving_early_stops_the_calls_and_the_threads() -> None:
    cancellation, working = CancellationToken(), set()

    def work() -> None:
        working.add(threading.current_thread())
        cancellation.wait(30)

    results = ordered_map([int, *[work] * 20], threads=4, prefetch=8, cancellation=cancellation)
    next(results)
    time.sleep(0.1)
    assert len(working) == 4
    results.close()
    for thread in working:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_a_process_ends_while_calls_are_under_way() -> None:
    program = """
import time
from etl_assets.readers.prefetch import ordered_map
from etl_assets.readers.cancellation import CancellationToken
next(ordered_map([int, lambda: time.sleep(60)], threads=2, prefetch=2, cancellation=CancellationToken()))
raise KeyboardInterrupt
"""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=30)
    assert b"KeyboardInterrupt" in ended.stderr
    assert time.monotonic() - began < 10


def test_one_item_is_fetched_ahead_and_no_more() -> None:
    made = []

    def items():
        for number in range(4):
            made.append(number)
            yield number

    prefetched = prefetch_one(items())
    assert next(prefetched) == 0
    time.sleep(0.05)
    assert made == [0, 1]
    assert list(prefetched) == [1, 2, 3]


def test_a_failure_comes_when_its_turn_has_come() -> None:
    def items():
        yield "first"
        raise ValueError("the second")

    prefetched = prefetch_one(items())
    assert next(prefetched) == "first"
    time.sleep(0.05)
    with pytest.raises(ValueError, match="the second"):
        next(prefetched)


def test_nothing_is_fetched_any_more_when_close_returns() -> None:
    fetching, answered = threading.Event(), threading.Event()

    def items():
        yield "first"
        fetching.set()
        time.sleep(0.2)
        answered.set()
        yield "second"

    prefetched = prefetch_one(items())
    next(prefetched)
    assert fetching.wait(5)
    prefetched.close()
    assert answered.is_set()
