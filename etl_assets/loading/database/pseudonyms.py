"""Pseudonymisation: keys of persons by HMAC-SHA-256, made here with a secret that no database and no statement holds.

Each purpose has a key of its own, derived from the secret by HKDF (RFC 5869, one block of SHA-256): what is known of a
patient cannot be joined with what is known of a professional. A pseudonym is kept beside the source's own key in
staging, which no reader sees; models have the pseudonym alone.
"""

import hmac
from hashlib import sha256

import psycopg

from etl_assets.declare.database import PSEUDONYM_KEY
from etl_assets.declare.privacy import Subject
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.settings import Settings
from etl_assets.warehouse.database import person_keys
from etl_assets.warehouse.relation import Relation

MIN_CHARACTERS = 32
"""Of a secret: `openssl rand -hex 32` gives 64."""
_SALT, _CHECK = b"etl_assets pseudonyms", "check value"


class PseudonymKey:
    """The secret of a source. It shows in no message and no repr."""

    def __init__(self, secret: str) -> None:
        self._extracted = hmac.digest(_SALT, secret.encode(), sha256)

    def pseudonym(self, purpose: str, person: str) -> str:
        """The pseudonym of a person for a purpose: 64 hexadecimal digits."""
        return hmac.new(self._derive(purpose), person.encode(), sha256).hexdigest()

    @property
    def check_value(self) -> str:
        """By which the key is known again: nobody can tell the key from it."""
        return self._derive(_CHECK).hex()[:16]

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self._extracted, purpose.encode() + b"\x01", sha256)


def pseudonym_key(settings: Settings, source: Source) -> PseudonymKey:
    """The key that is set for a source.

    Raises:
        EtlError: None is set, or one that could be guessed.
    """
    secret = settings.of_source(source.name).get(PSEUDONYM_KEY, "")
    if len(secret) < MIN_CHARACTERS:
        raise EtlError(
            f"ETL_{source.name.upper()}_{PSEUDONYM_KEY.upper()} has {len(secret)} characters; {MIN_CHARACTERS} at least"
            " were expected, by chance: openssl rand -hex 32"
        )
    return PseudonymKey(secret)


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
        return sum(pseudonymise(connection, source, subject, key, version) for subject in source.database.subjects)
