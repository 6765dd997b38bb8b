from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_assets.declare.feeds import read_feeds
from etl_assets.loading.files.load_file import FileLoad, FileLoader, TooManyRejects
from etl_assets.readers.files import lines
from etl_assets.readers.files.headers import Layout
from etl_assets.readers.files.open import profile_file
from etl_assets.sources.operating_room.tables import TABLES
from etl_assets.warehouse.files.tables import file_layout
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.tables import ensure_table
from etl_assets_tests.loading.files.visits import (
    DAY,
    HEADER,
    NEXT,
    ONE,
    TWO,
    VISITS,
    A,
    B,
    C,
    counts,
    feed,
    held,
    table,
    wall,
)


def reasons(result: FileLoad) -> list[tuple[int, str | None, str]]:
    return [(reject.line, reject.column, reject.reason) for reject in result.rejects]


def test_rows_arrive_with_where_they_came_from(load, connection) -> None:
    moment = datetime(2024, 4, 1, tzinfo=UTC)
    result = load(A, loaded_at=moment, file_name="in/a.csv", of=feed(time_zone="America/New_York"))
    assert counts(result) == (1, 1, 0, 0, 0, 0)
    assert result.slices == {DAY: 1}
    assert result.missing == ("price", "is_new", "called")
    (row,) = held(connection, "*")
    assert row == (
        "A",
        "Room A",
        DAY,
        wall("2024-03-23 06:10"),
        30,
        None,
        None,
        None,
        "America/New_York",
        "clinic",
        "in/a.csv",
        moment,
        moment,
        moment,
        ONE,
    )


def test_a_second_load_of_the_same_file_writes_nothing(load, connection) -> None:
    load(A, B)
    before = held(connection, "*", "xmin", "ctid")
    assert counts(load(A, B, batch_id=TWO)) == (2, 0, 0, 2, 0, 0)
    assert held(connection, "*", "xmin", "ctid") == before


def test_a_corrected_file_replaces_its_dates_and_no_others(load, connection) -> None:
    first, later = datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 4, 2, tzinfo=UTC)
    load(A, B, "X,2024-03-24,other day,,", loaded_at=first)
    result = load(A, B.replace("Room B", "Room 9"), C, name="b.csv", batch_id=TWO, loaded_at=later)
    assert counts(result) == (3, 1, 1, 1, 0, 0)
    rows = held(connection, "visit_id", "file_name", "first_load_datetime", "last_update_datetime", "etl_batch_id")
    assert rows == [
        ("A", "a.csv", first, first, ONE),
        ("B", "b.csv", first, later, TWO),
        ("C", "b.csv", later, later, TWO),
        ("X", "a.csv", first, first, ONE),
    ]
    assert counts(load(A, name="c.csv")) == (1, 0, 0, 1, 2, 0)
    assert [row[0] for row in held(connection)] == ["A", "X"]


def test_a_key_that_moved_to_another_date_is_updated(load, connection) -> None:
    load(A, B)
    assert counts(load(A.replace("-23,", "-24,"))) == (1, 0, 1, 0, 0, 0)
    assert held(connection, "visit_id", "visit_date") == [("A", NEXT), ("B", DAY)]


def test_what_another_feed_holds_is_left_and_said_so(load, connection) -> None:
    load(A, B, of=feed(name="elsewhere"))
    result = load(A, C, name="b.csv")
    assert counts(result) == (2, 1, 0, 0, 0, 1)
    assert reasons(result) == [(2, "visit_id", "its key is held by feed elsewhere, from file a.csv")]
    assert [row[0] for row in held(connection)] == ["A", "B", "C"]


def test_only_the_dates_asked_for_are_touched(load, connection) -> None:
    load(A, B, "X,2024-03-24,x,,", "Y,2024-03-24,y,,")
    result = load("A,2024-03-24,moved,,", B.replace("Room", "Hall"), "X,2024-03-24,changed,,", only_dates={DAY})
    assert counts(result) == (3, 0, 1, 2, 0, 0)
    assert result.slices == {DAY: 1}
    assert [row[2] for row in held(connection)] == ["Room A", "Hall B", "x", "y"]


def test_the_last_of_rows_with_one_key_counts(load, connection) -> None:
    result = load(A, B, '"A",2024-03-24,second,,', A.replace("Room A", "third"))
    assert counts(result) == (4, 2, 0, 0, 0, 2)
    assert reasons(result) == [
        (2, "visit_id", "its key comes again in line 5, which counts"),
        (4, "visit_id", "its key comes again in line 5, which counts"),
    ]
    assert held(connection)[0] == ("A", DAY, "third")


def test_lines_are_named_right_behind_skipped_and_folded_ones(load) -> None:
    result = load(
        'A,2024-03-23,"two\nlines",,',
        "B,2024-03-23,,2024-02-30,",
        "",
        "C,2024-03-23,,,",
        "ragged",
        'C,2024-03-23,"a\nb\nc",,',
        "D,2024-03-23,,2024-13-01,",
        'E,2024-03-23,"x\ny",2024-02-31,',
        "C,2024-03-23,last,,",
    )
    assert [(reject.line, reject.column) for reject in result.rejects] == [
        (4, "seen_at"),
        (6, "visit_id"),
        (7, None),
        (8, "visit_id"),
        (11, "seen_at"),
        (12, "seen_at"),
    ]
    assert [reject.reason for reject in result.rejects if reject.column == "visit_id"] == [
        "its key comes again in line 14, which counts"
    ] * 2
    assert counts(result) == (8, 2, 0, 0, 0, 6)


