"""Column sums computed by a PostgreSQL source."""

from collections.abc import Sequence

from etl_assets.declare.measures import sums_sql


def quote_postgres(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def sums_select_list(columns: Sequence[tuple[str, str]]) -> str:
    """The select list of the sums, see `measures.sums_sql`.

    Args:
        columns: Their names, and the types that they have in staging.
    """
    return sums_sql([kind for _, kind in columns]).format(*(quote_postgres(name) for name, _ in columns))
