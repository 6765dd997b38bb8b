"""Rows as they were before the last load that changed their table, kept so that it can be taken back."""

from datetime import date
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.warehouse.database.staging import BATCH_COLUMN, Target
from etl_assets.warehouse.ledger import Counts


def forget_earlier(connection: psycopg.Connection, target: Target) -> None:
    """Let go of what earlier loads changed: only the last is taken back."""
    connection.execute(
        "delete from etl.row_before where relation = %s and batch_id <> %s", [str(target.relation), target.batch]
    )


def keep(connection: psycopg.Connection, target: Target, chosen: str) -> None:
    """Keep the rows that are about to be updated or deleted.

    Args:
        connection: In the transaction that changes them, before it does.
        target: Whose rows.
        chosen: A relation of the session with the keys; every row where the table has no key.
    """
    if target.keep_deleted:
        return
    key = "jsonb_build_array({held_keys})" if target.keys else "to_jsonb(row_number() over ())"
    joined = f" inner join {chosen} as said on {{same}}" if target.keys else ""
    connection.execute(
        target.statement(
            "insert into etl.row_before (relation, row_key, batch_id, was)"
            f" select {{name}}, ({key})::text, {{batch}}, to_jsonb(held) from {{target}} as held{joined}"
            # What this load wrote was not there before it, or is kept already.
            " where held.{batch_column} <> {batch}",
            name=sql.Literal(str(target.relation)),
            batch_column=sql.Identifier(BATCH_COLUMN),
        )
    )


def put_back(connection: psycopg.Connection, target: Target, changed_by: UUID) -> tuple[Counts, set[date]]:
    """Take back what a load did: its rows are deleted, and those it changed or deleted are as they were.

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
    put = connection.execute(
        target.statement(
            "insert into {target} select (jsonb_populate_record(null::{target}, was)).*"
            " from etl.row_before where relation = {relation} and batch_id = {changed_by}",
            changed_by=sql.Literal(changed_by),
            **images,
        )
    ).rowcount
    connection.execute("delete from etl.row_before where relation = %s", [str(target.relation)])
    return Counts(rows_read=put, rows_inserted=put, rows_deleted=deleted), dates


def _dates(connection: psycopg.Connection, target: Target, changed_by: UUID) -> set[date]:
    if target.happens_on is None or target.happens_on not in target.columns:
        return set()
    rows = connection.execute(
        target.statement(
            "select distinct {was} from {target} as held where held.{batch_column} = {changed_by}"
            " union select (was ->> {happens_on})::timestamp::date from etl.row_before"
            " where relation = {relation} and batch_id = {changed_by}",
            relation=sql.Literal(str(target.relation)),
            batch_column=sql.Identifier(BATCH_COLUMN),
            changed_by=sql.Literal(changed_by),
            happens_on=sql.Literal(target.happens_on),
        )
    )
    return {day for (day,) in rows if day}
