"""The billing calendar in the warehouse, written from its one definition."""

import psycopg
from psycopg import sql

from etl_assets.declare.dates import Calendar
from etl_assets.errors import EtlError
from etl_assets.warehouse.relation import Relation, hold_alone


def write_calendar(connection: psycopg.Connection, calendar: Calendar, relation: Relation) -> int:
    """Bring `billing_periods` of a schema to what the calendar says; returns how many rows were written.

    Args:
        connection: As the loader, with its transaction begun; neither committed nor rolled back here.
        calendar: The definition.
        relation: The table; years that the calendar no longer covers stay in it.

    Raises:
        EtlError: A period that is held has other dates: facts are partitioned by it, and would be torn apart.
    """
    hold_alone(connection, relation)
    held = {
        row[0]: row[1:]
        for row in connection.execute(
            sql.SQL("select period_id, start_date, end_date from {}").format(relation.identifier)
        )
    }
    moved = [each for each in calendar.periods if each.id in held and held[each.id] != (each.first, each.last)]
    if moved:
        first, was = moved[0], held[moved[0].id]
        raise EtlError(
            f"{relation}: {len(moved)} periods are held with other dates; {first.id} is {was[0]} to {was[1]} and the"
            f" calendar says {first.first} to {first.last}. Nothing was changed, for facts are partitioned by them."
            " Another calendar takes another warehouse, or the facts are dropped and the periods deleted by hand."
        )
    new = [each for each in calendar.periods if each.id not in held]
    connection.cursor().executemany(
        sql.SQL(
            "insert into {} (period_id, start_date, end_date, fiscal_year, period_number, periods_in_year)"
            " values (%s, %s, %s, %s, %s, %s)"
        ).format(relation.identifier),
        [(p.id, p.first, p.last, p.fiscal_year, p.number, calendar.periods_in_year) for p in new],
    )
    return len(new)
