from datetime import date, time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_assets.errors import FileRefused
from etl_assets.readers.files.values import SliceDateParser
from etl_assets_tests.loading.files.visits import HEADER, A, C, counts, feed, held, wall


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "B,2024-02-30,,,", [("visit_date", "'2024-02-30' is out of range")], id="a date that does not exist"
        ),
        pytest.param(
            "B,tomorrow,,,", [("visit_date", "'tomorrow' is no date")], id="a word that PostgreSQL takes for a date"
        ),
        pytest.param(
            "B,240323,,,", [("visit_date", "'240323' is no date")], id="a date that only PostgreSQL would guess"
        ),
        pytest.param("B,,,,", [("visit_date", "visit_date is missing")], id="no slice date"),
        pytest.param(",2024-03-23,,,", [("visit_id", "visit_id is missing")], id="no key"),
        pytest.param("NULL,2024-03-23,,,", [("visit_id", "visit_id is missing")], id="a key that is a word for null"),
        pytest.param(
            "B,2024-03-23,,2024-03-23 25:00,",
            [("seen_at", "'2024-03-23 25:00' is out of range")],
            id="an hour too many",
        ),
        pytest.param("B,2024-03-23,,now,", [("seen_at", "'now' is no date and time")], id="now"),
        pytest.param("B,2024-03-23,,infinity,", [("seen_at", "'infinity' is no date")], id="infinity"),
        pytest.param("B,2024-03-23,,2024-03-23 06:10 EST,", [("seen_at", "is no date")], id="the name of a zone"),
        pytest.param("B,2024-03-23,,06:10,", [("seen_at", "'06:10' is no date")], id="a time without a date"),
        pytest.param("B,2024-03-23,,,90.5", [("minutes", "'90.5' is no whole number")], id="a broken number"),
        pytest.param(
            "B,2024-03-23,,,99999999999", [("minutes", "is out of range for a whole number")], id="too big a number"
        ),
        pytest.param("B,2024-03-23,,,0x10", [("minutes", "'0x10' is no whole number")], id="a hexadecimal number"),
        pytest.param(
            'B,2024-03-23,,,"1,5"', [("minutes", "'1,5' is no whole number")], id="a comma that is no thousands mark"
        ),
        pytest.param(
            "B,soon,,later,many",
            [("visit_date", "'soon'"), ("seen_at", "'later'"), ("minutes", "'many'")],
            id="every bad column",
        ),
        pytest.param(
            f"{'B' * 1100},2024-03-23,,,", [("visit_id", "is no text for a key")], id="a key too long for an index"
        ),
    ],
)
def test_a_row_with_a_bad_value_is_rejected_with_the_reason(load, connection, line, expected) -> None:
    result = load(A, line, C)
    assert counts(result) == (3, 2, 0, 0, 0, 1)
    assert [(reject.line, reject.column) for reject in result.rejects] == [(3, column) for column, _ in expected]
    for reject, (_, reason) in zip(result.rejects, expected, strict=True):
        assert reason in reject.reason
        assert reject.raw == line
    assert [row[0] for row in held(connection)] == ["A", "C"]


