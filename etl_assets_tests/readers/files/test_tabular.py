import re
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from uuid import UUID

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_assets.errors import FileRefused
from etl_assets.readers.files import excel, parquet
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
    monkeypatch.setattr(parquet, "BATCH_ROWS", 7)
    monkeypatch.setattr(excel, "BATCH_ROWS", 7)
    ids = [f"A{n}" for n in range(40)]
    notes = ["two\nlines" if n % 3 == 0 else "one" for n in range(40)]
    days = [date(2024, 3, 23)] * 40
    pq.write_table(pa.table({"visit_id": ids, "visit_date": days, "note": notes}), tmp_path / "v.parquet")
    found = read(tmp_path / "v.parquet")[0]
    assert {line: row["visit_id"] for line, row in found.items()} == {n + 1: f"A{n}" for n in range(40)}


def test_bytes_of_parquet_are_text_and_what_is_no_text_costs_its_row(tmp_path) -> None:
    ids = pa.array([b"A", "é".encode(), b"\xff\x00C"], pa.binary())
    rooms = pa.array([b"R1", b"R2", b"R3"], pa.binary(2))
    days = [date(2024, 3, 23)] * 3
    notes = pa.array([b"x", b"y", b"z"]).dictionary_encode()
    table = pa.table({"visit_id": ids, "visit_date": days, "room_name": rooms, "note": notes})
    pq.write_table(table, tmp_path / "v.parquet", store_schema=False)
    rows, reader = read(tmp_path / "v.parquet")
    assert {line: (row["visit_id"], row["room_name"], row["note"]) for line, row in rows.items()} == {
        1: ("A", "R1", "x"),
        2: ("é", "R2", "y"),
    }
    assert [(reject.line, reject.reason) for reject in reader.result.rejects] == [
        (3, "byte 0xFF at character 2 is not utf-8")
    ]


def test_text_of_parquet_that_is_no_utf_8_costs_its_row(tmp_path) -> None:
    notes = pa.array([b"fine", b"caf\xe9"]).cast(pa.string(), safe=False)
    table = pa.table({"visit_id": ["A", "B"], "visit_date": [date(2024, 3, 23)] * 2, "note": notes})
    pq.write_table(table, tmp_path / "v.parquet")
    rows, reader = read(tmp_path / "v.parquet")
    assert [row["visit_id"] for row in rows.values()] == ["A"]
    assert [(reject.line, reject.raw) for reject in reader.result.rejects] == [(2, '"B","2024-03-23","caf\\xe9"')]


def test_an_identifier_of_parquet_comes_as_it_is_written(tmp_path) -> None:
    known = UUID(int=7)
    ids = pa.array([known.bytes], pa.uuid())
    pq.write_table(pa.table({"visit_id": ids, "visit_date": [date(2024, 3, 23)]}), tmp_path / "v.parquet")
    assert read(tmp_path / "v.parquet")[0][1]["visit_id"] == str(known)


COLUMNS = ("visit_id", "visit_date", "minutes", "note", "spare")


def test_a_formula_without_a_stored_value_costs_its_row_and_no_other(tmp_path) -> None:
    day = date(2024, 3, 23)
    path = workbook(
        tmp_path / "v.xlsx",
        COLUMNS,
        ("A", day, 30, "x", None),
        ("B", day, "=15*2", "x", None),
        ("C", day, 30, '="n" & "o"', None),
        ("D", day, 30, "x", "=1+1"),
        ("E", "=TODAY()", 30, "x", None),
    )
    rows, reader = read(path)
    assert [row["visit_id"] for row in rows.values()] == ["A", "D"], "the column of the formula in D is not read"
    candidates = list(reader.reject_candidates(set(reader.result.reject_candidates)))
    assert [(each.line, each.invalid_fields) for each in candidates] == [(3, (2,)), (4, (3,)), (6, (1,))]
    assert candidates[0].values[2] == "a formula without a stored value"
    assert '"minutes": "(a formula without a stored value)"' in candidates[0].raw
    profile = profile_file(path, feed(), VISIT)
    assert (profile.rows, profile.dates) == (5, (day,))


def test_a_header_that_was_never_computed_is_told(tmp_path) -> None:
    path = workbook(tmp_path / "v.xlsx", ("visit_id", "visit_date", '="min" & "utes"'), ("A", date(2024, 3, 23), 30))
    with pytest.raises(FileRefused, match="its header has a formula without a stored value"):
        profile_file(path, feed(), VISIT)


