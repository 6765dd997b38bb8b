"""Statistical disclosure control: which cells of linked tables of counts are hidden, and which are disclosed anyway.

A cell of few persons is hidden (primary suppression). Where a total tells it nevertheless, others are hidden beside it
(complementary suppression), over all tables at once: tables that share a dimension share its totals. Whether a hidden
cell is disclosed is asked of a linear program, as an attacker would: the numbers that everybody sees are equations, and
of each hidden one the least and the greatest value are sought. Literature: Hundepool et al., Statistical Disclosure
Control (Wiley 2012), chapter 4.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
    covers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values of a dimension that it is of, where it is not of all; what it is not of, it says nothing about. Some
    table must cover each value."""


class Cell(NamedTuple):
    """One cell of a table: the values of its dimensions, in their order."""

    table: str
    values: tuple[str, ...]


class Average(NamedTuple):
    """What the average of a cell says beside its count: between which bounds the sum of a dimension's values lies."""

    dimension: str
    """Its values are numbers."""
    low: float
    high: float


class Bounds(NamedTuple):
    """What can be found out of a hidden cell."""

    cell: Cell
    low: int
    high: int
    by: frozenset[Cell] = frozenset()
    """The shown cells that tell it, of one that is disclosed."""

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
            if all(values[dimensions.index(name)] in only for name, only in table.covers.items()):
                cell = Cell(table.name, tuple(values[place] for place in places))
                counts[cell] = counts.get(cell, 0) + number
    return {cell: number for cell, number in counts.items() if number}


class Contradiction(EtlError):
    """What tables say of the same cells cannot all be true."""


class Attack:
    """An attack on linked tables by linear programs, with all that a reader may see of them."""

    def __init__(
        self,
        tables: Sequence[LinkedTable],
        published: Mapping[Cell, int | None],
        *,
        averages: Mapping[Cell, Average] = {},
        known: Mapping[Cell, int] = {},
    ) -> None:
        """Find out which combinations of all dimensions there can be.

        Args:
            tables: The tables that are seen together.
            published: Their cells; None is a hidden one. A cell that is not there is 0, and a hidden one is not.
            averages: What is known beside the count of a cell, while that is shown.
            known: Numbers of hidden cells that an earlier release showed.

        Raises:
            EtlError: The tables have too many combinations together.
        """
        self.published = dict(published)
        """What is seen; None is a hidden cell."""
        self._averages, self._known = averages, known
        names, combinations = _combinations(tables, published)
        self._members = _members(tables, published, names, combinations)
        self._weights = {
            average.dimension: np.array([float(each[names.index(average.dimension)]) for each in combinations])
            for average in averages.values()
        }
        self._variables = len(combinations)

    def hide(self, cells: Iterable[Cell]) -> None:
        """Have cells be hidden."""
        self.published.update(dict.fromkeys(cells))

    def bounds(self, wanted: Collection[Cell] | None = None) -> list[Bounds]:
        """Find the least and the greatest value that each hidden cell can have.

        Args:
            wanted: The hidden cells that are asked for; all of them where None.

        Raises:
            Contradiction: The tables contradict one another.
        """
        hidden = [cell for cell, number in self.published.items() if number is None]
        program, rows = self._program(hidden)
        return [self._bound(program, rows, cell) for cell in hidden if wanted is None or cell in wanted]

    def _program(self, hidden: Sequence[Cell]) -> tuple[highspy.Highs, list[Cell | None]]:
        program = highspy.Highs()  # type: ignore[no-untyped-call]
        program.silent()
        program.addVars(self._variables, np.zeros(self._variables), np.full(self._variables, highspy.kHighsInf))
        rows: list[Cell | None] = []

        def add(cell: Cell, low: float, high: float, *, weight: str | None = None, owner: Cell | None = None) -> None:
            places = np.array(self._members[cell], np.int32)
            ones = np.ones(len(places)) if weight is None else self._weights[weight][places]
            program.addRow(low, high, len(places), places, ones)
            rows.append(owner)

        for cell, number in self.published.items():
            if number is not None:
                add(cell, number, number, owner=cell)
                if average := self._averages.get(cell):
                    add(cell, average.low, average.high, weight=average.dimension, owner=cell)
        for cell in hidden:
            add(cell, self._known.get(cell, 1), self._known.get(cell, highspy.kHighsInf))
        return program, rows

    def _bound(self, program: highspy.Highs, rows: Sequence[Cell | None], cell: Cell) -> Bounds:
        places = np.array(self._members[cell], np.int32)
        program.changeColsCost(len(places), places, np.ones(len(places)))
        found, telling = [], set[Cell]()
        for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
            program.changeObjectiveSense(sense)
            program.run()
            status = program.getModelStatus()
            if status == highspy.HighsModelStatus.kInfeasible:
                raise Contradiction("What the tables say contradicts itself: a total is not the sum of its cells.")
            is_open = status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible)
            found.append(highspy.kHighsInf if is_open else program.getInfo().objective_function_value)
            # The equations with a dual value are the proof of the bound.
            duals = np.array(program.getSolution().row_dual)
            telling |= {owner for place in np.flatnonzero(np.abs(duals) > _ROUNDING) if (owner := rows[int(place)])}
        program.changeColsCost(len(places), places, np.zeros(len(places)))
        low, high = found
        least, most = ceil(low - _ROUNDING), _NO_END if high == highspy.kHighsInf else floor(high + _ROUNDING)
        return Bounds(cell, least, most, frozenset(telling))


