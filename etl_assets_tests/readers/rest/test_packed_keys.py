"""Keys that came before are found, whatever their order and kind."""

import random
import tracemalloc

import pytest

from etl_assets.declare.document_reader import Key
from etl_assets.readers.rest.packed_keys import PackedKeys


def found_by_a_set(pages: list[list[Key]]) -> list[set[Key]]:
    seen: set[Key] = set()
    found = []
    for page in pages:
        found.append(seen.intersection(page))
        seen.update(page)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_repeated_keys_are_those_that_a_set_finds(seed: int) -> None:
    random_ = random.Random(seed)  # noqa: S311
    width, is_ordered = random_.choice([1, 2]), random_.random() < 0.7
    keys = sorted({tuple(random_.randrange(1 << 62) for _ in range(width)) for _ in range(60)})
    if not is_ordered:
        random_.shuffle(keys)
    for _ in range(random_.choice([0, 0, 1, 3])):
        keys.insert(random_.randrange(60), random_.choice(keys))
    pages: list[list[Key]] = [list(keys[at : at + 7]) for at in range(0, len(keys), 7)]
    pages.insert(random_.randrange(5), [])
    if random_.random() < 0.3:
        pages[-1].append(("a",) * width)
        pages.append([("a",) * width])
    seen = PackedKeys()
    assert [seen.take(page) for page in pages] == found_by_a_set(pages)


def test_a_key_out_of_order_is_found_behind_those_that_are_in_order() -> None:
    seen = PackedKeys()
    assert seen.take([(1,), (3,), (2,)]) == set()
    assert seen.take([(4,), (1 << 62,)]) == set()
    assert seen.take([(3,), (5,)]) == {(3,)}
    assert seen.take([(5,), (1 << 62,), (6,)]) == {(5,), (1 << 62,)}


def test_a_number_beyond_eight_bytes_is_kept() -> None:
    seen = PackedKeys()
    assert seen.take([(1 << 70,)]) == set()
    assert seen.take([(1 << 70,)]) == {(1 << 70,)}


def test_a_million_keys_in_order_cost_eight_bytes_each() -> None:
    seen = PackedKeys()
    tracemalloc.start()
    try:
        for first in range(0, 1_000_000, 1_000):
            seen.take([(key,) for key in range(first, first + 1_000)])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 8_000_000 <= held < 12_000_000
