"""Retained tables: rows that the source overwrote, as they were, and incoming rows that conflict with held ones.

A retained table outlives its source. Neither is ever lost: what the source changes is kept as it was, and of a table
that is only appended to what the source has changed is not believed at all, and kept apart.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import INTEGER_TYPES, RowRange
from etl_assets.warehouse.database.staging import StagingTable

CONFLICTS = "pg_temp.etl_conflicting_keys"
"""The keys of the incoming rows that were refused."""


@dataclass(frozen=True)
class KeyConflicts:
    """Rows of the source whose keys are taken by other rows in staging."""

    rows: int = 0
    first_key: object = None
    last_key: object = None


def save_overwritten(connection: psycopg.Connection, target: StagingTable, chosen: str) -> None:
    """Save rows as they are before they are updated; these copies are never deleted by a load.

    Args:
        connection: In the transaction that changes them.
        target: Whose rows.
        chosen: A relation of the session with their keys.
    """
    connection.execute(
        target.statement(
            "insert into etl.row_overwritten (relation, row_key, batch_id, was)"
            " select {name}, (jsonb_build_array({existing_keys}))::text, {batch}, to_jsonb(existing)"
            f" from {{target}} as existing inner join {chosen} as changed using ({{keys}})",
            name=sql.Literal(str(target.relation)),
        )
    )


def record_conflicts(
    connection: psycopg.Connection, target: StagingTable, row_range: RowRange, *, incoming: str, chosen: str
) -> int:
    """Record incoming rows as conflicts: other rows are held by their keys, and stay.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Which is only appended to.
        row_range: What was read: conflicts beyond it stay as they are.
        incoming: The temporary table of the rows.
        chosen: A relation of the session with the keys of those to refuse.

    Returns:
        How many of them were not known, or not so.
    """
    connection.execute(target.statement(f"insert into {CONFLICTS} select {{keys}} from {chosen} as changed"))
    name = {"name": sql.Literal(str(target.relation))}
    conflicts = (
        "select (jsonb_build_array({incoming_keys}))::text as row_key, to_jsonb(incoming) as said"
        f" from {incoming} as incoming inner join {chosen} as changed using ({{keys}})"
    )
    connection.execute(
        target.statement(
            "update etl.row_refused as image set stands = false where relation = {name} and stands and exists ("
            f"     select from {incoming} as incoming"
            "     where (jsonb_build_array({incoming_keys}))::text = image.row_key and {in_range})"
            f" and not exists (select from ({conflicts}) as now where now.row_key = image.row_key"
            "     and now.said = image.said)",
            in_range=target.in_range(row_range, of="incoming"),
            **name,
        )
    )
    return connection.execute(
        target.statement(
            "insert into etl.row_refused as image (relation, row_key, batch_id, said)"
            f" select {{name}}, row_key, {{batch}}, now.said from ({conflicts}) as now"
            " on conflict (relation, row_key, md5(said::text)) do update set stands = true where not image.stands",
            **name,
        )
    ).rowcount


def resolve_conflicts(connection: psycopg.Connection, target: StagingTable, deleted: str | None = None) -> None:
    """Resolve the conflicts of these keys, or of all: the source has no rows by them any more."""
    condition = (
        f"exists (select from {deleted} as incoming where (jsonb_build_array({{incoming_keys}}))::text = image.row_key)"
    )
    connection.execute(
        target.statement(
            "update etl.row_refused as image set stands = false"
            f" where relation = {{name}} and stands and {condition if deleted else 'true'}",
            name=sql.Literal(str(target.relation)),
        )
    )


def open_conflicts(connection: psycopg.Connection, target: StagingTable) -> KeyConflicts:
    """The conflicts that still stand: rows that the source has, as far as it was read, and staging has not.

    None of a table whose rows may be overwritten.
    """
    if not target.append_only:
        return KeyConflicts()
    bounds = "min((row_key::jsonb ->> 0)::numeric), max((row_key::jsonb ->> 0)::numeric)"
    if len(target.keys) != 1 or target.columns[target.keys[0]] not in INTEGER_TYPES:
        bounds = "null, null"
    row = connection.execute(
        f"select count(*), {bounds} from etl.row_refused where relation = %s and stands", [str(target.relation)]
    ).fetchone()
    return KeyConflicts(*row) if row else KeyConflicts()
