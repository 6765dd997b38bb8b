"""The SQL of what the values of a source that is a PostgreSQL come to."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from etl_assets.declare.database import ColumnSum, Sums
from etl_assets.declare.measures import measure_of
from etl_assets.readers.database.conditions import total_of


def quoted(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def select_sums(columns: Sequence[tuple[str, str]]) -> str:
    """The list of a select: the rows; then of each column its values, and their total.

    Args:
        columns: Their names, and the types that they have in staging.
    """
    words = [(f"count({quoted(name)})", f"coalesce(sum({_measure(name, kind)}), 0)") for name, kind in columns]
    return ", ".join(["count(*)", *(word for pair in words for word in pair)])


def read_sums(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sums:
    """What the rows that such selects gave, of parts of a piece, come to together.

    Args:
        names: Those of the columns in staging, in the order of the select.
        rows: One a select.
    """
    return Sums(
        rows=sum(row[0] for row in rows),
        columns={
            name: ColumnSum(
                values=sum(row[1 + 2 * place] for row in rows),
                total=total_of(Decimal(row[2 + 2 * place]) for row in rows),
            )
            for place, name in enumerate(names)
        },
    )


def _measure(name: str, kind: str) -> str:
    """What one value counts."""
    return measure_of(kind).format(quoted(name))
