"""Before-images: rows as they were before the last load that changed their table, for its rollback."""

from datetime import date
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.database.staging import StagingTable
from etl_assets.warehouse.ledger import Counts


def discard_earlier(connection: psycopg.Connection, target: StagingTable) -> None:
    """Delete the before-images of earlier loads: only the last load can be rolled back."""
    connection.execute(
        "delete from etl.row_before where relation = %s and batch_id <> %s", [str(target.relation), target.batch]
    )


def save_before_images(connection: psycopg.Connection, target: StagingTable, chosen: str) -> None:
    """Save the rows that are about to be updated or deleted.

    Args:
        connection: In the transaction that changes them, before it does.
        target: Whose rows.
        chosen: A relation of the session with the keys; every row where the table has no key.
    """
    if target.retain_deleted:
        return
    key = "jsonb_build_array({existing_keys})" if target.keys else "to_jsonb(row_number() over ())"
    joined = f" inner join {chosen} as changed using ({{keys}})" if target.keys else ""
    connection.execute(
        target.statement(
            "insert into etl.row_before (relation, row_key, batch_id, was)"
            f" select {{name}}, ({key})::text, {{batch}}, to_jsonb(existing) from {{target}} as existing{joined}"
            # What this load wrote was not there before it, or is kept already.
            " where existing.{batch_column} <> {batch}",
            name=sql.Literal(str(target.relation)),
            batch_column=sql.Identifier(BATCH_COLUMN),
        )
    )


def restore(connection: psycopg.Connection, target: StagingTable, changed_by: UUID) -> tuple[Counts, set[date]]:
    """Restore the before-images: the load's rows are deleted, and those it changed or deleted are as they were.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Of the table as it is held now.
        changed_by: The last load that changed it.

    Returns:
        What was done, and the dates of the rows concerned.
    """
    images = {"relation": sql.Literal(str(target.relation)), "batch_column": sql.Identifier(BATCH_COLUMN)}
    dates = _dates(connection, target, changed_by)
    deleted = connection.execute(
        target.statement(
            "delete from {target} where {batch_column} = {changed_by}", changed_by=sql.Literal(changed_by), **images
        )
    ).rowcount
    restored = connection.execute(
        target.statement(
            "insert into {target} select (jsonb_populate_record(null::{target}, was)).*"
            " from etl.row_before where relation = {relation} and batch_id = {changed_by}",
            changed_by=sql.Literal(changed_by),
            **images,
        )
    ).rowcount
    connection.execute("delete from etl.row_before where relation = %s", [str(target.relation)])
    return Counts(rows_read=restored, rows_inserted=restored, rows_deleted=deleted), dates


def _dates(connection: psycopg.Connection, target: StagingTable, changed_by: UUID) -> set[date]:
    if target.event_date is None or target.event_date not in target.columns:
        return set()
    rows = connection.execute(
        target.statement(
            "select distinct {old_date} from {target} as existing where existing.{batch_column} = {changed_by}"
            " union select (was ->> {event_date})::timestamp::date from etl.row_before"
            " where relation = {relation} and batch_id = {changed_by}",
            relation=sql.Literal(str(target.relation)),
            batch_column=sql.Identifier(BATCH_COLUMN),
            changed_by=sql.Literal(changed_by),
            event_date=sql.Literal(target.event_date),
        )
    )
    return {day for (day,) in rows if day}
