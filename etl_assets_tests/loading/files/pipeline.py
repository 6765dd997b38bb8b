"""The operating room's file pipeline as tests use it: a landing folder, files of cases, and what staging holds then."""

import os
from datetime import date
from pathlib import Path

import psycopg

from etl_assets.declare.dates import Span
from etl_assets.loading.files.landing import scan_landing_folder
from etl_assets.loading.files.load import FileStrategy, LoadReport
from etl_assets.settings import Settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

EVER = Span(date(2000, 1, 1), date(2100, 1, 1))
MONDAY = date(2026, 3, 2)
HEADER = "case_id,surgery_date,room_id,or_in,or_out"


def row(case: str, day: date = MONDAY, room: str = "1") -> str:
    return f"{case},{day},{room},{day} 08:00,{day} 09:00"


_moments = iter(range(1_700_000_000, 1_800_000_000))


def drop(landing: Path, name: str, *rows: str) -> Path:
    """A file that came after all those before it."""
    path = landing / name
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    moment = next(_moments)
    os.utime(path, (moment, moment))
    return path


def load(settings: Settings, *, span: Span = EVER, **options: bool) -> LoadReport:
    with connect(settings, autocommit=True) as connection:
        scan_landing_folder(settings, SOURCE, connection)
    with open_batch(settings, "operating_room", "load") as batch:
        return load_by(FileStrategy, settings, SOURCE, ["or_case"], span=span, batch=batch, **options)["or_case"]


def cases(warehouse: psycopg.Connection) -> list[tuple]:
    return warehouse.execute(
        "select case_id, surgery_date - date '2026-03-02', room_id from stg.or_case order by case_id"
    ).fetchall()


def statuses(warehouse: psycopg.Connection) -> dict[str, str]:
    return dict(warehouse.execute("select file_name, status from stg.file_tracking").fetchall())
