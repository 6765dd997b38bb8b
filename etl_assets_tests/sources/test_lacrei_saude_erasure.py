"""A person who is erased is nowhere in the installation, and no load, sweep or restored backup brings them back."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psycopg
import pytest

from etl_assets.declare.dates import Span
from etl_assets.errors import EtlError
from etl_assets.loading.database.erasure import Decision, Receipt, erase
from etl_assets.loading.database.load import DatabaseStrategy
from etl_assets.loading.database.person_search import persons_by_key
from etl_assets.loading.database.table_load import READ_WHOLE
from etl_assets.loading.database.tombstone_keys import erasure_key
from etl_assets.loading.report import LoadReport
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.live import erase as leave
from etl_assets.sandbox.lacrei_saude.planted import planted
from etl_assets.settings import Settings
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.person_models import SubjectColumn
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.proof import prove_table
from etl_assets.warehouse.relation import Relation
from etl_assets_tests.loading.runs import load_by

SCHEMA = SOURCE.schema
MODEL = Relation("lacreisaude_model", "dim_patient")
MODEL_COLUMNS = (SubjectColumn(relation=MODEL, column="patient_key", subject="patient"),)
BY = Decision(by="privacy officer", why="request 17 of the person")


@dataclass
class Network:
    """The stand-in, and an installation that loads it."""

    source: psycopg.Connection
    settings: Settings

    def load(self, **options: bool) -> dict[str, LoadReport]:
        strategy = partial(DatabaseStrategy, model_columns=lambda: MODEL_COLUMNS)
        first, names = SOURCE.database.start, [table.name for table in SOURCE.tables]
        with open_batch(self.settings, SOURCE.name, "load") as batch:
            span = Span(first, first)
            return load_by(strategy, self.settings, SOURCE, names, span=span, batch=batch, **options)

    def take(self, **options: bool) -> int:
        """Load everything, which must go well and match the source; the rows that were written."""
        reports = self.load(**options)
        assert [str(report.failure) for report in reports.values() if report.failure] == []
        broken = [check.name for report in reports.values() for check in report.checks if not check.passed]
        assert broken == []
        assert READ_WHOLE not in {note for report in reports.values() for note in report.notes}
        return sum(report.counts.changed for report in reports.values())

    def erase(self, persons: Mapping[str, set[str]], **words: bool) -> Receipt:
        key = erasure_key(self.settings, SOURCE)
        with open_batch(self.settings, SOURCE.name, "erase") as batch:
            return erase(self.settings, SOURCE, persons, BY, key=key, batch=batch, model_columns=MODEL_COLUMNS, **words)

    def query(self, question: str, *values: object) -> list[tuple]:
        with connect(self.settings, role=None) as connection:
            return connection.execute(question, values or None).fetchall()

    def rows(self) -> dict[str, list[str]]:
        """Every row of staging and of the models, as a text."""
        names = self.query(
            "select schemaname || '.' || tablename from pg_tables where schemaname in (%s, %s)", SCHEMA, MODEL.schema
        )
        return {
            name: [
                text for (text,) in self.query(f"select (to_jsonb(t) - 'etl_batch_id')::text from {name} t order by 1")
            ]
            for (name,) in names
        }

    def texts(self) -> dict[str, str]:
        """All that the warehouse, Dagster's database and the files of the installation hold."""
        found = {}
        for settings in (self.settings, replace(self.settings, warehouse_url=self.settings.dagster_url)):
            with psycopg.connect(settings.warehouse_url or "") as connection:
                names = connection.execute(
                    "select format('%I.%I', relnamespace::regnamespace, relname) from pg_class"
                    " where relkind in ('r', 'm') and relnamespace"
                    " not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
                ).fetchall()
                found |= {
                    f"{connection.info.dbname}: {name}": " ".join(
                        text
                        for (text,) in connection.execute(f"select t::text from {name} t")  # type: ignore[arg-type]
                    )
                    for (name,) in (*names, ("pg_stats",))
                }
        home = [path for path in self.settings.home.rglob("*") if path.is_file()]
        return found | {str(path): path.read_text(errors="replace") for path in home}

    def chunks_with(self, key: str) -> int:
        """Chunks of the source's pages of which it is kept that this key lay there."""
        question = (
            "select count(*) from etl.header_digest where hash_record_extended(row(%s::text), 0) = any(key_hashes)"
        )
        return self.query(question, key)[0][0]

    def where(self, words: set[str]) -> list[str]:
        return sorted({name for name, text in self.texts().items() if any(word in text for word in words)})


