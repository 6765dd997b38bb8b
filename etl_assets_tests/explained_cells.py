"""Whether the cells of marts are what the rows that their declarations name give: every cell of every row."""

from collections.abc import Collection

import psycopg

from etl_assets.orchestration.models.explanations import explanations
from etl_assets.quality.explanation import explain_cells


def differing_cells(connection: psycopg.Connection, source: str, marts: Collection[str] = ()) -> dict[str, str]:
    """The cells that are not what their rows give, by mart and column, with how many differ; of some marts or of all.

    Raises:
        AssertionError: A mart has no row: nothing would be compared.
    """
    found: dict[str, str] = {}
    for relation, explanation in explanations(source).items():
        if marts and relation.split(".")[1] not in marts:
            continue
        rows = explain_cells(connection, explanation, {})
        assert rows, f"{relation} has no row"
        for at, name in enumerate(cell.name for cell in rows[0]):
            differing = [row[at] for row in rows if not row[at].agrees]
            if differing:
                first = differing[0]
                found[f"{relation}.{name}"] = (
                    f"{len(differing)} of {len(rows)} differ, the first: {first.value} in the mart, {first.explained}"
                )
    return found
