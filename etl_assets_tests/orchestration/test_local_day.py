"""The day as of which a run counts is that of the practice, and not of UTC."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from etl_assets.declare.dates import Span
from etl_assets.errors import EtlError
from etl_assets.orchestration.models.model_run import build_models
from etl_assets.orchestration.partitions import local_day, with_local_day
from etl_assets.settings import Settings, read_settings
from etl_assets.sources.open_dental import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.sql.open_dental_rows import make_staging

NIGHT = datetime(2026, 3, 11, 2, tzinfo=UTC)
EVENING = datetime(2026, 3, 10, 20, tzinfo=UTC)
TENTH, ELEVENTH = date(2026, 3, 10), date(2026, 3, 11)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/Chicago", NIGHT, TENTH),
        ("America/Chicago", EVENING, TENTH),
        ("Asia/Tokyo", EVENING, ELEVENTH),
        (None, NIGHT, ELEVENTH),
    ],
)
def test_the_day_is_that_of_the_practice(zone: str | None, moment: datetime, day: date) -> None:
    settings = read_settings({"ETL_OPEN_DENTAL_TIMEZONE": zone} if zone else {})
    assert local_day(settings, SOURCE, moment) == day


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(EtlError, match="ETL_OPEN_DENTAL_TIMEZONE is no time zone"):
        local_day(read_settings({"ETL_OPEN_DENTAL_TIMEZONE": "Chicago"}), SOURCE, NIGHT)


@pytest.mark.parametrize(
    ("span", "as_of", "expected"),
    [
        pytest.param(Span(ELEVENTH, ELEVENTH), TENTH, Span(TENTH, ELEVENTH), id="west of UTC it is yesterday still"),
        pytest.param(
            Span(ELEVENTH, ELEVENTH), date(2026, 3, 12), Span(ELEVENTH, date(2026, 3, 12)), id="east of it, tomorrow"
        ),
        pytest.param(Span(date(2020, 1, 1), TENTH), TENTH, Span(date(2020, 1, 1), TENTH), id="another span stays"),
        pytest.param(None, TENTH, None, id="the whole history stays whole"),
    ],
)
def test_a_run_of_today_has_the_practice_s_day_in_it(span: Span | None, as_of: date, expected: Span | None) -> None:
    assert with_local_day(span, as_of, NIGHT) == expected


def test_what_is_built_is_of_the_practice_s_own_day(settings: Settings) -> None:
    """In one of two zones it is another day than in UTC, at any hour."""
    with connect(settings, role=None, autocommit=True) as connection:
        make_staging(connection)
        typed = {f"open_dental_typed.{name}" for name in ("enumeration", "stg_fee", "stg_feesched")}
        built = "select as_of from etl.model_state where relation = 'open_dental_mart.dim_fee'"
        for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
            there = replace(settings, given={**settings.given, "ETL_OPEN_DENTAL_TIMEZONE": zone})
            before = local_day(there, SOURCE, datetime.now(UTC))
            with open_batch(there, SOURCE.name, "build") as batch:
                build_models(there, batch, SOURCE, mode="changed", selected={*typed, "open_dental_mart.dim_fee"})
            ((as_of,),) = connection.execute(built).fetchall()
            assert as_of in {before, local_day(there, SOURCE, datetime.now(UTC))}
