from datetime import date, timedelta

import pytest

from etl_assets.declare.dates import Span
from etl_assets.orchestration.partitions import partitions_of, span_of, spans, tags_of, whole_periods
from etl_assets.sources.operating_room import SOURCE as OPERATING_ROOM
from etl_assets.sources.tracktik import SOURCE as TRACKTIK

MONDAY = date(2026, 3, 2)


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


@pytest.mark.parametrize(
    ("dates", "held", "expected"),
    [
        pytest.param([], [], [], id="no dates are no spans"),
        pytest.param([0], [], [(0, 0)], id="a date is a span of one day"),
        pytest.param([1, 0, 1], [], [(0, 1)], id="dates come in any order, and twice"),
        pytest.param([0, 4, 7], [], [(0, 7)], id="a weekend does not divide"),
        pytest.param([0, 15], [], [(0, 0), (15, 15)], id="a fortnight and a day divides"),
        pytest.param([0, 2], [1], [(0, 0), (2, 2)], id="a date that holds others' data divides"),
        pytest.param([0, 1, 2], [1], [(0, 2)], id="a held date that is asked for does not divide"),
    ],
)
def test_dates_become_the_fewest_spans(dates, held, expected) -> None:
    assert spans(map(day, dates), map(day, held)) == [Span(day(first), day(last)) for first, last in expected]


@pytest.mark.parametrize(
    ("source", "tags", "span"),
    [
        pytest.param(OPERATING_ROOM, {"dagster/partition": "2026-03-02"}, Span(MONDAY, MONDAY), id="one date"),
        pytest.param(
            OPERATING_ROOM, tags_of(OPERATING_ROOM, Span(MONDAY, day(3))), Span(MONDAY, day(3)), id="a range of dates"
        ),
        pytest.param(
            TRACKTIK,
            {"dagster/partition": "2025_12"},
            Span(date(2025, 5, 30), date(2025, 6, 12)),
            id="one billing period",
        ),
        pytest.param(
            TRACKTIK,
            tags_of(TRACKTIK, Span(date(2025, 1, 9), date(2025, 1, 10))),
            Span(date(2024, 12, 27), date(2025, 1, 23)),
            id="a billing period that is touched is run whole",
        ),
        pytest.param(TRACKTIK, {}, None, id="a run without partitions"),
    ],
)
def test_a_run_tells_its_dates_by_its_tags(source, tags, span) -> None:
    assert span_of(source, tags) == span


def test_billing_periods_are_partitions_in_their_order() -> None:
    keys = partitions_of(TRACKTIK).get_partition_keys()
    assert keys == [period.id for period in TRACKTIK.calendar.periods]
    assert keys.index("2025_26") + 1 == keys.index("2026_01")


def test_a_span_is_widened_to_whole_periods_where_there_are_any() -> None:
    assert whole_periods(TRACKTIK, Span(date(2025, 1, 9), date(2025, 1, 9))) == Span(
        date(2024, 12, 27), date(2025, 1, 9)
    )
    assert whole_periods(OPERATING_ROOM, Span(MONDAY, MONDAY)) == Span(MONDAY, MONDAY)
