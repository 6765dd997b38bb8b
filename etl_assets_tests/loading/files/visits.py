"""A small table, what is loaded into it, and what it holds then."""

from datetime import date, datetime
from uuid import UUID

import psycopg

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable, PerFile
from etl_assets.declare.tables import columns
from etl_assets.loading.files.load_file import FileLoad
from etl_assets.warehouse.relation import Relation

VISITS = Relation("stg", "visit")
ONE, TWO = UUID(int=1), UUID(int=2)
wall = datetime.fromisoformat
HEADER = "visit_id,visit_date,room_name,seen_at,minutes"
DAY, NEXT = date(2024, 3, 23), date(2024, 3, 24)
A, B, C = (f"{name},2024-03-23,Room {name},2024-03-23 06:10:00,30" for name in "ABC")


def table(**words) -> FileTable:
    typed = columns(text="visit_id room_name", date="visit_date", timestamp="seen_at", integer="minutes")
    typed += columns(numeric="price", boolean="is_new", time="called", text="time_zone")
    bounds = {
        name: words.pop(name)
        for name in ("max_rejected", "tolerated_rejects", "kept_rejects", "shrink_floor")
        if name in words
    }
    load = PerFile(slice_by="visit_date", start=date(2000, 1, 1), **{"max_rejected": 1.0, "shrink_floor": 0.0} | bounds)
    return FileTable(**{"name": "visit", "key": "visit_id", "load": load, "columns": typed} | words)


def feed(**words) -> Feed:
    return Feed(**{"name": "clinic", "table": "visit", "pattern": "*"} | words)


def held(connection: psycopg.Connection, *names: str) -> list:
    chosen = ", ".join(names or ("visit_id", "visit_date", "room_name"))
    return connection.execute(f"select {chosen} from stg.visit order by visit_id").fetchall()


def counts(result: FileLoad) -> tuple[int, ...]:
    """Read, inserted, updated, unchanged, deleted, rejected."""
    found = tuple(vars(result.counts).values())[:6]
    read, inserted, updated, unchanged, _, rejected = found
    assert read == inserted + updated + unchanged + rejected
    return found
