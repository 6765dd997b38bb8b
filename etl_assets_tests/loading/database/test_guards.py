"""What is not believed, what is refused, what is found wrong, and the way back."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from etl_assets.declare.copied_table import Monitoring
from etl_assets.errors import EtlError, SchemaDrift, ShrunkenLoad
from etl_assets.loading.database import changes
from etl_assets.loading.database.plan import plan_tables
from etl_assets.loading.database.rollback import roll_back
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Counts, open_batch
from etl_assets_tests.loading.database.clinic import Clinic, checks, copied, counts

OLD = "'2024-01-01 12:00:00'"


@pytest.fixture
def held(clinic: Clinic) -> Clinic:
    """A clinic with patients of long ago, loaded."""
    clinic.add("patient", *(f"'p{n}', {OLD}" for n in range(40)), columns="LName, DateTStamp")
    clinic.add("definition", *(f"'d{n}'" for n in range(40)), columns="ItemName")
    clinic.load("patient", "definition")
    return clinic


@pytest.fixture
def by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table is small enough to be compared whole."""
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 0)


@pytest.mark.parametrize("table", ["patient", "definition"])
def test_a_new_column_comes_by_itself_with_the_values_of_old_rows(held: Clinic, table) -> None:
    after = {"patient": "LName", "definition": "ItemName"}[table]
    held.execute(f"alter table {table} add column Shade varchar(20) not null default 'blue' after {after}")
    report = held.take(table)
    assert report.counts.rows_updated == 40
    assert report.notes == ["new at the source: shade; every row was read for it"]
    assert held.query(f"select distinct shade from open_dental.{table}") == [("blue",)]
    assert held.take(table).counts.changed == 0


def test_a_changed_type_is_refused_by_name_and_costs_no_other_table(held: Clinic) -> None:
    held.execute(
        "alter table patient modify Birthdate varchar(30)", "update definition set ItemName = 'x' where DefNum = 1"
    )
    reports = held.load("patient", "definition")
    failure = reports["patient"].failure
    assert isinstance(failure, SchemaDrift)
    for words in ("open_dental.patient.birthdate", "held as date", "varchar(30)", "alter table", "--sweep"):
        assert words in str(failure)
    assert counts(reports["definition"])[2] == 1
    # What the message says to do.
    with connect(held.settings) as connection:
        connection.execute(str(failure).split("convert it: ")[1].split(";")[0])
    assert held.take("patient", full_compare=True).failure is None


def test_a_table_whose_personal_column_was_renamed_is_refused_and_costs_no_other(held: Clinic) -> None:
    patient, *others = held.tables
    named = Clinic(held.settings, held.url, (replace(patient, personal=("lname", "birthdate")), *others))
    assert named.load("patient")["patient"].failure is None
    held.execute("alter table patient change LName FamilyName varchar(100) not null default ''")
    reports = named.load("patient", "definition")
    failure = reports["patient"].failure
    assert isinstance(failure, EtlError)
    for words in ("open_dental.patient: lname is declared as personal", "renamed", "tables.py", "etl discover"):
        assert words in str(failure)
    assert "birthdate" not in str(failure)
    assert reports["definition"].failure is None
    columns = held.query("select attname::text from pg_attribute where attrelid = 'open_dental.patient'::regclass")
    assert ("familyname",) not in columns
    (plan,) = plan_tables(held.settings, named.source, ["patient"])
    assert plan.fails
    named.close()


def test_another_key_is_refused(held: Clinic) -> None:
    held.execute("alter table patient modify PatNum bigint not null, drop primary key, add primary key (PatNum, LName)")
    assert isinstance(held.load("patient")["patient"].failure, SchemaDrift)


VIEWS = """
set role etl_transformer;
create view open_dental_typed.stg_patient as select birthdate from open_dental.patient;
create view open_dental_typed.stg_names as select lname from open_dental.patient
"""


@pytest.fixture
def viewed(held: Clinic) -> Iterator[Clinic]:
    """A clinic whose patients views stand on."""
    with connect(held.settings, role=None) as connection:
        connection.execute(VIEWS)
    yield held
    with connect(held.settings, role=None) as connection:
        connection.execute("drop view if exists open_dental_typed.stg_patient, open_dental_typed.stg_names")


