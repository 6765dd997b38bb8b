"""Persons have pseudonyms of a secret that the warehouse never sees."""

import hmac
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from etl_assets.declare.privacy import Subject
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError
from etl_assets.loading.database.pseudonyms import PseudonymKey, pseudonym_key, rotate
from etl_assets.warehouse.connection import connect
from etl_assets_tests.loading.database.clinic import Clinic, CopiedTable, copied

SECRET, OTHER = "planted-secret-planted-secret-planted", "another-planted-secret-another-planted"
SCHEMA = """
create schema clinic;
create table clinic.person (id varchar(32) primary key, name text);
create table clinic.helper (id varchar(32) primary key);
insert into clinic.person values ('00012345', 'A'), ('1234e567', 'B');
insert into clinic.helper values ('00012345');
"""


class People(Clinic):
    """A clinic that tells of persons."""

    @property
    def source(self) -> Source:
        source = super().source
        subjects = (Subject(name="patient", table="person"), Subject(name="professional", table="helper"))
        return replace(source, reader=replace(source.database, subjects=subjects))


@pytest.fixture
def people(clinic: Clinic, new_database: Callable[[], str]) -> People:
    people = People(clinic.settings, clinic.url)
    people.host_in_postgresql(new_database(), SCHEMA)
    set_key(people, SECRET)
    people.tables = tuple(CopiedTable(name=name, key="id", load=Full(), **copied()) for name in ("person", "helper"))
    with connect(people.settings, role=None) as connection:
        connection.execute("delete from etl.pseudonym_key")
    return people


def set_key(people: Clinic, secret: str) -> None:
    given = {**people.settings.given, "ETL_OPEN_DENTAL_PSEUDONYM_KEY": secret}
    people.settings = replace(people.settings, given=given)


def pseudonyms(people: Clinic) -> dict[tuple[str, str], tuple[str, int]]:
    rows = people.query("select subject, subject_id, person_key, key_version from open_dental.etl_person_key")
    return {(subject, person): (key, version) for subject, person, key, version in rows}


def hkdf(secret: str, purpose: str) -> bytes:
    """RFC 5869 with one block, written out."""
    extracted = hmac.new(b"etl_assets pseudonyms", secret.encode(), sha256).digest()
    return hmac.new(extracted, purpose.encode() + b"\x01", sha256).digest()


def test_a_pseudonym_is_an_hmac_of_the_key_of_its_purpose(people: People) -> None:
    people.take("person")
    people.take("helper")
    found = pseudonyms(people)
    assert set(found) == {("patient", "00012345"), ("patient", "1234e567"), ("professional", "00012345")}
    for (subject, person), (key, version) in found.items():
        assert key == hmac.new(hkdf(SECRET, subject), person.encode(), sha256).hexdigest()
        assert version == 1
    assert found["patient", "00012345"] != found["professional", "00012345"]


def test_who_comes_gets_one_and_who_goes_loses_it_and_the_others_stay(people: People) -> None:
    people.take("person")
    before = pseudonyms(people)
    people.write("insert into clinic.person values ('0000000e', 'C'); delete from clinic.person where id = '1234e567'")
    people.take("person")
    after = pseudonyms(people)
    assert set(after) == {("patient", "00012345"), ("patient", "0000000e")}
    assert after["patient", "00012345"] == before["patient", "00012345"]


def test_without_the_secret_nothing_is_loaded(people: People) -> None:
    set_key(people, "")
    assert people.source.missing_settings({"url": "x"}) == ["ETL_OPEN_DENTAL_PSEUDONYM_KEY"]
    with pytest.raises(EtlError, match="ETL_OPEN_DENTAL_PSEUDONYM_KEY has 0 characters; 32 at least"):
        people.load("person")
    assert people.query("select to_regclass('open_dental.person')") == [(None,)]


def test_another_key_is_refused_until_it_is_rotated_and_then_all_are_made_anew(people: People) -> None:
    people.take("person")
    people.take("helper")
    before = pseudonyms(people)
    set_key(people, OTHER)
    with pytest.raises(EtlError, match=r"made with since \d{4}-\d\d-\d\d \(version 1\)\. Nothing was loaded") as caught:
        people.load("person")
    assert OTHER not in str(caught.value)
    assert pseudonyms(people) == before

    key = pseudonym_key(people.settings, people.source)
    with connect(people.settings) as connection:
        assert rotate(connection, people.source, key, by="dpo", why="a copy of the old one was lost") == 3
    after = pseudonyms(people)
    assert set(after) == set(before)
    assert {key for key, _ in after.values()}.isdisjoint(key for key, _ in before.values())
    assert {version for _, version in after.values()} == {2}
    people.take("person", full_compare=True)
    assert people.query("select version, made_by, why from etl.pseudonym_key order by 1") == [
        (1, "etl", "the first load"),
        (2, "dpo", "a copy of the old one was lost"),
    ]
    with connect(people.settings) as connection, pytest.raises(EtlError, match="that of version 2"):
        rotate(connection, people.source, key, by="dpo", why="twice")


def test_a_rotation_that_breaks_off_leaves_the_old_pseudonyms(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    people.take("person")
    people.take("helper")
    before = pseudonyms(people)
    made = PseudonymKey.pseudonym

    def break_off(self: PseudonymKey, purpose: str, person: str) -> str:
        if purpose == "professional":
            raise RuntimeError("the machine stops")
        return made(self, purpose, person)

    monkeypatch.setattr(PseudonymKey, "pseudonym", break_off)
    with connect(people.settings) as connection, pytest.raises(RuntimeError):
        rotate(connection, people.source, PseudonymKey(OTHER), by="dpo", why="because")
    assert pseudonyms(people) == before
    assert people.query("select max(version) from etl.pseudonym_key") == [(1,)]


def test_the_secret_is_nowhere_in_the_warehouse(people: People) -> None:
    people.take("person")
    tables = people.query(
        "select oid::regclass::text from pg_class where relkind = 'r'"
        " and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')"
    )
    assert ("open_dental.etl_person_key",) in tables
    held = [name for (name,) in tables if people.query(f"select from {name} t where t::text like '%planted-secret%'")]
    assert held == []
    assert SECRET not in repr(people.settings)
    assert SECRET not in repr(PseudonymKey(SECRET))
