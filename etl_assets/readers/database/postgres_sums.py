"""Column sums computed by a PostgreSQL source."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from etl_assets.declare.database_reader import ColumnSum, Sums
from etl_assets.declare.measures import measure_sql
from etl_assets.readers.database.conditions import exact_sum


def quote_postgres(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def sums_select_list(columns: Sequence[tuple[str, str]]) -> str:
    """The select list of the sums: count(*); then of each column its count and its total.

    Args:
        columns: Their names, and the types that they have in staging.
    """
    aggregates = [
        (f"count({quote_postgres(name)})", f"coalesce(sum({_measure(name, kind)}), 0)") for name, kind in columns
    ]
    return ", ".join(["count(*)", *(aggregate for pair in aggregates for aggregate in pair)])


def parse_sums(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sums:
    """Parse the results of such selects, one each part of a row range, and add them up.

    Args:
        names: Those of the columns in staging, in the order of the select.
        rows: One a select.
    """
    return Sums(
        rows=sum(row[0] for row in rows),
        columns={
            name: ColumnSum(
                values=sum(row[1 + 2 * place] for row in rows),
                total=exact_sum(Decimal(row[2 + 2 * place]) for row in rows),
            )
            for place, name in enumerate(names)
        },
    )


def _measure(name: str, kind: str) -> str:
    """What one value adds to the total."""
    return measure_sql(kind).format(quote_postgres(name))
