"""The billing calendar as the warehouse holds it, and the function that the brief names."""

from datetime import date, timedelta

import psycopg
import pytest

from etl_assets.declare.dates import Calendar
from etl_assets.errors import EtlError
from etl_assets.warehouse.calendars import write_calendar
from etl_assets.warehouse.relation import Relation

PERIODS = Relation("tracktik", "billing_periods")
CALENDAR = Calendar(kind="biweekly", anchor=date(2024, 12, 27), first_year=2024, last_year=2033)


@pytest.fixture
def calendar(connection) -> Calendar:
    connection.execute("delete from tracktik.billing_periods")
    write_calendar(connection, CALENDAR, PERIODS)
    return CALENDAR


def test_the_table_holds_what_the_definition_says(connection, calendar) -> None:
    rows = connection.execute(
        "select period_id, start_date, end_date, fiscal_year, period_number from tracktik.billing_periods order by 2"
    ).fetchall()
    assert rows == [(p.id, p.first, p.last, p.fiscal_year, p.number) for p in calendar.periods]


def test_writing_it_again_writes_nothing_and_more_years_add_to_it(connection, calendar) -> None:
    assert write_calendar(connection, calendar, PERIODS) == 0
    longer = Calendar(kind="biweekly", anchor=date(2024, 12, 27), first_year=2024, last_year=2034)
    assert write_calendar(connection, longer, PERIODS) == 26


def test_a_calendar_that_has_moved_is_refused(connection, calendar) -> None:
    moved = Calendar(kind="biweekly", anchor=date(2024, 12, 28), first_year=2024, last_year=2033)
    with pytest.raises(EtlError, match="2024_01 is 2023-12-29 to 2024-01-11 and the calendar says 2023-12-30"):
        write_calendar(connection, moved, PERIODS)


@pytest.mark.parametrize(
    ("day", "period"),
    [
        ("2024-12-26", "2024_26"),
        ("2024-12-27", "2025_01"),
        ("2025-06-12", "2025_12"),
        ("2025-12-25", "2025_26"),
        ("2025-12-26", "2026_01"),  # the day that the old table left in no period
        ("2032-12-30", "2032_27"),
    ],
)
def test_the_brief_s_function_names_the_period_of_a_date(connection, calendar, day, period) -> None:
    connection.execute("set local search_path to tracktik")
    asked = connection.execute("SELECT get_billing_period(%(shift_date)s)", {"shift_date": date.fromisoformat(day)})
    assert asked.fetchone() == (period,)


@pytest.mark.parametrize("day", [date(1999, 1, 1), date(2099, 1, 1), None])
def test_a_date_outside_is_an_error_and_not_a_null(connection, calendar, day) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="is in no billing period: the calendar goes from 2023"):
        connection.execute("select tracktik.get_billing_period(%s::date)", [day])


def test_the_function_does_not_claim_that_its_answers_never_change(connection) -> None:
    """It reads a table; declared immutable, an index would keep the answers of yesterday's calendar."""
    kind = "select provolatile from pg_proc where oid = 'tracktik.get_billing_period(date)'::regprocedure"
    assert connection.execute(kind).fetchone() == ("s",)


def test_quarters_and_days_follow_from_the_number(connection, calendar) -> None:
    rows = connection.execute(
        "select quarter, array_agg(period_number order by period_number) from tracktik.billing_periods"
        " where fiscal_year = 2032 group by quarter order by quarter"
    ).fetchall()
    assert rows == [
        (1, [1, 2, 3, 4, 5, 6]),
        (2, [7, 8, 9, 10, 11, 12, 13]),
        (3, [14, 15, 16, 17, 18, 19]),
        (4, [20, 21, 22, 23, 24, 25, 26, 27]),
    ]
    assert connection.execute("select distinct days_in_period from tracktik.billing_periods").fetchall() == [(14,)]


def test_two_periods_cannot_share_a_day(connection, calendar) -> None:
    last = calendar.periods[-1].last
    with pytest.raises(psycopg.errors.ExclusionViolation):
        connection.execute(
            "insert into tracktik.billing_periods values ('2040_01', %s, %s, 2040, 1, 26)",
            [last, last + timedelta(days=13)],
        )
