"""Column sums of a staging table, to compare with the source's."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import RowRange, Sums
from etl_assets.declare.measures import parse_sums, sums_by_columns, sums_sql
from etl_assets.warehouse.database.retained import CONFLICTS
from etl_assets.warehouse.database.rows import INCOMING
from etl_assets.warehouse.database.staging import StagingTable


def read_sums(
    connection: psycopg.Connection, target: StagingTable, row_range: RowRange, *, arrived_only: bool = False
) -> Sums:
    """The row count and the column sums of a range of staging.

    Args:
        connection: As the loader.
        target: The table.
        row_range: By the key or the cursor column, or all rows.
        arrived_only: Leave out rows that are not in the temporary table: those that the source no longer has. Of one
            in conflict, the incoming row counts.
    """
    counted = "{target}"
    if arrived_only:
        counted = (
            f"(select {{columns}} from {{target}} as existing"
            f" where exists (select from {INCOMING} as incoming where {{same_key}})"
            f" and not exists (select from {CONFLICTS} as incoming where {{same_key}})"
            f" union all select {{columns}} from {INCOMING} as existing where exists ("
            f"     select from {CONFLICTS} as incoming where {{same_key}}))"
        )

    def query(names: Sequence[str]) -> Sums:
        select_list = sums_sql([target.columns[name] for name in names])
        row = connection.execute(
            target.statement(
                f"select {{sums}} from {counted} as existing where {{in_range}}",
                sums=sql.SQL(select_list).format(*(sql.Identifier("existing", name) for name in names)),
                in_range=target.in_range(row_range),
            )
        ).fetchone()
        return parse_sums(names, [row] if row else [])

    return sums_by_columns(list(target.columns), query)
