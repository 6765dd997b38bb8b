"""Erasure of a person (LGPD art. 18): from staging, the models, the ledger, Dagster's records and files, for good.

What is read of the source from then on leaves the person out (`tombstone_keys`). A warehouse that is set back to an
older state learns of it from the file of tombstones, and the person is erased there again before anything is loaded.
"""

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from etl_assets.declare.ownership import Ownership, ownership
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.database.pseudonyms import pseudonym_key
from etl_assets.loading.database.tombstone_keys import ErasureKey
from etl_assets.settings import PROJECT, Settings
from etl_assets.warehouse.connection import connect, connect_dagster, is_transient
from etl_assets.warehouse.database import person_findings, person_models, person_rows
from etl_assets.warehouse.database.person_keys import TABLE as PERSON_KEYS
from etl_assets.warehouse.database.person_models import SubjectColumn
from etl_assets.warehouse.database.person_rows import PersonRows, Persons
from etl_assets.warehouse.database.staging import ExistingTable, existing_tables
from etl_assets.warehouse.ledger import Batch, Counts, record_load
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.published_marts import forget_cells
from etl_assets.warehouse.relation import Relation, lock_relation
from etl_assets.warehouse.text_places import (
    all_columns,
    blot_words,
    files_below,
    is_distinctive,
    word_patterns,
    words_in_files,
)
from etl_assets.warehouse.tombstones import (
    Tombstone,
    append_tombstones,
    record_erasure,
    record_tombstones,
    tombstone_file,
    tombstones,
)

_OF_ERASURE = {"tombstone", "erasure"}
_LEDGER = [
    Relation("etl", name)
    for name in (*person_rows.IMAGES, *person_findings.LINES, "header_digest", "key_digest", "released_cell")
]
"""Tables of the ledger whose rows say something of a person's."""
DBT_FOLDERS = (PROJECT / "sql" / "target", PROJECT / "sql" / "logs")
"""Where dbt writes what it compiles, and its log."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who had a person erased, and why."""

    by: str
    why: str


@dataclass(frozen=True, kw_only=True)
class HeldPerson:
    """What the warehouse holds of one human."""

    keys: Persons
    """At the source, by the name of the subject."""
    rows: Mapping[str, PersonRows]
    """Of staging, by table."""
    marks: Mapping[str, set[str]]
    """What stands for the human, and for rows that tell of them, by the name of the subject or of the table."""

    @property
    def words(self) -> set[str]:
        """Keys and pseudonyms that nothing else is likely to be called by."""
        return {word for words in self.marks.values() for word in words if is_distinctive(word)}


@dataclass
class Receipt:
    """What an erasure removed, by place."""

    places: dict[str, int] = field(default_factory=dict)
    """Rows, events or words."""
    tombstones: Sequence[Tombstone] = ()
    """Those of the human, the new ones too."""
    erased_before: datetime | None = None
    """When the person was erased already."""

    def add(self, place: str, number: int) -> None:
        """Count what was removed; nothing is no place."""
        if number:
            self.places[place] = self.places.get(place, 0) + number


def find_person(
    connection: psycopg.Connection, settings: Settings, source: Source, persons: Mapping[str, Collection[str]]
) -> HeldPerson:
    """Find what staging and the ledger hold of a human, of whom a key is known."""
    tables = existing_tables(connection, source.schema)
    subjects = source.database.subjects
    keys = person_rows.same_human(connection, source.schema, subjects, tables, persons)
    rows = person_rows.find_person_rows(
        connection,
        source.schema,
        owners_of(source, tables),
        tables,
        persons={subject.table: keys[subject.name] for subject in subjects},
        event_dates={table.name: source.copied_table(table.name).event_date for table in source.tables},
    )
    marks: dict[str, set[str]] = {table: held.keys for table, held in rows.items()}
    for subject in subjects:
        marks[subject.name] = set(keys[subject.name])
        if subject.is_pseudonymised:
            held = PERSON_KEYS in tables
            marks[subject.name] |= _pseudonyms(connection if held else None, settings, source, subject.name, keys)
    return HeldPerson(keys=keys, rows=rows, marks=marks)


def owners_of(source: Source, tables: Mapping[str, ExistingTable]) -> Ownership:
    """The tables of staging that hold something of persons."""
    return ownership(source.database.subjects, {name: table.columns.keys() for name, table in tables.items()})


