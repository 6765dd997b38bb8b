"""Tables that outlive their source: what it purges stays, and the database itself refuses to delete it."""

import psycopg
import pytest

from etl_assets.errors import EtlError
from etl_assets.loading.database import changes
from etl_assets.loading.database.rollback import roll_back
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.database.clinic import Clinic, at_each, checks, counts

OLD = "'2024-01-01 12:00:00'"
ROWS = 60


@pytest.fixture
def audited(clinic: Clinic) -> Clinic:
    """A clinic with a history of appointments, loaded."""
    clinic.add(
        "histappointment",
        *(f"{n}, '20{n % 20:02}-06-01', {OLD}" for n in range(ROWS)),
        columns="AptNum, HistDateTStamp, DateTStamp",
    )
    clinic.take("histappointment")
    return clinic


def keys(clinic: Clinic) -> set[int]:
    return {key for (key,) in clinic.query("select histapptnum from open_dental.histappointment")}


def outlives(report) -> object:
    return next(check for check in report.checks if check.name == "outlives_source")


@pytest.mark.parametrize(
    "purge", ["delete from histappointment where HistApptNum <= 50", "truncate table histappointment"]
)
@pytest.mark.parametrize("sweep", [False, True])
@pytest.mark.parametrize("small", [False, True])
def test_what_the_source_purges_stays_and_is_said_once(audited: Clinic, purge, sweep, small, monkeypatch) -> None:
    if not small:
        monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 0)
    audited.execute(purge)
    left = audited.execute("select count(*) from histappointment")[0][0]
    audited.execute("insert into histappointment (HistApptNum, AptNum) values (1000, 7)")
    report = audited.take("histappointment", full_compare=sweep)
    assert keys(audited) == {*range(1, ROWS + 1), 1000}
    found = outlives(report)
    assert not found.passed
    assert not found.is_error
    assert found.rows_broken == ROWS - left
    assert f"lost {ROWS - left} rows" in found.description
    assert f"keys 1 to {ROWS - left}" in found.description
    assert found.metadata["rows_here"] == ROWS + 1
    assert found.metadata["rows_at_source"] == left + 1
    assert checks(report)["matches_source"]

    audited.execute("update histappointment set AptNum = 8 where HistApptNum = 1000")
    again = audited.take("histappointment", full_compare=sweep)
    assert outlives(again).metadata["lost_now"] == 0
    assert f"no longer has {ROWS - left} of them" in outlives(again).description
    assert again.counts.rows_updated == 1
    assert counts(audited.take("histappointment"))[1:3] == (0, 0)
    passed = audited.query("select passed from etl.quality_result where rule = 'outlives_source' order by result_id")
    assert passed[:2] == [(True,), (False,)]


@pytest.mark.parametrize("statement", ["delete from {}", "truncate {}", "delete from {} where false"])
def test_the_database_refuses_to_delete_from_it(audited: Clinic, statement) -> None:
    for role, message in (("etl_loader", "permission denied"), (None, "outlives its source")):
        refused = pytest.raises(psycopg.errors.InsufficientPrivilege, match=message)
        with connect(audited.settings, role=role) as connection, refused:
            connection.execute(statement.format("open_dental.histappointment"))
    assert len(keys(audited)) == ROWS


def test_it_belongs_to_the_keeper_once_it_is_loaded(audited: Clinic) -> None:
    owned = "select relowner::regrole::text from pg_class where oid = 'open_dental.histappointment'::regclass"
    assert audited.query(owned) == [("etl_keeper",)]
    audited.execute("alter table histappointment add column Shade varchar(20) not null default 'blue'")
    audited.take("histappointment")
    assert audited.query("select distinct shade from open_dental.histappointment") == [("blue",)]
    assert audited.query(owned) == [("etl_keeper",)]


def test_a_table_that_is_newly_declared_to_outlive_its_source_changes_hands(clinic: Clinic) -> None:
    clinic.add("appointment", *(f"{n}" for n in range(9)), columns="PatNum")
    clinic.take("appointment")
    clinic.change("appointment", retain_deleted=True)
    clinic.execute("delete from appointment where AptNum < 4")
    clinic.take("appointment")
    assert clinic.query("select count(*) from open_dental.appointment") == [(9,)]
    with connect(clinic.settings) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("delete from open_dental.appointment")


def retain(clinic: Clinic, who: str = "A. Keeper", why: str = "kept for ten years", by: str = "histdatetstamp") -> int:
    with connect(clinic.settings, role=None, autocommit=True) as connection:
        connection.execute("set time zone 'America/Chicago'")
        (gone,) = connection.execute(
            "select etl.retain('open_dental.histappointment', %s, '2010-01-01', %s, %s)", [by, who, why]
        ).fetchone()
    return gone


