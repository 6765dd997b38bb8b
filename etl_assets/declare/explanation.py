"""Explanation of a mart's cells: the rows that each is made of, and how, as its yml declares it (`meta.explain`).

SQL in it is that of our own declarations: `mart` is the mart's row, `fact` a row that it is made of.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl_assets.declare.rule_sql import is_column, is_relation
from etl_assets.errors import EtlError

COUNT, DISTINCT, SUM, KNOWN_SUM, ONLY = "count", "distinct", "sum", "known_sum", "only"
AGGREGATES = (COUNT, DISTINCT, SUM, KNOWN_SUM, "mean", "mean_low", "mean_high", "median", "min", "max", ONLY)
"""How a cell comes from its rows. `known_sum` is null where a row's part is not known; `only` is the value of a cell
that one row gives; `mean_low` and `mean_high` are the bounds of the mean's 95 % interval."""
FORMULAS = ("value", "share", "per_cent", "wilson_low", "wilson_high")
"""How a cell comes from other cells: `value` is SQL over their names and those of the grain, the others name two."""
_OF_MART = re.compile(r"\bmart\.([a-z_][a-z0-9_]*)")
_OF_ZERO = (COUNT, DISTINCT)


@dataclass(frozen=True, kw_only=True)
class MeasuredCell:
    """A cell that is an aggregate over rows."""

    name: str
    aggregate: str
    expression: str
    """What a row contributes; of a count the condition that it counts."""
    where: str = "true"
    empty: str = "null"
    """The cell where no row contributes."""
    places: int = 2
    """Decimal places of a mean or a median."""


