"""Who was erased, and what of them is still at the source: known by a digest of the key, and by nothing else.

While there are tombstones, a load first reads the keys of persons from the source, and digests them here: those that a
tombstone knows stay out of every statement that is sent there from then on.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from etl_assets.declare.database import ERASURE_KEY
from etl_assets.declare.database_reader import DatabaseReader, ErasedRows, GenericKey, SourceColumn, SourceTable
from etl_assets.declare.ownership import Ownership, ownership
from etl_assets.declare.privacy import KeyKind
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.database.secret_keys import SecretKey, secret_of
from etl_assets.settings import Settings
from etl_assets.warehouse.tombstones import Tombstone

_SALT = b"etl_assets tombstones"


class ErasureKey(SecretKey):
    """The secret that erased persons of a source are known again by. It is never changed."""

    def __init__(self, secret: str) -> None:
        super().__init__(secret, _SALT)

    def erased_among(self, subject: str, keys: Collection[str], held: Sequence[Tombstone]) -> set[str]:
        """Which of these persons were erased."""
        digests = {each.digest for each in held if each.subject == subject}
        return {key for key in keys if self.keyed_digest(subject, key) in digests} if digests else set()


def erasure_key(settings: Settings, source: Source, held: Sequence[Tombstone] = ()) -> ErasureKey:
    """The key that is set for a source.

    Raises:
        EtlError: None is set, one that could be guessed, or another than the tombstones were made with.
    """
    name = f"ETL_{source.name}_{ERASURE_KEY}".upper()
    try:
        key = ErasureKey(secret_of(settings, source, ERASURE_KEY))
    except EtlError as error:
        held_for = (
            f" {len(held)} persons were erased, who would come back without it: nothing is loaded." if held else ""
        )
        raise EtlError(f"{error}.{held_for} See docs/erasure.md.") from None
    if any(each.key_check != key.check_value for each in held):
        raise EtlError(
            f"{name} is not the key that the {len(held)} tombstones of {source.name} were made with: who was erased"
            " would come back. Nothing was loaded. Set the one that was set then; there is no way to make them anew."
        )
    return key


def leave_out_erased(
    reader: DatabaseReader,
    source: Source,
    described: Sequence[SourceTable],
    key: ErasureKey,
    held: Sequence[Tombstone],
) -> tuple[dict[str, SourceTable], dict[str, EtlError]]:
    """Keep the rows of erased persons out of all that is read of a source from now on.

    Args:
        reader: Of the source.
        source: Its declaration.
        described: All of its tables, with all of their columns.
        key: What the tombstones were made with.
        held: The tombstones.

    Returns:
        By their names in staging the tables of persons, with what stays out; none where none of those persons is at
        the source any more. And why a table cannot be read: it lacks the column that says whose its rows are.
    """
    by_name = {table.staging_name: table for table in described if not table.part_of}
    columns = {name: [column.staging_name for column in table.columns] for name, table in by_name.items()}
    subjects = source.database.subjects
    try:
        owners = ownership(subjects, columns)
    except EtlError as error:
        own = {owned.table for subject in subjects for owned in subject.owns} | {each.table for each in subjects}
        own |= {name for name, there in columns.items() for each in subjects if each.key_elsewhere in there}
        return {}, {name: EtlError(f"{source.schema}.{name}: {error} Nothing was loaded.") for name in own}
    erased: dict[str, set[str]] = {}
    for subject in subjects:
        places = [(table, link.column) for table, links in owners.items() for link in links if link.of == subject.table]
        places += [(subject.table, subject.key)] if subject.table in by_name else []
        there: set[str] = set()
        if any(each.subject == subject.name for each in held):
            for table, column in places:
                there |= reader.distinct_values(by_name[table], _column(by_name[table], column))
        erased[subject.table] = key.erased_among(subject.name, there, held)
    return (_with_erased(by_name, owners, erased, source) if any(erased.values()) else {}), {}


def _with_erased(
    by_name: Mapping[str, SourceTable], owners: Ownership, erased: Mapping[str, Collection[str]], source: Source
) -> dict[str, SourceTable]:
    """The tables of persons, with what stays out of each: parents come first."""
    own_keys = {subject.table: subject.key for subject in source.database.subjects}
    made: dict[str, SourceTable] = {}
    for table, links in owners.items():
        described = by_name[table]
        rows = [
            ErasedRows(
                column=_column(described, link.column),
                keys=tuple(sorted(erased.get(link.of, ()))),
                parent=made[link.of] if _is_looked_up(made[link.of], own_keys.get(link.of)) else None,
                kind=_generic_key(by_name, described, link.when) if link.when else None,
            )
            for link in links
            if made[link.of].erased
        ]
        if erased.get(table):
            rows.insert(0, ErasedRows(column=_column(described, own_keys[table]), keys=tuple(sorted(erased[table]))))
        made[table] = replace(described, erased=tuple(rows))
    return made


def _is_looked_up(parent: SourceTable, own_key: str | None) -> bool:
    """Whether not all rows of a parent that stay out are known by the keys of erased persons."""
    return any(each.column.staging_name != own_key for each in parent.erased)


def _generic_key(by_name: Mapping[str, SourceTable], table: SourceTable, when: KeyKind) -> GenericKey:
    kinds = by_name[when.table]
    return GenericKey(column=_column(table, when.column), table=kinds, name=_column(kinds, when.name), value=when.value)


def _column(table: SourceTable, name: str) -> SourceColumn:
    return next(column for column in table.columns if column.staging_name == name)
