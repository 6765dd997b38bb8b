"""What is held of a person: shown for a request of theirs (LGPD art. 18), or searched for once they are erased."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import psycopg

from etl_assets.declare.privacy import Subject
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.database.erasure import HeldPerson, files_of, find_person, owners_of
from etl_assets.loading.database.tombstone_keys import erasure_key
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect, connect_dagster
from etl_assets.warehouse.database import person_findings, person_models, person_rows
from etl_assets.warehouse.database.person_models import SubjectColumn
from etl_assets.warehouse.database.staging import existing_tables
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.text_places import all_columns, count_words, files_below, is_distinctive, words_in_files
from etl_assets.warehouse.tombstones import tombstones

_STATISTICS = Relation("pg_catalog", "pg_stats")


def persons_by_key(
    connection: psycopg.Connection, settings: Settings, source: Source, key: str, subject: str | None
) -> dict[str, set[str]]:
    """Whose key it is, by the name of the subject: as staging holds it, or as a tombstone knows it; else anybody's.

    Raises:
        EtlError: The source tells of no persons, has no such subject, or the key is that of two persons.
    """
    subjects = source.database.subjects
    names = [each.name for each in subjects]
    if not names:
        raise EtlError(f"{source.name} declares no persons: see docs/erasure.md.")
    if subject and subject not in names:
        raise EtlError(f"{source.name} declares no {subject}. It declares: {', '.join(names)}.")
    chosen = [each for each in subjects if subject in (None, each.name)]
    tables = existing_tables(connection, source.schema)
    owners = owners_of(source, tables)
    found = [
        each for each in chosen if key in person_rows.held_persons(connection, source.schema, each, owners, tables)
    ]
    found = found or _erased(connection, settings, source, chosen, key)
    if not found and is_distinctive(key):  # models may have the pseudonym of somebody who left the source
        return {each.name: {key} for each in chosen}
    found = found or chosen
    if len(found) > 1:
        raise EtlError(
            f"By that key there may be a {' and a '.join(each.name for each in found)}. Say which: --subject"
        )
    return {each.name: {key} for each in found}


def _erased(
    connection: psycopg.Connection, settings: Settings, source: Source, subjects: Sequence[Subject], key: str
) -> list[Subject]:
    held = tombstones(connection, source.name)
    if not held:
        return []
    secret = erasure_key(settings, source, held)
    return [each for each in subjects if secret.erased_among(each.name, {key}, held)]


def show_person(
    settings: Settings,
    source: Source,
    persons: Mapping[str, Collection[str]],
    model_columns: Sequence[SubjectColumn],
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """All that is held of a person: a place, and values by column; nothing where the person is not held."""
    with connect(settings, role=None) as connection:
        person = find_person(connection, settings, source, persons)
        for rows in person.rows.values():
            yield from person_rows.shown_rows(connection, rows)
        for name in persons:
            for pseudonym in sorted(person.marks[name] - person.keys[name]):
                yield f"the pseudonym as a {name}", {"person_key": pseudonym}
        for column in model_columns:
            for row in person_models.rows_of_model(connection, column, person.marks.get(column.subject, ())):
                yield str(column.relation), row
        for rows in person.rows.values():
            keys = person_findings.flat_keys(rows.row_keys)
            for row in person_findings.findings_of(connection, rows.relation, keys):
                yield "etl.quality_issue", row


def find_left(
    settings: Settings,
    source: Source,
    persons: Mapping[str, Collection[str]],
    model_columns: Sequence[SubjectColumn],
    also: Collection[str] = (),
) -> dict[str, int]:
    """Search the whole installation for a person who was erased.

    Args:
        settings: Which installation.
        source: Whose data.
        persons: The person's keys.
        model_columns: The columns of models that hold keys or pseudonyms of persons.
        also: Further words that would show who it was, such as an e-mail address.

    Returns:
        Places, with the number of rows or words; empty where the person is nowhere.
    """
    found: dict[str, int] = {}
    with connect(settings, role=None) as connection:
        person = find_person(connection, settings, source, persons)
        words = {*person.words, *also}
        found |= _left_by_structure(connection, source, person, model_columns)
        for relation, columns in all_columns(connection).items():
            found |= {f"{relation}.{name}": n for name, n in count_words(connection, relation, columns, words).items()}
        statistics = count_words(connection, _STATISTICS, ("most_common_vals", "histogram_bounds"), words)
        found |= {f"{_STATISTICS}.{name}": n for name, n in statistics.items()}
    with connect_dagster(settings) as dagster:
        for relation, columns in all_columns(dagster).items() if dagster else ():
            texts = count_words(dagster, relation, columns, words) if dagster else {}
            found |= {f"Dagster's {relation.name}.{name}": n for name, n in texts.items()}
    files = [*files_of(settings), *files_below(settings.tombstone_dir)]
    return found | {str(path): n for path, n in words_in_files(files, words).items()}


def _left_by_structure(
    connection: psycopg.Connection, source: Source, person: HeldPerson, model_columns: Sequence[SubjectColumn]
) -> dict[str, int]:
    """What is left where a row is known by its column: that of a key that is too short to be searched for."""
    found = {}
    for rows in person.rows.values():
        found[str(rows.relation)] = len(rows.tids)
        found[f"the ledger's copies of {rows.relation}"] = rows.images
        keys = person_findings.flat_keys(rows.row_keys)
        found[f"etl.quality_issue of {rows.relation}"] = len(
            person_findings.findings_of(connection, rows.relation, keys)
        )
    for column in model_columns:
        rows_of_model = person_models.rows_of_model(connection, column, person.marks.get(column.subject, ()))
        found[f"{column.relation}.{column.column}"] = sum(1 for _ in rows_of_model)
    return {place: number for place, number in found.items() if number}


def last_erased(settings: Settings, source: Source, persons: Mapping[str, Collection[str]]) -> datetime | None:
    """When one of these persons was erased; None where nobody was."""
    with connect(settings) as connection:
        held = tombstones(connection, source.name)
    if not held:
        return None
    secret = erasure_key(settings, source, held)
    digests = {(name, secret.keyed_digest(name, key)) for name, keys in persons.items() for key in keys}
    return max((each.erased_at for each in held if each.identity in digests), default=None)