def test_the_views_that_stand_on_a_changed_column_are_named(viewed: Clinic) -> None:
    viewed.execute("alter table patient modify Birthdate datetime not null")
    told = str(viewed.load("patient")["patient"].failure)
    assert "open_dental_typed.stg_patient" in told
    assert "stg_names" not in told
    assert "etl run builds them again" in told
    with connect(viewed.settings, role=None) as connection:
        connection.execute("drop view open_dental_typed.stg_patient cascade")
        connection.execute(told.split("convert it: ")[1].split(";", maxsplit=1)[0])
    assert viewed.take("patient", full_compare=True).failure is None
    assert viewed.query("select distinct birthdate::text from open_dental.patient") == [("0001-01-01 00:00:00",)]


@pytest.mark.parametrize(("column", "kind"), [("LName", "mediumblob"), ("Photo", "mediumtext"), ("LName", "date")])
def test_no_cast_is_shown_that_would_spoil_the_values(viewed: Clinic, column, kind) -> None:
    viewed.execute(f"update patient set {column} = '2024-01-01'", f"alter table patient modify {column} {kind}")
    told = str(viewed.load("patient")["patient"].failure)
    assert "alter table" not in told
    assert "no cast keeps the values" in told
    assert "Views follow the table that is renamed" in told
    assert "open_dental_typed.stg_names, open_dental_typed.stg_patient" in told


@pytest.mark.parametrize("leave", ["alter table {} rename to definition_until_now", "drop table {}"])
def test_a_table_that_was_renamed_or_dropped_here_comes_anew(held: Clinic, leave) -> None:
    with connect(held.settings) as connection:
        connection.execute(leave.format("open_dental.definition"))
    assert counts(held.take("definition")) == (40, 40, 0, 0, 0)
    assert counts(held.take("definition")) == (0, 0, 0, 0, 0)
    held.execute("update definition set ItemName = 'x' where DefNum = 1")
    assert held.take("definition").counts.rows_updated == 1
    assert back(held, "definition").rows_inserted == 1
    assert ("d0",) in held.query("select itemname from open_dental.definition")


def test_a_dropped_column_stays(held: Clinic) -> None:
    held.execute("update patient set Note = 'kept'")
    held.take("patient")
    held.execute("alter table patient drop column Note")
    held.add("patient", "'new'", columns="LName")
    report = held.take("patient")
    assert "note" in report.notes[0]
    assert held.query("select note, count(*) from open_dental.patient group by note order by note") == [
        ("kept", 40),
        (None, 1),
    ]
    assert held.take("patient").notes == []
    held.execute("alter table patient add column Note text", "update patient set Note = 'again' where PatNum < 5")
    held.take("patient")
    assert held.same("patient", "PatNum, Note")


@pytest.mark.parametrize(("table", "words"), [("patient", {}), ("patient", {"full_compare": True}), ("definition", {})])
def test_a_source_that_has_lost_most_of_its_rows_is_not_believed(held: Clinic, table, words) -> None:
    key = {"patient": "PatNum", "definition": "DefNum"}[table]
    held.execute(f"delete from {table} where {key} > 5")
    failure = held.load(table, **words)[table].failure
    assert isinstance(failure, ShrunkenLoad)
    assert f"etl run open_dental {table} --accept-shrink" in str(failure)
    assert held.query(f"select count(*) from open_dental.{table}") == [(40,)]
    assert held.take(table, accept_shrink=True, **words).counts.rows_deleted == 35


def test_a_row_that_was_changed_here_is_found_and_put_right(held: Clinic) -> None:
    with connect(held.settings) as connection:
        connection.execute("update open_dental.patient set lname = 'wrong' where patnum = 3")
        connection.execute("delete from open_dental.patient where patnum = 4")
    held.add("patient", "'new'", columns="LName")
    report = held.take("patient")
    assert checks(report)["matches_source"]
    assert "read again" in report.notes[0]
    assert "lname" in report.notes[0]
    assert held.same()


