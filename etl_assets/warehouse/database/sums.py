"""Column sums of a staging table, to compare with the source's."""

from decimal import Decimal

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import ColumnSum, RowRange, Sums
from etl_assets.declare.measures import measure_sql
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
    aggregates: list[sql.Composable] = [sql.SQL("count(*)")]
    for name, kind in target.columns.items():
        column = sql.Identifier("existing", name)
        measure = sql.SQL(measure_sql(kind)).format(column)
        aggregates += [sql.SQL("count({})").format(column), sql.SQL("sum({})").format(measure)]
    counted = "{target}"
    if arrived_only:
        counted = (
            f"(select {{columns}} from {{target}} as existing"
            f" where exists (select from {INCOMING} as incoming where {{same_key}})"
            f" and not exists (select from {CONFLICTS} as incoming where {{same_key}})"
            f" union all select {{columns}} from {INCOMING} as existing where exists ("
            f"     select from {CONFLICTS} as incoming where {{same_key}}))"
        )
    row = connection.execute(
        target.statement(
            f"select {{aggregates}} from {counted} as existing where {{in_range}}",
            aggregates=sql.SQL(", ").join(aggregates),
            in_range=target.in_range(row_range),
        )
    ).fetchone()
    rows, *found = row or (0,)
    return Sums(
        rows=rows,
        columns={
            name: ColumnSum(values=found[2 * place], total=Decimal(found[2 * place + 1] or 0))
            for place, name in enumerate(target.columns)
        },
    )
