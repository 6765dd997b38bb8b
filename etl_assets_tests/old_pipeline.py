"""A table of ours, and the same one as an old pipeline has it: other spelling, other types, other columns."""

from dataclasses import replace
from uuid import uuid4

import psycopg

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.tables import Full
from etl_assets.sources.open_dental import SOURCE

VISIT = CopiedTable(
    name="visit",
    key="visitnum",
    load=Full(),
    never_load=("password",),
    importance="critical",
    why="schedule",
)
PAIR = CopiedTable(name="pair", key=("kind", "code"), load=Full(), importance="reference", why="codes")
PRACTICE = replace(SOURCE, tables=(PAIR, VISIT), rules=(), reader=replace(SOURCE.database, subjects=()))
NONE = """
    drop view if exists open_dental_live.visit, open_dental_live.pair cascade;
    drop table if exists open_dental.visit, open_dental.pair, open_dental.was;
    drop schema if exists old_raw cascade;
    delete from etl.table_switch
"""
OURS = """
    create table open_dental.visit (
        visitnum bigint primary key, kind smallint, big numeric(20,0), fee double precision, flag boolean, day date,
        at timestamp, stamp timestamptz, lasts interval, note text, photo bytea, added text, etl_batch_id uuid not null
    );
    create table open_dental.pair (
        kind text, code text, meaning text, etl_batch_id uuid not null, primary key (kind, code)
    )
"""
OLD = """
    create schema old_raw;
    create table old_raw.visit (
        "VisitNum" integer, "Kind" boolean, "Big" double precision, "Fee" numeric(12,4), "Flag" smallint,
        "Day" timestamp, "At" text, "Stamp" timestamp, "Lasts" time, "Note" varchar(50), "Photo" text,
        "Password" text, "Legacy" text
    );
    create table old_raw.pair ("Kind" text, "Code" text, "Meaning" text);
    create table old_raw.leftover (id integer);
    grant usage on schema old_raw to etl_loader;
    grant select on all tables in schema old_raw to etl_loader
"""
NEW_ROW = (1, 0, 12.5, True, "2026-03-02", "2026-03-02 08:00", "2026-03-02 14:00+00", "01:30", "Grüße")
OLD_ROW = (True, 0, 12.5, 1, "2026-03-02", "2026-03-02 08:00", "2026-03-02 08:00", "01:30", "Grüße")
ZONE = "America/Chicago"  # at 8 in Chicago it is 14 in UTC


def make(connection: psycopg.Connection) -> None:
    """Both tables anew, with two equal rows each; `connection` is the login's, in autocommit mode."""
    connection.execute(f"reset role; {NONE}")
    connection.execute(f"set role etl_loader; {OURS}")
    connection.execute(f"reset role; {OLD}")
    for key in (1, 2):
        put_new(connection, key)
        put_old(connection, key)
    connection.execute("insert into open_dental.pair values ('a', 'b', 'same', %s)", [uuid4()])
    connection.execute("insert into old_raw.pair values ('a', 'b', 'same')")


def put_new(connection: psycopg.Connection, key: int, **other: object) -> None:
    """A row of ours, with other values where they are given."""
    names = ("kind", "big", "fee", "flag", "day", "at", "stamp", "lasts", "note")
    row = {"visitnum": key, **dict(zip(names, NEW_ROW, strict=True)), "photo": b"ab\x01", **other}
    put(connection, "open_dental.visit", {**row, "etl_batch_id": uuid4()})


def put_old(connection: psycopg.Connection, key: int, **other: object) -> None:
    """A row of the old pipeline's, with other values where they are given."""
    names = ("Kind", "Big", "Fee", "Flag", "Day", "At", "Stamp", "Lasts", "Note")
    row = {"VisitNum": key, **dict(zip(names, OLD_ROW, strict=True)), "Photo": "ab\x01", "Password": "x", **other}
    put(connection, "old_raw.visit", row)


def put(connection: psycopg.Connection, table: str, row: dict[str, object]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(f"insert into {table} ({names}) values ({', '.join(['%s'] * len(row))})", list(row.values()))
