"""Rows put into staging as a load would, each saying only what its test is about."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

BOOKKEEPING = {"feed": "trial", "file_name": "trial.csv", "etl_batch_id": UUID(int=7)}
CASE = {"room_id": "r", "location_id": "l", "sched_status": "Completed", "time_zone": "America/New_York"}
BOOKING = {"sched_status": "Scheduled", "time_zone": "America/New_York"}
BLOCK = {"slot_type": "Service", "is_public_slot": False, "time_zone": "America/New_York"}


def put(warehouse: psycopg.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows into a staging table; columns that a row does not name are null."""
    with warehouse.cursor() as cursor:
        for row in rows:
            filled = {"site_id": row.get("location_id") or "", **row, **BOOKKEEPING}
            cursor.execute(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier("stg", table),
                    sql.SQL(", ").join(map(sql.Identifier, filled)),
                    sql.SQL(", ").join([sql.Placeholder()] * len(filled)),
                ),
                list(filled.values()),
            )


def case(case_id: str, coming: str | None = None, out: str | None = None, **columns: Any) -> dict[str, Any]:
    """A case, in the room from one moment to another, of the date on which it began unless another is given."""
    date = {"surgery_date": coming[:10]} if coming else {}
    return {**CASE, **date, "case_id": case_id, "or_in": coming, "or_out": out, **columns}


def block(room_id: str, date: str, start: str, end: str, **columns: Any) -> dict[str, Any]:
    """A block of the service EYE, unless another owner is given."""
    times = {"schedule_date": date, "slot_start_time": start, "slot_end_time": end}
    return {**BLOCK, "service_code": "EYE", "room_id": room_id, **times, **columns}
