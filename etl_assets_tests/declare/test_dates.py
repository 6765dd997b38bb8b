"""Billing calendars: every day of many years lies in exactly one period."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.declare.dates import PERIODS_PER_YEAR, Calendar
from etl_assets.errors import EtlError

FRIDAY, SUNDAY, MONTH = date(2024, 12, 27), date(2024, 12, 29), date(2025, 1, 1)
ANCHORS = {"biweekly": FRIDAY, "weekly": FRIDAY, "semi-monthly": MONTH, "monthly": MONTH, "4-4-5": SUNDAY}
CALENDARS = {
    kind: Calendar(kind=kind, anchor=ANCHORS[kind], first_year=2000, last_year=2060) for kind in PERIODS_PER_YEAR
}
BIWEEKLY = CALENDARS["biweekly"]


@pytest.mark.parametrize("kind", PERIODS_PER_YEAR)
def test_no_day_is_left_out_and_none_is_counted_twice(kind) -> None:
    periods = CALENDARS[kind].periods
    assert all(later.first - earlier.last == timedelta(days=1) for earlier, later in pairwise(periods))
    assert all(period.first <= period.last for period in periods)


@pytest.mark.parametrize("kind", PERIODS_PER_YEAR)
def test_every_year_has_its_periods_numbered_from_one(kind) -> None:
    calendar = CALENDARS[kind]
    assert len(calendar.by_id) == len(calendar.periods)
    by_year: dict[int, list[int]] = {}
    for period in calendar.periods:
        by_year.setdefault(period.fiscal_year, []).append(period.number)
    assert sorted(by_year) == list(range(2000, 2061))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_year.values())
    extra = {"biweekly": 1, "weekly": 1}.get(kind, 0)
    assert {len(numbers) - calendar.periods_in_year for numbers in by_year.values()} <= {0, extra}


@pytest.mark.parametrize(
    ("period_id", "first", "last"),
    [
        ("2025_01", "2024-12-27", "2025-01-09"),
        ("2025_12", "2025-05-30", "2025-06-12"),
        ("2025_26", "2025-12-12", "2025-12-25"),
        ("2026_01", "2025-12-26", "2026-01-08"),
        ("2032_27", "2032-12-17", "2032-12-30"),
        ("2033_01", "2032-12-31", "2033-01-13"),
    ],
)
def test_the_billing_periods_are_those_of_the_invoices(period_id, first, last) -> None:
    period = BIWEEKLY.named(period_id)
    assert (period.first.isoformat(), period.last.isoformat()) == (first, last)
    assert (period.first.strftime("%A"), period.last.strftime("%A")) == ("Friday", "Thursday")


def test_a_27th_period_comes_about_every_eleventh_year() -> None:
    longer = [year for year, periods in Counter(p.fiscal_year for p in BIWEEKLY.periods).items() if periods == 27]
    assert longer == [2009, 2020, 2032, 2043, 2054]


def test_a_quarter_of_4_4_5_weeks_has_thirteen() -> None:
    year = [period for period in CALENDARS["4-4-5"].periods if period.fiscal_year == 2025]
    assert [((period.last - period.first).days + 1) // 7 for period in year] == [4, 4, 5] * 4
    assert {period.last.strftime("%A") for period in CALENDARS["4-4-5"].periods} == {"Saturday"}


@given(st.sampled_from(sorted(PERIODS_PER_YEAR)), st.dates(date(2001, 1, 1), date(2059, 12, 31)))
def test_a_day_lies_in_the_period_that_is_named_of_it(kind, day) -> None:
    calendar = CALENDARS[kind]
    period = calendar.period_of(day)
    assert period.first <= day <= period.last
    assert calendar.named(period.id) == period
    assert calendar.between(day, day) == (period,)


@pytest.mark.parametrize("day", [date(1999, 12, 1), date(2061, 2, 1)])
def test_a_day_outside_is_an_error_that_says_where_the_calendar_ends(day) -> None:
    with pytest.raises(
        EtlError, match=rf"{day} is in no billing period: the calendar goes from 1999-12-31 to 2060-12-23"
    ):
        BIWEEKLY.period_of(day)


def test_an_unknown_period_is_told_with_those_there_are() -> None:
    with pytest.raises(EtlError, match=r"no billing period '2025_28'; there are 2000_01 to 2060_26"):
        BIWEEKLY.named("2025_28")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"kind": "lunar"}, "calendar 'lunar' is none of biweekly, weekly"),
        ({"first_year": 2031}, "a calendar cannot go from 2031 to 2030"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused(words, message) -> None:
    with pytest.raises(ValueError, match=message):
        Calendar(**{"kind": "biweekly", "anchor": FRIDAY, "first_year": 2020, "last_year": 2030, **words})
