"""What changes at the source between two loads: found, whatever moved or did not move the stamp."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from etl_assets.declare.copied_table import CopiedTable, Incremental
from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.loading.database import changes
from etl_assets.readers.database import connect_database
from etl_assets_tests.loading.database.clinic import Clinic, copied, counts

OLD = "'2024-01-01 12:00:00'"


@pytest.fixture(autouse=True)
def _only_what_was_read_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tables are compared whole, and so mended at once: here each way of reading must find its changes itself."""
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 0)


def patients(clinic: Clinic, number: int = 30) -> None:
    clinic.add("patient", *(f"'p{n}', {OLD}" for n in range(number)), columns="LName, DateTStamp")


def test_rows_that_are_new_changed_and_deleted_are_counted_each(clinic: Clinic) -> None:
    patients(clinic)
    clinic.take("patient")
    clinic.add("patient", "'new'", columns="LName")
    clinic.execute(
        "update patient set LName = 'changed' where PatNum in (1, 2)", "delete from patient where PatNum = 3"
    )
    clinic.execute("update patient set DateTStamp = now() where PatNum = 4")
    assert counts(clinic.take("patient")) == (4, 1, 3, 0, 1)
    assert clinic.same()
    assert counts(clinic.take("patient")) == (4, 0, 0, 4, 0)
    (held,) = clinic.query("select rows_held from etl.extraction where relation = 'open_dental.patient'")
    assert held == (30,)


def test_rows_of_the_second_in_which_the_last_load_read_are_not_lost(clinic: Clinic) -> None:
    clinic.change("patient", load=Incremental(column="DateTStamp", overlap=timedelta(0)))
    patients(clinic, 3)
    clinic.take("patient")
    clinic.execute("set time_zone = '+00:00'")
    stamped = last_second(clinic)
    clinic.add("patient", *(f"'tie{n}', {stamped}" for n in range(25)), columns="LName, DateTStamp")
    clinic.execute(f"update patient set LName = 'tied', DateTStamp = {stamped} where PatNum = 1")
    assert counts(clinic.take("patient")) == (26, 25, 1, 0, 0)
    clinic.execute(f"update patient set LName = 'tied too', DateTStamp = {last_second(clinic)} where PatNum = 2")
    clinic.take("patient")
    assert clinic.same()


def last_second(clinic: Clinic) -> str:
    """The second of the source's clock at which the last load began to read."""
    ((until,),) = clinic.query("select read_until at time zone 'UTC' from etl.extraction")
    return f"'{until:%Y-%m-%d %H:%M:%S}'"


class Clocked:
    """A connection to a source whose clock is set wrong."""

    def __init__(self, reader: DatabaseReader, ahead: timedelta) -> None:
        self._reader, self._ahead = reader, ahead

    def now(self) -> datetime:
        return self._reader.now() + self._ahead

    def __getattr__(self, name: str):
        return getattr(self._reader, name)


def set_clock(clinic: Clinic, ahead: timedelta) -> None:
    """What the source says of the time, and stamps rows with."""

    def connect(given: Mapping[str, str]) -> DatabaseReader:
        return Clocked(connect_database(given), ahead)

    clinic.connect = connect
    moment = datetime.now(UTC) + ahead
    clinic.execute("set time_zone = '+00:00'", f"set timestamp = {moment.timestamp():.0f}")


HOURS = [timedelta(0), timedelta(hours=3), timedelta(hours=-2), timedelta(days=-400), timedelta(hours=5), timedelta(0)]


def test_nothing_falls_between_where_the_clock_of_the_source_jumps(clinic: Clinic) -> None:
    patients(clinic)
    set_clock(clinic, HOURS[0])
    clinic.take("patient")
    for number, ahead in enumerate(HOURS, start=1):
        clinic.execute(f"update patient set LName = 'before {number}' where PatNum = {number}")
        set_clock(clinic, ahead)
        clinic.execute(f"update patient set LName = 'after {number}' where PatNum = {number + 10}")
        clinic.add("patient", f"'new {number}'", columns="LName")
        clinic.take("patient")
        assert clinic.same(), ahead


@pytest.mark.parametrize("behind", [0, 6, 10, -9])
def test_a_stamp_without_a_zone_may_be_of_another_clock(clinic: Clinic, behind) -> None:
    clinic.execute(
        "set time_zone = '+00:00'",
        "create table sheet (SheetNum bigint not null auto_increment primary key, Words varchar(20), Edited datetime)",
    )
    clinic.tables = (CopiedTable(name="sheet", key="sheetnum", load=Incremental(column="Edited"), **copied()),)
    written = f"now() - interval {behind} hour"
    clinic.add("sheet", *(f"'s{n}', {written}" for n in range(5)), columns="Words, Edited")
    clinic.take("sheet")
    clinic.execute(f"update sheet set Words = 'edited', Edited = {written} where SheetNum = 2")
    assert clinic.take("sheet").counts.rows_updated == 1
    assert clinic.same("sheet", "SheetNum, Words, Edited")


def test_an_update_that_does_not_move_the_stamp_is_found_by_the_sweep(clinic: Clinic) -> None:
    patients(clinic, 35)
    clinic.take("patient")
    clinic.take("patient", full_compare=True)
    clinic.execute("update patient set LName = 'moved', DateTStamp = DateTStamp where PatNum between 12 and 14")
    clinic.take("patient")
    assert not clinic.same()
    # Ranges are of ten rows: only the second is read.
    assert counts(clinic.take("patient", full_compare=True)) == (10, 0, 3, 7, 0)
    assert clinic.same()
    assert counts(clinic.take("patient", full_compare=True)) == (0, 0, 0, 0, 0)


