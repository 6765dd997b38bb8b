import gzip
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_assets.errors import FileRefused, TransientError
from etl_assets.readers.files import lines, splitting
from etl_assets.readers.files.headers import Layout
from etl_assets.readers.files.open import profile_file
from etl_assets_tests.readers.files.visits import HEADER, VISIT, feed, read, write


def rooms(path: Path, **words) -> dict[int, str]:
    return {line: row["room_name"] for line, row in read(path, **words)[0].items()}


def rejects(reader) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in reader.result.rejects]


GOOD = "A1,2024-03-23,Room 1,2024-03-23 06:10:00,30"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(f"{GOOD}\n", {2: "Room 1"}, id="a line"),
        pytest.param(GOOD, {2: "Room 1"}, id="a last line without an end"),
        pytest.param(f"{GOOD}\r\n{GOOD}\r\n", {2: "Room 1", 3: "Room 1"}, id="CRLF"),
        pytest.param(f"{GOOD}\r{GOOD}\r", {2: "Room 1", 3: "Room 1"}, id="CR alone"),
        pytest.param(f"\n{GOOD}\n  \n,,,,\n{GOOD}\n\n\n", {3: "Room 1", 6: "Room 1"}, id="blank lines are no rows"),
        pytest.param('A1,2024-03-23,"Room, ""one""",,\n', {2: 'Room, "one"'}, id="quotes, doubled ones and delimiters"),
        pytest.param(
            f'A1,2024-03-23,"Room\nback\n1",,\n{GOOD}\n', {2: "Room\nback\n1", 5: "Room 1"}, id="line ends in quotes"
        ),
        pytest.param("A1,2024-03-23, \tRoom 1\u00a0 ,,\n", {2: "Room 1"}, id="blanks around a value"),
        pytest.param('A1,2024-03-23,"  Room 1 ",,\n', {2: "Room 1"}, id="blanks inside of the quotes"),
        pytest.param('A1, 2024-03-23, "Room, 1", ,\n', {2: "Room, 1"}, id="blanks before a quote"),
        pytest.param('A1,2024-03-23,5" bed,,\n', {2: '5" bed'}, id="a quote in the middle is a quote"),
        pytest.param("A1,2024-03-23,NULL,,\n", {2: ""}, id="a word for null"),
        pytest.param('A1,2024-03-23,"NULL",,\n', {2: ""}, id="a word for null in quotes"),
        pytest.param("A1,2024-03-23,NULLs,,\n", {2: "NULLs"}, id="a word that begins like null"),
    ],
)
def test_a_field_is_what_stands_there(tmp_path, body, expected) -> None:
    found = rooms(write(tmp_path, f"{HEADER}\n{body}"))
    assert found == expected
    assert profile_file(tmp_path / "visits.csv", feed(), VISIT).rows == len(expected)


@pytest.mark.parametrize(
    ("body", "rejected"),
    [
        pytest.param(b"A2,2024-03-23,x,\n", "it has 4 fields where the header has 5", id="too few fields"),
        pytest.param(b"A2,2024-03-23,x,,,y\n", "it has 6 fields where the header has 5", id="too many fields"),
        pytest.param(b'A2,2024-03-23,"x,,\n', "a quote is opened and never closed", id="an unclosed quote"),
        pytest.param(
            b'A2,2024-03-23,"x"y,,\n', "a quote inside of a quoted field is not doubled", id="an ill-formed quote"
        ),
        pytest.param(
            b"A2,2024-03-23,Caf\xe9,,\n", "byte 0xE9 at character 18 is not utf-8", id="a byte of another encoding"
        ),
        pytest.param(b"A2,2024-03-23,x\0,,\n", "the line holds a NUL byte, which text cannot", id="a NUL"),
    ],
)
def test_a_broken_line_is_rejected_and_its_neighbours_arrive(tmp_path, body, rejected) -> None:
    lines_ = [HEADER.encode(), b'A0,2024-03-23,"Room, 0",,', body.rstrip(b"\n"), b'A1,2024-03-23,"Room, 1",,']
    path = write(tmp_path, b"\n".join(lines_) + b"\n")
    rows, reader = read(path)
    assert {line: row["room_name"] for line, row in rows.items()} == {2: "Room, 0", 4: "Room, 1"}
    assert rejects(reader) == [(3, rejected)]
    assert reader.result.rows == profile_file(path, feed(), VISIT).rows == 3


