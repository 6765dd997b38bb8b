"""Of a source whose columns are classified, nothing that nobody has classified leaves it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from etl_assets.declare.catalogue import Catalogue, ClassRule
from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.declare.privacy import Classification
from etl_assets.loading.database.discovery import discover, find_drift
from etl_assets.readers.database import connect_database
from etl_assets_tests.loading.database.clinic import Clinic, checks

SCHEMA = """
create schema clinic;
create table clinic.person (
    id varchar(32) primary key, name text, born date, password text, state text, updated_at timestamptz
);
create table clinic.login (id integer primary key, token_text text);
create table clinic.visit (id varchar(32) primary key, person_id varchar(32), day date);
insert into clinic.person values
    ('00012345', 'Planted Person', '2001-02-03', 'sesame-planted', 'SP', now()),
    ('1234e567', null, null, 'x', 'BA', now());
insert into clinic.login values (1, 'planted-token');
insert into clinic.visit values ('0000000e', '00012345', '2024-05-06');
"""
CLASSES = """
person:
  purpose: who comes
  columns:
    - {class: pseudonymised, purpose: told apart, columns: id}
    - {class: loaded, purpose: counted, columns: state updated_at}
    - {class: generalised, purpose: age groups, columns: born}
    - {class: personal, purpose: requests, columns: name}
    - {class: never, purpose: opens the account, columns: password}
login:
  purpose: sessions
  columns:
    - {class: never, purpose: opens the account, columns: id token_text}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    room = tmp_path / "clinic"
    room.mkdir()
    (room / "privacy.yaml").write_text(CLASSES)
    return Catalogue(
        path=room / "tables.yaml",
        classes=[ClassRule(importance="critical", why="people", names="*")],
        append_only={},
        classification=Classification(room / "privacy.yaml"),
    )


@pytest.fixture
def classified(clinic: Clinic, catalogue: Catalogue, new_database: Callable[[], str]) -> Clinic:
    """A clinic in PostgreSQL whose columns are classified, as it was discovered."""
    clinic.host_in_postgresql(new_database(), SCHEMA)
    with closing(connect(clinic)) as reader:
        catalogue.path.write_text(discover(reader, catalogue, None))
    clinic.tables = tuple(catalogue.read().tables.values())
    return clinic


def connect(clinic: Clinic) -> DatabaseReader:
    return connect_database({"url": clinic.settings.given["ETL_OPEN_DENTAL_URL"]}, variables="ETL_OPEN_DENTAL")


def drift(clinic: Clinic, catalogue: Catalogue) -> list[str]:
    with closing(connect(clinic)) as reader:
        return find_drift(reader.describe(), catalogue, catalogue.path.read_text())


def test_only_tables_with_a_class_are_listed_and_the_others_say_why(classified: Clinic, catalogue: Catalogue) -> None:
    assert [table.name for table in classified.tables] == ["person"]
    assert catalogue.read().left_out == {
        "login": "is never to leave the source, as privacy.yaml says: sessions",
        "visit": "is not classified; say in privacy.yaml what may be done with each of its columns",
    }
    assert drift(classified, catalogue) == []


def test_what_is_never_loaded_does_not_arrive_and_what_is_says_its_class(classified: Clinic) -> None:
    report = classified.load("person")["person"]
    assert report.failure is None
    assert checks(report) == {"matches_source": True, "loads_in_time": True, "everything_is_classified": True}
    assert classified.held("person", "id, name, state") == [
        ("00012345", "Planted Person", "SP"),
        ("1234e567", None, "BA"),
    ]
    described = classified.query(
        "select attname, col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = 'open_dental.person'::regclass and attnum > 0 and attname <> 'etl_batch_id' order by attnum"
    )
    assert described == [
        ("id", "pseudonymised: told apart"),
        ("name", "personal: requests"),
        ("born", "generalised: age groups"),
        ("state", "loaded: counted"),
        ("updated_at", "loaded: counted"),
    ]


def test_a_column_that_a_migration_adds_is_not_loaded_until_it_is_classified(
    classified: Clinic, catalogue: Catalogue
) -> None:
    classified.load("person")
    classified.write("alter table clinic.person add nickname text; update clinic.person set nickname = 'planted-nick'")
    report = classified.load("person")["person"]
    assert report.failure is None
    assert not checks(report)["everything_is_classified"]
    (found,) = [check for check in report.checks if check.name == "everything_is_classified"]
    assert found.description.startswith("nickname of The clinic is not loaded, for nobody has said what may be done")
    assert "nickname" not in [name for (name,) in columns_of(classified)]
    again = classified.load("person")["person"]
    assert checks(again) == {}  # nothing new is to be said
    assert drift(classified, catalogue) == [
        "person: nickname is not loaded, for privacy.yaml does not say what may be done with it."
    ]

    file = catalogue.path.with_name("privacy.yaml")
    file.write_text(CLASSES.replace("columns: name}", "columns: name nickname}"))
    known = replace(catalogue, classification=Classification(file))
    classified.tables = tuple(known.read().tables.values())
    report = classified.load("person")["person"]
    assert checks(report)["everything_is_classified"]
    assert classified.held("person", "id, nickname") == [("00012345", "planted-nick"), ("1234e567", "planted-nick")]


def test_a_personal_column_under_a_new_name_is_not_shown_to_readers(classified: Clinic) -> None:
    classified.write("alter table clinic.person rename name to full_name")
    report = classified.load("person")["person"]
    assert report.failure is None
    assert not checks(report)["everything_is_classified"]
    assert "full_name" not in [name for (name,) in columns_of(classified)]


def columns_of(clinic: Clinic) -> list[tuple[str]]:
    return clinic.query(
        "select attname from pg_attribute where attrelid = 'open_dental.person'::regclass and attnum > 0"
    )


def test_a_table_is_a_copy_of_what_may_leave_the_source_only(classified: Clinic) -> None:
    (table,) = classified.tables
    assert isinstance(table, CopiedTable)
    assert table.left_out(["id", "Password", "nickname", "born"]) == ["password", "nickname"]
    assert table.personal == ("id", "born", "name")
