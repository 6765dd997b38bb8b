"""Comparison of staging with what a source holds: the rows that are lost, and those that are doubled.

The server parses what the source says, and compares it: nothing of the loader has a part in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation

Row = Sequence[str | None]


@dataclass(frozen=True, kw_only=True)
class TableTruth:
    """What a relation should hold, as its source has it."""

    relation: Relation
    columns: Sequence[str]
    """Those that are compared."""
    keys: Sequence[str]
    """Those of them by which a row is known; all of them where none is named."""
    rows: Iterable[Row]
    """In the order of the columns, as text that PostgreSQL parses in their types."""
    current_rows: str = "true"
    """The condition, in SQL, that a row of the relation counts."""
    retains_deleted: bool = False
    """Whether rows stay that the source has deleted."""


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """How a relation, or several, differ from what they should hold."""

    rows: int = 0
    """Those that should be held."""
    lost: int = 0
    """Rows that are missing, or whose content is another."""
    doubled: int = 0
    """Rows of a key that there are more of than there should be."""
    where: tuple[str, ...] = ()
    """The relations that differ."""

    def __add__(self, other: "Discrepancy") -> "Discrepancy":
        return Discrepancy(
            rows=self.rows + other.rows,
            lost=self.lost + other.lost,
            doubled=self.doubled + other.doubled,
            where=self.where + other.where,
        )


def find_discrepancies(connection: psycopg.Connection, truths: Iterable[TableTruth]) -> Discrepancy:
    """Compare relations with what they should hold, by key and content.

    Args:
        connection: As a role that may read them; its transaction is ended.
        truths: A relation each.
    """
    found = Discrepancy()
    for truth in truths:
        found += _difference(connection, truth)
        connection.rollback()
    return found


_QUERY = """
    with should as (select {columns} from pg_temp.should),

    held as (select {columns} from {relation} where {current}),

    missing as (select * from should except all select * from held),

    by_key as (
        select {keys}, count(*) filter (where is_held) as held, count(*) filter (where not is_held) as wanted
        from (select *, true as is_held from held union all select *, false from should) as both_sides
        group by {keys}
    )

    select
        (select count(*) from should),
        (select count(*) from missing),
        (select coalesce(sum(greatest(held - {wanted}, 0)), 0) from by_key)
"""


def _difference(connection: psycopg.Connection, truth: TableTruth) -> Discrepancy:
    columns = sql.SQL(", ").join(map(sql.Identifier, truth.columns))
    statement = sql.SQL("create temporary table should on commit drop as select {} from {} with no data")
    connection.execute(statement.format(columns, truth.relation.identifier))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy pg_temp.should ({}) from stdin").format(columns)) as copy,
    ):
        for row in truth.rows:
            copy.write_row(row)
    query = sql.SQL(_QUERY).format(
        columns=columns,
        relation=truth.relation.identifier,
        current=sql.SQL(truth.current_rows),
        keys=sql.SQL(", ").join(map(sql.Identifier, truth.keys or truth.columns)),
        wanted=sql.SQL("greatest(wanted, 1)" if truth.retains_deleted else "wanted"),
    )
    rows, lost, doubled = connection.execute(query).fetchone() or (0, 0, 0)
    where = (str(truth.relation),) if lost or doubled else ()
    return Discrepancy(rows=rows, lost=lost, doubled=int(doubled), where=where)