@pytest.fixture
def network(
    request: pytest.FixtureRequest, settings: Settings, empty_database: Callable[[], str], server: Path
) -> Iterator[Network]:
    """A network of 60 patients, loaded, with a model of its patients."""
    url = empty_database()
    fill(url, schema=getattr(request, "param", "older"), patients=60, seed=3)
    with psycopg.connect(url, autocommit=True) as connection:
        given = {
            **settings.given,
            "ETL_LACREI_SAUDE_URL": embedded.server_url(server, connection.info.dbname),
            "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "planted-secret-planted-secret-planted",
            "ETL_LACREI_SAUDE_ERASURE_KEY": "another-secret-another-secret-another",
        }
        network = Network(connection, replace(settings, given=given, dagster_url=empty_database()))
        network.take()
        make_model(network)
        yield network


def make_model(network: Network) -> None:
    with connect(network.settings, role="etl_transformer") as connection:
        connection.execute(
            f"create table {MODEL} as select person_key as patient_key, version, 'x' as state"
            f" from {SCHEMA}.etl_person_key, generate_series(1, 2) as version where subject = 'patient'"
        )


def a_patient(network: Network) -> str:
    """Somebody with a profile, appointments, a report, and a row that the last load has changed."""
    rows = network.source.execute(
        "select a.user_id from lacreiid_appointment a join lacreiid_report r on r.appointment_id = a.id"
        " where a.user_id not in (select user_id from lacreisaude_professional) order by 1 desc limit 1"
    ).fetchall()
    return rows[0][0]


def a_professional(network: Network) -> tuple[str, str]:
    """One with appointments, and their account."""
    rows = network.source.execute(
        "select p.id, p.user_id from lacreisaude_professional p join lacreiid_appointment a on a.professional_id = p.id"
        " where p.id not in (select id from lacreiid_user union all select id from lacreiid_appointment)"
        " order by 1 desc limit 1"
    ).fetchall()
    return rows[0]


def words_of(network: Network, account: str, *keys: str) -> set[str]:
    """All that would show who it was: keys, pseudonyms, and what is planted of the account and of nobody else."""
    pseudonyms = network.query(
        f"select person_key from {SCHEMA}.etl_person_key where subject_id = any(%s)", [account, *keys]
    )
    found = planted(network.source, account)
    own = {value for kind in ("emails", "phones", "cpfs", "pix_keys", "registrations") for value in found[kind]}
    return {account, *keys, *own, *(each for (each,) in pseudonyms)}


BOTH_SCHEMAS = pytest.mark.parametrize("network", ["older", "newer"], indirect=True)