def test_keys_of_several_columns_are_compared_as_what_they_mean(load, connection) -> None:
    into = table(key=("visit_date", "visit_id", "called"))
    result = load(
        "A,2024-03-23,7:00",
        "A,20240323,07:00 AM",
        "A,2024-03-23,",
        "A,2024-03-24,07:00",
        header="visit_id,visit_date,called",
        into=into,
    )
    assert counts(result) == (4, 2, 0, 0, 0, 2)
    assert [(reject.line, reject.column) for reject in result.rejects] == [
        (2, "visit_date, visit_id, called"),
        (4, "called"),
    ]
    assert held(connection, "visit_id", "called", "visit_date")[0] == ("A", time(7), DAY)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        pytest.param("B,2024-03-23,,,many", {"A", "B"}, id="a rejected row keeps the held row of its key"),
        pytest.param("B,2024-03-99,,,", {"A", "B"}, id="so it does when its date is what is wrong"),
        pytest.param(",2024-03-23,,,", {"A", "B", "C"}, id="a row without a key may be any of those held"),
        pytest.param("2024-03-23,ragged", {"A", "B", "C"}, id="and so may a line that cannot be split"),
    ],
)
def test_bad_input_deletes_no_good_data(load, connection, line, kept) -> None:
    load(A, B, C)
    result = load(A, line)
    assert {row[0] for row in held(connection)} == kept
    assert result.counts.rows_deleted == 3 - len(kept)
    assert result.rows_kept == (2 if len(kept) == 3 else 0)


def test_a_file_of_mostly_bad_rows_is_refused_with_its_rejects(load, connection) -> None:
    load(A)
    bad = [f"S{n},2024-03-23,Mrs Secret,,many" for n in range(6)]
    with pytest.raises(TooManyRejects, match=r"6 of 16 rows cannot be stored \(37.5%\), over the 20%") as refused:
        load(*(f"G{n},2024-03-23,,," for n in range(10)), *bad, into=table(max_rejected=0.2))
    assert "minutes is no whole number (6 times)" in str(refused.value)
    assert "many" not in str(refused.value)
    assert [reject.line for reject in refused.value.rejects] == list(range(12, 18))
    assert [row[0] for row in held(connection)] == ["A"]


def test_a_file_with_no_row_changes_nothing(load, connection) -> None:
    load(A)
    assert counts(load()) == (0, 0, 0, 0, 0, 0)
    assert len(held(connection)) == 1


def test_what_must_not_be_loaded_is_not(load, connection) -> None:
    into = table(never_load=("room_name", "ssn"))
    result = load(f"{A},123-45", "B,bad,secret,,,123-45", "C", header=f"{HEADER},SSN", into=into)
    assert counts(result) == (3, 1, 0, 0, 0, 2)
    assert held(connection, "room_name") == [(None,)]
    assert {reject.raw for reject in result.rejects} == {
        "(withheld: the file has columns that must not be loaded: room_name, SSN)"
    }


def test_settings_of_the_session_are_as_before(load, connection) -> None:
    asked = "select current_setting('datestyle'), current_setting('timezone'), current_setting('client_min_messages')"
    before = connection.execute(asked).fetchone()
    load(A, of=feed(date_order="dmy", time_zone="Asia/Tokyo"))
    assert connection.execute(asked).fetchone() == before


def test_the_published_file_is_loaded_whole(connection, real_data) -> None:
    path = real_data / "operating_room" / "2022_q1_or_utilization.csv"
    chosen = next(
        each
        for each in read_feeds(Path(__file__).parents[3] / "etl_assets/sources/operating_room/feeds.yaml")
        if each.matches(path.name)
    )
    cases = next(each for each in TABLES if each.name == chosen.table)
    result = FileLoader(
        connection, path, feed=chosen, table=cases, target=Relation("stg", "or_case"), batch_id=ONE
    ).load()
    assert counts(result) == (2172, 2172, 0, 0, 0, 0)
    assert tuple(result.slices) == profile_file(path, chosen, cases).dates
    assert len(result.slices) == 62
    assert result.ignored == ("index",)


VALUES = st.sampled_from(
    [
        "",
        " A ",
        "NULL",
        '"q, r"',
        '"two\nlines"',
        '"open',
        "2024-02-30 10:00",
        "2024-03-23 06:10",
        "2024-03-23T06:10:00Z",
        "3/4/24 1:00",
        "now",
        "12",
        "90.0",
        "x",
        "é",
    ]
)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", "D", "E", ""]),
        st.sampled_from(["2024-03-23", "2024-03-24", "23 Mar 2024", "never", ""]),
        VALUES,
        VALUES,
        VALUES,
    ).map(",".join)
    | st.sampled_from(["", "ragged", "A,2024-03-23"]),
    max_size=10,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=LINES, body=LINES, only=st.sampled_from([None, {DAY}]), block=st.integers(20, 200))
def test_the_quick_way_and_the_careful_way_load_the_same(  # noqa: PLR0917
    connection, load, before, body, only, block
) -> None:
    def outcome():
        connection.execute("truncate stg.visit")
        load(*before)
        result = load(*body, name="b.csv", batch_id=TWO, only_dates=only)
        counts(result)
        return result, held(connection, "visit_id", "visit_date", "room_name", "seen_at", "minutes", "file_name")

    with pytest.MonkeyPatch.context() as patch:
        ensure_table(connection, VISITS, file_layout(table()))
        patch.setattr(lines, "BLOCK_BYTES", block)
        quick = outcome()
        patch.setattr(Layout, "one_to_one", False)
        careful = outcome()
    assert quick == careful
