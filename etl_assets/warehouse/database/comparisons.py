"""The last comparison of each table with the old pipeline's, in counts."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class LastComparison:
    """How a table compared with the old pipeline's; no value of a row."""

    relation: str
    compared_at: datetime
    verdict: str
    """`equal`, `differs`, `only_old`, `only_new` or `failed`."""
    old_rows: int | None
    new_rows: int | None
    keys_only_old: int
    keys_only_new: int
    rows_differing: int
    columns: Sequence[str]
    """Those whose sums differ."""


def record_comparison(connection: psycopg.Connection, found: LastComparison) -> None:
    """Write down how a table compared, in place of the time before."""
    names = list(LastComparison.__dataclass_fields__)
    connection.execute(
        f"insert into etl.comparison ({', '.join(names)}) values ({', '.join(['%s'] * len(names))})"
        f" on conflict (relation) do update set {', '.join(f'{name} = excluded.{name}' for name in names[1:])}",
        [list(value) if isinstance(value, tuple) else value for value in astuple(found)],
    )


def last_comparisons(connection: psycopg.Connection, schema: str) -> list[LastComparison]:
    """The last comparison of each table of a schema that ever was compared, those that differ in front."""
    with connection.cursor(row_factory=class_row(LastComparison)) as cursor:
        return cursor.execute(
            "select relation, compared_at, verdict, old_rows, new_rows, keys_only_old, keys_only_new, rows_differing,"
            " columns from etl.comparison where split_part(relation, '.', 1) = %s"
            " order by verdict = 'equal', relation",
            [schema],
        ).fetchall()