@pytest.mark.parametrize(
    ("words", "header", "line", "expected"),
    [
        pytest.param({}, "minutes", "90.0", 90, id="a whole number with a point"),
        pytest.param({}, "minutes", '"1,200"', 1200, id="thousands marks"),
        pytest.param({"decimal": ","}, "price", '"1.234,50"', Decimal("1234.50"), id="a decimal comma"),
        pytest.param({"decimal": ","}, "price", '"12,5"', Decimal("12.5"), id="a decimal comma alone"),
        pytest.param({}, "price", ".5", Decimal("0.5"), id="a number without its zero"),
        pytest.param({}, "is_new", "Y", True, id="Y"),
        pytest.param({}, "is_new", "0", False, id="0"),
        pytest.param({}, "is_new", "TRUE", True, id="TRUE"),
        pytest.param({}, "called", "6:10 PM", time(18, 10), id="a time with PM"),
        pytest.param({}, "called", "12:50 p.m.", time(12, 50), id="p.m. with dots"),
        pytest.param({}, "called", "12:50 A.M.", time(0, 50), id="A.M. with dots"),
        pytest.param({}, "called", "6:10 p. m.", time(18, 10), id="p. m. with a blank"),
        pytest.param({}, "called", "6:10:05.5 PM", time(18, 10, 5, 500_000), id="a fraction with PM"),
        pytest.param({}, "seen_at", "2024-03-23 12:50 p.m.", wall("2024-03-23 12:50"), id="a date with p.m."),
        pytest.param(
            {"date_order": "dmy"}, "seen_at", "23.03.2024 1:05 P.M.", wall("2024-03-23 13:05"), id="dots everywhere"
        ),
        pytest.param(
            {"formats": {"seen_at": "%d/%m/%Y %I:%M %p"}},
            "seen_at",
            "23/03/2024 11:05 p.m.",
            wall("2024-03-23 23:05"),
            id="p.m. in a format of the feed",
        ),
        pytest.param({}, "seen_at", "2024-03-23T06:10:00", wall("2024-03-23 06:10"), id="ISO with a T"),
        pytest.param(
            {"date_order": "mdy"},
            "seen_at",
            "03/23/24 06:10 PM",
            wall("2024-03-23 18:10"),
            id="a 12-hour clock, two digits of a year",
        ),
        pytest.param({"date_order": "dmy"}, "seen_at", "4.3.2024 6:10", wall("2024-03-04 06:10"), id="day first"),
        pytest.param({"date_order": "mdy"}, "seen_at", "4/3/2024 6:10", wall("2024-04-03 06:10"), id="month first"),
        pytest.param({}, "seen_at", '"March 4, 2024 6:10 PM"', wall("2024-03-04 18:10"), id="a month's name"),
        pytest.param(
            {"time_zone": "America/New_York"},
            "seen_at",
            "2024-03-23T06:10:00Z",
            wall("2024-03-23 02:10"),
            id="UTC turned to the site's clock",
        ),
        pytest.param(
            {"time_zone": "America/New_York"},
            "seen_at",
            "2024-01-23 06:10:00+01:00",
            wall("2024-01-23 00:10"),
            id="an offset turned too",
        ),
        pytest.param(
            {"time_zone": "America/New_York"},
            "seen_at",
            "20240323T061000-0500",
            wall("2024-03-23 07:10"),
            id="an offset in digits only",
        ),
        pytest.param(
            {"formats": {"seen_at": "%d%b%Y:%H:%M:%S"}},
            "seen_at",
            "23MAR2024:06:10:05",
            wall("2024-03-23 06:10:05"),
            id="a format of the feed",
        ),
        pytest.param({"nulls": ("NA", "-")}, "minutes", "NA", None, id="a word for null"),
        *(
            pytest.param({"null_preset": "common"}, "minutes", word, None, id=f"{word} of the preset")
            for word in ("null", "NULL", "NaN", "NaT", "N/A", "None", r"\N", '"NaN"')
        ),
        pytest.param({"null_preset": "common", "nulls": ("-",)}, "minutes", "-", None, id="a word beside the preset"),
        pytest.param({}, "room_name", "None", "None", id="no word for null where nobody says so"),
        pytest.param({}, "time_zone", "Europe/Lisbon", "Europe/Lisbon", id="a zone that the file gives"),
        pytest.param(
            {"time_zone": "Europe/Rome"}, "time_zone", "", "Europe/Rome", id="a zone that the file leaves out"
        ),
        pytest.param({"constants": {"minutes": "1,200"}}, "is_new", "", 1200, id="a constant"),
    ],
)
def test_a_value_is_what_the_feed_says_it_means(  # noqa: PLR0917
    load, connection, words, header, line, expected
) -> None:
    result = load(f"A,2024-03-23,{line}", header=f"visit_id,visit_date,{header}", of=feed(**words))
    assert counts(result) == (1, 1, 0, 0, 0, 0), result.rejects
    column = "minutes" if "constants" in words else header
    assert held(connection, column) == [(expected,)]


def test_offsets_are_not_dropped_where_other_rows_have_none(load, connection) -> None:
    zone = feed(time_zone="America/New_York")
    load(
        "A,2024-03-23,,2024-03-23 06:10:00,",
        "B,2024-03-23,,2024-03-23 06:10:00Z,",
        "C,2024-03-23,,2024-03-23 06:10:00-06,",
        of=zone,
    )
    assert [row[0].hour for row in held(connection, "seen_at")] == [6, 2, 8]


def test_a_bad_constant_is_the_feeds_fault(load) -> None:
    with pytest.raises(FileRefused, match=r"its constant 'soon' for seen_at is no date and time.*Mend the feed"):
        load(A, header=HEADER.replace("seen_at", "x"), of=feed(constants={"seen_at": "soon"}, time_zone="UTC"))


SPELLINGS = st.one_of(
    st.builds(
        "{0}{3}{1}{3}{2}{4}".format,
        *(
            st.sampled_from(["0", "1", "03", "12", "13", "23", "31", "32", "69", "70", "99", "2024", "1999", "0001"])
            for _ in range(3)
        ),
        st.sampled_from(["-", "/", ".", "", " "]),
        st.sampled_from(
            [
                "",
                " 06:10",
                "T06:10:05",
                " 6:10 AM",
                " 12:30 pm",
                " 0:10 PM",
                " 24:00",
                " 13:00 PM",
                " 06:60",
                " 06:10:60",
                " 06:10:05.1234567",
                "T061000",
            ]
        ),
    ),
    st.dates(date(1, 1, 1), date(9999, 12, 31)).map(str),
    st.text("0123456789-/.: TAPM", max_size=12),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spellings=st.lists(SPELLINGS, min_size=50, max_size=100), order=st.sampled_from(["ymd", "mdy", "dmy"]))
def test_a_plain_date_that_we_read_is_read_alike_by_postgresql(connection, spellings, order) -> None:
    reader = SliceDateParser.for_feed(feed(date_order=order), "visit_date")
    ours = {text: day for text in spellings if (day := reader(text.encode()))}
    connection.execute("select set_config('datestyle', %s, true)", [f"ISO, {order}"])
    theirs = connection.execute(
        "select text, case when pg_input_is_valid(text, 'date') then text::date end from unnest(%s::text[]) as text",
        [list(ours)],
    ).fetchall()
    assert dict(theirs) == ours
