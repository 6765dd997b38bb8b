"""Rows of staging that tell of a person, and what the ledger keeps of such rows: found from table to table."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import psycopg
from psycopg import sql

from etl_assets.declare.ownership import Ownership
from etl_assets.declare.privacy import KeyKind, Subject
from etl_assets.warehouse.database.person_keys import TABLE as PERSON_KEYS
from etl_assets.warehouse.database.staging import ExistingTable
from etl_assets.warehouse.relation import Relation, column_list

IMAGES = {"row_before": "was", "row_overwritten": "was", "row_refused": "said"}
"""Tables of the ledger that keep rows as they were, and the column that has them."""


@dataclass
class PersonRows:
    """Rows of one staging table that tell of a person."""

    relation: Relation
    keys: set[str] = field(default_factory=set)
    """The first column of their keys, as a text."""
    row_keys: set[str] = field(default_factory=set)
    """Their keys as the ledger writes them."""
    tids: list[str] = field(default_factory=list)
    """Where they lie, within the transaction."""
    images: int = 0
    """Rows as they were before a load."""
    dates: set[date] = field(default_factory=set)


@dataclass(frozen=True)
class _Wanted:
    """Rows in which a column holds one of these keys, and where `kind` is given another column one of its keys."""

    column: str
    keys: Collection[str]
    kind: str = ""
    kind_keys: Collection[str] = ()


Persons = dict[str, set[str]]
"""The keys of one human, by the name of the subject."""


def same_human(
    connection: psycopg.Connection,
    schema: str,
    subjects: Sequence[Subject],
    tables: Mapping[str, ExistingTable],
    persons: Mapping[str, Collection[str]],
) -> Persons:
    """All keys of a human: a professional's account is that of a patient, too.

    Args:
        connection: As the loader.
        schema: Of staging.
        subjects: Those of the source.
        tables: Those of staging.
        persons: The keys that are known.
    """
    by_name = {subject.name: subject for subject in subjects}
    found: Persons = {name: set(persons.get(name, ())) for name in by_name}
    while True:
        before = sum(map(len, found.values()))
        for subject in subjects:
            if subject.table not in tables:
                continue
            for column, other in subject.same_as.items():
                for key, of_other in _pairs(connection, Relation(schema, subject.table), subject.key, column):
                    if key in found[subject.name] or of_other in found[other]:
                        found[subject.name].add(key)
                        found[other].add(of_other)
        if sum(map(len, found.values())) == before:
            return found


def find_person_rows(
    connection: psycopg.Connection,
    schema: str,
    owners: Ownership,
    tables: Mapping[str, ExistingTable],
    *,
    persons: Mapping[str, Collection[str]],
    event_dates: Mapping[str, str | None],
) -> dict[str, PersonRows]:
    """The rows of staging that tell of a human, by table; those too that are kept only as they were before a load.

    Args:
        connection: As the loader.
        schema: Of staging.
        owners: The tables that hold something of persons, parents first.
        tables: Those of staging.
        persons: The human's keys, by the table of each subject.
        event_dates: The column of each table that says of which date a row is.
    """
    found: dict[str, PersonRows] = {}
    for table, links in owners.items():
        keys = tables[table].keys
        wanted = [
            _Wanted(link.column, found[link.of].keys, *_kind(connection, schema, tables, link.when))
            for link in links
            if link.of in found and found[link.of].keys
        ]
        if table in persons and keys:
            wanted.append(_Wanted(keys[0], set(persons[table])))
        held = found[table] = PersonRows(Relation(schema, table))
        # What belongs to a person that is not held any more goes, too.
        held.keys |= set(persons.get(table, ()))
        if wanted:
            _find_rows(connection, held, tables[table], wanted, event_dates.get(table))
            for row_key, key in _images(connection, held.relation, wanted, keys):
                held.images += 1
                held.row_keys.add(row_key)
                held.keys |= {key} if key is not None else set()
    return found


def _kind(
    connection: psycopg.Connection, schema: str, tables: Mapping[str, ExistingTable], when: KeyKind | None
) -> tuple[str, Collection[str]]:
    """The column that tells of which table a generic key is, and what it holds where it is of this one."""
    if when is None:
        return "", ()
    rows = connection.execute(
        sql.SQL("select {}::text from {} where {}::text = %s").format(
            sql.Identifier(tables[when.table].keys[0]), sql.Identifier(schema, when.table), sql.Identifier(when.name)
        ),
        [when.value],
    )
    return when.column, {key for (key,) in rows}


def _find_rows(
    connection: psycopg.Connection,
    held: PersonRows,
    table: ExistingTable,
    wanted: Sequence[_Wanted],
    event_date: str | None,
) -> None:
    keys, has_date = table.keys, event_date in table.columns
    rows = connection.execute(
        sql.SQL("select existing.ctid::text, {}, {}, {} from {} as existing where {}").format(
            sql.SQL("jsonb_build_array({})::text").format(column_list(keys, of="existing")) if keys else sql.NULL,
            sql.SQL("{}::text").format(sql.Identifier("existing", keys[0])) if keys else sql.NULL,
            sql.SQL("{}::date").format(sql.Identifier("existing", event_date)) if event_date and has_date else sql.NULL,
            held.relation.identifier,
            sql.SQL(" or ").join(
                sql.SQL("({}::text = any(%s) and (%s = '' or {}::text = any(%s)))").format(
                    sql.Identifier("existing", each.column), sql.Identifier("existing", each.kind or each.column)
                )
                for each in wanted
            ),
        ),
        [value for each in wanted for value in (list(each.keys), each.kind, list(each.kind_keys))],
    ).fetchall()
    held.tids = [tid for tid, _, _, _ in rows]
    held.row_keys |= {row_key for _, row_key, _, _ in rows if row_key is not None}
    held.keys |= {key for _, _, key, _ in rows if key is not None}
    held.dates |= {day for _, _, _, day in rows if day is not None}


def shown_rows(connection: psycopg.Connection, rows: PersonRows) -> Iterator[tuple[str, dict[str, object]]]:
    """What is held in one table's rows, and as they were before a load: the place, and values by column."""
    found = connection.execute(
        sql.SQL("select to_jsonb(existing) from {} as existing where ctid = any(%s::tid[])").format(
            rows.relation.identifier
        ),
        [rows.tids],
    )
    for (row,) in found:
        yield str(rows.relation), row
    for table, column in IMAGES.items():
        kept = connection.execute(
            sql.SQL("select {} from {} where relation = %s and row_key = any(%s)").format(
                sql.Identifier(column), sql.Identifier("etl", table)
            ),
            [str(rows.relation), list(rows.row_keys)],
        )
        for (row,) in kept:
            yield f"etl.{table} of {rows.relation}", row


