"""Statistical disclosure control: which cells of linked tables of counts are hidden, and which are disclosed anyway.

A cell of fewer than k is hidden (primary suppression). Where a total tells it nevertheless, others are hidden beside it
(complementary suppression), over all tables at once: tables that share a dimension share its totals. Whether a hidden
cell is disclosed is asked of a linear program, as an attacker would: the numbers that everybody sees are equations, and
of each hidden one the least and the greatest value are sought. Literature: Hundepool et al., Statistical Disclosure
Control (Wiley 2012), chapter 4.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple

import highspy
import numpy as np

from etl_assets.errors import EtlError

MAX_COMBINATIONS = 500_000
"""Of the dimensions of all tables that are attacked together: each is a variable of the linear program."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class LinkedTable:
    """A table of counts that a reader may see: a cell for each combination of its dimensions, absent where it is 0."""

    name: str
    dimensions: tuple[str, ...]
    """None for a table of the grand total alone."""


class Cell(NamedTuple):
    """One cell of a table: the values of its dimensions, in their order."""

    table: str
    values: tuple[str, ...]


class Bounds(NamedTuple):
    """What can be found out of a hidden cell."""

    cell: Cell
    low: int
    high: int

    @property
    def is_disclosed(self) -> bool:
        """Whether no more than one number is possible."""
        return self.low == self.high


def count_cells(
    rows: Mapping[tuple[str, ...], int], dimensions: Sequence[str], tables: Iterable[LinkedTable]
) -> dict[Cell, int]:
    """Count the cells of tables.

    Args:
        rows: How many there are of each combination of all dimensions.
        dimensions: Their names, in the order of the combinations.
        tables: The tables; each has some of the dimensions.
    """
    counts: dict[Cell, int] = {}
    for table in tables:
        places = [dimensions.index(name) for name in table.dimensions]
        for values, number in rows.items():
            cell = Cell(table.name, tuple(values[place] for place in places))
            counts[cell] = counts.get(cell, 0) + number
    return {cell: number for cell, number in counts.items() if number}


def attack(
    tables: Sequence[LinkedTable], published: Mapping[Cell, int | None], wanted: Collection[Cell] | None = None
) -> list[Bounds]:
    """Find the least and the greatest value that each hidden cell can have, by all that is published.

    Args:
        tables: The tables that are seen together.
        published: Their cells; None is a hidden one. A cell that is not there is 0.
        wanted: The hidden cells that are asked for; all of them where None.

    Raises:
        EtlError: The tables contradict one another, or have too many combinations together.
    """
    return _attack(_members(tables, list(published)), published, wanted)


def _attack(
    members: Mapping[Cell, Sequence[int]], published: Mapping[Cell, int | None], wanted: Collection[Cell] | None
) -> list[Bounds]:
    hidden = [cell for cell, number in published.items() if number is None and (wanted is None or cell in wanted)]
    if not hidden:
        return []
    variables = max((max(places, default=-1) for places in members.values()), default=-1) + 1
    program = highspy.Highs()  # type: ignore[no-untyped-call]
    program.silent()
    program.addVars(variables, np.zeros(variables), np.full(variables, highspy.kHighsInf))
    for cell, places in members.items():
        number = published[cell]
        if number is not None:
            program.addRow(number, number, len(places), np.array(places, np.int32), np.ones(len(places)))
    return [Bounds(cell, *_bounds(program, members[cell])) for cell in hidden]


def suppress(tables: Sequence[LinkedTable], counts: Mapping[Cell, int], k: int) -> set[Cell]:
    """Choose the cells that are hidden, so that none is disclosed.

    Args:
        tables: The tables that are seen together.
        counts: Their cells.
        k: The least number that is shown.

    Returns:
        The cells of fewer than k, and those that are hidden beside them. Hidden beside is the smallest cell of a line
        with the one that is disclosed, and where there is none to hide, the smallest total or part of it.
    """
    members = _members(tables, list(counts))
    hidden = {cell for cell, number in counts.items() if number < k}
    doubtful = set(hidden)
    while doubtful:
        published = {cell: None if cell in hidden else number for cell, number in counts.items()}
        disclosed = [each.cell for each in _attack(members, published, doubtful) if each.is_disclosed]
        doubtful = set(disclosed)
        for cell in sorted(disclosed):
            doubtful.add(beside := _beside(cell, tables, counts, hidden))
            hidden.add(beside)
    return hidden


def _beside(cell: Cell, tables: Sequence[LinkedTable], counts: Mapping[Cell, int], hidden: Collection[Cell]) -> Cell:
    """The cell to hide beside one that is disclosed: the smallest of its line, else the smallest that overlaps it."""
    shown = [other for other in counts if other not in hidden]
    line = [
        other
        for other in shown
        if other.table == cell.table
        and sum(one != another for one, another in zip(cell.values, other.values, strict=True)) == 1
    ]
    dimensions = {table.name: table.dimensions for table in tables}
    own = dict(zip(dimensions[cell.table], cell.values, strict=True))
    overlapping = [
        other
        for other in shown
        if all(own.get(name, value) == value for name, value in zip(dimensions[other.table], other.values, strict=True))
    ]
    # What nothing shows that overlaps it, nothing tells: there is always one.
    return min(line or overlapping, key=lambda other: (counts[other], other))


def _members(tables: Sequence[LinkedTable], cells: Sequence[Cell]) -> dict[Cell, list[int]]:
    """Which combinations of all dimensions each cell is the sum of: those in which no table has a 0."""
    names: list[str] = []
    combinations: list[tuple[str, ...]] = [()]
    for table in sorted(tables, key=lambda each: -len(each.dimensions)):
        shared = [name for name in table.dimensions if name in names]
        added = [name for name in table.dimensions if name not in names]
        values: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for cell in cells:
            if cell.table == table.name:
                of = dict(zip(table.dimensions, cell.values, strict=True))
                values.setdefault(tuple(of[name] for name in shared), []).append(tuple(of[name] for name in added))
        places = [names.index(name) for name in shared]
        combinations = [
            (*combination, *more)
            for combination in combinations
            for more in values.get(tuple(combination[place] for place in places), ())
        ]
        names += added
        if len(combinations) > MAX_COMBINATIONS:
            raise EtlError(
                f"The tables {', '.join(each.name for each in tables)} have more than {MAX_COMBINATIONS:,} combinations"
                " of their dimensions together. Group some of their values, or publish fewer of them."
            )
    members: dict[Cell, list[int]] = {cell: [] for cell in cells}
    for table in tables:
        places = [names.index(name) for name in table.dimensions]
        for number, combination in enumerate(combinations):
            members[Cell(table.name, tuple(combination[place] for place in places))].append(number)
    return members


def _bounds(program: highspy.Highs, places: Sequence[int]) -> tuple[int, int]:
    """The least and the greatest whole number that the sum of these variables can be."""
    program.changeColsCost(len(places), np.array(places, np.int32), np.ones(len(places)))
    found = []
    for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
        program.changeObjectiveSense(sense)
        program.run()
        status = program.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise EtlError("What the tables say contradicts itself: a total is not the sum of its cells.")
        is_open = status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible)
        found.append(highspy.kHighsInf if is_open else program.getInfo().objective_function_value)
    program.changeColsCost(len(places), np.array(places, np.int32), np.zeros(len(places)))
    low, high = found
    return ceil(low - _ROUNDING), _NO_END if high == highspy.kHighsInf else floor(high + _ROUNDING)


_NO_END = 1 << 62
"""Stands for a greatest value that nothing bounds."""
