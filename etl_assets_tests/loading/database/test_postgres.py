"""The same road from a source that is a PostgreSQL."""

from collections.abc import Callable

import pytest

from etl_assets.declare.copied_table import CopiedTable, Incremental
from etl_assets.declare.tables import Full
from etl_assets_tests.loading.database.clinic import Clinic, checks, copied, counts

SCHEMA = """
create schema clinic;
create table clinic.patient (patnum bigint primary key, lname text, born date, seen timestamptz, photo bytea, x float8);
create table clinic.patlink (patfrom bigint, patto bigint, primary key (patfrom, patto));
insert into clinic.patient
select n, 'p' || n, date '2000-01-01' + n, timestamptz '2024-01-01 12:00+00', '\\x00ff', n / 3.0
from generate_series(1, 30) as n;
insert into clinic.patlink values (1, 2), (2, 3);
"""


@pytest.fixture
def hosted(clinic: Clinic, new_database: Callable[[], str]) -> Clinic:
    """A clinic whose database is hosted in PostgreSQL."""
    clinic.host_in_postgresql(new_database(), SCHEMA)
    clinic.tables = (
        CopiedTable(name="patient", key="patnum", load=Incremental(column="seen"), **copied()),
        CopiedTable(name="patlink", key=("patfrom", "patto"), load=Full(), **copied()),
    )
    return clinic


def test_what_changes_in_a_postgresql_is_loaded(hosted: Clinic) -> None:
    reports = hosted.load("patient", "patlink")
    assert [report.failure for report in reports.values()] == [None, None]
    assert checks(reports["patient"])["matches_source"]
    assert counts(reports["patient"]) == (30, 30, 0, 0, 0)
    again = hosted.load("patient", "patlink")
    assert [counts(report) for report in again.values()] == [(0, 0, 0, 0, 0)] * 2

    hosted.write(
        "update clinic.patient set lname = 'changed', seen = now() where patnum = 3",
        "update clinic.patient set lname = 'unstamped' where patnum = 15",
        "delete from clinic.patient where patnum = 4",
        "insert into clinic.patlink values (7, 8)",
    )
    reports = hosted.load("patient", "patlink", full_compare=True)
    assert [report.failure for report in reports.values()] == [None, None]
    assert counts(reports["patient"])[1:3] == (0, 2)
    assert reports["patient"].counts.rows_deleted == 1
    assert hosted.held("patlink", "patfrom, patto") == [(1, 2), (2, 3), (7, 8)]
