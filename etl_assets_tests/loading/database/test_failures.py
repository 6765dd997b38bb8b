"""Something dies in the middle of a load: the table holds its old rows, and the next run completes it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest

from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.declare.hours import AllowedHours
from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.database import extraction_window
from etl_assets.readers.database import connect_database
from etl_assets_tests.loading.database.clinic import Clinic, counts

MANY = 400
OLD = "'2024-01-01 12:00:00'"


class Interrupted:
    """A connection to a source at which something happens while a table is read."""

    def __init__(self, reader: DatabaseReader, table: str, happens: Callable[[], None]) -> None:
        self._reader, self._table, self._happens = reader, table, happens

    def read(self, table, row_range, **words) -> Iterator[bytes]:
        for number, block in enumerate(self._reader.read(table, row_range, **words)):
            if table.name == self._table and number == 3:
                self._happens()
            yield block

    def __getattr__(self, name: str):
        return getattr(self._reader, name)


def while_reading(clinic: Clinic, table: str, happens: Callable[[], None]) -> None:
    """Have something happen once, in the middle of the reading of a table."""
    left = [happens]

    def connect(given: Mapping[str, str]) -> DatabaseReader:
        return Interrupted(connect_database(given), table, lambda: left.pop()() if left else None)

    clinic.connect = connect


@pytest.fixture
def held(clinic: Clinic) -> Clinic:
    """A clinic of which everything was loaded, and much has changed since."""
    clinic.add("patient", *(f"'p{n}', {OLD}" for n in range(MANY)), columns="LName, DateTStamp")
    clinic.add("definition", *(f"'d{n}'" for n in range(MANY)), columns="ItemName")
    clinic.load("patient", "definition")
    clinic.execute("update patient set LName = 'altered'", "update definition set ItemName = 'altered'")
    return clinic


def is_as_before(clinic: Clinic) -> bool:
    names = {name for (name,) in clinic.query("select lname from open_dental.patient")}
    return "altered" not in names and len(names) == MANY


def kill_readers(clinic: Clinic) -> None:
    """As the source's administrator does; our own connection stays."""
    database = clinic.url.rsplit("/", 1)[1]
    others = clinic.execute(
        f"select id from information_schema.processlist where db = '{database}' and id <> connection_id()"
    )
    clinic.execute(*(f"kill {number}" for (number,) in others))


def terminate_loaders(clinic: Clinic) -> None:
    clinic.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and query ilike 'copy %' and state = 'active'"
    )


@pytest.mark.parametrize("die", [kill_readers, terminate_loaders])
def test_the_source_or_the_warehouse_dies_in_mid_copy(held: Clinic, die) -> None:
    while_reading(held, "patient", lambda: die(held))
    held.settings = replace(held.settings, given={**held.settings.given, "ETL_OPEN_DENTAL_WORKERS": "1"})
    reports = held.load("patient", "definition")
    assert isinstance(reports["patient"].failure, TransientError)
    assert "altered" not in str(reports["patient"].failure)
    assert is_as_before(held)
    # The next table opened the connection anew.
    assert counts(reports["definition"]) == (MANY, 0, MANY, 0, 0)

    assert counts(held.take("patient")) == (MANY, 0, MANY, 0, 0)
    assert held.same()


def test_a_first_load_that_dies_leaves_no_table(clinic: Clinic) -> None:
    clinic.add("patient", *(f"'p{n}'" for n in range(MANY)), columns="LName")
    while_reading(clinic, "patient", lambda: kill_readers(clinic))
    assert isinstance(clinic.load("patient")["patient"].failure, TransientError)
    assert clinic.query("select to_regclass('open_dental.patient')") == [(None,)]
    assert counts(clinic.take("patient")) == (MANY, MANY, 0, 0, 0)


SCRIPT = """
import sys, time
from etl_assets.settings import read_settings
from etl_assets_tests.loading.database.clinic import Clinic
from etl_assets_tests.loading.database.test_failures import while_reading

clinic = Clinic(read_settings(), sys.argv[1])
def wait():
    print("reading", flush=True)
    time.sleep(60)
while_reading(clinic, "patient", wait)
clinic.load("patient")
"""


def test_the_process_is_killed_in_mid_copy(held: Clinic) -> None:
    variables = {**os.environ, **held.settings.given, "ETL_HOME": str(held.settings.home)}
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, held.url], env=variables, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "reading\n"
        child.send_signal(signal.SIGKILL)
    assert is_as_before(held)
    assert counts(held.take("patient")) == (MANY, 0, MANY, 0, 0)
    assert held.same()
    statuses = held.query("select status from etl.batch order by started_at")
    assert statuses == [("success",), ("abandoned",), ("success",)]