def test_what_was_rejected_is_shown_with_its_bad_bytes(tmp_path) -> None:
    _, reader = read(write(tmp_path, HEADER.encode() + b"\nA2,2024-03-23,Caf\xe9 \0\n"))
    assert reader.result.rejects[0].raw == "A2,2024-03-23,Caf\\xe9 \\x00"


def test_raw_text_is_withheld_where_the_file_has_what_must_not_be_loaded(tmp_path) -> None:
    path = write(tmp_path, f"{HEADER},SSN\n{GOOD},123-45-6789\nA2,2024-03-23,123-45-6789\nA3,then,,,,123-45-6789\n")
    rows, reader = read(path)
    reject_candidates = list(reader.reject_candidates({4}))
    assert list(rows) == [2]
    assert "123-45-6789" not in f"{rows} {reader.result.rejects} {reject_candidates}"
    assert reject_candidates[0].raw == "(withheld: the file has columns that must not be loaded: SSN)"


def test_an_unclosed_quote_does_not_swallow_rows_even_over_blocks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 256)
    monkeypatch.setattr(splitting, "MAX_RECORD_BYTES", 1_000)
    body = "".join(f"A{n},2024-03-23,Room {n},,\n" for n in range(200))
    rows, reader = read(write(tmp_path, f'{HEADER}\nB,2024-03-23,"open,,\n{body}'))
    assert rejects(reader) == [(2, "a quote is opened and never closed")]
    assert list(rows) == list(range(3, 203))


def test_a_record_may_go_over_blocks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 64)
    long = "\n".join(f"line {n}" for n in range(50))
    found = rooms(write(tmp_path, f'{HEADER}\nA,2024-03-23,"{long}",,\nB,2024-03-23,last,,\n'))
    assert found == {2: long, 52: "last"}


@pytest.mark.parametrize(
    ("encoding", "mark", "text"),
    [
        pytest.param("utf-8", b"", "Café 😀", id="utf-8"),
        pytest.param("utf-8", b"\xef\xbb\xbf", "Café", id="utf-8 with a byte order mark"),
        pytest.param("cp1252", b"", "Café €", id="Windows-1252"),
        pytest.param("latin-1", b"", "Café", id="latin-1"),
        pytest.param("utf-16", b"", "Café 😀", id="utf-16"),
        pytest.param("utf-16-le", b"\xff\xfe", "Café", id="utf-16-le with a mark"),
    ],
)
def test_a_file_may_be_written_in_any_encoding(tmp_path, monkeypatch, encoding, mark, text) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 50)
    content = f"{HEADER}\r\nA1,2024-03-23,{text},,\r\nA2,2024-03-23,{text} {text},,\r\n"
    path = write(tmp_path, mark + content.encode(encoding))
    assert rooms(path, encoding=encoding) == {2: text, 3: f"{text} {text}"}


def test_a_byte_order_mark_is_believed_more_than_the_feed(tmp_path) -> None:
    path = write(tmp_path, f"{HEADER}\nA1,2024-03-23,Café,,\n", encoding="utf-8-sig")
    assert rooms(path, encoding="cp1252") == {2: "Café"}


def test_a_byte_that_windows_1252_lacks_costs_its_line_only(tmp_path) -> None:
    body = HEADER.encode() + b"\nA1,2024-03-23,\x81,,\nA2,2024-03-23,\x80,,\n"
    rows, reader = read(write(tmp_path, body), encoding="cp1252")
    assert [row["room_name"] for row in rows.values()] == ["€"]
    assert rejects(reader) == [(2, "byte 0x81 at character 15 is not cp1252")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_from_the_header(tmp_path, delimiter) -> None:
    text = f"{HEADER}\n{GOOD}\n".replace(",", delimiter)
    assert rooms(write(tmp_path, text)) == {2: "Room 1"}


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("VISIT_ID,VISIT_DATE,ROOM_NAME,SEEN_AT,MINUTES", id="upper case"),
        pytest.param("Visit ID,Visit Date,Room-Name,Seen at,Minutes?", id="spaces and punctuation"),
        pytest.param("minutes,seen at,Extra,room name,visit date,visit id", id="another order, and one more"),
    ],
)
def test_headers_are_known_by_their_letters(tmp_path, header) -> None:
    values = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    line = ",".join(
        values.get(name.lower().strip("?").replace(" ", "_").replace("-", "_"), "x") for name in header.split(",")
    )
    rows, reader = read(write(tmp_path, f"{header}\n{line}\n"))
    assert rows == {2: values}
    assert reader.layout.ignored == (("Extra",) if "Extra" in header else ())
    assert reader.layout.missing == ("note", "called", "price", "is_new")


