"""What is in a PostgreSQL database: what its catalogue says of schema public, to compare two by, and all its rows."""

from dataclasses import dataclass, field

import psycopg

COLUMNS = """
select t.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text
from pg_attribute a join pg_class t on t.oid = a.attrelid
where t.relnamespace = 'public'::regnamespace and t.relkind = 'r' and a.attnum > 0 and not a.attisdropped
order by t.relname, a.attnum
"""
# Names of constraints are Django's own, made of a hash: what they hold counts.
CONSTRAINTS = """
select t.relname, pg_get_constraintdef(c.oid) from pg_constraint c join pg_class t on t.oid = c.conrelid
where c.connamespace = 'public'::regnamespace and c.contype <> 'n'
"""
PARTIAL_INDEXES = """
select t.relname, regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE UNIQUE INDEX .* ON ', '')
from pg_index i join pg_class t on t.oid = i.indrelid
where t.relnamespace = 'public'::regnamespace and i.indisunique and i.indpred is not null
"""


@dataclass
class Described:
    """One table: its columns in order (name, type, required, identity), its constraints, its partial unique indexes."""

    columns: list[tuple[str, str, bool, str]] = field(default_factory=list)
    constraints: set[str] = field(default_factory=set)
    partial: set[str] = field(default_factory=set)


def describe(connection: psycopg.Connection) -> dict[str, Described]:
    found: dict[str, Described] = {}
    for table, *column in connection.execute(COLUMNS):
        found.setdefault(table, Described()).columns.append(tuple(column))
    for table, definition in connection.execute(CONSTRAINTS):
        found[table].constraints.add(definition.replace("public.", ""))
    for table, definition in connection.execute(PARTIAL_INDEXES):
        found[table].partial.add(definition.replace("public.", ""))
    return found


def written(connection: psycopg.Connection) -> str:
    """All rows of all tables, as text."""
    rows = (
        str(row) for table in describe(connection) for (row,) in connection.execute(f"select t::text from {table} t")
    )
    return "\n".join(rows)
