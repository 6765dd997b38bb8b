"""No hidden cell follows from what is shown, and the attack finds those that do."""

import random
from itertools import product

import pytest

from etl_assets.errors import EtlError
from etl_assets.quality import disclosure
from etl_assets.quality.disclosure import Attack, Average, Bounds, Cell, LinkedTable, count_cells, suppress

BY_BOTH = LinkedTable("by_both", ("month", "state"))
BY_MONTH = LinkedTable("by_month", ("month",))
BY_STATE = LinkedTable("by_state", ("state",))
STATE_SPECIALTY = LinkedTable("by_specialty", ("state", "specialty"))
TOTAL = LinkedTable("total", ())
GRID = (BY_BOTH, BY_MONTH, BY_STATE, TOTAL)
LINKED = (BY_BOTH, STATE_SPECIALTY, BY_MONTH)
NAMES = ("month", "state", "specialty")


def hide(counts: dict[Cell, int], hidden: set[Cell]) -> dict[Cell, int | None]:
    return {cell: None if cell in hidden else number for cell, number in counts.items()}


def attack(tables: tuple[LinkedTable, ...], published: dict[Cell, int | None]) -> list[Bounds]:
    return Attack(tables, published).bounds()


def small_hidden(tables: tuple[LinkedTable, ...], counts: dict[Cell, int], k: int = 5) -> set[Cell]:
    return suppress(Attack(tables, dict(counts)), {cell for cell, number in counts.items() if number < k})


def disclosed(tables: tuple[LinkedTable, ...], counts: dict[Cell, int], hidden: set[Cell]) -> dict[Cell, int]:
    return {each.cell: each.low for each in attack(tables, hide(counts, hidden)) if each.is_disclosed}


def appointments(seed: int, number: int) -> dict[tuple[str, ...], int]:
    """Of few months, states and specialties; some much rarer than others."""
    random_ = random.Random(seed)  # noqa: S311
    rows: dict[tuple[str, ...], int] = {}
    for _ in range(number):
        rare = [min(int(random_.expovariate(0.7)), 4) for _ in NAMES]
        key = (f"2024-0{rare[0] + 1}", ["SP", "RJ", "BA", "AC", "RR"][rare[1]], f"specialty {rare[2]}")
        rows[key] = rows.get(key, 0) + 1
    return rows


def test_one_hidden_cell_of_each_line_is_told_by_the_totals() -> None:
    rows = {("01", "SP"): 20, ("01", "AC"): 2, ("02", "SP"): 30, ("02", "AC"): 9}
    counts = count_cells(rows, NAMES[:2], GRID)
    hidden = {Cell("by_both", ("01", "AC"))}
    assert disclosed(GRID, counts, hidden) == {Cell("by_both", ("01", "AC")): 2}
    assert disclosed(GRID, counts, {*hidden, Cell("by_both", ("02", "SP"))}) == {
        Cell("by_both", ("01", "AC")): 2,
        Cell("by_both", ("02", "SP")): 30,
    }
    square = {Cell("by_both", key) for key in rows}
    assert disclosed(GRID, counts, square) == {}


def test_tables_that_are_safe_alone_tell_a_cell_together() -> None:
    rows = {
        ("01", "SP", "psychology"): 20,
        ("01", "AC", "psychology"): 2,
        ("02", "AC", "medicine"): 9,
        ("02", "SP", "medicine"): 7,
    }
    counts = count_cells(rows, NAMES, (BY_BOTH, STATE_SPECIALTY))
    hidden = {
        Cell("by_both", ("01", "AC")),
        Cell("by_specialty", ("AC", "psychology")),
    }
    alone = {cell: number for cell, number in counts.items() if cell.table == "by_both"}
    assert disclosed((BY_BOTH,), alone, {Cell("by_both", ("01", "AC"))}) == {}
    # Each shows the other cells of AC; neither shows its total.
    assert disclosed((BY_BOTH, STATE_SPECIALTY), counts, hidden) == {}
    hidden = {Cell("by_both", ("01", "AC"))}
    assert disclosed((BY_BOTH, STATE_SPECIALTY), counts, hidden) == {Cell("by_both", ("01", "AC")): 2}


@pytest.mark.parametrize("seed", range(12))
def test_bounds_are_those_that_trying_all_numbers_finds(seed: int) -> None:
    random_ = random.Random(seed)  # noqa: S311
    rows = {(month, state): random_.choice([1, 2, 3, 6]) for month, state in product(["01", "02"], ["AC", "BA", "SP"])}
    counts = count_cells(rows, NAMES[:2], (BY_BOTH, BY_MONTH, BY_STATE))
    hidden = {Cell("by_both", key) for key in random_.sample(sorted(rows), 4)}
    shown = hide(counts, hidden)
    order = sorted(rows)
    possible = []
    for numbers in product(*(range(1, 14) if Cell("by_both", key) in hidden else [rows[key]] for key in order)):
        tried = count_cells(dict(zip(order, numbers, strict=True)), NAMES[:2], (BY_BOTH, BY_MONTH, BY_STATE))
        if all(tried.get(cell, 0) == number for cell, number in shown.items() if number is not None):
            possible.append(dict(zip(order, numbers, strict=True)))
    expected = {
        cell: (min(each[cell.values] for each in possible), max(each[cell.values] for each in possible))
        for cell in hidden
    }
    assert {each.cell: (each.low, each.high) for each in attack((BY_BOTH, BY_MONTH, BY_STATE), shown)} == expected


