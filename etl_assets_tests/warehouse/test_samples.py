"""Daily samples: one a day and measure, the last one of the day holds, and long ago is forgotten."""

from datetime import date, timedelta

import psycopg

from etl_assets.warehouse.samples import KEPT_DAYS, Sample, read_samples, record_samples

TODAY = date(2026, 5, 31)


def bytes_of(name: str, value: float) -> Sample:
    return Sample(measure="staging_bytes", labels={"source": name}, value=value)


def test_a_second_sample_of_a_day_takes_the_place_of_the_first(connection: psycopg.Connection) -> None:
    record_samples(connection, TODAY, [bytes_of("north", 1), bytes_of("south", 5)])
    record_samples(connection, TODAY - timedelta(days=1), [bytes_of("north", 0)])
    record_samples(connection, TODAY, [bytes_of("north", 2), Sample(measure="connections", value=7)])
    yesterday = TODAY - timedelta(days=1)
    assert read_samples(connection, "staging_bytes", since=yesterday) == [
        ({"source": "north"}, [(yesterday, 0.0), (TODAY, 2.0)]),
        ({"source": "south"}, [(TODAY, 5.0)]),
    ]
    assert read_samples(connection, "staging_bytes", since=TODAY)[0][1] == [(TODAY, 2.0)]
    assert read_samples(connection, "connections", since=yesterday) == [({}, [(TODAY, 7.0)])]


def test_samples_of_long_ago_are_forgotten(connection: psycopg.Connection) -> None:
    first = TODAY - timedelta(days=KEPT_DAYS + 1)
    for ago in (KEPT_DAYS + 1, KEPT_DAYS, KEPT_DAYS - 1, 0):
        record_samples(connection, TODAY - timedelta(days=ago), [bytes_of("north", ago)])
    ((_, series),) = read_samples(connection, "staging_bytes", since=first)
    assert [day for day, _ in series] == [TODAY - timedelta(days=KEPT_DAYS - 1), TODAY]