@dataclass(frozen=True, kw_only=True)
class DerivedCell:
    """A cell that follows from other cells of its row."""

    name: str
    formula: str
    expression: str = ""
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RowSet:
    """Rows of one relation that cells of a mart are made of."""

    name: str
    relation: str
    joins: str = ""
    """Further relations, as they stand behind `from`."""
    match: Mapping[str, str]
    """Column of the mart -> what it equals in a row."""
    where: str = "true"
    cells: tuple[MeasuredCell, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """How the cells of a mart come about."""

    relation: str
    grain: tuple[str, ...]
    attributes: tuple[str, ...]
    """Columns that are no measures: names and flags of what the row is about."""
    rows: tuple[RowSet, ...]
    derived: tuple[DerivedCell, ...] = ()
    """Each follows from cells of rows, and from those that stand before it."""

    @property
    def cells(self) -> list[str]:
        """Every cell by its name; one that is no column of the mart is a step on the way to others."""
        return [cell.name for rows in self.rows for cell in rows.cells] + [cell.name for cell in self.derived]

    @property
    def columns(self) -> set[str]:
        """Every column of the mart that it speaks of, and the steps."""
        return {*self.grain, *self.attributes, *self.cells}

    @property
    def columns_asked(self) -> list[str]:
        """The columns of the mart's row that the SQL of its rows asks for."""
        texts = [
            words
            for rows in self.rows
            for words in (
                rows.where,
                *rows.match.values(),
                *(word for cell in rows.cells for word in (cell.expression, cell.where)),
            )
        ]
        return sorted({*_OF_MART.findall(" ".join(texts)), *(name for rows in self.rows for name in rows.match)})

    def only(self, column: str) -> "Explanation":
        """The same, of one cell and those that it follows from.

        Raises:
            EtlError: It is no cell of the mart.
        """
        if column not in self.cells:
            kind = "tells what the row is" if column in self.columns else "is no column of it"
            raise EtlError(f"{self.relation}: {column} {kind}. Its cells are: {', '.join(self.cells)}")
        wanted, chosen = {column}, []
        for cell in reversed(self.derived):
            if cell.name in wanted:
                chosen.append(cell)
                wanted |= {*cell.parts} if cell.parts else _names_in(cell.expression, self.cells)
        rows = [
            RowSet(**{**vars(each), "cells": tuple(cell for cell in each.cells if cell.name in wanted)})
            for each in self.rows
        ]
        return Explanation(
            relation=self.relation,
            grain=self.grain,
            attributes=self.attributes,
            rows=tuple(each for each in rows if each.cells),
            derived=tuple(reversed(chosen)),
        )


@dataclass(frozen=True, kw_only=True)
class StagingOrigin:
    """The rows of staging that a fact's row was built from."""

    table: str
    """`schema.table`."""
    match: Mapping[str, str]
    """Column of the staging row -> what it equals."""
    where: str = "true"
    """A condition over `staging`, `fact` and `through`."""
    through: str = ""
    """A relation between the two, such as the typed view."""
    through_where: str = "true"
    """Which of its rows belong to the fact's, over `through` and `fact`."""


@dataclass(frozen=True, kw_only=True)
class FactOrigins:
    """What names a row of a fact or dimension, and where it comes from."""

    relation: str
    key: tuple[str, ...]
    origins: tuple[StagingOrigin, ...]


def read_explanation(relation: str, declared: Mapping[str, Any]) -> Explanation:
    """The explanation that a mart's yml declares.

    Raises:
        EtlError: It is not well formed: a word that nobody knows, a name that cannot be one, a cell twice.
    """
    _check_words(relation, declared, {"grain", "attributes", "rows", "derived"})
    grain = tuple(declared["grain"])
    made = Explanation(
        relation=relation,
        grain=grain,
        attributes=tuple(declared.get("attributes", ())),
        rows=tuple(_row_set(relation, name, rows, grain) for name, rows in declared.get("rows", {}).items()),
        derived=tuple(_derived_cell(relation, name, cell) for name, cell in declared.get("derived", {}).items()),
    )
    names = [*made.grain, *made.attributes, *made.cells]
    if wrong := [name for name in names if not is_column(name) or names.count(name) > 1]:
        raise EtlError(f"{relation}: meta.explain names {wrong[0]} twice, or it cannot be a column.")
    for cell in made.derived:
        if unknown := set(cell.parts) - set(made.cells):
            raise EtlError(f"{relation}: {cell.name} follows from {min(unknown)}, which is no cell.")
    return made


def read_origins(relation: str, declared: Mapping[str, Any], unique_key: str | Sequence[str] | None) -> FactOrigins:
    """The origins that a fact's yml declares; its key is the model's own where it names none.

    Raises:
        EtlError: It is not well formed.
    """
    _check_words(relation, declared, {"key", "staging"})
    key = declared.get("key", unique_key or ())
    made = FactOrigins(
        relation=relation,
        key=(key,) if isinstance(key, str) else tuple(key),
        origins=tuple(_origin(relation, each) for each in declared.get("staging", ())),
    )
    if not made.key:
        raise EtlError(f"{relation}: meta.explain names no key.")
    return made


def _row_set(relation: str, name: str, declared: Mapping[str, Any], grain: Sequence[str]) -> RowSet:
    _check_words(relation, declared, {"fact", "joins", "match", "where", "cells"})
    match = {**{column: f"fact.{column}" for column in grain}, **declared.get("match", {})}
    if not is_relation(declared["fact"]):
        raise EtlError(f"{relation}: {declared['fact']} is no relation, as in meta.explain of {name}.")
    if not declared.get("cells"):
        raise EtlError(f"{relation}: meta.explain says of no cell that it is made of {name}.")
    return RowSet(
        name=name,
        relation=declared["fact"],
        joins=declared.get("joins", ""),
        match={column: expression for column, expression in match.items() if expression},
        where=declared.get("where", "true"),
        cells=tuple(_measured_cell(relation, cell, words) for cell, words in declared.get("cells", {}).items()),
    )


def _measured_cell(relation: str, name: str, declared: Mapping[str, Any]) -> MeasuredCell:
    _check_words(relation, declared, {*AGGREGATES, "where", "empty", "places"})
    aggregate = _one_of(relation, name, declared, AGGREGATES)
    return MeasuredCell(
        name=name,
        aggregate=aggregate,
        expression=_sql(declared[aggregate]),
        where=_sql(declared.get("where", True)),
        empty=_sql(declared.get("empty", "0" if aggregate in _OF_ZERO else "null")),
        places=declared.get("places", 2),
    )


def _derived_cell(relation: str, name: str, declared: Mapping[str, Any]) -> DerivedCell:
    _check_words(relation, declared, FORMULAS)
    formula = _one_of(relation, name, declared, FORMULAS)
    if formula == "value":
        return DerivedCell(name=name, formula=formula, expression=_sql(declared[formula]))
    return DerivedCell(name=name, formula=formula, parts=tuple(declared[formula]))


def _origin(relation: str, declared: Mapping[str, Any]) -> StagingOrigin:
    _check_words(relation, declared, {"table", "match", "where", "through", "through_where"})
    named = [declared["table"], *([declared["through"]] if "through" in declared else [])]
    if wrong := [name for name in named if not is_relation(name)]:
        raise EtlError(f"{relation}: {wrong[0]} is no relation, as in meta.explain.")
    return StagingOrigin(**declared)


def _one_of(relation: str, name: str, declared: Mapping[str, Any], words: Sequence[str]) -> str:
    found = [word for word in words if word in declared]
    if len(found) != 1:
        raise EtlError(f"{relation}: meta.explain must say of {name} exactly one of {', '.join(words)}.")
    return found[0]


def _check_words(relation: str, declared: Mapping[str, Any], known: Collection[str]) -> None:
    if unknown := declared.keys() - set(known):
        raise EtlError(f"{relation}: meta.explain says {min(unknown)}; it may say {', '.join(sorted(known))}.")


def _sql(value: object) -> str:
    """As SQL: YAML has numbers and truth values of its own."""
    return str(value).lower() if isinstance(value, bool | int) else str(value)


def _names_in(expression: str, cells: Sequence[str]) -> set[str]:
    return set(re.findall(r"[a-z_][a-z0-9_]*", expression)) & set(cells)
