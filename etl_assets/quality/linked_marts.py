"""Marts as linked tables of counts: which cells are of too few persons, and how rows look when cells are hidden."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from etl_assets.declare.publication import REASON, Publication, PublishedMart
from etl_assets.quality.disclosure import Attack, Average, Cell, LinkedTable

Row = Mapping[str, Any]
MartRows = Mapping[str, Sequence[Row]]
"""The rows of each mart, by its name."""
MONTH = "month"
"""The dimension by which an earlier release is told apart: what happened in one month changes no other."""


@dataclass(frozen=True)
class LinkedMarts:
    """What marts count of one population."""

    tables: list[LinkedTable] = field(default_factory=list)
    cells: dict[Cell, int | None] = field(default_factory=dict)
    """None is a hidden one; those that are 0 are left out."""
    frame: set[Cell] = field(default_factory=set)
    """Cells of a further table, of which it is known alone that there may be members in them."""
    averages: dict[Cell, Average] = field(default_factory=dict)
    small: set[Cell] = field(default_factory=set)
    """The cells of too few persons, of marts with exact numbers."""

    def attack(self, known: Mapping[Cell, int] | None = None) -> Attack:
        """The attack on them; `known` are numbers that an earlier release shows."""
        return Attack(self.tables, self.cells, frame=self.frame, averages=self.averages, known=known or {})

    def shown_before(self, earlier: Mapping[Cell, int | None]) -> dict[Cell, int]:
        """The numbers of an earlier release that still hold: of months in which no number is another than it was."""
        months = {table.name: table.dimensions.index(MONTH) for table in self.tables if MONTH in table.dimensions}

        def month(cell: Cell) -> str | None:
            place = months.get(cell.table)
            return None if place is None else cell.values[place]

        names = {table.name for table in self.tables}
        before = {cell: number for cell, number in earlier.items() if cell.table in names}
        differing = {
            month(cell)
            for cell in before.keys() | self.cells.keys()
            if _differ(before.get(cell, 0), self.cells.get(cell, 0))
        }
        if differing:
            differing.add(None)
        return {cell: number for cell, number in before.items() if number is not None and month(cell) not in differing}


def _differ(one: int | None, another: int | None) -> bool:
    return one is not None and another is not None and one != another


def link_marts(publication: Publication, rows: MartRows, k: int) -> dict[str, LinkedMarts]:
    """Link marts by the populations that they count.

    Args:
        publication: What they count.
        rows: Theirs, exact or published.
        k: The least number of persons that is shown.
    """
    linked: dict[str, LinkedMarts] = {}
    for mart in publication.marts:
        for column, count in mart.counts.items():
            marts = linked.setdefault(count.population, LinkedMarts())
            covers = {name: (value,) for name, value in count.where.items()} | _listed(mart, rows)
            marts.tables.append(LinkedTable(_table(mart, column), (*mart.dimensions.values(), *count.where), covers))
            for row in rows[mart.name]:
                cell, number = _cell(mart, column, row), row[column]
                if number != 0:
                    marts.cells[cell] = number
                persons = row.get(count.persons, number) if count.persons else number
                if number and min(number, persons) < k:
                    marts.small.add(cell)
                for name, (of, dimension) in mart.averages.items():
                    if of == column and number and row[name] is not None:
                        marts.averages[cell] = _average(dimension, number, row[name])
    for population, name in publication.within.items():
        if population in linked:
            mart = next(each for each in publication.marts if each.name == name)
            linked[population].tables.append(LinkedTable(name, tuple(mart.dimensions.values())))
            linked[population].frame.update(
                Cell(name, tuple(str(row[column]) for column in mart.dimensions)) for row in rows[name]
            )
    return linked


def _listed(mart: PublishedMart, rows: MartRows) -> dict[str, tuple[str, ...]]:
    """Dimension -> the values that a mart lists, of those of which it has not all."""
    columns = {dimension: column for column, dimension in mart.dimensions.items()}
    return {name: tuple({str(row[columns[name]]): None for row in rows[mart.name]}) for name in mart.partial}


def hide_cells(publication: Publication, rows: MartRows, hidden: Collection[Cell], k: int) -> dict[str, list[Row]]:
    """The rows of marts as they are published: what is hidden, or follows from what is, is null, with the reason."""
    reason = publication.reason.format(k=k)
    return {
        mart.name: [_publish(mart, row, nulls, reason) for row, nulls in _nulls(mart, rows[mart.name], hidden, k)]
        for mart in publication.marts
    }


def mart_of(cell: Cell) -> str:
    """The name of the mart that a cell is of."""
    return cell.table.partition(".")[0]


def describe_cell(publication: Publication, cell: Cell) -> dict[str, str]:
    """The values that a cell is found by, by the names of the mart's columns and of what its column counts."""
    mart = next(each for each in publication.marts if each.name == mart_of(cell))
    count = mart.counts[cell.table.partition(".")[2]]
    return dict(zip((*mart.dimensions, *count.where), cell.values, strict=True))


def _nulls(
    mart: PublishedMart, rows: Sequence[Row], hidden: Collection[Cell], k: int
) -> Iterator[tuple[Row, set[str]]]:
    groups = Counter(tuple(row[name] for name in mart.anonymous) for row in rows)
    for row in rows:
        nulls = {column for column in mart.counts if _cell(mart, column, row) in hidden}
        nulls |= {column for column, counts in mart.derived.items() if not nulls.isdisjoint(counts)}
        for column, (count, months) in mart.growth.items():
            before = {**row, months: _month_before(row[months])}
            if count in nulls or _cell(mart, count, before) in hidden:
                nulls.add(column)
        if mart.anonymous and groups[tuple(row[name] for name in mart.anonymous)] < k:
            nulls.update(mart.anonymous)
        yield row, nulls


def _publish(mart: PublishedMart, row: Row, nulls: Collection[str], reason: str) -> Row:
    shown = {name: None if name in nulls else value for name, value in row.items() if name not in mart.unpublished}
    return {**shown, REASON: reason if nulls else None}


def _table(mart: PublishedMart, column: str) -> str:
    return f"{mart.name}.{column}"


def _cell(mart: PublishedMart, column: str, row: Row) -> Cell:
    return Cell(
        _table(mart, column), (*(str(row[name]) for name in mart.dimensions), *mart.counts[column].where.values())
    )


def _average(dimension: str, number: int, average: Decimal) -> Average:
    exponent = average.as_tuple().exponent
    half = Decimal(5).scaleb(exponent - 1) if isinstance(exponent, int) else Decimal(0)
    return Average(dimension, float(number * (average - half)), float(number * (average + half)))


def _month_before(first_day: date) -> date:
    return (first_day - timedelta(days=1)).replace(day=1)