def test_a_change_that_is_taken_back_without_a_stamp_is_found_by_the_sweep(clinic: Clinic) -> None:
    patients(clinic, 15)
    clinic.take("patient", full_compare=True)
    clinic.execute("update patient set LName = 'there' where PatNum = 3")
    clinic.take("patient")
    clinic.execute(f"update patient set LName = 'p2', DateTStamp = {OLD} where PatNum = 3")
    clinic.take("patient", full_compare=True)
    assert clinic.same()


def test_rows_that_come_with_an_old_stamp_are_found_by_their_number(clinic: Clinic) -> None:
    patients(clinic)
    clinic.take("patient")
    clinic.add("patient", *(f"'late{n}', {OLD}" for n in range(25)), columns="LName, DateTStamp")
    clinic.execute("delete from patient where PatNum < 5")
    assert counts(clinic.take("patient")) == (25, 25, 0, 0, 4)
    assert clinic.same()


def test_a_table_that_is_only_appended_to_is_read_from_its_last_key_on(clinic: Clinic) -> None:
    clinic.add("securitylog", *(f"{n}, 'log{n}'" for n in range(1, 41) if n != 35), columns="SecurityLogNum, LogText")
    clinic.take("securitylog")
    clinic.add("securitylog", "35, 'committed late'", "41, 'new'", columns="SecurityLogNum, LogText")
    assert counts(clinic.take("securitylog")) == (11, 2, 0, 9, 0)
    assert clinic.same("securitylog", "SecurityLogNum, LogText")
    clinic.execute("delete from securitylog where SecurityLogNum = 41")
    clinic.add("securitylog", "-5, 'a key below all'", columns="SecurityLogNum, LogText")
    clinic.take("securitylog")
    clinic.add("securitylog", "-6, 'another'", columns="SecurityLogNum, LogText")
    clinic.take("securitylog")
    assert clinic.query("select count(*), min(securitylognum), max(securitylognum) from open_dental.securitylog") == [
        (43, -6, 41)
    ]


def test_only_the_ranges_that_changed_are_read_of_a_table_without_a_stamp(clinic: Clinic) -> None:
    clinic.add("definition", *(f"'d{n}'" for n in range(35)), columns="ItemName")
    assert counts(clinic.take("definition")) == (35, 35, 0, 0, 0)
    assert counts(clinic.take("definition")) == (0, 0, 0, 0, 0)
    clinic.execute(
        "update definition set ItemName = 'x' where DefNum = 5", "delete from definition where DefNum in (6, 7)"
    )
    assert counts(clinic.take("definition")) == (8, 0, 1, 7, 2)
    clinic.add("definition", "'new'", columns="ItemName")
    assert clinic.take("definition").counts.rows_inserted == 1
    assert clinic.same("definition", "DefNum, ItemName")
    assert counts(clinic.take("definition")) == (0, 0, 0, 0, 0)


def test_a_table_whose_key_is_of_two_columns(clinic: Clinic) -> None:
    clinic.add("patlink", "1, 2, 0", "2, 3, 0", "3, 4, 0", columns="PatFrom, PatTo, LinkType")
    clinic.take("patlink")
    clinic.execute("update patlink set LinkType = 1 where PatFrom = 1", "delete from patlink where PatFrom = 2")
    clinic.add("patlink", "1, 9, 1", columns="PatFrom, PatTo, LinkType")
    assert counts(clinic.take("patlink")) == (3, 1, 1, 1, 1)
    assert clinic.held("patlink", "patfrom, patto, linktype") == [(1, 2, 1), (1, 9, 1), (3, 4, 0)]
    assert counts(clinic.take("patlink")) == (0, 0, 0, 0, 0)


def test_a_table_without_a_key_is_replaced_where_its_rows_have_changed(clinic: Clinic) -> None:
    clinic.add("leftover", "'x', 1.50", "'x', 1.50", columns="Word, Amount")
    assert counts(clinic.take("leftover")) == (2, 2, 0, 0, 0)
    assert counts(clinic.take("leftover")) == (0, 0, 0, 0, 0)
    clinic.add("leftover", "null, 2.00", columns="Word, Amount")
    assert counts(clinic.take("leftover")) == (3, 3, 0, 0, 2)
    assert clinic.held("leftover", "word, amount::text") == [("x", "1.50"), ("x", "1.50"), (None, "2.00")]


def test_the_dates_of_what_changed_are_told_before_and_after(clinic: Clinic) -> None:
    clinic.add("appointment", "'2024-03-01 09:00'", "'2024-03-02 09:00'", "'2024-03-03 09:00'", columns="AptDateTime")
    clinic.take("appointment")
    clinic.execute("update appointment set AptDateTime = '2024-04-01 09:00' where AptNum = 1")
    clinic.execute("delete from appointment where AptNum = 2")
    clinic.take("appointment")
    rows = clinic.query("select slices_changed from etl.table_load order by load_id")
    assert rows == [
        ([date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)],),
        ([date(2024, 3, 1), date(2024, 3, 2), date(2024, 4, 1)],),
    ]
