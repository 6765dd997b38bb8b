"""A warehouse that was set back to an older state learns from a file who was erased since, and erases them again."""

from collections.abc import Callable, Sequence

from etl_assets.declare.source import Source
from etl_assets.loading.database.erasure import Decision, Receipt, erase, owners_of
from etl_assets.loading.database.tombstone_keys import erasure_key
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.person_models import SubjectColumn
from etl_assets.warehouse.database.person_rows import held_persons
from etl_assets.warehouse.database.staging import existing_tables
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.tombstones import (
    append_tombstones,
    read_tombstone_file,
    record_tombstones,
    tombstone_file,
    tombstones,
)


def erase_again(
    settings: Settings, source: Source, batch: Batch, model_columns: Callable[[], Sequence[SubjectColumn]]
) -> list[Receipt]:
    """Hold the ledger's tombstones and those of the file together; erase whom only the file knows, where they are held.

    Where both say the same, that is all that is asked.

    Returns:
        What was erased, a receipt a human.

    Raises:
        EtlError: The key that tombstones are made with is not set, or is another one; or the file cannot be read.
    """
    if not source.database.subjects:
        return []
    path = tombstone_file(settings.tombstone_dir, source.name)
    in_file = {each.identity: each for each in read_tombstone_file(path)}
    with connect(settings) as connection:
        in_ledger = {each.identity: each for each in tombstones(connection, source.name)}
    if in_file or in_ledger:
        key = erasure_key(settings, source, [*in_file.values(), *in_ledger.values()])
    if in_file.keys() == in_ledger.keys():
        return []
    append_tombstones(path, [each for identity, each in in_ledger.items() if identity not in in_file])
    learned = [each for identity, each in in_file.items() if identity not in in_ledger]
    with connect(settings) as connection:
        tables = existing_tables(connection, source.schema)
        owners = owners_of(source, tables)
        erased = [
            (subject.name, person)
            for subject in source.database.subjects
            for person in sorted(
                key.erased_among(
                    subject.name, held_persons(connection, source.schema, subject, owners, tables), learned
                )
            )
        ]
    receipts = [
        erase(
            settings,
            source,
            {subject: {person}},
            Decision(by="etl", why="erased before the warehouse was set back"),
            key=key,
            batch=batch,
            model_columns=model_columns(),
            learned=learned,
        )
        for subject, person in erased
    ]
    with connect(settings) as connection:
        record_tombstones(connection, source.name, learned)
    return [receipt for receipt in receipts if receipt.places]
