"""The time of day in which a source may be read."""

from datetime import UTC, datetime

import pytest

from etl_assets.declare.hours import AllowedHours
from etl_assets.errors import EtlError


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 7, 1, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "moment", "allowed"),
    [
        ("21:00-06:00", at(21), True),
        ("21:00-06:00", at(3), True),
        ("21:00-06:00", at(6), False),
        ("21:00-06:00", at(20, 59), False),
        ("09:30-17:00", at(9, 30), True),
        ("09:30-17:00", at(17), False),
    ],
)
def test_the_first_moment_is_in_it_and_the_last_is_not(hours, moment, allowed) -> None:
    assert AllowedHours.parse({"hours": hours}, "ETL_X").allows(moment) is allowed


def test_it_is_the_source_s_own_clock_that_counts() -> None:
    """In summer Chicago is five hours behind UTC."""
    hours = AllowedHours.parse({"hours": "21:00-06:00", "timezone": "America/Chicago"}, "ETL_X")
    assert hours.allows(at(2))
    assert not hours.allows(at(1, 59))
    assert str(hours) == "21:00-06:00 America/Chicago"


def test_without_hours_it_may_be_read_all_day() -> None:
    assert AllowedHours.parse({}, "ETL_X") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hours": "9-5"}, r"ETL_X_HOURS is '9-5'; two times such as 21:00-06:00"),
        ({"hours": "24:00-06:00"}, "two times such as"),
        ({"hours": "06:00-06:00"}, "no time at all"),
        ({"hours": "21:00-06:00", "timezone": "Chicago"}, "ETL_X_TIMEZONE is no time zone"),
        ({"hours": "21:00-06:00", "timezone": "../etc/passwd"}, "ETL_X_TIMEZONE is no time zone"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(given, message) -> None:
    with pytest.raises(EtlError, match=message):
        AllowedHours.parse(given, "ETL_X")