def test_a_sweep_holds_a_small_table_against_its_source_though_nothing_changed_there(held: Clinic) -> None:
    held.take("definition", full_compare=True)
    with connect(held.settings) as connection:
        connection.execute("update open_dental.definition set itemorder = 9 where defnum = 3")
    assert held.take("definition").counts.changed == 0
    assert held.take("definition", full_compare=True).counts.rows_updated == 1
    assert held.same("definition", "DefNum, ItemOrder")


SPOIL = """
create function open_dental.spoil() returns trigger language plpgsql as
$$ begin new.lname = 'spoilt'; return new; end $$;
create trigger spoil before insert or update on open_dental.patient for each row execute function open_dental.spoil()
"""


@pytest.mark.parametrize(("threshold", "is_error"), [(0.99, True), (0.5, False)])
def test_what_stays_different_fails_the_check_and_is_compared_whole_the_next_time(held, threshold, is_error) -> None:
    held.change("patient", **copied(monitoring=Monitoring(data_quality_threshold=threshold)))
    with connect(held.settings) as connection:
        connection.execute(SPOIL)
    held.execute("update patient set LName = 'changed' where PatNum = 3")
    report = held.take("patient")
    found = report.checks[0]
    assert (found.name, found.passed, found.is_error) == ("matches_source", False, is_error)
    assert found.metadata["columns_that_differ"] == ["lname"]
    assert (found.rows_checked, found.rows_broken) == (40, 1)
    assert "changed" not in found.description
    assert held.query(
        "select severity, passed, rows_broken from etl.quality_result order by result_id desc offset 1 limit 1"
    ) == [("error" if is_error else "warning", False, 1)]
    with connect(held.settings) as connection:
        connection.execute("drop trigger spoil on open_dental.patient")
    assert held.take("patient").counts.rows_read == 40
    assert held.same()
    assert held.take("patient").counts.changed == 0


@pytest.mark.usefixtures("by_pieces")
@pytest.mark.parametrize("table", ["patient", "definition", "securitylog"])
def test_of_a_big_table_what_was_read_is_compared(held: Clinic, table) -> None:
    held.add("securitylog", *("'x'" for _ in range(40)), columns="LogText")
    held.take("securitylog")
    column = {"patient": "LName", "definition": "ItemName", "securitylog": "LogText"}[table]
    held.add(table, "'new'", columns=column)
    held.execute("update patient set DateTStamp = now() - interval 5 second where LName = 'new'")
    report = held.take(table)
    found = next(check for check in report.checks if check.name == "matches_source")
    assert found.passed
    assert found.rows_checked in range(1, 40)


def test_a_slow_load_is_said(held: Clinic) -> None:
    held.change("patient", **copied(monitoring=Monitoring(max_extraction_time_minutes=0)))
    held.execute("update patient set LName = 'x' where PatNum = 1")
    assert checks(held.take("patient")) == {"matches_source": True, "loads_in_time": False}


def test_what_postgresql_refuses_is_told_without_the_value(held: Clinic) -> None:
    with connect(held.settings) as connection:
        connection.execute("alter table open_dental.patient add constraint short check (length(lname) < 8)")
    held.execute("update patient set LName = 'confidential' where PatNum = 1")
    failure = held.load("patient")["patient"].failure
    assert isinstance(failure, EtlError)
    assert "violates check constraint" in str(failure)
    assert "confidential" not in str(failure)


def test_a_value_that_does_not_fit_is_told_by_its_column_alone(held: Clinic) -> None:
    with connect(held.settings) as connection:
        connection.execute(
            "alter table open_dental.patient add column twin smallint generated always as (baltotal) stored"
        )
    held.execute("update patient set BalTotal = 1234567 where PatNum = 1")
    failure = held.load("patient")["patient"].failure
    assert "numeric value out of range" in str(failure)
    assert "1234567" not in str(failure)


def back(clinic: Clinic, table: str = "patient") -> Counts:
    with open_batch(clinic.settings, "open_dental", "rollback") as batch:
        return roll_back(clinic.settings, clinic.source, table, batch)


