"""Statistical disclosure control: which cells of linked tables of counts are hidden, and which are disclosed anyway.

A cell of few persons is hidden (primary suppression). Where a total tells it nevertheless, others are hidden beside it
(complementary suppression), over all tables at once: tables that share a dimension share its totals. Whether a hidden
cell is disclosed is asked of a linear program, as an attacker would: the numbers that everybody sees are equations, and
of each hidden one the least and the greatest value are sought. Literature: Hundepool et al., Statistical Disclosure
Control (Wiley 2012), chapter 4.
"""

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from pathlib import Path
from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from etl_assets.errors import EtlError

MAX_COMBINATIONS = 500_000
"""Of the dimensions of all tables that are attacked together: each is a variable of the linear program."""
_ROUNDING = 1e-6
_NO_END = 10**7
"""More than any combination of dimensions has: a cell that may be as much is bounded by nothing."""
_DIRECTIONS = 50


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
        frame: Collection[Cell] = (),
        averages: Mapping[Cell, Average] = {},
        known: Mapping[Cell, int] = {},
    ) -> None:
        """Find out which combinations of all dimensions there can be.

        Args:
            tables: The tables that are seen together.
            published: Their cells; None is a hidden one. A cell that is not there is 0, and a hidden one is not.
            frame: Cells of one of the tables that has no numbers: outside of them there is nothing.
            averages: What is known beside the count of a cell, while that is shown.
            known: Numbers of hidden cells that an earlier release showed.

        Raises:
            EtlError: The tables have too many combinations together.
        """
        self.published = dict(published)
        """What is seen; None is a hidden cell."""
        self._averages, self._known = averages, known
        names, combinations = _combinations(tables, {*published, *frame})
        self._members = _members(tables, {*published, *frame}, names, combinations)
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
        program = self._program()
        return [program.bounds(cell) for cell in program.hidden if wanted is None or cell in wanted]

    def disclosed(self, wanted: Collection[Cell] | None = None) -> list[Bounds]:
        """Those of the hidden cells of which no more than one value is possible; `wanted` and errors as of `bounds`."""
        program = self._program()
        program.look_around(_DIRECTIONS)
        doubtful = (cell for cell in program.hidden if wanted is None or cell in wanted)
        found = [program.bounds(cell) for cell in doubtful if not program.is_open(cell)]
        return [each for each in found if each.is_disclosed]

    def _program(self) -> "_Program":
        hidden = [cell for cell, number in self.published.items() if number is None]
        program = _Program(self._variables, {cell: self._members[cell] for cell in hidden})
        for cell, number in self.published.items():
            if number is not None:
                program.add(self._members[cell], number, number, cell)
                if average := self._averages.get(cell):
                    weights = self._weights[average.dimension]
                    program.add(self._members[cell], average.low, average.high, cell, weights=weights)
        for cell in hidden:
            program.add(self._members[cell], self._known.get(cell, 1), self._known.get(cell, highspy.kHighsInf), None)
        return program


def _new_solver() -> highspy.Highs:
    """A solver that writes nothing: the first one writes its own name to the terminal, whatever it is told later."""
    sys.stdout.flush()
    terminal = os.dup(1)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            solver = highspy.Highs()  # type: ignore[no-untyped-call]
    finally:
        os.dup2(terminal, 1)
        os.close(terminal)
    solver.silent()
    return solver


class _Program:
    """A linear program: what is shown of sums of its variables, and what it says of others."""

    def __init__(self, variables: int, hidden: Mapping[Cell, Sequence[int]]) -> None:
        self.hidden = {cell: number for number, cell in enumerate(hidden)}
        self._members = [np.array(places, np.int32) for places in hidden.values()]
        self._of = np.repeat(np.arange(len(hidden)), [len(places) for places in self._members])
        self._places = np.concatenate([*self._members, np.array([], np.int32)])
        self._least, self._most = np.full(len(hidden), np.inf), np.full(len(hidden), -np.inf)
        self._owners: list[Cell | None] = []
        self._solver = _new_solver()
        # From one cell to the next the objective alone is another: the solver goes on from where it is.
        self._solver.setOptionValue("presolve", "off")
        self._solver.addVars(variables, np.zeros(variables), np.full(variables, float(_NO_END)))
        self._variables = variables

    def add(
        self,
        places: Sequence[int],
        low: float,
        high: float,
        owner: Cell | None,
        *,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        """Have the sum of these variables lie between two numbers, for the owner's is shown."""
        chosen = np.array(places, np.int32)
        self._solver.addRow(
            low, high, len(chosen), chosen, np.ones(len(chosen)) if weights is None else weights[chosen]
        )
        self._owners.append(owner)

    def is_open(self, cell: Cell) -> bool:
        """Whether more than one value of a cell has been seen to be possible."""
        number = self.hidden[cell]
        return bool(np.floor(self._most[number] + _ROUNDING) > np.ceil(self._least[number] - _ROUNDING))

    def bounds(self, cell: Cell) -> Bounds:
        """The least and the greatest value of a cell, and what proves them.

        Raises:
            Contradiction: There is none.
        """
        places = self._members[self.hidden[cell]]
        self._solver.changeColsCost(len(places), places, np.ones(len(places)))
        found, telling = [], set[Cell]()
        for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
            self._solve(sense)
            found.append(self._solver.getInfo().objective_function_value)
            solution = self._solver.getSolution()
            # The equations with a dual value are the proof of the bound.
            duals = np.array(solution.row_dual)
            telling |= {own for place in np.flatnonzero(np.abs(duals) > _ROUNDING) if (own := self._owners[int(place)])}
        self._solver.changeColsCost(len(places), places, np.zeros(len(places)))
        low, high = found
        return Bounds(cell, ceil(low - _ROUNDING), floor(high + _ROUNDING), frozenset(telling))

    def look_around(self, times: int) -> None:
        """Find so many solutions, each in some direction of its own: by them most cells are seen to be open.

        Raises:
            Contradiction: There is none.
        """
        random_ = np.random.default_rng(times)
        every = np.arange(self._variables, dtype=np.int32)
        for _ in range(times):
            self._solver.changeColsCost(self._variables, every, random_.normal(size=self._variables))
            self._solve(highspy.ObjSense.kMinimize)
        self._solver.changeColsCost(self._variables, every, np.zeros(self._variables))

    def _solve(self, sense: highspy.ObjSense) -> None:
        self._solver.changeObjectiveSense(sense)
        self._solver.run()
        if self._solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            raise Contradiction("What the tables say contradicts itself: a total is not the sum of its cells.")
        # What the cells are in a solution, they may be.
        solution = np.array(self._solver.getSolution().col_value)
        values = np.bincount(self._of, weights=solution[self._places], minlength=len(self._members))
        np.minimum(self._least, values, out=self._least)
        np.maximum(self._most, values, out=self._most)


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
        disclosed = sorted(attack.disclosed(doubtful))
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