def erase_person_rows(connection: psycopg.Connection, rows: PersonRows) -> int:
    """Delete rows of staging, and what the ledger keeps of them; as the login itself, with the relation locked."""
    row = connection.execute(
        "select etl.erase_rows(%s::regclass, %s::tid[], %s)",
        [rows.relation.identifier.as_string(connection), rows.tids, list(rows.row_keys)],
    ).fetchone()
    return int(row[0]) if row else 0


def pseudonyms_of(connection: psycopg.Connection, schema: str, subject: str, keys: Collection[str]) -> set[str]:
    """The pseudonyms that these persons have in a staging schema, which has a table of them."""
    rows = connection.execute(
        sql.SQL("select person_key from {} where subject = %s and subject_id = any(%s)").format(
            sql.Identifier(schema, PERSON_KEYS)
        ),
        [subject, list(keys)],
    )
    return {pseudonym for (pseudonym,) in rows}


def erase_pseudonyms(connection: psycopg.Connection, schema: str, subject: str, keys: Collection[str]) -> int:
    """Delete the pseudonyms of these persons."""
    return connection.execute(
        sql.SQL("delete from {} where subject = %s and subject_id = any(%s)").format(
            sql.Identifier(schema, PERSON_KEYS)
        ),
        [subject, list(keys)],
    ).rowcount


def held_persons(
    connection: psycopg.Connection,
    schema: str,
    subject: Subject,
    owners: Ownership,
    tables: Mapping[str, ExistingTable],
) -> set[str]:
    """The keys of all persons of one kind that staging holds anything of, as texts."""
    places = [
        (table, link.column)
        for table, links in owners.items()
        for link in links
        if link.of == subject.table and link.when is None
    ]
    if subject.table in tables:
        places.append((subject.table, subject.key))
    found: set[str] = set()
    for table, column in places:
        rows = connection.execute(
            sql.SQL("select distinct {}::text from {}").format(sql.Identifier(column), sql.Identifier(schema, table))
        )
        found |= {key for (key,) in rows if key is not None}
    if PERSON_KEYS in tables:
        rows = connection.execute(
            sql.SQL("select subject_id from {} where subject = %s").format(sql.Identifier(schema, PERSON_KEYS)),
            [subject.name],
        )
        found |= {key for (key,) in rows}
    return found


def _pairs(connection: psycopg.Connection, relation: Relation, key: str, column: str) -> Iterator[tuple[str, str]]:
    """Two columns of a table, as texts; of rows as they were before a load, too."""
    rows = connection.execute(
        sql.SQL("select {}::text, {}::text from {} where {} is not null").format(
            sql.Identifier(key), sql.Identifier(column), relation.identifier, sql.Identifier(column)
        )
    ).fetchall()
    for table, image in IMAGES.items():
        rows += connection.execute(
            sql.SQL("select {0} ->> %s, {0} ->> %s from {1} where relation = %s").format(
                sql.Identifier(image), sql.Identifier("etl", table)
            ),
            [key, column, str(relation)],
        ).fetchall()
    yield from ((one, other) for one, other in rows if one is not None and other is not None)


def _images(
    connection: psycopg.Connection,
    relation: Relation,
    wanted: Sequence[_Wanted],
    keys: Sequence[str],
) -> Iterator[tuple[str, str | None]]:
    for table, column in IMAGES.items():
        yield from connection.execute(
            sql.SQL("select row_key, {0} ->> %s from {1} where relation = %s and ({2})").format(
                sql.Identifier(column),
                sql.Identifier("etl", table),
                sql.SQL(" or ").join(
                    sql.SQL("({0} ->> %s = any(%s) and (%s = '' or {0} ->> %s = any(%s)))").format(
                        sql.Identifier(column)
                    )
                    for _ in wanted
                ),
            ),
            [
                keys[0] if keys else "",
                str(relation),
                *(
                    part
                    for each in wanted
                    for part in (each.column, list(each.keys), each.kind, each.kind, list(each.kind_keys))
                ),
            ],
        )
