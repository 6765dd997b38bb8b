"""Pseudonymisation: keys of persons by HMAC-SHA-256, made here with a secret that no database and no statement holds.

Each purpose has a key of its own, derived from the secret by HKDF (RFC 5869, one block of SHA-256): what is known of a
patient cannot be joined with what is known of a professional. A pseudonym is kept beside the source's own key in
staging, which no reader sees; models have the pseudonym alone.
"""

import psycopg

from etl_assets.declare.database import PSEUDONYM_KEY
from etl_assets.declare.privacy import Subject
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.database.secret_keys import SecretKey, secret_of
from etl_assets.settings import Settings
from etl_assets.warehouse.database import person_keys
from etl_assets.warehouse.relation import Relation

_SALT = b"etl_assets pseudonyms"


class PseudonymKey(SecretKey):
    """The secret of a source's pseudonyms."""

    def __init__(self, secret: str) -> None:
        super().__init__(secret, _SALT)

    def pseudonym(self, purpose: str, person: str) -> str:
        """The pseudonym of a person for a purpose: 64 hexadecimal digits."""
        return self.keyed_digest(purpose, person)


def pseudonym_key(settings: Settings, source: Source) -> PseudonymKey:
    """The key that is set for a source.

    Raises:
        EtlError: None is set, or one that could be guessed.
    """
    return PseudonymKey(secret_of(settings, source, PSEUDONYM_KEY))


def require_same_key(connection: psycopg.Connection, source: Source, key: PseudonymKey) -> int:
    """The version of the key; the first one is recorded, and the table of pseudonyms made.

    Raises:
        EtlError: It is not the key that the pseudonyms held were made with: everybody would be somebody else.
    """
    person_keys.create_person_keys(connection, source.schema)
    held = person_keys.current_version(connection, source.name)
    if held is None:
        return person_keys.record_version(connection, source.name, key.check_value, by="etl", why="the first load")
    if held.check_value != key.check_value:
        name = f"ETL_{source.name.upper()}_{PSEUDONYM_KEY.upper()}"
        raise EtlError(
            f"{name} is not the key that the pseudonyms were made with since {held.since:%Y-%m-%d} (version"
            f" {held.version}). Nothing was loaded. If it was changed on purpose: etl rotate {source.name} --by NAME"
            " --why WORDS"
        )
    return held.version


def pseudonymise(
    connection: psycopg.Connection, source: Source, subject: Subject, key: PseudonymKey, version: int
) -> int:
    """Give each person without a pseudonym one, and drop those of persons that are gone; returns how many are new.

    In the transaction of the load that brought them.
    """
    relation = Relation(source.schema, subject.table)
    person_keys.drop_gone(connection, relation, subject)
    missing = person_keys.persons_without(connection, relation, subject)
    rows = ((subject.name, person, key.pseudonym(subject.name, person), version) for person in missing)
    person_keys.insert(connection, source.schema, rows)
    return len(missing)


def rotate(connection: psycopg.Connection, source: Source, key: PseudonymKey, *, by: str, why: str) -> int:
    """Key rotation: make all pseudonyms anew, in one transaction; returns how many.

    Raises:
        EtlError: It is the key that they were made with.
    """
    held = person_keys.current_version(connection, source.name)
    if held and held.check_value == key.check_value:
        raise EtlError(
            f"The key that is set is that of version {held.version}, by which the pseudonyms are made. Set another one."
        )
    with connection.transaction():
        version = person_keys.record_version(connection, source.name, key.check_value, by=by, why=why)
        person_keys.create_person_keys(connection, source.schema)
        person_keys.empty(connection, source.schema)
        return sum(pseudonymise(connection, source, subject, key, version) for subject in source.database.pseudonymised)
