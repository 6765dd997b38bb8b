"""The inventory of staging: each table with its records, its size, and when it was loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation


@dataclass(frozen=True, kw_only=True)
class InventoryLine:
    """A staging table, as the inventory has it."""

    relation: Relation
    records: int | None
    """Those that have vanished at the source too; None where nobody has counted."""
    is_exact: bool
    """Whether they were counted; else it is the planner's estimate."""
    size: int
    """In bytes, with its indexes."""
    last_loaded_at: datetime | None
    last_changed_at: datetime | None
    """When a load last wrote a row."""
    why_empty: str | None
    """None where it is not."""


def staging_inventory(
    connection: psycopg.Connection, schemas: Sequence[str], *, exact: bool = False
) -> Iterator[InventoryLine]:
    """The staging tables of these schemas, by name.

    Args:
        connection: As a role that may read them.
        schemas: Those of the sources.
        exact: Whether to count every row, which reads all of each table.
    """
    rows = connection.execute(
        "select schema_name, split_part(relation, '.', 2), records, bytes, last_loaded_at, last_changed_at, why_empty"
        " from etl.staging_inventory where schema_name = any(%s) order by relation",
        [list(schemas)],
    ).fetchall()
    for schema, name, records, size, loaded, changed, why_empty in rows:
        relation = Relation(schema, name)
        yield InventoryLine(
            relation=relation,
            records=_count(connection, relation) if exact else records,
            is_exact=exact or records == 0,
            size=size,
            last_loaded_at=loaded,
            last_changed_at=changed,
            why_empty=why_empty,
        )


def _count(connection: psycopg.Connection, relation: Relation) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(relation.identifier)).fetchone()
    return int(row[0]) if row else 0