@pytest.mark.parametrize("sweep", [False, True])
def test_retention_is_explicit_written_down_and_lasts(audited: Clinic, sweep) -> None:
    gone = retain(audited)
    assert gone == ROWS // 2
    (written,) = audited.query(
        "select relation, date_column, before::text, rows_deleted, done_by, reason from etl.retention"
    )
    assert written == (
        "open_dental.histappointment",
        "histdatetstamp",
        "2010-01-01",
        gone,
        "A. Keeper",
        "kept for ten years",
    )
    # The source has them still, and changes some.
    audited.execute("update histappointment set AptNum = 5", "delete from histappointment where HistApptNum = 59")
    report = audited.take("histappointment", full_compare=sweep)
    assert len(keys(audited)) == ROWS - gone
    assert outlives(report).metadata["lost_now"] == 1
    assert outlives(report).metadata["changed_now"] == ROWS - gone - 1
    audited.take("histappointment", full_compare=True)
    assert outlives(audited.take("histappointment")).passed
    assert len(keys(audited)) == ROWS - gone


def test_retention_needs_a_name_and_a_reason_and_is_not_the_loader_s(audited: Clinic) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="one of the two is empty"):
        retain(audited, why=" ")
    with connect(audited.settings) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select etl.retain('open_dental.histappointment', 'histdatetstamp', '2010-01-01', 'x', 'y')")
    assert len(keys(audited)) == ROWS


def test_it_cannot_be_rolled_back(audited: Clinic) -> None:
    with (
        open_batch(audited.settings, "open_dental", "rollback") as batch,
        pytest.raises(EtlError, match="outlives its source"),
    ):
        roll_back(audited.settings, audited.source, "histappointment", batch)
    assert len(keys(audited)) == ROWS


def test_a_row_that_comes_back_is_at_the_source_again(audited: Clinic) -> None:
    audited.execute("delete from histappointment where HistApptNum <= 3")
    assert outlives(audited.take("histappointment")).rows_broken == 3
    audited.add("histappointment", f"2, 9, {OLD}", columns="HistApptNum, AptNum, DateTStamp")
    found = outlives(audited.take("histappointment"))
    assert found.passed
    assert found.metadata["lost_by_source"] == 2


def test_a_day_of_retention_is_one_of_utc_whoever_asks(audited: Clinic) -> None:
    audited.execute("set time_zone = '+00:00'")
    audited.add("histappointment", "1, '2010-01-01 00:00:00'", "2, '2009-12-31 23:59:59'", columns="AptNum, DateTStamp")
    audited.take("histappointment", full_compare=True)
    assert retain(audited, by="datetstamp") == 1
    audited.execute("update histappointment set AptNum = 3, DateTStamp = DateTStamp where AptNum = 2")
    audited.take("histappointment", full_compare=True)
    assert keys(audited) == set(range(1, ROWS + 2))


def test_what_was_kept_of_a_row_goes_with_it(audited: Clinic) -> None:
    audited.execute("update histappointment set AptNum = 5")
    audited.take("histappointment")
    gone = retain(audited)
    assert audited.query("select count(*) from etl.row_overwritten") == [(ROWS - gone,)]


def test_a_retained_table_is_loaded_when_its_date_has_left_the_source(audited: Clinic) -> None:
    retain(audited)
    audited.execute("alter table histappointment drop column HistDateTStamp")
    audited.add("histappointment", "7", columns="AptNum")
    report = audited.take("histappointment")
    assert "let go of by histdatetstamp" in " ".join(report.notes)
    assert ROWS + 1 in keys(audited)


def test_retention_waits_for_a_load(audited: Clinic) -> None:
    refused = []

    def retain_meanwhile() -> None:
        with connect(audited.settings, role=None) as connection:
            connection.execute("set lock_timeout = '200ms'")
            try:
                connection.execute(
                    "select etl.retain('open_dental.histappointment', 'histdatetstamp', '2010-01-01', 'x', 'y')"
                )
            except psycopg.errors.LockNotAvailable:
                refused.append(True)

    at_each(audited, sums=retain_meanwhile)
    audited.execute("set time_zone = '+00:00'")
    audited.add(
        "histappointment",
        "777, '2024-01-01', utc_timestamp() - interval 5 second",
        columns="AptNum, HistDateTStamp, DateTStamp",
    )
    audited.take("histappointment")
    assert refused
    assert len(keys(audited)) == ROWS + 1
