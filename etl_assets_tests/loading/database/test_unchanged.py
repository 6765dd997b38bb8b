"""A table without changes is scanned on neither side in the hourly run; the sweep verifies it for real."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from etl_assets_tests.loading.database.clinic import Clinic, checks, counts

ROWS = 20_000
RECENT = 3
"""Rows changed just before the first load: the next one reads them again."""


@dataclass(frozen=True)
class Scanned:
    """Rows that were read of a table, by the counters of both servers."""

    source: int
    staging: int


def rows_read(clinic: Clinic, table: str) -> Scanned:
    """Once the session that read last has handed in its numbers, as it ends."""
    found, before = count_rows_read(clinic, table), None
    while found != before:
        time.sleep(0.1)
        found, before = count_rows_read(clinic, table), found
    return found


def count_rows_read(clinic: Clinic, table: str) -> Scanned:
    ((source,),) = clinic.execute(
        "select coalesce(sum(rows_read), 0) from information_schema.table_statistics"
        f" where table_schema = database() and table_name = '{table}'"
    )
    ((staging,),) = clinic.query(
        "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables"
        " where schemaname = 'open_dental' and relname = %s",
        table,
    )
    return Scanned(int(source), staging)


def scanned(clinic: Clinic, table: str, **options: bool) -> tuple[Scanned, dict[str, bool], tuple[int, ...]]:
    """What a load reads of both sides, what it found, and its counts."""
    before = rows_read(clinic, table)
    report = clinic.take(table, **options)
    after = rows_read(clinic, table)
    return Scanned(after.source - before.source, after.staging - before.staging), checks(report), counts(report)


@pytest.fixture
def filled(clinic: Clinic) -> Iterator[Clinic]:
    """Tables of many rows, nearly all of them old, that were loaded once."""
    clinic.execute(
        "set global userstat = 1",
        "create index stamped on patient (DateTStamp)",
        f"insert into patient (LName, DateTStamp) select concat('p', seq), '2024-01-01' from seq_1_to_{ROWS}",
        f"update patient set DateTStamp = now() where PatNum <= {RECENT}",
        f"insert into securitylog (LogText) select concat('l', seq) from seq_1_to_{ROWS}",
    )
    for table in ("patient", "securitylog"):
        assert checks(clinic.take(table))["matches_source"]
    yield clinic
    clinic.execute("set global userstat = 0")


@pytest.mark.parametrize(("table", "read_again"), [("patient", RECENT), ("securitylog", 10)])
def test_of_a_table_without_changes_only_what_may_have_changed_is_read(filled, table, read_again) -> None:
    for _ in range(2):
        read, found, counted = scanned(filled, table)
        assert counted == (read_again, 0, 0, read_again, 0)
        assert read.source < ROWS / 10
        assert read.staging < ROWS / 10
        assert "matches_source" not in found


def test_the_sweep_scans_both_sides(filled) -> None:
    filled.take("patient", full_compare=True)  # it makes the checksums of its ranges known
    read, found, counted = scanned(filled, "patient", full_compare=True)
    assert counted == (0, 0, 0, 0, 0)
    assert found["matches_source"]
    assert read.source >= 2 * ROWS  # the checksums of its ranges, and its sums
    assert read.staging >= ROWS


def test_a_table_is_verified_whole_again_as_soon_as_a_row_has_changed(filled) -> None:
    filled.execute("update patient set LName = 'new' where PatNum = 77")
    read, found, _ = scanned(filled, "patient")
    assert found["matches_source"]
    assert read.source >= ROWS
    assert read.staging >= ROWS


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(
            "update etl.quality_result set passed = false where rule = 'matches_source'", id="it did not match"
        ),
        pytest.param("update etl.quality_result set rows_checked = 9 where rule = 'matches_source'", id="not whole"),
        pytest.param("delete from etl.quality_result where rule = 'matches_source'", id="it was never verified"),
        pytest.param(
            "update etl.quality_result set batch_id = (select batch_id from etl.batch order by started_at limit 1),"
            " checked_at = now() - interval '1 day'",
            id="it was changed since",
        ),
    ],
)
def test_what_was_not_verified_as_it_is_now_is_verified(clinic, spoiled) -> None:
    clinic.add("patient", "'one'", "'two'", columns="LName")
    clinic.take("patient")
    clinic.execute("update patient set LName = 'new' where PatNum = 1")
    clinic.take("patient")
    assert "matches_source" not in checks(clinic.take("patient"))
    clinic.query(f"with done as ({spoiled} returning 1) select count(*) from done")
    report = clinic.take("patient")
    assert counts(report) == (2, 0, 0, 2, 0)
    assert checks(report)["matches_source"]