def suppress(attack: Attack, primary: Collection[Cell], keep: Collection[Cell] = ()) -> set[Cell]:
    """Hide cells, so that none of them is disclosed.

    Args:
        attack: The tables with all their counts; when this returns, with the cells hidden.
        primary: The cells of too few persons.
        keep: Cells that an earlier release shows as they are: to hide them would hide nothing.

    Returns:
        The hidden cells. Beside one that is disclosed the smallest of those that tell it is hidden, until none does.
    """
    counts = dict(attack.published)
    attack.hide(primary)
    hidden, doubtful = set(primary), set(primary)
    while doubtful:
        disclosed = sorted(each for each in attack.bounds(doubtful) if each.is_disclosed)
        doubtful = set()
        for each in disclosed:
            candidates = each.by - set(keep)
            if not candidates:  # an earlier release has told it, and nobody can hide it any more
                continue
            doubtful.add(each.cell)
            if candidates.isdisjoint(hidden):  # else what has just been hidden for another may have been what told it
                beside = min(candidates, key=lambda cell: (counts[cell] or 0, cell))
                hidden.add(beside)
                doubtful.add(beside)
        attack.hide(hidden)
    return hidden


def _combinations(tables: Sequence[LinkedTable], cells: Collection[Cell]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The names of all dimensions, and the combinations of their values in which no table has a 0."""
    names: list[str] = []
    found: list[tuple[str, ...]] = [()]
    listed = {table.name: {cell.values for cell in cells if cell.table == table.name} for table in tables}
    for table in sorted(tables, key=lambda each: -len(each.dimensions)):
        if not table.covers:
            shared = [name for name in table.dimensions if name in names]
            added = [name for name in table.dimensions if name not in names]
            values: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
            for of in (dict(zip(table.dimensions, each, strict=True)) for each in sorted(listed[table.name])):
                values.setdefault(tuple(of[name] for name in shared), []).append(tuple(of[name] for name in added))
            places = [names.index(name) for name in shared]
            found = [(*each, *more) for each in found for more in values.get(tuple(each[p] for p in places), ())]
            names += added
            _require_few(tables, len(found))
    partial = [table for table in tables if table.covers]
    for name in dict.fromkeys(name for table in partial for name in table.dimensions if name not in names):
        known = {value for table in tables for value in table.covers.get(name, ())} | {
            values[table.dimensions.index(name)]
            for table in tables
            if name in table.dimensions
            for values in listed[table.name]
        }
        found = [(*each, value) for each in found for value in sorted(known)]
        names.append(name)
        _require_few(tables, len(found))
    for table in partial:
        places = [names.index(name) for name in table.dimensions]
        covers = [(names.index(name), only) for name, only in table.covers.items()]
        found = [
            each
            for each in found
            if any(each[place] not in only for place, only in covers)
            or tuple(each[place] for place in places) in listed[table.name]
        ]
    return names, found


def _require_few(tables: Sequence[LinkedTable], combinations: int) -> None:
    if combinations > MAX_COMBINATIONS:
        raise EtlError(
            f"The tables {', '.join(each.name for each in tables)} have more than {MAX_COMBINATIONS:,} combinations"
            " of their dimensions together. Group some of their values, or publish fewer of them."
        )


def _members(
    tables: Sequence[LinkedTable], cells: Iterable[Cell], names: Sequence[str], combinations: Sequence[tuple[str, ...]]
) -> dict[Cell, list[int]]:
    """Which combinations each cell is the sum of."""
    members: dict[Cell, list[int]] = {cell: [] for cell in cells}
    for table in tables:
        places = [names.index(name) for name in table.dimensions]
        covers = [(names.index(name), only) for name, only in table.covers.items()]
        for number, combination in enumerate(combinations):
            if all(combination[place] in only for place, only in covers):
                members[Cell(table.name, tuple(combination[place] for place in places))].append(number)
    return members


_NO_END = 1 << 62
"""Stands for a greatest value that nothing bounds."""
