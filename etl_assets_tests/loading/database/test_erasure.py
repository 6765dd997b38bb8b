"""Rows of who was erased stay out of all that is read of a source, whichever way its tables are read."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.declare.privacy import Owned, Subject
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.database.erasure import Decision, Receipt, erase
from etl_assets.loading.database.rollback import roll_back
from etl_assets.loading.database.tombstone_keys import erasure_key
from etl_assets.readers.database import connect_database
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.database.clinic import NAMES, Clinic

SUBJECTS = (
    Subject(
        name="patient",
        table="patient",
        key="patnum",
        is_pseudonymised=False,
        key_elsewhere="patnum",
        owns=(
            Owned(table="histappointment", column="aptnum", of="appointment"),
            Owned(table="patlink", column="patfrom"),
            Owned(table="patlink", column="patto"),
        ),
    ),
)
OWN = ("patient", "appointment", "histappointment", "patlink")
ERASED = 20
"""The last key of a range: a bound of which the ledger keeps."""


class Practice(Clinic):
    """A clinic whose patients may be erased."""

    @property
    def source(self) -> Source:
        source = super().source
        return replace(source, reader=replace(source.database, subjects=SUBJECTS))

    def erase(self, patient: int) -> Receipt:
        with open_batch(self.settings, "open_dental", "erase") as batch:
            return erase(
                self.settings,
                self.source,
                {"patient": {str(patient)}},
                Decision(by="somebody", why="was asked to"),
                key=erasure_key(self.settings, self.source),
                batch=batch,
            )

    def take_all(self, **options: bool) -> dict[str, tuple[int, int]]:
        """Load everything, which must go well; rows read and rows changed, of the tables where there were some."""
        reports = self.load(*NAMES, **options)
        assert [str(report.failure) for report in reports.values() if report.failure] == []
        broken = [
            (name, check.name)
            for name, report in reports.items()
            for check in report.checks
            if not check.passed and check.name != "outlives_source"
        ]
        assert broken == []
        return {
            name: (report.counts.rows_read, report.counts.changed)
            for name, report in reports.items()
            if report.counts.changed
        }

    def patients(self) -> dict[str, set[int]]:
        """Whom each table of theirs tells of."""
        return {
            "patient": {key for (key,) in self.query("select patnum from open_dental.patient")},
            "appointment": {key for (key,) in self.query("select patnum from open_dental.appointment")},
            "histappointment": {key // 2 for (key,) in self.query("select aptnum from open_dental.histappointment")},
            "patlink": {key for pair in self.query("select patfrom, patto from open_dental.patlink") for key in pair},
        }


@pytest.fixture
def practice(clinic: Clinic) -> Practice:
    """25 patients with two appointments each, which were loaded."""
    practice = Practice(clinic.settings, clinic.url)
    given = {**practice.settings.given, "ETL_OPEN_DENTAL_ERASURE_KEY": "secret-of-the-tests-secret-of-the-tests"}
    practice.settings = replace(practice.settings, given=given)
    people = range(1, 26)
    practice.add("patient", *(f"{n}, 'N{n}'" for n in people), columns="PatNum, LName")
    visits = [(2 * n + place, n) for n in people for place in (0, 1)]
    practice.add("appointment", *(f"{visit}, {n}" for visit, n in visits), columns="AptNum, PatNum")
    practice.add("histappointment", *(f"{visit}" for visit, _ in visits), columns="AptNum")
    practice.add("patlink", f"{ERASED}, 1", "2, 3", f"4, {ERASED}", columns="PatFrom, PatTo")
    practice.add("definition", "1, 'D'", columns="DefNum, ItemName")
    practice.take_all()
    practice.take_all(full_compare=True)
    return practice


@pytest.fixture(autouse=True)
def no_tombstones(module_settings: Settings) -> None:
    """The tests of a module share a warehouse, and keys."""
    (module_settings.tombstone_dir / "open_dental.jsonl").unlink(missing_ok=True)
    with connect(module_settings) as connection:
        connection.execute("delete from etl.tombstone")


def test_no_way_of_reading_brings_an_erased_patient_back(practice: Practice) -> None:
    before = practice.patients()
    assert all(ERASED in found for found in before.values())
    receipt = practice.erase(ERASED)
    assert {place: number for place, number in receipt.places.items() if place.startswith("open_dental")} == {
        "open_dental.patient": 1,
        "open_dental.appointment": 2,
        "open_dental.histappointment": 2,
        "open_dental.patlink": 2,
    }
    left = {"patient": {*range(1, 26)} - {ERASED}, "patlink": {2, 3}}
    expected = {**dict.fromkeys(OWN, left["patient"]), "patlink": left["patlink"]}
    assert practice.patients() == expected
    assert practice.query("select from etl.key_range where %s in (after_key, upto_key)", ERASED) == []
    lines = practice.query("select count(*), count(distinct (relation, bucket)) from etl.key_digest")
    assert lines[0][0] == lines[0][1], "a line of one key would show it"

    practice.execute(
        f"update patient set LName = 'Again' where PatNum in ({ERASED}, 1)",
        f"insert into appointment (AptNum, PatNum) values (900, {ERASED}), (901, 1)",
        "insert into histappointment (AptNum) values (900), (902)",
    )
    changed = practice.take_all()
    assert changed["patient"][1] == changed["appointment"][1] == changed["histappointment"][1] == 1
    expected["histappointment"] = expected["histappointment"] | {451}
    assert practice.patients() == expected
    for options in ({}, {"full_compare": True}, {"full_compare": True}):
        assert practice.take_all(**options) == {}
        assert practice.patients() == expected


def test_rows_that_the_source_keeps_of_a_patient_whom_it_has_deleted_stay_away_too(practice: Practice) -> None:
    practice.erase(ERASED)
    practice.execute(f"delete from patient where PatNum = {ERASED}", "update appointment set PatNum = PatNum")
    for options in ({}, {"full_compare": True}):
        practice.take_all(**options)
        assert all(ERASED not in found for found in practice.patients().values())


def test_without_tombstones_nothing_else_is_asked_of_the_source(practice: Practice) -> None:
    asked: list[str] = []
    practice.connect = listening(asked)
    practice.take_all(full_compare=True)
    assert not [name for name in asked if name == "distinct_values"]
    practice.erase(ERASED)
    practice.take_all()
    assert "distinct_values" in asked
    asked.clear()
    assert practice.take_all() == {}
    assert "keys" not in asked, "the counts of both sides are the same"


def test_a_row_that_is_kept_only_as_it_was_goes_too(practice: Practice) -> None:
    practice.execute(f"delete from appointment where AptNum = {2 * ERASED}")
    practice.take_all()
    question = "select count(*) from etl.row_before where was ->> 'patnum' = %s"
    assert practice.query(question, str(ERASED)) == [(1,)]
    practice.erase(ERASED)
    assert practice.query(question, str(ERASED)) == [(0,)]


def listening(asked: list[str]) -> Callable[..., DatabaseReader]:
    """Connections that note what they are asked for."""

    def connect_to(given):
        reader = connect_database(given)

        class Listener:
            def __getattr__(self, name: str):
                asked.append(name)
                return getattr(reader, name)

        return Listener()

    return connect_to


def test_a_column_that_says_whose_rows_are_must_be_there(practice: Practice) -> None:
    practice.erase(ERASED)
    practice.execute("alter table patlink change PatTo PatOther bigint not null")
    reports = practice.load(*NAMES)
    failures = {name: str(report.failure) for name, report in reports.items() if report.failure}
    assert "patlink has no column patto" in failures["patlink"]
    assert set(failures) == set(OWN)
    assert all(ERASED not in found for found in practice.patients().values())


def test_a_load_that_is_taken_back_brings_nobody_back(practice: Practice) -> None:
    practice.execute(f"update patient set LName = 'Other' where PatNum in ({ERASED}, 1)")
    practice.take_all()
    practice.erase(ERASED)
    with open_batch(practice.settings, "open_dental", "rollback") as batch:
        counts = roll_back(practice.settings, practice.source, "patient", batch)
    assert counts.rows_inserted == 1
    assert ERASED not in practice.patients()["patient"]


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (
            Subject(name="patient", table="patient", key="patnum", owns=(Owned(table="nothing", column="patnum"),)),
            "nothing",
        ),
        (Subject(name="patient", table="patient", key="patnum", same_as={"patnum": "nobody"}), "nobody"),
        (
            Subject(
                name="patient",
                table="patient",
                key="patnum",
                owns=(
                    Owned(table="appointment", column="a", of="histappointment"),
                    Owned(table="histappointment", column="b", of="appointment"),
                ),
            ),
            "in a circle",
        ),
    ],
    ids=["a table that there is not", "a subject that there is not", "a circle"],
)
def test_what_cannot_be_so_is_refused_where_it_is_declared(clinic: Clinic, subject: Subject, words: str) -> None:
    source = clinic.source
    with pytest.raises(EtlError, match=words):
        replace(source, reader=replace(source.database, subjects=(subject,)))
