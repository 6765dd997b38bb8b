"""Explained cells: a mart's cells, computed anew from the rows that its explanation names."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import psycopg
from psycopg import sql

from etl_assets.declare.explanation import (
    COUNT,
    DISTINCT,
    KNOWN_SUM,
    ONLY,
    SUM,
    DerivedCell,
    Explanation,
    MeasuredCell,
    RowSet,
)
from etl_assets.errors import EtlError
from etl_assets.warehouse.catalog import column_types
from etl_assets.warehouse.relation import Relation, column_list

Where: TypeAlias = Mapping[str, str | None]
"""Columns of a mart and the values that its row has in them, as text."""
_ROW = sql.Identifier("explained_row")
_ADDED = (COUNT, SUM, KNOWN_SUM)
"""Aggregates to which a row whose part is 0 adds nothing."""
_WILSON = (
    "round((({hits}) + 1.9208 {sign} 1.96 * sqrt(({hits}) * (({trials}) - ({hits})) / nullif({trials}, 0)::numeric"
    " + 0.9604)) / nullif(({trials}) + 3.8416, 3.8416), 4)"
)
_FORMULAS = {
    "share": "round(({hits})::numeric / nullif({trials}, 0), 4)",
    "per_cent": "round(100.0 * ({hits}) / nullif({trials}, 0), 2)",
    "wilson_low": _WILSON.replace("{sign}", "-"),
    "wilson_high": _WILSON.replace("{sign}", "+"),
}
_MEAN_BOUND = "round(avg({{}}) {} 1.96 * stddev_samp({{}}) / sqrt(count({{}})::numeric), {{places}})"
_AGGREGATES = {
    COUNT: "count({})",
    DISTINCT: "count(distinct {})",
    SUM: "sum({})",
    KNOWN_SUM: "case when count(*) = count({}) then sum({}) end",
    "mean": "round(avg({}), {places})",
    "mean_low": _MEAN_BOUND.format("-"),
    "mean_high": _MEAN_BOUND.format("+"),
    "median": "round((percentile_cont(0.5) within group (order by {}))::numeric, {places})",
    "min": "min({})",
    "max": "max({})",
    ONLY: "(array_agg({}))[1]",
}


@dataclass(frozen=True)
class ExplainedCell:
    """One cell of one row of a mart."""

    name: str
    value: object
    """What the mart says; None of a step that is no column of it."""
    explained: object
    """What its rows give."""
    agrees: bool
    is_step: bool = False
    """Whether it is no column of the mart, and only on the way to others."""


@dataclass(frozen=True)
class ContributingRow:
    """One row of a fact that cells are made of."""

    key: Mapping[str, object]
    parts: Mapping[str, object]
    """Cell -> what the row contributes to it; without those to which it contributes nothing. Of a sum that must be
    known null is a part too: it is why the sum is null."""


def identifier_of(name: str) -> sql.Identifier:
    """The identifier of `schema.table`."""
    return Relation(*name.split(".", 1)).identifier


def declared_sql(text: str) -> sql.SQL:
    """SQL of our own declarations; a percent sign is doubled, for the driver looks for parameters."""
    return sql.SQL(text.replace("%", "%%"))


@contextmanager
def translated_errors(relation: str) -> Iterator[None]:
    """Turn what PostgreSQL refuses to tell of a mart into an EtlError that says what may be done."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege:
        raise EtlError(
            f"{relation} or its rows have columns that tell of persons, such as their keys. Who may read these says so:"
            " --personal"
        ) from None
    except psycopg.errors.UndefinedTable:
        raise EtlError(f"{relation} or what it is made of was not built yet. Look at: etl status") from None
    except psycopg.errors.DataError as error:
        raise EtlError(f"A value is none of its column's: {error.diag.message_primary}") from None


def count_matching_rows(connection: psycopg.Connection, explanation: Explanation, where: Where) -> int:
    """How many rows of the mart have these values."""
    row = connection.execute(
        sql.SQL("select count(*) from {} as mart where {}").format(identifier_of(explanation.relation), _filter(where)),
        dict(where),
    ).fetchone()
    return int(row[0]) if row else 0


