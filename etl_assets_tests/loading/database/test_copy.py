"""A database's tables into staging: what is copied, and what a second run does."""

import time
from dataclasses import replace

import pytest

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError
from etl_assets.loading.database import changes, table_load
from etl_assets.loading.database.plan import ExtractMode, plan_tables
from etl_assets_tests.loading.database.clinic import NAMES, Clinic, checks, copied, counts


def fill(clinic: Clinic) -> None:
    clinic.add("patient", "'Ann'", "'Bea'", "'Cem'", columns="LName")
    clinic.add("appointment", "1, '2024-03-01 09:00'", "2, '2024-03-02 10:00'", columns="PatNum, AptDateTime")
    clinic.add("definition", "'Cash'", "'Check'", columns="ItemName")
    clinic.add("securitylog", "'a', '2023-01-01'", "'b', '2024-01-01'", columns="LogText, LogDateTime")
    clinic.add("histappointment", "1, '2023-01-01'", "2, '2024-01-01'", columns="AptNum, HistDateTStamp")
    clinic.add("patlink", "1, 2", "2, 3", columns="PatFrom, PatTo")
    clinic.add("leftover", "'x', 1.50", "'x', 1.50", "null, null", columns="Word, Amount")


def test_every_table_is_copied_and_the_same_again_writes_nothing(clinic: Clinic) -> None:
    fill(clinic)
    reports = clinic.load()
    assert {name: report.failure for name, report in reports.items()} == dict.fromkeys(NAMES)
    assert {name: counts(report)[:2] for name, report in reports.items()} == {
        **dict.fromkeys(NAMES, (2, 2)),
        "patient": (3, 3),
        "leftover": (3, 3),
    }
    assert all(checks(report)["matches_source"] for report in reports.values())
    written = {name: clinic.query(f"select xmin::text, ctid::text from open_dental.{name}") for name in NAMES}

    again = clinic.load()
    assert {name: report.counts.changed for name, report in again.items()} == dict.fromkeys(NAMES, 0)
    assert {name: clinic.query(f"select xmin::text, ctid::text from open_dental.{name}") for name in NAMES} == written
    loads = clinic.query("select relation, count(*) from etl.table_load group by relation")
    assert dict(loads) == {f"open_dental.{name}": 2 for name in NAMES}
    assert not clinic.query("select from etl.row_before")


def test_what_was_loaded_has_statistics_before_it_is_read(clinic: Clinic) -> None:
    fill(clinic)
    clinic.load()
    never = clinic.query(
        "select relname::text from pg_class where relnamespace = 'open_dental'::regnamespace and relkind = 'r'"
        " and pg_stat_get_last_analyze_time(oid) is null"
    )
    assert never == []
    clinic.add("patient", *(f"'p{n}'" for n in range(10)), columns="LName")
    clinic.load("patient")
    assert clinic.query("select reltuples from pg_class where oid = 'open_dental.patient'::regclass") == [(13.0,)]


def test_what_was_stamped_long_ago_is_not_read_again(clinic: Clinic) -> None:
    clinic.add("patient", *(f"'p{n}', '2024-01-01 12:00:00'" for n in range(30)), columns="LName, DateTStamp")
    assert counts(clinic.take("patient")) == (30, 30, 0, 0, 0)
    assert counts(clinic.take("patient")) == (0, 0, 0, 0, 0)
    clinic.execute("update patient set LName = 'new' where PatNum = 7")
    assert counts(clinic.take("patient")) == (1, 0, 1, 0, 0)
    assert clinic.query("select lname from open_dental.patient where patnum = 7") == [("new",)]


def test_a_column_that_must_not_reach_the_warehouse_does_not(clinic: Clinic) -> None:
    clinic.add("patient", "'Ann'", columns="LName")
    clinic.take("patient")
    names = {
        name
        for (name,) in clinic.query("select attname from pg_attribute where attrelid = 'open_dental.patient'::regclass")
    }
    assert "lname" in names
    assert "secretpin" not in names


def test_values_that_postgresql_cannot_hold_are_turned_and_counted(clinic: Clinic) -> None:
    clinic.add(
        "patient",
        "'a\\0b', '0000-00-00', 0.1, x'00ff0a', 'tab\\tand\\nline'",
        "'', '0001-01-01', -1e14, null, null",
        columns="LName, Birthdate, BalTotal, Photo, Note",
    )
    clinic.add("appointment", "'-12:34:56', b'1'", "'838:59:59', b'0'", columns="Late, Confirmed")
    report = clinic.take("patient")
    (matches,) = (check for check in report.checks if check.name == "matches_source")
    assert matches.passed
    assert matches.metadata["turned"] == {"lname: nul": 1, "birthdate: zero_date": 1}
    rows = clinic.held("patient", "lname, birthdate::text, baltotal, photo, note")
    assert rows == [("", "0001-01-01", -1e14, None, None), ("ab", None, 0.1, b"\x00\xff\n", "tab\tand\nline")]
    assert checks(clinic.take("appointment"))["matches_source"]
    assert clinic.held("appointment", "late::text, confirmed") == [("-12:34:56", True), ("838:59:59", False)]