def test_a_title_above_the_header_is_passed_over(tmp_path) -> None:
    assert rooms(write(tmp_path, f"Visits of March\n\nprinted, today\n{HEADER}\n{GOOD}\n")) == {5: "Room 1"}


def test_columns_are_taken_from_the_headers_that_the_feed_names(tmp_path) -> None:
    path = write(tmp_path, "Nr;Tag;Uhrzeit;Raum\n7;23.03.2024;06:10;OP 1\n8;24.03.2024;;OP 2\n")
    rows, _ = read(
        path,
        columns={
            "visit_id": ("Nr",),
            "visit_date": ("Tag",),
            "seen_at": ("Tag", "Uhrzeit"),
            "room_name": ("Raum",),
            "note": ("Raum",),
        },
        date_order="dmy",
    )
    assert [(row["seen_at"], row["room_name"]) for row in rows.values()] == [("23.03.2024 06:10", "OP 1"), ("", "OP 2")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        pytest.param("a.csv", b"", "empty", id="nothing in it"),
        pytest.param("a.csv", b"\n\n", "empty", id="blank lines only"),
        pytest.param("a.csv", b"visit_id,room\n1,2\n", "no header for visit_date", id="no column for the slice"),
        pytest.param("a.csv", f"{HEADER},Visit Id\n".encode(), "comes 2 times", id="a needed header twice"),
        pytest.param("a.csv", HEADER.encode("utf-16-le"), "NUL bytes", id="utf-16 without a mark"),
        pytest.param("a.csv", b"visit_id,visit_date,caf\xe9\n", "not utf-8", id="a header of another encoding"),
        pytest.param("a.csv.gz", b"visit_id", "its name says gzip", id="not gzipped"),
        pytest.param(
            "a.csv.gz", gzip.compress(f"{HEADER}\n{GOOD}\n".encode() * 999)[:-20], "cannot be read", id="cut short"
        ),
        pytest.param("a.parquet", b"visit_id", "its name says parquet", id="not Parquet"),
        pytest.param("a.parquet", b"PAR1" + b"x" * 50, "cannot be read", id="damaged Parquet"),
        pytest.param("a.xlsx", b"visit_id", "its name says excel", id="not Excel"),
        pytest.param("a.xlsx", b"PK\x03\x04" + b"x" * 50, "cannot be read", id="damaged Excel"),
        pytest.param("a.xls", b"\xd0\xcf\x11\xe0....", "Save it as .xlsx", id="old Excel"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_name_and_the_reason(tmp_path, name, content, told) -> None:
    with pytest.raises(FileRefused, match=told) as refused:
        profile_file(write(tmp_path, content, name), feed(), VISIT)
    assert str(refused.value).startswith(f"{name}: ")


def test_a_folder_and_a_file_that_is_not_there_are_refused(tmp_path) -> None:
    for path in (tmp_path, tmp_path / "gone.csv"):
        with pytest.raises(FileRefused, match=path.name):
            profile_file(path, feed(), VISIT)


def test_a_missing_header_is_told_with_what_was_found_and_sought(tmp_path) -> None:
    with pytest.raises(FileRefused, match=r"visit_date \(Day\).*'Visit Id', 'Tag'.*feed clinic"):
        profile_file(write(tmp_path, "Visit Id,Tag\n1,2\n"), feed(columns={"visit_date": ("Day",)}), VISIT)


def test_of_a_file_without_a_header_no_value_is_told(tmp_path) -> None:
    with pytest.raises(FileRefused, match="None of the 3 headers found is known; is there no header line") as refused:
        profile_file(write(tmp_path, "7,Mrs Secret,1960-01-01\n8,Mr Secret,1961-01-01\n"), feed(), VISIT)
    assert "Secret" not in str(refused.value)


def test_an_unknown_encoding_zone_or_format_is_refused(tmp_path) -> None:
    path = write(tmp_path, f"{HEADER}\n{GOOD}\n")
    for words in ({"encoding": "klingon"}, {"time_zone": "Mars/Base"}, {"formats": {"seen_at": "%Q"}}):
        with pytest.raises(FileRefused, match="mend the feed"):
            profile_file(path, feed(**words), VISIT)


def test_a_profile_tells_checksum_rows_and_dates(tmp_path) -> None:
    body = "B,23/03/2024,,,\nA,1/2/24,,,\nC,never,,,\nD,,,,\nE,2024-03-23,,,\n"
    path = write(tmp_path, f"{HEADER}\n{body}")
    found = profile_file(path, feed(date_order="dmy"), VISIT)
    assert (found.rows, found.dates) == (5, (date(2024, 2, 1), date(2024, 3, 23)))
    assert len(found.checksum) == 64


def test_a_constant_may_be_the_slice_date(tmp_path) -> None:
    path = write(tmp_path, "visit_id\nA\nB\n")
    found = profile_file(path, feed(constants={"visit_date": "2024-03-23"}), VISIT)
    assert (found.rows, found.dates) == (2, (date(2024, 3, 23),))


def test_a_gzipped_file_is_read_like_a_plain_one(tmp_path) -> None:
    path = write(tmp_path, gzip.compress(f"{HEADER}\n{GOOD}\n".encode()), "visits.csv.gz")
    assert rooms(path) == {2: "Room 1"}


def test_a_file_that_changes_while_it_is_read_is_not_trusted(tmp_path) -> None:
    path = write(tmp_path, f"{HEADER}\nA,never,,,\n")
    _, reader = read(path)
    write(tmp_path, f"{HEADER}\nAB,never,,,\n")
    with pytest.raises(TransientError, match="it changed"):
        list(reader.reject_candidates({2}))


FIELDS = st.sampled_from(
    [
        "",
        " ",
        "a",
        "x y",
        " pad ",
        "NULL",
        "é",
        "à",
        "°C",
        "\u00a0b",
        "A1",
        "A2",
        '5" bed',
        '"q"',
        '"q, r"',
        '"d ""e"" f"',
        '"two\nlines"',
        '"open',
        'bad"x"',
        '"x"y',
        '""',
        '"""',
        "2024-03-23",
        "23.03.2024",
        "2024-02-30",
        "3/4/24",
        "20240323",
        "23 Mar 2024",
        "now",
        "2024-03-23 06:10",
        "2024-03-23T06:10:00Z",
        "2024-03-23 06:10-05",
        "2024-03-23 06:10 AM",
        "06:10",
        "06:10 pm",
        "06:10 p.m.",
        "2024-03-23 06:10 a.m.",
        "Total",
        "4",
        "---",
        "(4 rows affected)",
        "06:10+01",
        "12",
        "-7",
        "90.0",
        "1,200",
        '"1,200"',
        '"2024-03-23"',
        '"12"',
        "1.5",
        "abc",
        "0x1F",
        "1_000",
        "\0",
        "true",
    ]
)
ROWS = st.lists(st.lists(FIELDS, min_size=5, max_size=5) | st.lists(FIELDS, max_size=7), max_size=12)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    junk=st.booleans(),
    block=st.integers(20, 300),
    extra=st.booleans(),
)
def test_the_quick_way_and_the_careful_way_agree(  # noqa: PLR0917
    tmp_path, rows, end, junk, block, extra
) -> None:
    header = "visit_id,visit_date,room_name,seen_at,minutes" if not extra else "visit_id,x,visit_date,seen_at,other"
    text = end.join([header, *(",".join(row) for row in rows)]) + end
    content = text.encode() + (b"A9,2024-03-23,\xe9,," + end.encode() if junk else b"")
    path = write(tmp_path, content)

    def outcome():
        found, reader = read(path)
        for row in found.values():
            row["visit_date"] = reader.dates(row["visit_date"].encode())
        result = reader.result
        bad = [
            (candidate.line, candidate.values, candidate.raw)
            for candidate in reader.reject_candidates(set(result.reject_candidates))
        ]
        profile = profile_file(path, feed(), VISIT)
        assert profile.rows == result.rows == result.sent + result.malformed + len(result.reject_candidates)
        assert (profile.malformed, profile.footers) == (result.malformed, result.footers)
        assert {row["visit_date"] for row in found.values()} <= set(profile.dates)
        assert [line for line, *_ in bad] == list(result.reject_candidates)
        return found, result.rejects, bad, profile.dates

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        quick = outcome()
        patch.setattr(Layout, "one_to_one", False)
        careful = outcome()
    assert quick == careful
