"""The billing calendar's table in the warehouse, written from its one definition."""

import psycopg
from psycopg import sql

from etl_assets.declare.dates import Calendar
from etl_assets.errors import EtlError
from etl_assets.warehouse.relation import Relation, lock_relation


def write_calendar(connection: psycopg.Connection, calendar: Calendar, relation: Relation) -> int:
    """Insert the calendar's periods that `billing_periods` does not have; returns how many were inserted.

    Args:
        connection: As the loader, with its transaction begun; neither committed nor rolled back here.
        calendar: The definition.
        relation: The table; years that the calendar no longer covers stay in it.

    Raises:
        EtlError: A period that is held has other dates: facts are partitioned by it, and would be torn apart.
    """
    lock_relation(connection, relation)
    existing = {
        row[0]: row[1:]
        for row in connection.execute(
            sql.SQL("select period_id, start_date, end_date from {}").format(relation.identifier)
        )
    }
    moved = [each for each in calendar.periods if each.id in existing and existing[each.id] != (each.first, each.last)]
    if moved:
        first, stored = moved[0], existing[moved[0].id]
        raise EtlError(
            f"{relation}: {len(moved)} periods are held with other dates; {first.id} is {stored[0]} to {stored[1]} and"
            f" the calendar says {first.first} to {first.last}. Nothing was changed, for facts are partitioned by them."
            " Another calendar takes another warehouse, or the facts are dropped and the periods deleted by hand."
        )
    new = [each for each in calendar.periods if each.id not in existing]
    connection.cursor().executemany(
        sql.SQL(
            "insert into {} (period_id, start_date, end_date, fiscal_year, period_number, periods_in_year)"
            " values (%s, %s, %s, %s, %s, %s)"
        ).format(relation.identifier),
        [(p.id, p.first, p.last, p.fiscal_year, p.number, calendar.periods_in_year) for p in new],
    )
    return len(new)
