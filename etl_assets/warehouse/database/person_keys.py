"""Pseudonyms of data subjects, beside the source's own keys: a table of each staging schema, which no reader sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from etl_assets.declare.privacy import Subject
from etl_assets.warehouse.copy import copy_in, copy_line
from etl_assets.warehouse.relation import Relation, lock_relation

TABLE = "etl_person_key"


@dataclass(frozen=True)
class KeyVersion:
    """Which key of a source its pseudonyms are made with."""

    version: int
    check_value: str
    since: datetime


def create_person_keys(connection: psycopg.Connection, schema: str) -> None:
    """Have the table of a staging schema be there; two loads that begin at once make it once."""
    lock_relation(connection, Relation(schema, TABLE))
    connection.execute(
        sql.SQL(
            "create table if not exists {} (subject text, subject_id text, person_key text not null,"
            " key_version integer not null, primary key (subject, subject_id), unique (person_key))"
        ).format(_table(schema))
    )


def current_version(connection: psycopg.Connection, source: str) -> KeyVersion | None:
    """The newest version of a source's key; None before the first load."""
    row = connection.execute(
        "select version, check_value, since from etl.pseudonym_key where source = %s order by version desc limit 1",
        [source],
    ).fetchone()
    return KeyVersion(*row) if row else None


def record_version(connection: psycopg.Connection, source: str, check_value: str, *, by: str, why: str) -> int:
    """Record that pseudonyms are made with another key from now on; returns its version."""
    row = connection.execute(
        "insert into etl.pseudonym_key (source, version, check_value, made_by, why)"
        " select %(source)s, coalesce(max(version), 0) + 1, %(check)s, %(by)s, %(why)s"
        " from etl.pseudonym_key where source = %(source)s returning version",
        {"source": source, "check": check_value, "by": by, "why": why},
    ).fetchone()
    if row is None:
        raise AssertionError("an insert returns its row")
    return int(row[0])


def persons_without(connection: psycopg.Connection, relation: Relation, subject: Subject) -> list[str]:
    """The keys of persons without a pseudonym, as texts, in order."""
    rows = connection.execute(
        _statement(
            "select {key}::text from {relation} as person where not exists (select from {table} as held"
            " where held.subject = {subject} and held.subject_id = person.{key}::text) order by 1",
            relation,
            subject,
        )
    ).fetchall()
    return [person for (person,) in rows]


def insert(connection: psycopg.Connection, schema: str, rows: Iterable[tuple[str, str, str, int]]) -> None:
    """Put pseudonyms in: subject, the person's key at the source, the pseudonym, and the version of its key."""
    statement = sql.SQL("copy {} (subject, subject_id, person_key, key_version) from stdin").format(_table(schema))
    copy_in(connection, statement, (copy_line([*map(str, row)]) for row in rows))


def drop_gone(connection: psycopg.Connection, relation: Relation, subject: Subject) -> None:
    """Drop the pseudonyms of persons that are not held any more."""
    connection.execute(
        _statement(
            "delete from {table} as held where held.subject = {subject} and not exists ("
            "select from {relation} as person where person.{key}::text = held.subject_id)",
            relation,
            subject,
        )
    )


def empty(connection: psycopg.Connection, schema: str) -> None:
    """Drop all pseudonyms of a staging schema."""
    connection.execute(sql.SQL("delete from {}").format(_table(schema)))


def _statement(text: str, relation: Relation, subject: Subject) -> sql.Composed:
    return sql.SQL(text).format(
        table=_table(relation.schema),
        relation=relation.identifier,
        key=sql.Identifier(subject.key),
        subject=sql.Literal(subject.name),
    )


def _table(schema: str) -> sql.Identifier:
    return sql.Identifier(schema, TABLE)
