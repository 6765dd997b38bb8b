"""Extraction state of a database's tables: cursors, row counts, and the checksums of key ranges."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from etl_assets.declare.database_reader import Fingerprint
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.relation import Relation

# In the order of the fields of `Extraction`.
_COLUMNS = (
    "rows_held, rows_apart, read_until, read_at, last_key, source_columns, swept_at, in_doubt, changed_by, batch_id"
)


@dataclass(frozen=True)
class Extraction:
    """The extraction state of a table: how far it has been read."""

    rows_held: int
    rows_retained: int
    """Rows that the source has deleted, and that are retained here."""
    read_until: datetime | None
    """The cursor: the source's clock before the last read."""
    read_at: datetime
    """Our clock then."""
    last_key: int | None
    source_columns: tuple[str, ...]
    swept_at: datetime | None
    needs_full_compare: bool
    """Whether it was found to differ from the source, so that the next load must compare every row."""
    changed_by: UUID | None
    """The last load that changed it, if that can be rolled back."""
    batch_id: UUID


def extractions(connection: psycopg.Connection, source: str) -> dict[str, Extraction]:
    """How far each table of a source has been read, by the relation's name."""
    rows = connection.execute(f"select relation, {_COLUMNS} from etl.extraction where source = %s", [source])
    return {relation: _extraction(found) for relation, *found in rows}


def extraction(connection: psycopg.Connection, relation: Relation) -> Extraction | None:
    """How far one table has been read; None where it never was, or its last load was taken back."""
    row = connection.execute(f"select {_COLUMNS} from etl.extraction where relation = %s", [str(relation)]).fetchone()
    return _extraction(row) if row else None


def record_extraction(connection: psycopg.Connection, source: str, relation: Relation, reached: Extraction) -> None:
    """Save the state of a table, in the transaction of its load."""
    values = [*vars(reached).values()]
    values[5] = list(reached.source_columns)
    names = _COLUMNS.split(", ")
    connection.execute(
        f"insert into etl.extraction (relation, source, {_COLUMNS})"
        f" values (%s, %s, {', '.join(['%s'] * len(names))}) on conflict (relation) do update set "
        + ", ".join(f"{name} = excluded.{name}" for name in names),
        [str(relation), source, *values],
    )


def record_unchanged(
    connection: psycopg.Connection,
    batch: Batch,
    relation: Relation,
    *,
    seen: Extraction,
    until: datetime | None,
    at: datetime,
    swept: bool,
) -> None:
    """Move the cursor of a table that had no changes; unless somebody has loaded it since `seen` was read."""
    connection.execute(
        "update etl.extraction set read_until = coalesce(%s, read_until), read_at = %s, batch_id = %s,"
        " swept_at = case when %s then %s else swept_at end where relation = %s and batch_id = %s",
        [until, at, batch.id, swept, at, str(relation), seen.batch_id],
    )


def reset_extraction(connection: psycopg.Connection, relation: Relation) -> None:
    """Delete the extraction state of a table: the next load compares every row."""
    connection.execute("delete from etl.extraction where relation = %s", [str(relation)])
    connection.execute("delete from etl.key_range where relation = %s", [str(relation)])
    connection.execute("delete from etl.header_digest where relation = %s", [str(relation)])


def key_ranges(connection: psycopg.Connection, source: str) -> dict[str, list[Fingerprint]]:
    """The key ranges of each table with their checksums when last read, by the relation's name, in order."""
    found: dict[str, list[Fingerprint]] = {}
    rows = connection.execute(
        "select relation, after_key, upto_key, rows, checksum from etl.key_range"
        " inner join etl.extraction using (relation) where source = %s order by relation, ordinal",
        [source],
    )
    for relation, after, upto, number, checksum in rows:
        found.setdefault(relation, []).append(Fingerprint(after=after, upto=upto, rows=number, checksum=checksum))
    return found


def record_ranges(connection: psycopg.Connection, relation: Relation, ranges: Sequence[Fingerprint]) -> None:
    """Replace the key ranges of a table and their checksums."""
    connection.execute("delete from etl.key_range where relation = %s", [str(relation)])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into etl.key_range (relation, ordinal, after_key, upto_key, rows, checksum)"
            " values (%s, %s, %s, %s, %s, %s)",
            [
                (str(relation), ordinal, each.after, each.upto, each.rows, each.checksum)
                for ordinal, each in enumerate(ranges)
            ],
        )


def _extraction(row: Sequence[object]) -> Extraction:
    rows_held, rows_retained, read_until, read_at, last_key, columns, *rest = row
    return Extraction(rows_held, rows_retained, read_until, read_at, last_key, tuple(columns), *rest)  # type: ignore[arg-type]