@pytest.mark.parametrize("tables", [GRID, LINKED], ids=["grid", "linked"])
@pytest.mark.parametrize("seed", range(8))
def test_after_suppression_nothing_can_be_told_and_before_it_something(
    tables: tuple[LinkedTable, ...], seed: int
) -> None:
    counts = count_cells(appointments(seed, 150), NAMES, tables)
    small = {cell for cell, number in counts.items() if number < 5}
    hidden = small_hidden(tables, counts)
    assert small <= hidden < set(counts)
    assert disclosed(tables, counts, hidden) == {}
    before = disclosed(tables, counts, small)
    assert all(counts[cell] == number for cell, number in before.items())
    assert not before or hidden > small


def test_primary_suppression_alone_is_told_in_some_of_these() -> None:
    found = []
    for seed in range(8):
        counts = count_cells(appointments(seed, 150), NAMES, GRID)
        found.append(len(disclosed(GRID, counts, {cell for cell, number in counts.items() if number < 5})))
    assert sum(found) > 0


def test_where_no_cell_is_small_none_is_hidden() -> None:
    counts = count_cells({("01", "SP"): 5, ("02", "AC"): 6}, NAMES[:2], GRID)
    assert small_hidden(GRID, counts) == set()
    assert attack(GRID, dict(counts)) == []


def test_a_cell_that_nothing_bounds_has_no_greatest_value() -> None:
    (found,) = attack((BY_MONTH,), {Cell("by_month", ("01",)): None})
    assert (found.low, found.is_disclosed) == (1, False)
    assert found.high >= 10**7


def test_a_total_that_is_not_its_sum_is_refused() -> None:
    published: dict[Cell, int | None] = {
        Cell("by_month", ("01",)): 5,
        Cell("by_month", ("02",)): None,
        Cell("total", ()): 3,
    }
    with pytest.raises(EtlError, match="contradicts itself"):
        attack((BY_MONTH, TOTAL), published)


def test_more_combinations_than_a_program_takes_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosure, "MAX_COMBINATIONS", 20)
    tables = (BY_MONTH, BY_STATE)
    published: dict[Cell, int | None] = {Cell("by_month", (f"{n}",)): None for n in range(5)}
    published |= {Cell("by_state", (f"{n}",)): 7 for n in range(5)}
    with pytest.raises(EtlError, match="by_month, by_state have more than 20 combinations"):
        attack(tables, published)


def test_a_hidden_cell_is_not_zero_so_that_two_of_a_total_of_two_are_told() -> None:
    rows = {("01", "SP"): 1, ("01", "AC"): 1, ("02", "SP"): 9}
    tables = (BY_BOTH, BY_MONTH)
    counts = count_cells(rows, NAMES[:2], tables)
    hidden = {Cell("by_both", ("01", "SP")), Cell("by_both", ("01", "AC"))}
    assert disclosed(tables, counts, hidden) == dict.fromkeys(hidden, 1)
    assert Cell("by_month", ("01",)) in small_hidden(tables, counts, 2)


COMPLETED = LinkedTable("completed", ("month", "status"), {"status": ("completed",)})
CANCELED = LinkedTable("canceled", ("month", "status"), {"status": ("canceled",)})


def test_of_what_a_table_does_not_cover_it_says_nothing() -> None:
    rows = {("01", "completed"): 7, ("01", "canceled"): 2, ("02", "canceled"): 8}
    names = ("month", "status")
    both = (BY_MONTH, COMPLETED, CANCELED)
    counts = count_cells(rows, names, both)
    assert counts == {
        Cell("by_month", ("01",)): 9,
        Cell("by_month", ("02",)): 8,
        Cell("completed", ("01", "completed")): 7,
        Cell("canceled", ("01", "canceled")): 2,
        Cell("canceled", ("02", "canceled")): 8,
    }
    assert disclosed(both, counts, {Cell("canceled", ("01", "canceled"))}) == {Cell("canceled", ("01", "canceled")): 2}


RATED = tuple(LinkedTable(f"rating_{n}", ("dentist", "rating"), {"rating": (str(n),)}) for n in (1, 2, 3))
DENTIST = LinkedTable("ratings", ("dentist",))


def test_an_average_tells_of_what_it_is_an_average() -> None:
    rows = {("ana", "1"): 2, ("ana", "3"): 6}
    tables = (DENTIST, *RATED)
    counts = count_cells(rows, ("dentist", "rating"), tables)
    hidden = {Cell("rating_1", ("ana", "1")), Cell("rating_3", ("ana", "3"))}
    assert disclosed(tables, counts, hidden) == {}
    total = Cell("ratings", ("ana",))
    averages = {total: Average("rating", 8 * 2.495, 8 * 2.505)}
    told = Attack(tables, hide(counts, hidden), averages=averages).bounds()
    assert {each.cell: each.low for each in told if each.is_disclosed} == {cell: counts[cell] for cell in hidden}
    # To hide it the count is hidden that the average stands beside.
    assert suppress(Attack(tables, dict(counts), averages=averages), hidden) == {*hidden, total}


def test_an_earlier_number_tells_and_is_not_hidden_in_vain() -> None:
    rows = {("01", "SP"): 20, ("01", "AC"): 2, ("01", "BA"): 9}
    tables = (BY_BOTH, BY_MONTH)
    counts = count_cells(rows, NAMES[:2], tables)
    small = {Cell("by_both", ("01", "AC"))}
    bahia, sao_paulo = Cell("by_both", ("01", "BA")), Cell("by_both", ("01", "SP"))
    assert suppress(Attack(tables, dict(counts)), small) == {*small, bahia}
    found = Attack(tables, hide(counts, {*small, bahia}), known={bahia: 9}).bounds()
    assert {each.cell: each.low for each in found if each.is_disclosed} == {**dict.fromkeys(small, 2), bahia: 9}
    assert suppress(Attack(tables, dict(counts)), small, keep={bahia}) == {*small, sao_paulo}
