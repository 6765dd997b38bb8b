"""Rows that stay out of all that is read of a table, in PostgreSQL's SQL."""

from collections.abc import Callable
from datetime import datetime

from etl_assets.declare.database_reader import SourceTable
from etl_assets.readers.database.conditions import left_out_conditions
from etl_assets.readers.database.postgres_sums import quote_postgres


def left_out_of_postgres(table: SourceTable, name: Callable[[SourceTable], str]) -> list[str]:
    """The conditions that keep them out; `name` is that of a table, as a statement has it."""
    return left_out_conditions(
        table,
        quote=quote_postgres,
        literal=_literal,
        name=name,
        moment=lambda _, moment: timestamp_literal(moment),
    )


def timestamp_literal(moment: datetime) -> str:
    """A moment as a literal; a timestamp without a zone is compared in UTC too: the zone of the session."""
    return f"timestamptz '{moment:%Y-%m-%d %H:%M:%S.%f}+00'"


def _literal(text: str) -> str:
    """A text as a literal, whatever the session makes of backslashes."""
    escaped = text.replace("'", "''")
    return "E'" + escaped.replace("\\", "\\\\") + "'" if "\\" in text else f"'{escaped}'"
