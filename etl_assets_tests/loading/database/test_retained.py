"""Rows that a source changes, or gives the keys of others: what was held of a table that outlives it is not lost."""

from dataclasses import replace

import psycopg
import pytest

from etl_assets.errors import EtlError
from etl_assets.loading.database import changes
from etl_assets.loading.report import TableCheck
from etl_assets.warehouse.connection import connect
from etl_assets_tests.loading.database.clinic import Clinic, checks, copied, counts

OLD = "'2024-01-01 12:00:00'"
LOGS = 60


@pytest.fixture(autouse=True, params=["small", "big"])
def _of_both_sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "big":
        monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 0)


@pytest.fixture
def logged(clinic: Clinic) -> Clinic:
    """A clinic with a log that is only appended to, loaded."""
    clinic.add("securitylog", *(f"'old {n}'" for n in range(LOGS)), columns="LogText")
    clinic.take("securitylog")
    return clinic


def outlives(report) -> TableCheck:
    return next(check for check in report.checks if check.name == "outlives_source")


def words(clinic: Clinic) -> dict[int, str]:
    return dict(clinic.query("select securitylognum, logtext from open_dental.securitylog"))


def reset(clinic: Clinic, after: int) -> None:
    """As a backup does that is read back: what came after it is gone, and its keys are given again."""
    clinic.execute(
        f"delete from securitylog where SecurityLogNum > {after}",
        f"alter table securitylog auto_increment = {after + 1}",
    )


def test_each_image_of_a_row_that_is_changed_is_kept_for_good(clinic: Clinic) -> None:
    clinic.add("histappointment", *(f"{n}, {OLD}" for n in range(9)), columns="AptNum, DateTStamp")
    clinic.take("histappointment")
    for number in (100, 200):
        clinic.execute(f"update histappointment set AptNum = {number} where HistApptNum = 3")
        found = outlives(clinic.take("histappointment"))
        assert (found.passed, found.is_error, found.rows_broken) == (False, False, 1)
        assert "has changed 1 rows" in found.description
    kept = clinic.query("select relation, row_key, was ->> 'aptnum' from etl.row_overwritten order by overwritten_id")
    assert kept == [("open_dental.histappointment", "[3]", "2"), ("open_dental.histappointment", "[3]", "100")]
    for statement in ("delete from etl.row_overwritten", "truncate etl.row_overwritten", "delete from etl.row_refused"):
        with connect(clinic.settings) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize("table", ["histappointment", "securitylog"])
def test_a_new_column_overwrites_nothing(clinic: Clinic, table) -> None:
    column = {"histappointment": "AptNum", "securitylog": "LogText"}[table]
    clinic.add(table, *(f"{n}" for n in range(15)), columns=column)
    clinic.take(table)
    clinic.execute(f"alter table {table} add column Shade varchar(20) not null default 'blue'")
    report = clinic.take(table)
    assert report.counts.rows_updated == 15
    assert outlives(report).passed
    assert clinic.query(f"select distinct shade from open_dental.{table}") == [("blue",)]
    assert clinic.query("select count(*) from etl.row_overwritten") == [(0,)]


@pytest.mark.parametrize("key", [3, LOGS - 2])
def test_a_row_of_a_log_that_is_changed_at_the_source_stays_and_is_said(logged: Clinic, key) -> None:
    logged.take("securitylog", full_compare=True)
    logged.execute(f"update securitylog set LogText = 'tampered' where SecurityLogNum = {key}")
    logged.add("securitylog", "'new'", columns="LogText")
    report = logged.take("securitylog", full_compare=True)
    found = outlives(report)
    assert (found.passed, found.is_error, found.rows_broken) == (False, True, 1)
    assert f"(keys {key} to {key})" in found.description
    assert "tampered" not in found.description
    assert checks(report)["matches_source"]
    assert words(logged)[key] == f"old {key - 1}"
    assert words(logged)[LOGS + 1] == "new"
    assert logged.query("select row_key, said ->> 'logtext' from etl.row_refused") == [(f"[{key}]", "tampered")]

    assert counts_rejected(logged.take("securitylog", full_compare=True)) == 0, "its range is not read for ever"
    assert logged.query("select in_doubt from etl.extraction") == [(False,)]
    logged.add("securitylog", "'newer'", columns="LogText")
    again = outlives(logged.take("securitylog"))
    assert (again.passed, again.is_error, again.rows_broken) == (False, False, 1)

    logged.execute(f"update securitylog set LogText = 'old {key - 1}' where SecurityLogNum = {key}")
    assert outlives(logged.take("securitylog", full_compare=True)).passed
    assert logged.query("select count(*), bool_or(stands) from etl.row_refused") == [(1, False)]


