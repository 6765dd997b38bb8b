"""Whether the cells of marts are what the rows that their declarations name give: every cell of every row."""

from collections.abc import Collection, Iterator
from decimal import Decimal

import psycopg
from psycopg import sql

from etl_assets.declare.explanation import Explanation
from etl_assets.orchestration.models.explanations import explanations, fact_origins
from etl_assets.quality.explanation import contributing_rows, count_contributions, explain_cells, identifier_of

ADDED = ("count", "sum", "known_sum")


def differing_cells(connection: psycopg.Connection, source: str, marts: Collection[str] = ()) -> dict[str, str]:
    """The cells that are not what their rows give, by mart and column, with how many differ; of some marts or of all.

    Raises:
        AssertionError: A mart has no row: nothing would be compared.
    """
    found: dict[str, str] = {}
    for explanation in _of(source, marts):
        rows = explain_cells(connection, explanation, {})
        assert rows, f"{explanation.relation} has no row"
        for at, name in enumerate(cell.name for cell in rows[0]):
            differing = [row[at] for row in rows if not row[at].agrees]
            if differing:
                first = differing[0]
                found[f"{explanation.relation}.{name}"] = (
                    f"{len(differing)} of {len(rows)} differ, the first: {first.value} in the mart, {first.explained}"
                )
    return found


def unlisted_parts(connection: psycopg.Connection, source: str, marts: Collection[str] = ()) -> dict[str, str]:
    """The cells, of the fullest row of each mart, to which the rows that are listed do not add up."""
    found: dict[str, str] = {}
    facts = fact_origins(source)
    for explanation in _of(source, marts):
        where = _fullest_row(connection, explanation)
        cells = {cell.name: cell.explained for cell in explain_cells(connection, explanation, where)[0]}
        for rows in explanation.rows:
            if rows.relation not in facts:
                continue
            key = facts[rows.relation].key
            listed = contributing_rows(connection, explanation, rows, where, key=key, most=1_000_000)
            assert len(listed) == count_contributions(connection, explanation, rows, where)
            assert len({tuple(row.key.values()) for row in listed}) == len(listed), f"{rows.relation}: {key} is no key"
            for cell in (cell for cell in rows.cells if cell.aggregate in ADDED):
                parts = [row.parts.get(cell.name, 0) for row in listed]
                total = None if None in parts else sum((Decimal(str(part)) for part in parts), Decimal())
                if total != cells[cell.name] and (total or cells[cell.name] is not None):
                    found[f"{explanation.relation}.{cell.name}"] = (
                        f"{total} of its rows, {cells[cell.name]} in the cell"
                    )
    return found


def _of(source: str, marts: Collection[str]) -> Iterator[Explanation]:
    for relation, explanation in explanations(source).items():
        if not marts or relation.split(".")[1] in marts:
            yield explanation


def _fullest_row(connection: psycopg.Connection, explanation: Explanation) -> dict[str, str]:
    """The grain of the row whose first cell is the greatest."""
    own = next(cell.name for rows in explanation.rows for cell in rows.cells)
    grain = explanation.grain
    columns = {column.name for column in connection.execute(
        sql.SQL("select * from {} limit 0").format(identifier_of(explanation.relation))
    ).description or ()}  # fmt: skip
    [row] = connection.execute(
        sql.SQL("select {} from {} order by {} desc nulls last limit 1").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in grain),
            identifier_of(explanation.relation),
            sql.Identifier(own if own in columns else grain[0]),
        )
    ).fetchall()
    return dict(zip(grain, row, strict=True))