def erase(
    settings: Settings,
    source: Source,
    persons: Mapping[str, Collection[str]],
    decision: Decision,
    *,
    key: ErasureKey,
    batch: Batch,
    model_columns: Sequence[SubjectColumn] = (),
    learned: Sequence[Tombstone] = (),
    is_rehearsal: bool = False,
) -> Receipt:
    """Erase a human from all that is held, in one transaction of the warehouse; other places before it commits.

    Args:
        settings: Which installation.
        source: Whose data.
        persons: The keys of the human that are known, by the name of the subject.
        decision: Who wants it, and why; it names nobody.
        key: What tombstones are made with.
        batch: Whose work it is.
        model_columns: The columns of models that hold keys or pseudonyms of persons.
        learned: Tombstones that the ledger does not have yet, for it was set back.
        is_rehearsal: Only find out what would go.

    Returns:
        What went, by place. Nothing where the person is not held, and was never erased.

    Raises:
        EtlError: A place cannot be reached or written; nothing was erased in the warehouse.
    """
    with _without_values(source):
        receipt = Receipt()
        with connect(settings, role=None) as connection:
            connection.execute("set local time zone 'UTC'")
            person = find_person(connection, settings, source, persons)
            _check_decision(decision, person)
            for relation in sorted((held.relation for held in person.rows.values()), key=str):
                lock_relation(connection, relation)
            person = find_person(connection, settings, source, persons)  # as nobody changes it any more
            _erase_staging(connection, source, person, batch, receipt)
            for column in model_columns:
                receipt.add(
                    f"{column.relation}.{column.column}",
                    person_models.erase_from_model(connection, column, person.marks.get(column.subject, ()), batch.id),
                )
            wanted = _tombstones(person, decision, key)
            before = {each.identity: each for each in (*tombstones(connection, source.name), *learned)}
            receipt.erased_before = max(
                (before[each.identity].erased_at for each in wanted if each.identity in before), default=None
            )
            if receipt.places or receipt.erased_before:
                _erase_findings(connection, source, person, receipt)
                _erase_elsewhere(settings, source, person, receipt, is_rehearsal=is_rehearsal)
            touched = [held.relation for held in person.rows.values()] + [column.relation for column in model_columns]
            touched += [Relation(source.schema, PERSON_KEYS), *_LEDGER]
            if is_rehearsal or not receipt.places:
                connection.rollback()
                return receipt
            for relation in dict.fromkeys(touched):
                person_models.forget_statistics(connection, relation)
            receipt.tombstones = [before.get(each.identity, each) for each in wanted]
            record_tombstones(connection, source.name, receipt.tombstones)
            record_erasure(connection, source.name, receipt.tombstones, receipt.places)
            # Before the commit: the warehouse must not know of an erasure that the file does not.
            added = [each for each in receipt.tombstones if each.identity not in before]
            append_tombstones(tombstone_file(settings.tombstone_dir, source.name), added)
        with connect(settings, role=None, autocommit=True) as connection:
            for relation in dict.fromkeys(touched):
                person_models.vacuum(connection, relation)
        return receipt


