"""Data ownership: which rows of a source tell of which person, found from table to table by the keys that rows hold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from etl_assets.declare.privacy import KeyKind, Subject
from etl_assets.errors import EtlError


@dataclass(frozen=True)
class OwnerLink:
    """A column that holds the key of a row of a table `of`: a row that tells of whom that one tells."""

    column: str
    of: str
    when: KeyKind | None = None
    """By what it is told that a key is one of that table."""


Ownership = Mapping[str, Sequence[OwnerLink]]
"""By table, parents first: the links to what its rows belong to. A subject's own table may have none."""


def ownership(subjects: Sequence[Subject], columns: Mapping[str, Collection[str]]) -> Ownership:
    """The tables that hold something of persons, and by which columns.

    Args:
        subjects: Of one source.
        columns: Of each table that there is, its columns. What is declared of others counts for nothing: not every
            version of a source has every table.

    Raises:
        EtlError: A table lacks a column by which its rows would be known, or the tables belong to each other in a
            circle.
    """
    by_name = {subject.name: subject for subject in subjects}
    links: dict[str, set[OwnerLink]] = {subject.table: set() for subject in subjects if subject.table in columns}
    for subject in subjects:
        declared = [
            (owned.table, OwnerLink(owned.column, owned.of or subject.table, owned.when)) for owned in subject.owns
        ]
        declared += [
            (subject.table, OwnerLink(column, by_name[name].table))
            for column, name in subject.same_as.items()
            if name in by_name
        ]
        declared += [
            (table, OwnerLink(subject.key_elsewhere, subject.table))
            for table, names in columns.items()
            if subject.key_elsewhere in names and table != subject.table
        ]
        for table, link in declared:
            if table in columns and link.of in columns:
                _require_column(subject, table, link.column, columns[table])
                if link.when:
                    _require_column(subject, table, link.when.column, columns[table])
                    _require_column(subject, link.when.table, link.when.name, columns.get(link.when.table, ()))
                links.setdefault(table, set()).add(link)
    return _in_order(links)


def check_subjects(subjects: Sequence[Subject], columns: Mapping[str, Collection[str] | None]) -> None:
    """Refuse what is declared of persons where it can be seen to be wrong.

    Args:
        subjects: Of one source.
        columns: Of each declared table, its columns; None where the source alone knows them.

    Raises:
        EtlError: A table, a column or a subject that there is not, or tables that belong to each other in a circle.
    """
    names = {subject.name for subject in subjects}
    for subject in subjects:
        named = [(owned.table, owned.of, owned.when.table if owned.when else "") for owned in subject.owns]
        tables = [subject.table, *(table for some in named for table in some if table)]
        if unknown := sorted(set(tables) - columns.keys()):
            raise EtlError(f"What is declared of a {subject.name} names {', '.join(unknown)}: no table is called so.")
        if strangers := sorted(set(subject.same_as.values()) - names):
            raise EtlError(f"A {subject.name} is the same as {', '.join(strangers)}: no subject is called so.")
    owns = [owned for subject in subjects for owned in subject.owns]
    assumed = {owned.column for owned in owns} | {column for subject in subjects for column in subject.same_as}
    assumed |= {name for owned in owns if owned.when for name in (owned.when.column, owned.when.name)}
    ownership(subjects, {table: assumed if known is None else known for table, known in columns.items()})


def _require_column(subject: Subject, table: str, column: str, there: Collection[str]) -> None:
    if column not in there:
        raise EtlError(
            f"{table} has no column {column}, by which its rows would be known to tell of a {subject.name}. It may have"
            " been renamed. Say in the source's tables.py what it is called now."
        )


def _in_order(links: Mapping[str, Collection[OwnerLink]]) -> Ownership:
    try:
        order = TopologicalSorter({table: {link.of for link in of} for table, of in links.items()}).static_order()
        return {table: sorted(links[table], key=str) for table in order if table in links}
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise EtlError(
            f"Tables of persons belong to each other in a circle: {circle}. Leave one of them out."
        ) from None