def test_a_big_table_is_held_against_the_source_in_pieces(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 5)
    monkeypatch.setattr(table_load, "VERIFY_CHUNK_ROWS", 7)
    clinic.add("definition", *(f"'d{n}'" for n in range(40)), columns="ItemName")
    report = clinic.take("definition")
    assert checks(report)["matches_source"]
    assert next(check for check in report.checks if check.name == "matches_source").rows_checked == 40


def test_an_empty_table_costs_milliseconds(clinic: Clinic) -> None:
    names = [f"small{n}" for n in range(120)]
    clinic.execute(
        *(f"create table {name} (Num bigint not null auto_increment primary key, Word varchar(20))" for name in names)
    )
    clinic.tables = tuple(CopiedTable(name=name, key="num", load=Full(), **copied()) for name in names)
    clinic.load(*names)
    for name in names[:20]:
        clinic.add(name, "'x'", columns="Word")
    assert sum(report.counts.rows_inserted for report in clinic.load(*names).values()) == 20
    started = time.monotonic()
    reports = clinic.load(*names)
    each = (time.monotonic() - started) / len(names)
    assert sum(report.counts.rows_read for report in reports.values()) == 0
    assert each < 0.02, f"{each * 1000:.1f} ms a table"


def test_tables_are_loaded_by_importance_and_the_plan_says_how(clinic: Clinic) -> None:
    fill(clinic)
    plans = plan_tables(clinic.settings, clinic.source, NAMES)
    importances = [plan.importance for plan in plans]
    assert importances == sorted(importances, key=["critical", "important", "audit", "reference"].index)
    assert {plan.strategy for plan in plans} == {ExtractMode.INITIAL.value}
    clinic.load()
    told = {plan.table: plan for plan in plan_tables(clinic.settings, clinic.source, NAMES)}
    assert "(DateTStamp)" in told["patient"].strategy
    assert told["patient"].since is not None
    assert told["securitylog"].after == 2 - 10
    assert told["definition"].strategy == ExtractMode.RANGE_CHECKSUM.value
    assert told["patient"].rows == 3


def test_the_plan_says_what_the_load_would_fail_of(clinic: Clinic) -> None:
    fill(clinic)
    clinic.execute("drop table patlink")
    clinic.load()
    clinic.execute(
        "alter table patient modify LName bigint",
        "alter table appointment drop column DateTStamp",
        "drop table definition",
    )
    plans = plan_tables(clinic.settings, clinic.source, NAMES)
    assert {plan.table for plan in plans} == set(NAMES)
    importances = [plan.importance for plan in plans]
    assert importances == sorted(importances, key=["critical", "important", "audit", "reference"].index)
    failing = {plan.table: plan.strategy for plan in plans if plan.fails}
    reports = clinic.load()
    assert failing == {name: str(report.failure) for name, report in reports.items() if report.failure}
    assert failing.keys() == {"patient", "appointment", "definition"}
    (absent,) = (plan.strategy for plan in plans if plan.table == "patlink")
    assert "has no table patlink" in absent


def test_the_plan_of_a_sweep_is_one_of_comparing(clinic: Clinic) -> None:
    fill(clinic)
    clinic.load()
    plans = {plan.table: plan for plan in plan_tables(clinic.settings, clinic.source, NAMES, full_compare=True)}
    assert {plans[name].strategy for name in ("patient", "securitylog")} == {ExtractMode.RANGE_CHECKSUM.value}
    assert plans["patient"].since is None


def test_a_table_that_the_source_does_not_have_costs_no_other(clinic: Clinic) -> None:
    fill(clinic)
    clinic.execute("drop table patlink")
    reports = clinic.load()
    assert [name for name, report in reports.items() if report.is_absent] == ["patlink"]
    assert [name for name, report in reports.items() if report.failure] == []
    clinic.execute("drop table definition")
    reports = clinic.load()
    assert "has no table definition any more. The 2 rows held of it stay" in str(reports["definition"].failure)
    assert [name for name, report in reports.items() if report.failure] == ["definition"]
    assert len(clinic.held("definition")) == 2


def test_a_source_that_is_not_set_up_is_told_by_its_variable(clinic: Clinic) -> None:
    clinic.settings = replace(clinic.settings, given={})
    with pytest.raises(EtlError, match="ETL_OPEN_DENTAL_URL"):
        clinic.load("patient")