def count_distinct_values(connection: psycopg.Connection, explanation: Explanation, where: Where) -> dict[str, int]:
    """How many values each column of the grain has in the rows of the mart that have these values."""
    counts = sql.SQL(", ").join(
        sql.SQL("count(distinct {}::text)").format(sql.Identifier(name)) for name in explanation.grain
    )
    row = connection.execute(
        sql.SQL("select {} from {} as mart where {}").format(
            counts, identifier_of(explanation.relation), _filter(where)
        ),
        dict(where),
    ).fetchone()
    return dict(zip(explanation.grain, row or (), strict=True))


def explain_cells(connection: psycopg.Connection, explanation: Explanation, where: Where) -> list[list[ExplainedCell]]:
    """The cells of each row of the mart that has these values, as the mart says them and as their rows give them."""
    columns = set(column_types(connection, Relation(*explanation.relation.split(".", 1))))
    own = [name for name in explanation.cells if name in columns]
    steps = [name for name in explanation.cells if name not in columns]
    statement = _explained(explanation, where, own)
    compared = [
        sql.SQL("mart.{0}, cell.{0}, mart.{0} is not distinct from cell.{0}").format(sql.Identifier(name))
        for name in own
    ] + [sql.SQL("null, cell.{0}, true").format(sql.Identifier(name)) for name in steps]
    rows = connection.execute(
        sql.SQL("{} select {} from mart inner join cell using ({}) order by {}").format(
            statement, sql.SQL(", ").join(compared), _ROW, _ROW
        ),
        dict(where),
    ).fetchall()
    names = [*own, *steps]
    return [
        [
            ExplainedCell(name, row[at * 3], row[at * 3 + 1], row[at * 3 + 2], name in steps)
            for at, name in enumerate(names)
        ]
        for row in rows
    ]


def count_contributions(connection: psycopg.Connection, explanation: Explanation, rows: RowSet, where: Where) -> int:
    """How many rows of a set contribute anything."""
    row = connection.execute(
        sql.SQL("{} select count(*) from contribution where {}").format(
            _contributions(explanation, rows, where, ()), _contributes(rows)
        ),
        dict(where),
    ).fetchone()
    return int(row[0]) if row else 0


def contributing_rows(
    connection: psycopg.Connection,
    explanation: Explanation,
    rows: RowSet,
    where: Where,
    *,
    key: Sequence[str],
    most: int,
) -> list[ContributingRow]:
    """Up to `most` of the rows of a set that contribute anything, by their key."""
    names = [cell.name for cell in rows.cells]
    found = connection.execute(
        sql.SQL("{} select {}, {} from contribution where {} order by {} limit {}").format(
            _contributions(explanation, rows, where, key),
            column_list(f"fact_{name}" for name in key),
            column_list(names),
            _contributes(rows),
            column_list(f"fact_{name}" for name in key),
            sql.Literal(most),
        ),
        dict(where),
    ).fetchall()
    return [
        ContributingRow(
            dict(zip(key, row, strict=False)),
            {
                cell.name: part
                for cell, part in zip(rows.cells, row[len(key) :], strict=True)
                if (part != 0 or cell.aggregate not in _ADDED) and (part is not None or cell.aggregate == KNOWN_SUM)
            },
        )
        for row in found
    ]


def _explained(explanation: Explanation, where: Where, own: Sequence[str]) -> sql.Composed:
    """CTEs: `mart`, the rows with their cells; `cell`, the same rows with the cells that are computed anew."""
    parts = [_mart(explanation, where, own)]
    joins, cells = [], []
    for rows in explanation.rows:
        name = sql.Identifier(f"of_{rows.name}")
        listed = sql.SQL(", ").join(
            sql.SQL("{} as {}").format(_aggregate(cell), sql.Identifier(cell.name)) for cell in rows.cells
        )
        parts.append(
            sql.SQL("{} as (select {}, {} from ({}) as contribution group by {})").format(
                name, _ROW, listed, _contribution(rows, ()), _ROW
            )
        )
        joins.append(sql.SQL("left join {} using ({})").format(name, _ROW))
        cells += [
            sql.SQL("coalesce({}.{}, {}) as {}").format(
                name, sql.Identifier(cell.name), declared_sql(cell.empty), sql.Identifier(cell.name)
            )
            for cell in rows.cells
        ]
    steps = [f"cell_{at}" for at in range(len(explanation.derived))] + ["cell"]
    parts.append(
        sql.SQL("{} as (select {} from mart {})").format(
            sql.Identifier(steps[0]),
            sql.SQL(", ").join([_ROW, *(sql.Identifier("mart", each) for each in explanation.grain), *cells]),
            sql.SQL(" ").join(joins),
        )
    )
    for (before, after), cell in zip(pairwise(steps), explanation.derived, strict=True):
        parts.append(
            sql.SQL("{} as (select {}.*, {} as {} from {})").format(
                sql.Identifier(after),
                sql.Identifier(before),
                _formula(cell),
                sql.Identifier(cell.name),
                sql.Identifier(before),
            )
        )
    return sql.SQL("with {}").format(sql.SQL(", ").join(parts))