def test_a_formula_with_its_value_and_a_coloured_empty_cell_are_what_they_show(tmp_path) -> None:
    book = openpyxl.Workbook()
    for row in (COLUMNS, ("A", date(2024, 3, 23), None, "=B2", None)):
        book.active.append(row)
    book.active["C2"].fill = openpyxl.styles.PatternFill("solid", start_color="FFFF00")
    book.save(tmp_path / "plain.xlsx")
    # As Excel saves it: with the values of formulas, an empty text among them.
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as plain, zipfile.ZipFile(tmp_path / "v.xlsx", "w") as saved:
        for name in plain.namelist():
            content = plain.read(name)
            if name.endswith("sheet1.xml"):
                content = re.sub(rb'r="D2"><f>B2</f><v\s*/?>(</v>)?', rb'r="D2" t="str"><f>B2</f><v></v>', content)
                assert b't="str"' in content
            saved.writestr(name, content)
    rows, _ = read(tmp_path / "v.xlsx")
    assert [(row["minutes"], row["note"]) for row in rows.values()] == [("", "")]


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        pytest.param(42, "00000", "00042", id="leading zeros"),
        pytest.param(42.0, "00000", "00042", id="of a float"),
        pytest.param(1234567, "00000", "1234567", id="more digits than zeros"),
        pytest.param(12345678, "000-00-0000", "012-34-5678", id="with marks"),
        pytest.param(7, '"MRN"0000', "MRN0007", id="with a text before it"),
        pytest.param(7, "000;-000", "007", id="of two sections the positive"),
        pytest.param(630, "00\\:00", "06:30", id="a time of day in digits"),
        pytest.param(42, "General", "42", id="no format"),
        pytest.param(42, "0", "42", id="a whole number"),
        pytest.param(42, "#,##0.00", "42", id="an amount"),
        pytest.param(42.5, "00000", "42.5", id="a number that is not whole"),
    ],
)
def test_a_number_keeps_the_leading_zeros_that_its_format_shows(tmp_path, value, number_format, shown) -> None:
    book = openpyxl.Workbook()
    book.active.append(("visit_id", "visit_date"))
    book.active.append((value, date(2024, 3, 23)))
    book.active["A2"].number_format = number_format
    book.save(tmp_path / "v.xlsx")
    rows, _ = read(tmp_path / "v.xlsx")
    assert rows[2]["visit_id"] == shown


def months(path: Path, **sheets: list[tuple]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


IDS = ("visit_id", "visit_date")
MARCH, APRIL = ("A", "2024-03-23"), ("B", "2024-04-23")


def test_the_sheet_with_the_header_is_read_wherever_it_is(tmp_path) -> None:
    path = months(tmp_path / "v.xlsx", Cover=[("Visits of March",), ("printed", "today")], Empty=[], Data=[IDS, MARCH])
    assert [row["visit_id"] for row in read(path)[0].values()] == ["A"]


def test_of_several_sheets_with_the_header_none_is_left_unread_without_a_word(tmp_path) -> None:
    path = months(
        tmp_path / "v.xlsx", March=[IDS, MARCH], Notes=[("x",)], April=[("Title",), IDS, APRIL, ("C", "soon")]
    )
    with pytest.raises(FileRefused, match=r"its sheets 'March', 'April' all have the header.*sheet: '\*'"):
        profile_file(path, feed(), VISIT)
    rows, reader = read(path, sheet="*")
    assert {line: row["visit_id"] for line, row in rows.items()} == {2: "A", 5: "B"}, "rows are counted on"
    assert list(reader.result.reject_candidates) == [6]
    assert [row["visit_id"] for row in read(path, sheet="April")[0].values()] == ["B"]
    assert profile_file(path, feed(sheet="*"), VISIT).dates == (date(2024, 3, 23), date(2024, 4, 23))


def test_sheets_that_are_all_to_be_read_must_have_one_header(tmp_path) -> None:
    path = months(tmp_path / "v.xlsx", March=[IDS, MARCH], April=[IDS[::-1], APRIL[::-1]])
    with pytest.raises(FileRefused, match="'March' and 'April' have different headers"):
        profile_file(path, feed(sheet="*"), VISIT)


@pytest.mark.parametrize("row", [pytest.param(5, id="in its head"), pytest.param(150, id="below it")])
def test_of_a_damaged_workbook_no_value_is_told(tmp_path, row) -> None:
    whole = months(tmp_path / "whole.xlsx", March=[IDS, *[MARCH] * row, ("x", 20240323)])
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(tmp_path / "v.xlsx", "w") as damaged:
        for name in archive.namelist():
            damaged.writestr(name, archive.read(name).replace(b"20240323", b"Mrs Secret"))
    with pytest.raises(FileRefused, match=r"^v.xlsx: it cannot be read( as excel)?: ValueError$"):
        profile_file(tmp_path / "v.xlsx", feed(), VISIT)


def test_a_cell_far_below_the_last_row_of_excel_is_not_counted_up_to(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(excel, "MAX_SHEET_ROWS", 20)
    path = months(tmp_path / "v.xlsx", March=[IDS, MARCH, *[()] * 30, APRIL])
    with pytest.raises(FileRefused, match="sheet 'March' has a cell below row 20"):
        profile_file(path, feed(), VISIT)
