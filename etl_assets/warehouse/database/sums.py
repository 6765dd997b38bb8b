"""What the rows of a table of staging come to, to be held against what they come to at the source."""

from decimal import Decimal

import psycopg
from psycopg import sql

from etl_assets.declare.database import ColumnSum, Piece, Sums
from etl_assets.declare.measures import measure_of
from etl_assets.warehouse.database.retained import REFUSED
from etl_assets.warehouse.database.rows import ROWS
from etl_assets.warehouse.database.staging import Target


def read_sums(connection: psycopg.Connection, target: Target, piece: Piece, *, arrived_only: bool = False) -> Sums:
    """What the rows held of a piece come to.

    Args:
        connection: As the loader.
        target: The table.
        piece: By the key or the stamp, or all rows.
        arrived_only: Leave out rows that are not in the temporary table: those that the source no longer has. Of one
            that was refused, what arrived counts.
    """
    words: list[sql.Composable] = [sql.SQL("count(*)")]
    for name, kind in target.columns.items():
        column = sql.Identifier("held", name)
        measure = sql.SQL(measure_of(kind)).format(column)
        words += [sql.SQL("count({})").format(column), sql.SQL("sum({})").format(measure)]
    counted = "{target}"
    if arrived_only:
        counted = (
            f"(select {{columns}} from {{target}} as held where exists (select from {ROWS} as said where {{same}})"
            f" and not exists (select from {REFUSED} as said where {{same}})"
            f" union all select {{columns}} from {ROWS} as held where exists ("
            f"     select from {REFUSED} as said where {{same}}))"
        )
    row = connection.execute(
        target.statement(
            f"select {{words}} from {counted} as held where {{within}}",
            words=sql.SQL(", ").join(words),
            within=target.within(piece),
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
