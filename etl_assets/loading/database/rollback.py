"""Rollback of the last load that changed a declared table."""

import time

import psycopg

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.guards import load_error
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect, is_transient
from etl_assets.warehouse.database.before_images import restore
from etl_assets.warehouse.database.extraction import extraction, reset_extraction
from etl_assets.warehouse.database.staging import StagingTable, existing_tables
from etl_assets.warehouse.ledger import Batch, Counts, record_load
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.relation import Relation, lock_relation


def roll_back(settings: Settings, source: Source, table: str, batch: Batch) -> Counts:
    """Roll back the last load that changed a table, in one transaction.

    Rows that the load inserted are deleted, and rows that it updated or deleted are put back. How far the table was
    read is forgotten, so that the next load compares every row; until then the table stays as it was before.

    Args:
        settings: Which warehouse.
        source: Whose table.
        table: Its name.
        batch: Whose work it is.

    Returns:
        What was done: inserted are the rows that were put back, deleted those that the load had written.

    Raises:
        EtlError: The table outlives its source and lets go of nothing, or there is no load to take back.
        TransientError: The warehouse went away; nothing was changed.
    """
    started = time.monotonic()
    relation = Relation(source.schema, table)
    declared = source.copied_table(table)
    if declared.retain_deleted:
        raise EtlError(
            f"{relation} outlives its source, and the database lets no row of it be deleted. Nothing was changed."
            " A wrong row is put right at the source and loaded again; old ones leave by etl retain."
        )
    try:
        with connect(settings) as connection:
            lock_relation(connection, relation)
            state = extraction(connection, relation)
            existing = existing_tables(connection, source.schema).get(table)
            if state is None or existing is None or state.changed_by is None:
                raise EtlError(
                    f"{relation}: there is no load to take back. Only the last that changed the table is kept, and a"
                    " second one cannot be taken back before the table was loaded again."
                )
            connection.execute("set local time zone 'UTC'")
            target = StagingTable(
                relation=relation,
                columns=existing.columns,
                keys=existing.keys,
                event_date=declared.event_date,
                batch=batch.id,
            )
            counts, dates = restore(connection, target, state.changed_by)
            reset_extraction(connection, relation)
            record_load(
                connection,
                batch,
                relation,
                counts,
                seconds=time.monotonic() - started,
                dates=LoadedDates(changed=dates, is_news=False),
            )
    except psycopg.Error as error:
        if is_transient(error):
            raise TransientError(f"{relation}: the warehouse went away; nothing was changed: {error}") from error
        raise load_error(relation, error) from None
    return counts