def _contributions(explanation: Explanation, rows: RowSet, where: Where, key: Sequence[str]) -> sql.Composed:
    """CTEs: `mart`, and `contribution`, the rows of one set with what each contributes to its cells."""
    return sql.SQL("with {}, contribution as ({})").format(_mart(explanation, where, ()), _contribution(rows, key))


def _mart(explanation: Explanation, where: Where, own: Sequence[str]) -> sql.Composed:
    return sql.SQL("mart as materialized (select row_number() over () as {}, {} from {} as mart where {})").format(
        _ROW,
        column_list(dict.fromkeys([*explanation.grain, *own, *explanation.columns_asked])),
        identifier_of(explanation.relation),
        _filter(where),
    )


def _contribution(rows: RowSet, key: Sequence[str]) -> sql.Composed:
    matched = [
        sql.SQL("mart.{} = {}").format(sql.Identifier(column), declared_sql(expression))
        for column, expression in rows.match.items()
    ]
    conditions = sql.SQL(" and ").join([*matched, sql.SQL("({})").format(declared_sql(rows.where))])
    columns = [
        sql.SQL("mart.{}").format(_ROW),
        *(sql.SQL("fact.{} as {}").format(sql.Identifier(name), sql.Identifier(f"fact_{name}")) for name in key),
        *(sql.SQL("{} as {}").format(_part(cell), sql.Identifier(cell.name)) for cell in rows.cells),
    ]
    return sql.SQL("select {} from {} as fact {} inner join mart on {}").format(
        sql.SQL(", ").join(columns), identifier_of(rows.relation), declared_sql(rows.joins), conditions
    )


def _part(cell: MeasuredCell) -> sql.Composed:
    """What a row contributes to a cell; null where it does not."""
    if cell.aggregate == COUNT:
        return sql.SQL("case when {} then 1 end").format(declared_sql(cell.expression))
    return sql.SQL("case when {} then {} end").format(declared_sql(cell.where), declared_sql(cell.expression))


def _aggregate(cell: MeasuredCell) -> sql.Composed:
    template = _AGGREGATES[cell.aggregate].replace("{}", "{value}")
    return sql.SQL(template).format(value=sql.Identifier(cell.name), places=sql.Literal(cell.places))


def _contributes(rows: RowSet) -> sql.Composed:
    """The condition that a row contributes to any cell."""
    conditions = {KNOWN_SUM: "{} is distinct from 0", COUNT: "{} is not null", SUM: "coalesce({} <> 0, false)"}
    each = [
        sql.SQL(conditions.get(cell.aggregate, "{} is not null")).format(sql.Identifier(cell.name))
        for cell in rows.cells
    ]
    return sql.SQL("({})").format(sql.SQL(" or ").join(each))


def _formula(cell: DerivedCell) -> sql.Composable:
    if cell.formula == "value":
        return declared_sql(cell.expression)
    hits, trials = cell.parts
    return declared_sql(_FORMULAS[cell.formula].replace("{hits}", hits).replace("{trials}", trials))


def _filter(where: Where) -> sql.Composable:
    """The condition that a row has these values, which are parameters of the columns' names."""
    if not where:
        return sql.SQL("true")
    return sql.SQL(" and ").join(
        sql.SQL("mart.{} is not distinct from {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in where
    )
