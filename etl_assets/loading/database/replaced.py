"""Tables that another version of the source has in another form: what is held of them of people is deleted."""

import time
from collections.abc import Collection

import psycopg

from etl_assets.declare.source import Source
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.extraction import reset_extraction
from etl_assets.warehouse.database.rows import event_dates
from etl_assets.warehouse.database.staging import StagingTable, existing_tables
from etl_assets.warehouse.ledger import Batch, Counts, record_load
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.relation import Relation, lock_relation


def empty_replaced(settings: Settings, source: Source, batch: Batch, names: Collection[str]) -> None:
    """Delete the rows of tables that the source has in another form now: nobody would tell of deletions among them.

    Args:
        settings: Which warehouse.
        source: Whose tables.
        batch: Whose work it is.
        names: Of the tables in staging; those that are empty, or not there, are left alone.
    """
    if not names:
        return
    with connect(settings) as connection:
        existing = existing_tables(connection, source.schema)
        for name in sorted(existing.keys() & set(names)):
            _empty(
                connection,
                source,
                batch,
                StagingTable(
                    relation=Relation(source.schema, name), columns=existing[name].columns, keys=existing[name].keys
                ),
            )


def _empty(connection: psycopg.Connection, source: Source, batch: Batch, target: StagingTable) -> None:
    started = time.monotonic()
    lock_relation(connection, target.relation)
    dates = event_dates(connection, target)
    deleted = connection.execute(target.statement("delete from {target}")).rowcount
    if deleted:
        connection.execute("delete from etl.row_before where relation = %s", [str(target.relation)])
        reset_extraction(connection, target.relation)
        seconds = time.monotonic() - started
        record_load(
            connection,
            batch,
            target.relation,
            Counts(rows_deleted=deleted),
            seconds=seconds,
            dates=LoadedDates(changed=dates, is_news=False),
        )
