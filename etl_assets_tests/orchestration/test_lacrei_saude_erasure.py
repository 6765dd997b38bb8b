"""Two people of Lacrei Saude are erased from every layer, and a warehouse that is restored does not know them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import psycopg
import pytest

from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.planted import planted
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets_tests.orchestration.installation import Installation

SAID = ("--by", "encarregada", "--why", "pedido 17 (art. 18 VI)")
LAYERS = ("staging_01", "staging_02", "model", "mart_exact", "mart")
SCHEMAS = [f"lacreisaude_{layer}" for layer in LAYERS]


@dataclass(frozen=True)
class Network:
    """An installation, and the database of the network that it loads."""

    at: Installation
    url: str

    def ask(self, question: str) -> list[tuple]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(question).fetchall()  # type: ignore[arg-type]

    def words(self, user: str) -> str:
        """What is planted of a person, a line each, and of nobody else."""
        with psycopg.connect(self.url) as connection:
            theirs = planted(connection, user)
            others = [set(values) for other in self.others(user) for values in planted(connection, other).values()]
        unique = set().union(*theirs.values()) - set().union(*others)
        return "".join(f"{word}\n" for word in sorted(unique) if len(word) > 3)

    def others(self, user: str) -> list[str]:
        return [key for (key,) in self.ask("select id from lacreiid_user") if key != user]

    def rows(self) -> dict[str, int]:
        return {
            relation: self.at.query(f"select count(*) from {relation}")[0][0]
            for (relation,) in self.at.query(
                "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace::regnamespace::text"
                " = any(%s) and relname <> 'etl_person_key'",
                SCHEMAS,
            )
        }


@pytest.fixture(scope="module")
def network(installation: Installation, empty_database: Callable[[], str]) -> Network:
    url = empty_database()
    fill(url, patients=40, seed=5)
    given = {
        "ETL_LACREI_SAUDE_URL": url,
        "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "planted-secret-planted-secret-planted",
        "ETL_LACREI_SAUDE_ERASURE_KEY": "another-planted-secret-another-planted",
    }
    made = Network(replace(installation, environment={**installation.environment, **given}), url)
    made.at.etl("run", "lacrei_saude")
    return made


def test_people_are_erased_everywhere_and_stay_away(network: Network, new_database: Callable[..., str]) -> None:
    etl = network.at.etl
    ((patient,),) = network.ask(
        "select u.id from lacreiid_user u join lacreiid_appointment a on a.user_id = u.id"
        " join lacreiid_report r on r.appointment_id = a.id"
        " where not exists (select from lacreisaude_professional p where u.id in (p.user_id, p.id)) order by 1 desc"
        " limit 1"
    )
    ((professional, account),) = network.ask(
        "select p.id, p.user_id from lacreisaude_professional p join lacreiid_appointment a on a.professional_id = p.id"
        f" where a.user_id <> '{patient}' and p.id not in (select id from lacreiid_user) order by 1 desc limit 1"
    )
    words = network.words(patient) + network.words(account)
    assert words.count("\n") > 4
    kinds = {patient: ("--subject", "patient"), professional: ("--subject", "professional")}
    dump = new_database(network.at.environment["ETL_WAREHOUSE_URL"])  # as it was

    before = network.rows()
    assert "lacreisaude_model.dim_patient" in etl("subject", "lacrei_saude", patient, "--subject", "patient")
    found = etl("erase", "lacrei_saude", patient, *kinds[patient], "--verify", "--also", expected=1, given=words)
    assert "lacreisaude_staging_01.lacreiid_user" in found
    for person in (patient, professional):
        etl("erase", "lacrei_saude", person, *kinds[person], *SAID, "--yes")
    assert nowhere(network, kinds, words)
    after = network.rows()
    for relation in ("lacreisaude_staging_01.lacreiid_user", "lacreisaude_model.dim_patient"):
        assert after[relation] < before[relation]

    for how in ([], ["--sweep"]):
        etl("run", "lacrei_saude", *how)
        assert nowhere(network, kinds, words)
    assert "0 hidden cells" in etl("attack", "lacrei_saude")
    held = network.rows()
    assert held["lacreisaude_staging_01.lacreiid_user"] == before["lacreisaude_staging_01.lacreiid_user"] - 2
    assert held["lacreisaude_mart.professionals"] == before["lacreisaude_mart.professionals"] - 1

    restored = replace(
        network, at=replace(network.at, environment={**network.at.environment, "ETL_WAREHOUSE_URL": dump})
    )
    assert restored.rows() == before
    restored.at.etl("run", "lacrei_saude")
    assert nowhere(restored, kinds, words)
    assert restored.rows() == held
    restored.at.etl("run", "lacrei_saude", "--sweep")
    assert nowhere(restored, kinds, words)


def nowhere(network: Network, kinds: Mapping[str, Sequence[str]], words: str) -> bool:
    return all(
        "Nowhere." in network.at.etl("erase", "lacrei_saude", person, *kind, "--verify", "--also", given=words)
        for person, kind in kinds.items()
    )


def test_the_stand_in_s_layers_are_those_that_are_looked_at(network: Network) -> None:
    held = network.at.query("select nspname::text from pg_namespace where nspname like 'lacreisaude%%' order by 1")
    assert {name for (name,) in held} == set(SCHEMAS)
    assert SOURCE.schema in SCHEMAS
    assert urlsplit(network.url).path