@BOTH_SCHEMAS
def test_a_patient_who_is_erased_is_nowhere_and_stays_away(network: Network) -> None:
    patient = a_patient(network)
    network.source.execute("update lacreiid_user set first_name = 'Outra' where id = %s", [patient])
    network.take()
    log = network.settings.home / "logs" / "etl-run.log"
    log.parent.mkdir()
    log.write_text(f"a line about {patient}, and one about x{patient}\n")
    run = f"{patient}-1234-5678-9abc-def012345678"
    with psycopg.connect(network.settings.dagster_url or "") as dagster:
        dagster.execute(
            "create table event_logs as select %s as run_id, %s as event, 'x' as asset_key",
            [run, f'{{"key": "{patient}"}}'],
        )
    words = words_of(network, patient)
    before = network.rows()
    assert network.chunks_with(patient) == 1
    places = network.where(words)
    assert {name.partition(": ")[2] for name in places} >= {
        f"{SCHEMA}.lacreiid_user", f"{SCHEMA}.lacreiid_profile", f"{SCHEMA}.lacreiid_appointment",
        f"{SCHEMA}.etl_person_key", str(MODEL), "etl.row_before", "pg_stats",
    }  # fmt: skip

    rehearsed = network.erase({"patient": {patient}}, is_rehearsal=True)
    assert network.rows() == before
    receipt = network.erase({"patient": {patient}})
    assert receipt.places == rehearsed.places
    assert network.chunks_with(patient) == 0
    assert receipt.places[f"{SCHEMA}.lacreiid_user"] == 1
    assert receipt.places[f"{MODEL}.patient_key"] == 2
    assert receipt.places[str(log)] == 1
    assert network.where(words - {patient}) == []
    with psycopg.connect(network.settings.dagster_url or "") as dagster:
        assert dagster.execute("select run_id, event from event_logs").fetchall() == [(run, '{"key": "(erased)"}')]
        dagster.execute("drop table event_logs")
    assert [name for name in network.where({patient}) if name != str(log)] == []
    assert f"and one about x{patient}" in log.read_text()
    log.unlink()
    after = network.rows()
    assert all(row in before[name] for name, rows in after.items() for row in rows)
    ours = network.query("select places, erased_by from etl.erasure")
    assert ours == [(receipt.places, BY.by)]

    assert network.take() == 0
    assert network.take(full_compare=True) == 0
    assert network.rows() == after
    assert network.where(words) == []
    assert network.chunks_with(patient) == 0
    with connect(network.settings, autocommit=True) as connection:
        for table in SOURCE.tables:
            proof = prove_table(connection, Relation(SCHEMA, table.name))
            assert (proof.writes_by_hand, proof.uncounted_keys) == ([], []) or not proof.is_counted, table.name


@BOTH_SCHEMAS
def test_a_professional_goes_with_their_account(network: Network) -> None:
    professional, account = a_professional(network)
    words = words_of(network, account, professional)
    receipt = network.erase({"professional": {professional}})
    assert {each.subject for each in receipt.tombstones} == {"patient", "professional"}
    assert receipt.places[f"{SCHEMA}.lacreiid_user"] == receipt.places[f"{SCHEMA}.lacreisaude_professional"] == 1
    assert network.where(words) == []
    assert network.take() == 0
    assert network.take(full_compare=True) == 0
    assert network.where(words) == []
    others = network.source.execute(
        "select count(*) from lacreiid_appointment where user_id <> %s and professional_id <> %s",
        [account, professional],
    ).fetchone()
    assert network.query(f"select count(*) from {SCHEMA}.lacreiid_appointment") == [others]


def test_a_restored_backup_is_cleaned_before_anything_is_loaded(
    network: Network, new_database: Callable[..., str]
) -> None:
    patient = a_patient(network)
    words = words_of(network, patient)
    backup = new_database(network.settings.warehouse_url)
    network.erase({"patient": {patient}})
    gone = network.rows()
    network.settings = replace(network.settings, warehouse_url=backup)
    assert network.where(words) != []
    reports = network.load()
    assert [str(report.failure) for report in reports.values() if report.failure] == []
    assert [note for note in reports["lacreiid_user"].notes if "1 rows of who was erased were erased again" in note]
    assert network.rows() == gone
    assert network.where(words) == []
    assert network.take() == 0
    assert network.query("select erased_by, why from etl.tombstone") == [(BY.by, BY.why)]


def test_a_person_of_whom_more_comes_at_the_source_stays_away(network: Network) -> None:
    patient = a_patient(network)
    network.erase({"patient": {patient}})
    network.take()
    with network.source.transaction():
        network.source.execute("set constraints all deferred")
        network.source.execute(
            "insert into lacreiid_appointment select (jsonb_populate_record(a, jsonb_build_object("
            " 'id', 'feedbee5', 'date', a.date + interval '900 days', 'external_reference', 'nobody'))).*"
            " from lacreiid_appointment a where user_id = %s limit 1",
            [patient],
        )
        network.source.execute("update lacreiid_user set first_name = 'Again' where id = %s", [patient])
    assert network.take() == 0
    assert network.where({"feedbee5", "Again"}) == []


