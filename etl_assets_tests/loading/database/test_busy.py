"""A source that people write into while it is read, and people who read the warehouse meanwhile."""

import signal
import threading
import time

import pytest

from etl_assets.declare.hours import AllowedHours
from etl_assets.errors import TransientError
from etl_assets.loading.database import changes
from etl_assets.warehouse.connection import connect
from etl_assets_tests.loading.database.clinic import Clinic, at_each, checks, counts, once

TEXT = {"securitylog": "LogText", "definition": "ItemName"}


@pytest.mark.parametrize("whole", [0, 100_000])
@pytest.mark.parametrize("table", TEXT)
def test_rows_that_come_while_it_is_compared_are_no_doubt(clinic: Clinic, table, whole, monkeypatch) -> None:
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", whole)
    clinic.add(table, *(f"'v{n}'" for n in range(100)), columns=TEXT[table])
    at_each(clinic, sums=lambda: clinic.add(table, "'live'", columns=TEXT[table]))
    for number in range(4):
        report = clinic.take(table, full_compare=number == 1)
        assert checks(report).get("matches_source", True)
        assert not [note for note in report.notes if "read again" in note]
        assert clinic.query("select in_doubt, rows_apart from etl.extraction") == [(False, 0)]
        assert number < 2 or report.counts.rows_read < 40


def test_a_piece_that_is_read_again_leaves_the_others_to_be_compared(clinic: Clinic) -> None:
    clinic.add("histappointment", *(f"{n}, '2024-01-01'" for n in range(100)), columns="AptNum, DateTStamp")
    clinic.take("histappointment", full_compare=True)
    clinic.take("histappointment", full_compare=True)
    clinic.execute("update histappointment set AptNum = 999 where HistApptNum in (5, 45, 85)")
    at_each(clinic, sums=once(lambda: clinic.execute("delete from histappointment where HistApptNum = 6")))
    report = clinic.take("histappointment", full_compare=True)
    assert checks(report)["matches_source"]
    assert len([note for note in report.notes if "read again" in note]) == 1
    assert clinic.query("select in_doubt, rows_apart from etl.extraction") == [(False, 1)]
    assert not checks(report)["outlives_source"]


@pytest.mark.parametrize("whole", [0, 100_000])
@pytest.mark.parametrize("sweep", [False, True])
def test_what_is_changed_for_a_moment_does_not_stay(clinic: Clinic, whole, sweep, monkeypatch) -> None:
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", whole)
    clinic.add("definition", *(f"'v{n}'" for n in range(30)), columns="ItemName")
    clinic.take("definition")
    clinic.execute("update definition set ItemName = 'touched' where DefNum = 2")
    at_each(clinic, read=once(lambda: clinic.execute("update definition set ItemName = 'fleeting' where DefNum = 1")))
    clinic.take("definition", full_compare=sweep)
    assert ("fleeting",) in clinic.query("select itemname from open_dental.definition")
    clinic.execute("update definition set ItemName = 'v0' where DefNum = 1")
    clinic.take("definition", full_compare=sweep)
    assert clinic.same("definition", "DefNum, ItemName")
    assert counts(clinic.take("definition")) == (0, 0, 0, 0, 0)


def add_column(clinic: Clinic) -> None:
    clinic.execute("alter table definition add column Extra int not null default 7")


def empty_it(clinic: Clinic) -> None:
    clinic.execute("delete from definition")
    clinic.take("definition", accept_shrink=True)
    clinic.add("definition", "'new'", columns="ItemName")


def change_a_table_without_a_key(clinic: Clinic) -> None:
    clinic.add("leftover", "'y', 2", columns="Word, Amount")


@pytest.mark.parametrize("change", [add_column, empty_it, change_a_table_without_a_key])
def test_who_reads_the_warehouse_is_not_kept_waiting_by_a_reading(clinic: Clinic, change) -> None:
    clinic.add("definition", *(f"'v{n}'" for n in range(30)), columns="ItemName")
    clinic.add("leftover", "'x', 1", columns="Word, Amount")
    clinic.load("definition", "leftover")
    change(clinic)
    seen = []

    def look() -> None:
        with connect(clinic.settings, role=None) as connection:
            connection.execute("set lock_timeout = '300ms'")
            for table in ("definition", "leftover"):
                seen.extend(connection.execute(f"select count(*) from open_dental.{table}").fetchall())

    at_each(clinic, sums=look)
    reports = clinic.load("definition", "leftover")
    assert [report.failure for report in reports.values()] == [None, None]
    assert seen


def test_a_new_column_does_not_wait_for_ever(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_assets.warehouse.database.staging.LOCK_TIMEOUT", "100ms")
    clinic.add("definition", "'v'", columns="ItemName")
    clinic.take("definition")
    add_column(clinic)
    with connect(clinic.settings, role=None) as reading:
        reading.execute("select from open_dental.definition")
        failure = clinic.load("definition")["definition"].failure
    assert isinstance(failure, TransientError)
    assert "extra is new at the source" in str(failure)
    assert clinic.take("definition").counts.rows_updated == 1
    assert clinic.same("definition", "DefNum, Extra")


class UntilAsked(AllowedHours):
    """Hours that end when the source is asked in one way."""

    asked: tuple[list[str], str]

    def allows(self, moment) -> bool:
        said, last = self.asked
        return last not in said


@pytest.mark.parametrize(
    ("last", "asked"),
    [("fingerprints", []), ("read", ["fingerprints"]), ("sums", ["fingerprints", "read"])],
)
def test_hours_hold_in_all_that_the_source_is_asked(clinic: Clinic, last, asked) -> None:
    clinic.add("definition", *(f"'v{n}'" for n in range(300)), columns="ItemName")
    clinic.take("definition")
    clinic.execute("update definition set ItemName = concat('x', ItemName)")
    said: list[str] = []
    at_each(
        clinic,
        fingerprints=lambda: said.append("fingerprints"),
        read=lambda: said.append("read"),
        sums=lambda: said.append("sums"),
    )
    hours = UntilAsked(*vars(AllowedHours.parse({"hours": "21:00-06:00"}, "ETL")).values())
    object.__setattr__(hours, "asked", (said, last))
    failure = clinic.load("definition", hours=hours)["definition"].failure
    assert isinstance(failure, TransientError)
    assert said == [*asked, last]
    assert clinic.query("select count(*) from open_dental.definition where itemname like 'x%'") == [(0,)]


def test_who_ends_the_run_does_not_wait_for_what_the_source_is_asked(clinic: Clinic) -> None:
    clinic.add("definition", *(f"'v{n}'" for n in range(300)), columns="ItemName")
    clinic.take("definition")
    clinic.execute("update definition set ItemName = concat('x', ItemName)")
    asked = []

    def interrupt() -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.5)

    at_each(clinic, fingerprints=interrupt, read=lambda: asked.append("read"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            clinic.load("definition")
    finally:
        signal.signal(signal.SIGINT, before)
    assert not asked
