from datetime import date, timedelta

import pytest

from etl_assets.orchestration.partitions import Span, span_of, spans

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
    ("tags", "span"),
    [
        pytest.param({"dagster/partition": "2026-03-02"}, Span(MONDAY, MONDAY), id="one partition"),
        pytest.param(Span(MONDAY, day(3)).tags, Span(MONDAY, day(3)), id="a range"),
        pytest.param({}, None, id="a run without partitions"),
    ],
)
def test_a_run_tells_its_dates_by_its_tags(tags, span) -> None:
    assert span_of(tags) == span