def test_where_the_source_is_gone_for_good_all_that_waits_fails_at_once(held: Clinic) -> None:
    names = [f"more{n}" for n in range(50)]
    held.execute(*(f"create table {name} like patient" for name in names))
    held.tables += tuple(replace(held.tables[0], name=name) for name in names)
    while_reading(held, "patient", lambda: kill_readers(held))
    reachable, calls = held.connect, []

    def connect(given: Mapping[str, str]) -> DatabaseReader:
        calls.append(1)
        if len(calls) > 2:
            raise TransientError("the clinic: it cannot be reached")
        return reachable(given)

    held.connect = connect
    held.settings = replace(held.settings, given={**held.settings.given, "ETL_OPEN_DENTAL_WORKERS": "1"})
    reports = held.load("patient", *names)
    assert len(calls) == 3
    failed = [name for name, report in reports.items() if isinstance(report.failure, TransientError)]
    assert "patient" in failed
    assert all(report.failure or counts(report) == (0, 0, 0, 0, 0) for report in reports.values())
    assert is_as_before(held)


def test_a_worker_that_finds_no_connection_leaves_its_tables_to_the_others(held: Clinic) -> None:
    calls = []

    def connect(given: Mapping[str, str]) -> DatabaseReader:
        calls.append(1)
        if len(calls) == 3:
            raise TransientError("the clinic: the account has no connection left")
        return connect_database(given)

    held.connect = connect
    reports = held.load("patient", "definition")
    assert [report.failure for report in reports.values()] == [None, None]


def test_a_table_that_no_worker_takes_any_more_is_not_said_to_be_loaded(clinic: Clinic) -> None:
    clinic.add("definition", "'a'", columns="ItemName")
    clinic.add("patlink", "1, 2", columns="PatFrom, PatTo")
    calls, lock = [], Lock()

    def connect(given: Mapping[str, str]) -> DatabaseReader:
        with lock:
            calls.append(1)
            number = len(calls)
        if number == 3:
            # The other worker has no table left by now, and has ended.
            while not clinic.query("select from etl.extraction"):
                time.sleep(0.05)
            time.sleep(0.5)
            raise TransientError("the clinic: the account has no connection left")
        return connect_database(given)

    clinic.connect = connect
    failures = [report.failure for report in clinic.load("definition", "patlink").values()]
    assert sorted(map(str, failures)) == ["None", "the clinic: the account has no connection left"]


def test_a_table_that_nobody_came_to_load_is_none_that_was_loaded(held: Clinic, monkeypatch) -> None:
    monkeypatch.setattr("etl_assets.loading.workers._Pool._next", lambda run: None)
    assert "nobody came to load it" in str(held.load("patient")["patient"].failure)


def test_a_source_that_cannot_be_reached_is_said_at_once(clinic: Clinic) -> None:
    clinic.settings = replace(clinic.settings, given={"ETL_OPEN_DENTAL_URL": "mysql://etl:x@127.0.0.1:9/none"})
    with pytest.raises(TransientError):
        clinic.load("patient")


def hours(*, allowed: bool) -> AllowedHours:
    now = datetime.now(UTC)
    shift = timedelta(hours=-1 if allowed else 1)
    first, last = now + shift, now + shift + timedelta(hours=2 if allowed else 1)
    return AllowedHours.parse({"hours": f"{first:%H:%M}-{last:%H:%M}"}, "ETL_OPEN_DENTAL")


def test_the_source_is_read_at_its_hours_alone(held: Clinic) -> None:
    report = held.load("patient", hours=hours(allowed=False))["patient"]
    assert isinstance(report.failure, TransientError)
    assert "UTC" in str(report.failure)
    assert is_as_before(held)
    assert held.take("patient", hours=hours(allowed=True)).counts.rows_updated == MANY


def test_a_load_that_runs_into_the_clinic_s_day_is_ended(held: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        moment = datetime.now(UTC)

        @classmethod
        def now(cls, tz=None):
            return cls.moment.astimezone(tz)

    monkeypatch.setattr(extraction_window, "datetime", Later)

    def opens() -> None:
        Later.moment += timedelta(hours=2)

    while_reading(held, "patient", opens)
    held.settings = replace(held.settings, given={**held.settings.given, "ETL_OPEN_DENTAL_WORKERS": "1"})
    reports = held.load("patient", "definition", hours=hours(allowed=True))
    assert all(isinstance(report.failure, TransientError) for report in reports.values())
    assert is_as_before(held)
    assert held.query("select distinct itemname like 'd%' from open_dental.definition") == [(True,)]


def test_another_run_loads_the_table_between_the_plan_and_the_load(held: Clinic) -> None:
    other, calls = replace(held), []

    def connect(given: Mapping[str, str]) -> DatabaseReader:
        calls.append(1)
        if len(calls) == 2:
            other.load("patient")
        return connect_database(given)

    held.connect = connect
    assert "another run" in str(held.load("patient")["patient"].failure)
    assert held.same()
    assert held.load("patient")["patient"].failure is None
    assert held.query("select rows_held from etl.extraction where relation = 'open_dental.patient'") == [(MANY,)]


def test_the_number_of_workers_is_a_number(clinic: Clinic) -> None:
    given = {**clinic.settings.given, "ETL_OPEN_DENTAL_WORKERS": "many"}
    clinic.settings = replace(clinic.settings, given=given)
    with pytest.raises(EtlError, match="ETL_OPEN_DENTAL_WORKERS"):
        clinic.load("patient")