@pytest.mark.parametrize("sweep", [False, True])
def test_the_last_load_that_changed_a_table_is_taken_back(held: Clinic, sweep) -> None:
    held.execute("update patient set BalTotal = 0.1, Photo = x'00ff', Note = 'two\\nlines' where PatNum < 9")
    held.take("patient")
    before = held.held("patient")
    held.execute("update patient set LName = 'wrong' where PatNum in (1, 2)", "delete from patient where PatNum = 3")
    held.add("patient", "'wrong too'", columns="LName")
    held.take("patient", full_compare=sweep)
    held.take("patient")  # changes nothing, and is not what is taken back
    after = held.held("patient")
    assert back(held) == Counts(rows_read=3, rows_inserted=3, rows_deleted=3)
    assert held.held("patient") == before
    with pytest.raises(EtlError, match="no load to take back"):
        back(held)
    assert counts(held.take("patient")) == (40, 1, 2, 37, 1)
    assert [row[:-1] for row in held.held("patient")] == [row[:-1] for row in after]


def test_a_first_load_and_one_of_a_table_without_a_key_are_taken_back(held: Clinic) -> None:
    back(held)
    assert held.held("patient") == []
    assert counts(held.take("patient")) == (40, 40, 0, 0, 0)
    held.add("leftover", "'x', 1.50", "'x', 1.50", columns="Word, Amount")
    held.take("leftover")
    before = held.held("leftover")
    held.add("leftover", "'y', 2", columns="Word, Amount")
    held.take("leftover")
    back(held, "leftover")
    assert held.held("leftover") == before


def test_what_a_load_wrote_twice_is_taken_back_to_what_was_before_it(held: Clinic) -> None:
    with connect(held.settings) as connection:
        connection.execute(SPOIL)
    before = held.held("patient")
    held.add("patient", "'new'", columns="LName")
    held.execute("update patient set LName = 'changed' where PatNum = 3")
    assert counts(held.take("patient"))[1:3] == (1, 3)  # of which two were read again, in vain
    with connect(held.settings) as connection:
        connection.execute("drop trigger spoil on open_dental.patient")
    back(held)
    assert held.held("patient") == before


def test_only_the_last_load_is_taken_back_and_not_the_one_before(clinic: Clinic) -> None:
    clinic.add("definition", "'a'", "'b'", columns="ItemName")
    clinic.take("definition")
    clinic.execute("delete from definition")
    clinic.take("definition", accept_shrink=True)
    clinic.add("definition", "'new'", columns="ItemName")
    clinic.take("definition")
    assert clinic.query("select count(*) from etl.row_before") == [(0,)]
    back(clinic, "definition")
    assert clinic.held("definition") == []


def test_a_load_of_nothing_leaves_the_last_to_be_taken_back(clinic: Clinic) -> None:
    clinic.add("definition", "'a'", "'b'", columns="ItemName")
    clinic.take("definition")
    clinic.execute("delete from definition")
    clinic.take("definition", accept_shrink=True)
    clinic.take("definition", full_compare=True)
    assert back(clinic, "definition").rows_inserted == 2


def test_an_image_of_another_load_is_not_put_back(held: Clinic) -> None:
    held.execute("update definition set ItemName = 'x' where DefNum in (1, 2)")
    held.take("definition")
    with connect(held.settings) as connection:
        connection.execute(
            "update etl.row_before set batch_id = (select batch_id from etl.batch order by started_at limit 1)"
            " where row_key = '[2]'"
        )
    assert back(held, "definition").rows_inserted == 1


def test_a_load_taken_back_is_in_the_ledger_with_its_dates(clinic: Clinic) -> None:
    clinic.add("appointment", "'2024-03-01 09:00'", "'2024-03-02 09:00'", columns="AptDateTime")
    clinic.take("appointment")
    clinic.execute("update appointment set AptDateTime = '2024-04-01 09:00' where AptNum = 1")
    clinic.take("appointment")
    back(clinic, "appointment")
    loads = clinic.query(
        "select rows_inserted, rows_deleted, slices_changed::text from etl.table_load order by load_id"
    )
    assert loads[-1] == (1, 1, "{2024-03-01,2024-04-01}")
