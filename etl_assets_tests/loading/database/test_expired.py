"""Rows that are too old stay at the source and leave staging, and no comparison brings them back."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from etl_assets.declare.tables import Full
from etl_assets_tests.loading.database.clinic import Clinic, CopiedTable, copied, counts

VISITS = """
create schema clinic;
create table clinic.visit (id varchar(8) primary key, at timestamptz, day date);
insert into clinic.visit
select 'v' || n, now() - make_interval(days => n), current_date - n from generate_series(1, 40) as n;
insert into clinic.visit values ('never', null, null)
"""


@pytest.fixture(params=["at", "day"])
def visits(request: pytest.FixtureRequest, clinic: Clinic, new_database: Callable[[], str]) -> Clinic:
    """Visits of the last forty days in PostgreSQL, which are read by header digests."""
    clinic.host_in_postgresql(new_database(), VISITS)
    clinic.tables = (CopiedTable(name="visit", key="id", load=Full(), **copied(event_date=request.param)),)
    return clinic


def keep(clinic: Clinic, table: str, days: int) -> None:
    clinic.change(table, keep_for=timedelta(days=days, hours=12))


def test_old_rows_leave_staging_and_stay_away(visits: Clinic) -> None:
    keep(visits, "visit", 30)
    first = visits.take("visit")
    assert 30 <= first.counts.rows_inserted <= 32
    assert "never" in {key for key, *_ in visits.held("visit")}

    keep(visits, "visit", 27)
    shorter = visits.take("visit")
    assert counts(shorter)[4] == 3
    held = visits.held("visit")
    for options in ({}, {"full_compare": True}, {"full_compare": True}, {}):
        report = visits.take("visit", **options)
        assert counts(report)[1:3] == (0, 0)
        assert all(check.passed for check in report.checks)
        assert visits.held("visit") == held


def test_old_rows_of_a_table_with_a_cursor_leave_it_too(clinic: Clinic) -> None:
    ages = [f"now() - interval {days} day" for days in range(1, 41)]
    clinic.add("appointment", *ages, columns="AptDateTime")
    keep(clinic, "appointment", 30)
    assert 30 <= clinic.take("appointment").counts.rows_inserted <= 31
    keep(clinic, "appointment", 27)
    assert counts(clinic.take("appointment"))[4] == 3
    held = clinic.held("appointment")
    clinic.execute("update appointment set Confirmed = b'1' where AptNum in (2, 39)")
    report = clinic.take("appointment")
    assert report.counts.changed == 1
    for options in ({"full_compare": True}, {}):
        report = clinic.take("appointment", **options)
        assert report.counts.changed == 0
        assert all(check.passed for check in report.checks)
        assert len(clinic.held("appointment")) == len(held)


def test_a_time_to_keep_rows_for_needs_a_date(clinic: Clinic) -> None:
    with pytest.raises(ValueError, match="keep_for needs an event_date"):
        clinic.change("patient", keep_for=timedelta(days=1))
    with pytest.raises(ValueError, match="outlive"):
        clinic.change("histappointment", keep_for=timedelta(days=1), event_date="histdatetstamp")