def test_a_new_warehouse_learns_from_the_file_who_was_erased(
    network: Network, new_database: Callable[..., str]
) -> None:
    patient = a_patient(network)
    words = words_of(network, patient)
    network.erase({"patient": {patient}})
    gone = network.rows()
    network.settings = replace(network.settings, warehouse_url=new_database())
    network.take()
    assert network.where(words) == []
    assert network.rows() == {name: rows for name, rows in gone.items() if name != str(MODEL)}


def test_who_left_the_source_before_is_found_in_models_by_the_pseudonym(network: Network) -> None:
    patient = a_patient(network)
    words = words_of(network, patient)
    leave(network.source, patient)
    network.take()
    assert [name.partition(": ")[2] for name in network.where(words)] != []
    assert network.erase({"patient": {patient}}).places[f"{MODEL}.patient_key"] == 2
    assert network.where(words) == []


def test_nothing_is_loaded_without_the_key_that_tombstones_were_made_with(network: Network) -> None:
    patient = a_patient(network)
    network.erase({"patient": {patient}})
    given = network.settings.given
    for other in ("", "a-third-secret-a-third-secret-a-third-secret"):
        network.settings = replace(network.settings, given={**given, "ETL_LACREI_SAUDE_ERASURE_KEY": other})
        with pytest.raises(EtlError, match="ETL_LACREI_SAUDE_ERASURE_KEY") as raised:
            network.load()
        assert "othing" in str(raised.value)
        assert patient not in str(raised.value)


def test_to_erase_somebody_twice_changes_nothing_and_nobody_is_no_error_of_ours(network: Network) -> None:
    patient = a_patient(network)
    network.erase({"patient": {patient}})
    before = network.rows(), network.query("select * from etl.tombstone"), network.query("select * from etl.erasure")
    again = network.erase({"patient": {patient}})
    assert again.places == {}
    assert again.erased_before is not None
    assert before == (
        network.rows(), network.query("select * from etl.tombstone"), network.query("select * from etl.erasure")
    )  # fmt: skip
    lines = (network.settings.tombstone_dir / "lacrei_saude.jsonl").read_text().splitlines()
    assert [json.loads(line)["why"] for line in lines] == [BY.why]
    nobody = network.erase({"patient": {"patients"}})
    assert (nobody.places, nobody.erased_before) == ({}, None)


def test_what_is_said_of_an_erasure_names_nobody(network: Network) -> None:
    patient = a_patient(network)
    key = erasure_key(network.settings, SOURCE)
    with (
        open_batch(network.settings, SOURCE.name, "erase") as batch,
        pytest.raises(EtlError, match="has the person's key in it") as raised,
    ):
        erase(
            network.settings,
            SOURCE,
            {"patient": {patient}},
            Decision(by="x", why=f"of {patient}"),
            key=key,
            batch=batch,
        )
    assert patient not in str(raised.value)


def test_who_has_the_key_of_somebody_else_is_left_alone(network: Network) -> None:
    """Keys are of a table: a professional may have that of a patient."""
    shared = network.source.execute(
        "select p.id, p.user_id from lacreisaude_professional p join lacreiid_user u on u.id = p.id"
        " where p.user_id <> p.id and p.id not in (select user_id from lacreisaude_professional)"
    ).fetchall()
    (key, account), *_ = shared
    before = network.source.execute(
        "select count(*) from lacreiid_report r join lacreiid_appointment a on a.id = r.appointment_id"
        " where a.user_id <> %s",
        [key],
    ).fetchone()
    with (
        connect(network.settings) as connection,
        pytest.raises(EtlError, match="a patient and a professional"),
    ):
        persons_by_key(connection, network.settings, SOURCE, key, None)
    network.erase({"patient": {key}})
    assert network.query(f"select id from {SCHEMA}.lacreisaude_professional where id = %s", key) == [(key,)]
    assert network.query(f"select id from {SCHEMA}.lacreiid_user where id in (%s, %s)", key, account) == [(account,)]
    assert network.query(f"select count(*) from {SCHEMA}.lacreiid_report") == [before]
    assert network.take() == 0
    assert network.take(full_compare=True) == 0
    assert network.query(f"select count(*) from {SCHEMA}.lacreiid_report") == [before]
