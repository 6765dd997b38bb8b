"""A source whose clock on the wall is not UTC's, and whose cursor column is what that clock showed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from etl_assets.declare.copied_table import CopiedTable, Incremental
from etl_assets.loading.database import changes
from etl_assets_tests import mariadb
from etl_assets_tests.loading.database.clinic import Clinic, at_each, checks, copied, once


@pytest.fixture(scope="module")
def clinic_url() -> Iterator[str]:
    with mariadb.own_server("set global time_zone = '-05:00'") as url:
        yield url


@pytest.mark.parametrize("retain_deleted", [False, True])
def test_what_was_read_by_a_local_cursor_is_verified_by_the_same_rows(
    clinic: Clinic, retain_deleted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 0)
    clinic.execute(
        "create table sheet (Num int auto_increment primary key, Note varchar(20),"
        " Edited datetime not null default current_timestamp on update current_timestamp)"
    )
    # By the clock of UTC the second row is read no more, and by the source's it is.
    clinic.add("sheet", "'a', now()", "'b', now() - interval 9 hour", "'c', '2024-01-01'", columns="Note, Edited")
    table = CopiedTable(name="sheet", key="num", load=Incremental(column="edited"), **copied())
    clinic.tables = (replace(table, retain_deleted=retain_deleted),)
    clinic.take("sheet")
    clinic.execute("update sheet set Note = 'd', Edited = now() - interval 2 minute where Num = 1")
    report = clinic.take("sheet")
    (matches,) = (check for check in report.checks if check.name == "matches_source")
    assert (report.counts.rows_updated, report.notes, matches.passed, matches.rows_checked) == (1, [], True, 2)


def test_a_row_that_changes_meanwhile_is_read_again_by_a_local_cursor(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 0)
    clinic.execute(
        "create table sheet (Num int auto_increment primary key, Note varchar(20),"
        " Edited datetime not null default current_timestamp on update current_timestamp)"
    )
    clinic.add("sheet", "'a', now()", "'b', now() - interval 9 hour", columns="Note, Edited")
    clinic.tables = (
        CopiedTable(name="sheet", key="num", load=Incremental(column="edited"), **copied(retain_deleted=True)),
    )
    clinic.take("sheet")
    clinic.add("sheet", "'c', now()", columns="Note, Edited")  # what has not changed is not verified
    at_each(clinic, sums=once(lambda: clinic.execute("update sheet set Note = 'z' where Num = 2")))
    report = clinic.take("sheet")
    assert checks(report)["matches_source"]
    assert "read again" in report.notes[0]
    assert clinic.same("sheet", "Num, Note")