def counts_rejected(report) -> int:
    counts(report)
    return report.counts.rows_rejected


def test_a_log_that_was_emptied_and_begun_anew(logged: Clinic) -> None:
    logged.execute("truncate table securitylog")
    logged.add("securitylog", *(f"'NEW {n}'" for n in range(30)), columns="LogText")
    found = outlives(logged.take("securitylog"))
    assert (found.passed, found.is_error) == (False, True)
    assert found.metadata["refused"] == 30
    assert found.metadata["lost_now"] == 30
    assert "30 rows of the source are not held (keys 1 to 30)" in found.description
    assert all(text.startswith("old") for text in words(logged).values())
    assert logged.query("select count(*) from etl.row_refused where said ->> 'logtext' like 'NEW%'") == [(30,)]
    assert counts(logged.take("securitylog"))[1:] == (0, 0, counts(logged.take("securitylog"))[3], 0)

    logged.add("securitylog", *(f"'NEW {n}'" for n in range(30, 75)), columns="LogText")
    report = logged.take("securitylog")
    assert outlives(report).metadata["refused"] == LOGS
    assert checks(report)["matches_source"]
    held = words(logged)
    assert [held[key] for key in (LOGS, LOGS + 1, 75)] == [f"old {LOGS - 1}", f"NEW {LOGS}", "NEW 74"]
    logged.add("securitylog", "'last'", columns="LogText")
    report = logged.take("securitylog")
    assert report.counts.rows_read < 30
    assert report.counts.rows_inserted == 1


def test_a_log_that_was_set_back(logged: Clinic) -> None:
    reset(logged, 30)
    logged.add("securitylog", *(f"'NEW {n}'" for n in range(33)), columns="LogText")
    report = logged.take("securitylog")
    assert outlives(report).is_error
    assert "30 rows of the source are not held (keys 31 to 60)" in outlives(report).description
    assert {key: text for key, text in words(logged).items() if key > LOGS} == {
        61: "NEW 30",
        62: "NEW 31",
        63: "NEW 32",
    }
    assert counts(logged.take("securitylog"))[1:3] == (0, 0)


def test_keys_that_are_given_again_before_the_last_ones_read(logged: Clinic) -> None:
    reset(logged, 40)
    logged.add("securitylog", *(f"{key}, 'NEW'" for key in (*range(41, 50), 61)), columns="SecurityLogNum, LogText")
    found = outlives(logged.take("securitylog"))
    assert "9 rows of the source are not held (keys 41 to 49)" in found.description
    assert found.metadata["lost_now"] == 11


def test_a_refused_row_that_the_source_has_lost_stands_no_more(logged: Clinic) -> None:
    logged.execute("update securitylog set LogText = 'tampered' where SecurityLogNum = 3")
    assert outlives(logged.take("securitylog", full_compare=True)).metadata["refused"] == 1
    logged.execute("delete from securitylog where SecurityLogNum = 3")
    found = outlives(logged.take("securitylog"))
    assert (found.metadata["refused"], found.metadata["lost_now"]) == (0, 1)


def test_rows_that_are_gone_at_the_end_are_looked_for_once(logged: Clinic) -> None:
    reset(logged, 55)
    logged.take("securitylog")
    assert logged.query("select last_key, rows_apart from etl.extraction") == [(55, 5)]
    assert counts(logged.take("securitylog"))[1:3] == (0, 0)
    swept = "select swept_at from etl.extraction"
    before = logged.query(swept)
    logged.take("securitylog")
    assert logged.query(swept) == before


@pytest.mark.parametrize("given_again", [10, 45])
def test_a_copy_follows_a_source_that_was_set_back(logged: Clinic, given_again) -> None:
    logged.change("securitylog", **copied(retain_deleted=False))
    with pytest.raises(EtlError, match="belongs to etl_keeper"):
        logged.take("securitylog", full_compare=True)
    with connect(logged.settings, role=None) as connection:
        connection.execute("drop table open_dental.securitylog")
    logged.take("securitylog")
    logged.tables = tuple(
        replace(table, load=replace(table.load, shrink_floor=0.0)) if table.name == "securitylog" else table
        for table in logged.tables
    )
    reset(logged, 20)
    logged.add("securitylog", *(f"'NEW {n}'" for n in range(given_again)), columns="LogText")
    logged.take("securitylog")
    assert logged.same("securitylog", "SecurityLogNum, LogText")
    assert logged.query("select count(*) from etl.row_refused") == [(0,)]
