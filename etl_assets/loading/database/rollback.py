"""Take back the last load that changed a table of a database."""

import time

import psycopg

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.guards import refusal
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.before_images import put_back
from etl_assets.warehouse.database.extraction import extraction, forget
from etl_assets.warehouse.database.staging import Target, held_tables
from etl_assets.warehouse.ledger import Batch, Counts, record_load
from etl_assets.warehouse.relation import Relation, hold_alone


def roll_back(settings: Settings, source: Source, table: str, batch: Batch) -> Counts:
    """Bring a table back to what it held before the last load that changed it, in one transaction.

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
    copied = source.table(table).copied
    if copied is None:
        raise EtlError(f"{relation} is no copy of a database's table; its loads cannot be taken back.")
    if copied.keep_deleted:
        raise EtlError(
            f"{relation} outlives its source, and the database lets no row of it be deleted. Nothing was changed."
            " A wrong row is put right at the source and loaded again; old ones leave by etl retain."
        )
    try:
        with connect(settings) as connection:
            hold_alone(connection, relation)
            state = extraction(connection, relation)
            held = held_tables(connection, source.schema).get(table)
            if state is None or held is None or state.changed_by is None:
                raise EtlError(
                    f"{relation}: there is no load to take back. Only the last that changed the table is kept, and a"
                    " second one cannot be taken back before the table was loaded again."
                )
            connection.execute("set local time zone 'UTC'")
            target = Target(
                relation=relation, columns=held.columns, keys=held.keys, happens_on=copied.happens_on, batch=batch.id
            )
            counts, dates = put_back(connection, target, state.changed_by)
            forget(connection, relation)
            record_load(connection, batch, relation, counts, seconds=time.monotonic() - started, changed=dates)
    except psycopg.OperationalError as error:
        raise TransientError(f"{relation}: the warehouse went away; nothing was changed: {error}") from error
    except psycopg.Error as error:
        raise refusal(relation, error) from None
    return counts
