"""The line through samples, and the day when the disk is full."""

from datetime import date, timedelta

import pytest

from etl_assets.report.capacity import Capacity, Disk, ServerLoad
from etl_assets.report.growth import fit_growth

TODAY = date(2026, 5, 31)
MB = 1024**2


def samples(values: dict[int, float]) -> list[tuple[date, float]]:
    """By how many days ago they were taken."""
    return sorted((TODAY - timedelta(days=ago), value) for ago, value in values.items())


def outlook(values: dict[int, float], disk: Disk | None) -> str:
    series = samples(values)
    server = ServerLoad(bytes=0, warehouse_bytes=0, connections=0, max_connections=1, schemas=())
    found = Capacity(server=server, disk=disk, sizes=series, connections=[], growth=fit_growth(series, TODAY))
    return found.outlook(TODAY)


def disk(free: float) -> Disk:
    return Disk(total=int(free * 10), free=int(free), is_measured=True)


def test_the_line_is_the_one_of_least_squares() -> None:
    growth = fit_growth(samples({0: 8.0, 1: 5.0, 2: 5.0, 4: 1.0}), TODAY)
    assert growth is not None
    assert growth.per_day == pytest.approx(14.25 / 8.75)
    assert growth.last_level == pytest.approx(4.75 + 1.75 * 14.25 / 8.75)
    assert growth.level(TODAY - timedelta(days=4)) == pytest.approx(growth.last_level - 4 * growth.per_day)


def test_what_is_older_than_thirty_days_does_not_bend_it() -> None:
    steady = dict.fromkeys(range(5), 100.0)
    growth = fit_growth(samples(steady | {30: 1e9, 200: 0.0}), TODAY)
    assert growth is not None
    assert growth.per_day == 0


@pytest.mark.parametrize("values", [{}, {0: 1.0}, {0: 2.0, 1: 1.0}, {0: 2.0, 1: 1.0, 45: 0.0}])
def test_of_too_few_samples_no_number_is_made(values) -> None:
    assert fit_growth(samples(values), TODAY) is None
    assert "not known yet" in outlook(values, disk(100 * MB))


def test_the_day_when_the_disk_is_full() -> None:
    growing = {ago: (100 - 2 * ago) * MB for ago in range(20)}  # 2 MB a day
    assert outlook(growing, disk(60 * MB)) == "The disk is full on 2026-06-30, in 30 days, if it goes on so."
    assert outlook(growing, disk(0)) == "The disk is full on 2026-05-31, in 0 days, if it goes on so."


def test_a_disk_that_is_never_full_says_so() -> None:
    assert outlook(dict.fromkeys(range(5), 7.0), disk(1)) == "The warehouse does not grow."
    assert outlook({0: 3.0, 1: 5.0, 2: 7.0}, disk(1)) == "The warehouse does not grow."
    assert outlook({0: 3.0, 1: 2.0, 2: 1.0}, disk(1e9)) == "The disk is not full within ten years."


def test_of_a_disk_that_nobody_knows_it_says_what_to_set() -> None:
    assert "set ETL_WAREHOUSE_DISK_BYTES" in outlook({0: 3.0, 1: 2.0, 2: 1.0}, None)
