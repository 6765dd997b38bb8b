"""Rejected rows: how many refuse a file, which lines are none, and how much is kept of them."""

import time

import pytest

from etl_assets.declare.files import PerFile
from etl_assets.declare.tables import columns
from etl_assets.errors import FileRefused
from etl_assets.loading.files.load_file import TooManyRejects
from etl_assets_tests.loading.files.visits import DAY, A, B, C, counts, feed, held, table

GOOD = [f"G{n},2024-03-23,,," for n in range(30)]


def bad(number: int, first: int = 0) -> list[str]:
    return [f"X{n},2024-03-23,,,many" for n in range(first, first + number)]


@pytest.mark.parametrize(
    ("good", "wrong", "words"),
    [
        pytest.param(7, 1, {}, id="one bad row of eight"),
        pytest.param(1, 5, {}, id="as many as are tolerated whatever their share"),
        pytest.param(9, 6, {"max_rejected": 0.5}, id="the share of the feed"),
        pytest.param(2, 8, {"tolerated_rejects": 8}, id="the number of the feed"),
    ],
)
def test_a_few_bad_rows_cost_themselves_only(load, good, wrong, words) -> None:
    result = load(*GOOD[:good], *bad(wrong), of=feed(**words), into=table(max_rejected=0.1))
    assert counts(result) == (good + wrong, good, 0, 0, 0, wrong)


@pytest.mark.parametrize(
    ("good", "wrong", "words", "whose"),
    [
        pytest.param(30, 6, {}, "the 10% that visit allows", id="more than the table's share"),
        pytest.param(30, 3, {"max_rejected": 0.05, "tolerated_rejects": 2}, "5% that feed clinic", id="the feed's"),
        pytest.param(30, 1, {"max_rejected": 0.0, "tolerated_rejects": 0}, "0% that feed clinic", id="none at all"),
        pytest.param(0, 2, {}, "2 of 2 rows", id="no row is left"),
    ],
)
def test_too_many_bad_rows_refuse_the_file(load, good, wrong, words, whose) -> None:
    with pytest.raises(TooManyRejects, match=whose):
        load(*GOOD[:good], *bad(wrong), of=feed(**words), into=table(max_rejected=0.1))


@pytest.mark.parametrize(
    "words",
    [{"max_rejected": 1.5}, {"max_rejected": -0.1}, {"tolerated_rejects": -1}, {"null_preset": "klingon"}],
)
def test_a_feed_with_a_share_or_a_preset_that_is_none_is_refused(words) -> None:
    with pytest.raises(ValueError, match=next(iter(words))):
        feed(**words)


def test_a_table_with_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="kept_rejects one from 1"):
        PerFile(slice_by="day", start=DAY, kept_rejects=0)


@pytest.mark.parametrize(
    "line",
    [
        "(4 rows affected)",
        "4 rows selected.",
        "(1 row)",
        "Total,4",
        "Total,4,,,",
        "Grand total: 4",
        "Total cases,,4,,",
        "Rows: 4",
        "Record count,4",
        "--- end of report ---",
        "TRAILER,0004",
        "--------,----------,---------,-------,-------",
        "====",
        "- - - - -",
    ],
)
def test_a_usual_footer_costs_one_line_and_nothing_that_is_held(load, connection, line) -> None:
    load(A, B, C)
    result = load(A, B, line, into=table(max_rejected=0.0, tolerated_rejects=0))
    assert counts(result) == (3, 0, 0, 2, 1, 1), "C is no longer in the file"
    assert [(reject.line, reject.reason) for reject in result.rejects] == [
        (4, "it is a footer or an underline, and no row")
    ]


@pytest.mark.parametrize(
    "line", ["Total knee replacement,2024-03-23", "Mrs Total,4", "12", "rows of teeth", "4 rows of teeth,,", "Total,x"]
)
def test_a_broken_row_that_is_like_a_footer_is_a_broken_row(load, connection, line) -> None:
    load(A, B, C)
    result = load(A, B, line)
    assert (result.counts.rows_rejected, result.counts.rows_deleted) == (1, 0 if result.rows_kept else 1)
    assert "footer" not in result.rejects[0].reason


def test_a_row_with_a_date_is_no_footer(load, connection) -> None:
    assert counts(load("Total,2024-03-23,,,", "-,2024-03-23,,,many")) == (2, 1, 0, 0, 0, 1)
    assert held(connection, "visit_id") == [("Total",)]


def test_what_is_kept_of_rejected_rows_is_bounded_and_the_count_is_exact(load, connection) -> None:
    lines = [f"{kind}{n},{rest}" for n in range(40) for kind, rest in (("X", "2024-03-23,,,many"), ("Y", "short"))]
    lines += ["D,2024-03-23,,,"] * 40
    load("F,2024-03-23,,,", of=feed(name="elsewhere"))
    result = load(A, *lines, "F,2024-03-23,,,", into=table(kept_rejects=7))
    assert counts(result) == (122, 2, 0, 0, 0, 120)
    assert len({reject.line for reject in result.rejects}) == 7
    with pytest.raises(TooManyRejects) as refused:
        load(A, *lines, into=table(kept_rejects=7, max_rejected=0.1))
    assert "119 of 121 rows cannot be stored (98.3%)" in str(refused.value)
    assert "Mostly, in the first 7 of them" in str(refused.value)
    assert len(refused.value.rejects) == 7


def test_of_the_text_of_a_rejected_row_the_beginning_is_kept(load) -> None:
    result = load(A, "B,2024-03-23," + "x" * 100_000, f"C,2024-03-23,{'y' * 100_000},,many")
    assert [len(reject.raw) for reject in result.rejects] == [4_000, 4_000]


def seconds_of(load, *lines: str) -> float:
    """How long it takes to load a good line and these bad ones."""
    begun = time.monotonic()
    result = load(A, *lines)
    assert result.counts.rows_rejected == len(lines)
    return time.monotonic() - begun


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("X,2024-03-23,,2024-02-30,", id="what PostgreSQL cannot read"),
        pytest.param("X,2024-03-23,,,many", id="what we cannot read"),
        pytest.param("short", id="what cannot be split"),
        pytest.param("A,2024-03-23,,,", id="a key that comes again"),
    ],
)
def test_bad_lines_take_time_in_proportion_to_their_number(load, line) -> None:
    few = min(seconds_of(load, *[line] * 1_000) for _ in range(2))
    many = seconds_of(load, *[line] * 10_000)
    assert many < 30 * max(few, 0.05), "ten times as many lines, and by far more than ten times as long"


def test_what_postgresql_refuses_of_a_file_refuses_the_file(load) -> None:
    keys = ("visit_date", "visit_id", "room_name", "note", "more")
    into = table(key=keys, columns=table().columns + columns(text="note more"))
    long = [chr(0x4E00 + 37 * n % 9_000) for n in range(260)]
    values = ["".join(long[at:] + long[:at]) for at in range(4)]
    with pytest.raises(FileRefused, match=r"a\.csv: stg\.visit: index row size"):
        load(f"2024-03-23,{','.join(values)}", header=",".join(keys), into=into)
