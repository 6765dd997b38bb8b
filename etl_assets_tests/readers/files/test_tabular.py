from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_assets.errors import FileRefused
from etl_assets.readers.files import tabular
from etl_assets.readers.files.open import profile_file
from etl_assets_tests.readers.files.visits import VISIT, feed, read

wall = datetime.fromisoformat

PARQUET = {
    "visit_id": ["A", "B"],
    "visit_date": [date(2024, 3, 23), None],
    "seen_at": pa.array([wall("2024-03-23 06:10"), None], pa.timestamp("ns")),
    "called": [time(6, 10), None],
    "minutes": pa.array([30.0, float("nan")]),
    "price": pa.array(["1.50", None]),
    "is_new": [True, None],
    "note": pa.array(['two\nlines, "quoted"', ""]).dictionary_encode(),
}


def test_parquet_comes_as_text_with_row_numbers(tmp_path) -> None:
    pq.write_table(pa.table(PARQUET), tmp_path / "visits.parquet")
    rows, reader = read(tmp_path / "visits.parquet")
    assert rows == {
        1: {
            "visit_id": "A",
            "visit_date": "2024-03-23",
            "seen_at": "2024-03-23 06:10:00.000000",
            "called": "06:10:00.000000",
            "minutes": "30",
            "price": "1.50",
            "is_new": "true",
            "note": 'two\nlines, "quoted"',
        }
    }
    assert list(reader.result.reject_candidates) == [2]
    assert next(reader.reject_candidates({2})).raw.startswith('{"visit_id": "B", "visit_date": ""')


def test_a_parquet_time_with_a_zone_becomes_the_sites_wall_clock(tmp_path) -> None:
    moment = pa.array([wall("2024-03-23 12:00")], pa.timestamp("us", tz="UTC"))
    pq.write_table(
        pa.table({"visit_id": ["A"], "visit_date": [date(2024, 3, 23)], "seen_at": moment}), tmp_path / "v.pq"
    )
    rows, _ = read(tmp_path / "v.pq", time_zone="America/New_York")
    assert rows[1]["seen_at"] == "2024-03-23 08:00:00"


def workbook(path: Path, *rows, title: str = "Sheet") -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Other"
    sheet = book.active if title == "Sheet" else book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_excel_comes_as_text_with_its_own_row_numbers(tmp_path) -> None:
    path = workbook(
        tmp_path / "visits.xlsx",
        ("Visits of March",),
        ("Visit Id", "Visit Date", "Seen At", "Called", "Minutes", "Is New", "Note"),
        (7, date(2024, 3, 23), wall("2024-03-23 06:10"), time(6, 10), 30.0, True, "two\nlines"),
        (),
        ("B", "never", None, None, 1.5, None, None),
    )
    rows, reader = read(path)
    assert rows[3] == {
        "visit_id": "7",
        "visit_date": "2024-03-23",
        "seen_at": "2024-03-23 06:10:00",
        "called": "06:10:00",
        "minutes": "30",
        "is_new": "true",
        "note": "two\nlines",
    }
    assert list(reader.result.reject_candidates) == [5]
    assert next(reader.reject_candidates({5})).raw.startswith('{"Visit Id": "B"')
    assert profile_file(path, feed(), VISIT).rows == 2


def test_a_sheet_is_chosen_by_name(tmp_path) -> None:
    path = workbook(tmp_path / "v.xlsx", ("visit_id", "visit_date"), ("A", "2024-03-23"), title="March")
    assert list(read(path, sheet="March")[0]) == [2]
    with pytest.raises(FileRefused, match="'Other', 'March'"):
        read(path, sheet="April")


def test_parquet_and_excel_over_several_batches_keep_their_numbers(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tabular, "BATCH_ROWS", 7)
    ids = [f"A{n}" for n in range(40)]
    notes = ["two\nlines" if n % 3 == 0 else "one" for n in range(40)]
    days = [date(2024, 3, 23)] * 40
    pq.write_table(pa.table({"visit_id": ids, "visit_date": days, "note": notes}), tmp_path / "v.parquet")
    found = read(tmp_path / "v.parquet")[0]
    assert {line: row["visit_id"] for line, row in found.items()} == {n + 1: f"A{n}" for n in range(40)}
