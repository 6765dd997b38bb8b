"""What a load finds of its table in staging: made where there is none, counted, and in the right hands."""

import psycopg

from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.database.plan import TablePlan
from etl_assets.warehouse.database import retained, rows, staging
from etl_assets.warehouse.database.extraction import extraction, reset_extraction
from etl_assets.warehouse.database.staging import StagingTable


def prepare_table(connection: psycopg.Connection, plan: TablePlan, target: StagingTable) -> int:
    """Create the table where there is none; it is locked. Returns how many rows it has.

    Raises:
        TransientError: Another run has loaded the table since it was planned.
        EtlError: It outlived its source, and is no longer declared to.
    """
    if extraction(connection, plan.relation) != plan.ledger_state:
        raise TransientError(f"{plan.relation}: another run has loaded it meanwhile. Nothing was done; run it again.")
    if plan.existing is None:
        if plan.ledger_state:
            # It was dropped or renamed: what is known of it is of another table.
            reset_extraction(connection, plan.relation)
            retained.resolve_conflicts(connection, target)
        staging.create_table(connection, target)
        staging.comment_on_columns(connection, target)
        return 0
    staging.comment_on_columns(connection, target)
    if target.retain_deleted:
        staging.give_to_keeper(connection, target)
    elif staging.is_keepers(connection, target):
        raise EtlError(
            f"{plan.relation} belongs to etl_keeper, for it was declared to outlive its source, and is no more."
            " Nothing was loaded. Declare it so again; or whoever owns the warehouse drops the table."
        )
    return plan.state.rows_held if plan.state and plan.state.rows_held else rows.count_rows(connection, target)


def notes_on_columns(plan: TablePlan) -> list[str]:
    """What a person should know of columns that came or went."""
    notes = []
    if plan.existing and plan.new_columns:
        notes.append(f"new at the source: {', '.join(plan.new_columns)}; every row was read for it")
    if plan.dropped_columns:
        notes.append(
            f"no longer at the source, or no longer loaded: {', '.join(plan.dropped_columns)};"
            " what is held of it stays, and new rows have null"
        )
    return notes