@contextmanager
def _without_values(source: Source) -> Iterator[None]:
    """Raise what the database refuses without its own words, which may show a value."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege:
        raise EtlError(
            f"{source.name}: a person is to be erased, and this login may not delete all that is held of them. Nothing"
            " was erased or loaded. Do it with the login that ran etl migrate."
        ) from None
    except psycopg.Error as error:
        if is_transient(error):
            raise TransientError(f"{source.name}: the warehouse went away. Nobody was erased; run it again.") from None
        raise EtlError(f"{source.name}: nobody was erased: the warehouse refuses, with {error.sqlstate}.") from None


def _erase_staging(
    connection: psycopg.Connection, source: Source, person: HeldPerson, batch: Batch, receipt: Receipt
) -> None:
    for held in reversed(list(person.rows.values())):
        started = time.monotonic()
        if not (held.tids or held.row_keys):
            continue
        deleted = person_rows.erase_person_rows(connection, held)
        receipt.add(str(held.relation), deleted)
        receipt.add(f"the ledger's copies of {held.relation}", held.images)
        if deleted:
            counts, seconds = Counts(rows_deleted=deleted), time.monotonic() - started
            record_load(
                connection,
                batch,
                held.relation,
                counts,
                seconds=seconds,
                dates=LoadedDates(changed=held.dates, is_news=False),
            )
    if PERSON_KEYS in existing_tables(connection, source.schema):
        for name, keys in person.keys.items():
            number = person_rows.erase_pseudonyms(connection, source.schema, name, keys)
            receipt.add(f"{source.schema}.{PERSON_KEYS}", number)


def _erase_findings(connection: psycopg.Connection, source: Source, person: HeldPerson, receipt: Receipt) -> None:
    """Delete findings of rows that went, and what rules found elsewhere by these words; blot them out of all texts."""
    for held in person.rows.values():
        keys = person_findings.flat_keys(held.row_keys)
        receipt.add("etl.quality_issue", person_findings.delete_findings(connection, held.relation, keys))
    patterns = word_patterns(person.words)
    for table in person_findings.LINES:
        number = person_findings.delete_lines(connection, table, source.name, source.schema, patterns)
        receipt.add(f"etl.{table}", number)
    receipt.add("etl.released_cell", forget_cells(connection, source.name, person.words))
    for relation, columns in all_columns(connection, texts=True).items():
        if relation.schema == "etl" and relation.name not in _OF_ERASURE:
            receipt.add(str(relation), blot_words(connection, relation, columns, person.words))


def _erase_elsewhere(
    settings: Settings, source: Source, person: HeldPerson, receipt: Receipt, *, is_rehearsal: bool
) -> None:
    """Blot the words out of Dagster's records, logs and reports."""
    with connect_dagster(settings) as dagster:
        if dagster is not None:
            for relation, columns in all_columns(dagster, texts=True).items():
                receipt.add(f"Dagster's {relation.name}", blot_words(dagster, relation, columns, person.words))
            for name, held in person.rows.items():
                keys = person_findings.flat_keys(held.row_keys)
                number = person_findings.blot_samples(dagster, Relation(source.schema, name), keys)
                receipt.add("Dagster's asset_check_executions", number)
            if is_rehearsal:
                dagster.rollback()
    for path, number in words_in_files(_written_files(settings), person.words, blot=not is_rehearsal).items():
        receipt.add(str(path), number)


def _written_files(settings: Settings) -> list[Path]:
    """The files that this project itself writes and that may hold what was loaded: logs, reports, what dbt compiles."""
    own = (settings.home / "logs", settings.home / "dagster", settings.report_dir, *DBT_FOLDERS)
    return [*files_below(*own), *(settings.home / "postgres").rglob("*.log")]


def files_of(settings: Settings) -> list[Path]:
    """Those, and all else that lies in the home, but for the database itself and what senders have dropped."""
    without = (settings.home / "postgres", settings.landing_dir)
    return [*dict.fromkeys([*_written_files(settings), *files_below(settings.home, without=without)])]


def _pseudonyms(
    connection: psycopg.Connection | None, settings: Settings, source: Source, subject: str, keys: Persons
) -> set[str]:
    """Those that staging has, and those that the key gives: models may have one of somebody who left the source."""
    found: set[str] = set()
    if connection:
        found = person_rows.pseudonyms_of(connection, source.schema, subject, keys[subject])
    secret = pseudonym_key(settings, source)
    return found | {secret.pseudonym(subject, each) for each in keys[subject]}


def _tombstones(person: HeldPerson, decision: Decision, key: ErasureKey) -> list[Tombstone]:
    now = datetime.now(UTC)
    return [
        Tombstone(
            subject=name,
            digest=key.keyed_digest(name, each),
            key_check=key.check_value,
            erased_at=now,
            erased_by=decision.by,
            why=decision.why,
        )
        for name, keys in person.keys.items()
        for each in sorted(keys)
    ]


def _check_decision(decision: Decision, person: HeldPerson) -> None:
    """Refuse words that would keep the person's key."""
    if not (decision.by.strip() and decision.why.strip()):
        raise EtlError("Somebody has a person erased, for a reason; one of the two is empty. Nothing was erased.")
    words = {word for name, keys in person.keys.items() for word in (*keys, *person.marks[name])}
    text = f"{decision.by} {decision.why}"
    if any(re.search(pattern, text, re.IGNORECASE) for pattern in word_patterns(words)):
        raise EtlError(
            "What --by and --why say is kept, and has the person's key in it. Say it without. Nothing was erased."
        )
