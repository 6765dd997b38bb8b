"""PostgreSQL's system catalog: which tables a schema has, with their columns, types and keys, and who depends on them.

What is asked of the catalog is asked here. What a column's type means to a caller is the caller's: an old pipeline's
tables are read in its spelling (`database/old_target.py`), staging's as they were declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation

BATCH_COLUMN = "etl_batch_id"
"""The column of every staging table that names the batch which wrote the row: its lineage."""
_SHORT = {
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
}


@dataclass(frozen=True, kw_only=True)
class CatalogTable:
    """A table or view as the catalog describes it."""

    columns: Mapping[str, str]
    """Column -> type, in order, both as PostgreSQL spells them: `timestamp without time zone`, `numeric(20,0)`."""
    keys: tuple[str, ...] = ()
    """The columns of its primary key, in the key's order."""

    @property
    def short_types(self) -> dict[str, str]:
        """Column -> type, as declarations call it."""
        return {name: short_type(kind) for name, kind in self.columns.items()}


def short_type(kind: str) -> str:
    """The name by which declarations call a type that PostgreSQL names at length."""
    return _SHORT.get(kind, kind)


def describe_tables(
    connection: psycopg.Connection, schema: str, *, name: str | None = None, with_views: bool = False
) -> dict[str, CatalogTable]:
    """All tables of a schema by their names, in one round trip; none where there is no such schema.

    Args:
        connection: To any database of PostgreSQL's.
        schema: As it is spelled.
        name: The one table that is wanted.
        with_views: Views and foreign tables count as tables.
    """
    rows = connection.execute(
        """
        select
            class.relname,
            array_agg(attribute.attname::text order by attribute.attnum),
            array_agg(format_type(attribute.atttypid, attribute.atttypmod) order by attribute.attnum),
            (
                select array_agg(part.attname::text order by array_position(key.indkey::int2[], part.attnum))
                from pg_index as key
                inner join pg_attribute as part on part.attrelid = key.indrelid and part.attnum = any(key.indkey)
                where key.indrelid = class.oid and key.indisprimary
            )
        from pg_class as class
        inner join pg_attribute as attribute
            on attribute.attrelid = class.oid and attribute.attnum > 0 and not attribute.attisdropped
        where
            class.relnamespace = to_regnamespace(%s)
            and class.relkind = any(%s)
            and (%s::text is null or class.relname = %s)
        group by class.oid
        order by class.relname
        """,
        [
            sql.Identifier(schema).as_string(connection),
            ["r", "p", "v", "m", "f"] if with_views else ["r", "p"],
            name,
            name,
        ],
    )
    return {
        table: CatalogTable(columns=dict(zip(columns, kinds, strict=True)), keys=tuple(keys or ()))
        for table, columns, kinds, keys in rows
    }


def column_types(connection: psycopg.Connection, relation: Relation) -> dict[str, str]:
    """Column -> type of one table, as declarations call it; nothing where there is no such table."""
    found = describe_tables(connection, relation.schema, name=relation.name, with_views=True).get(relation.name)
    return found.short_types if found else {}


def dependent_views(connection: psycopg.Connection, schema: str) -> dict[tuple[str, str], list[str]]:
    """The views that depend on a schema's tables, in order, by the names of table and column."""
    rows = connection.execute(
        """
        select
            class.relname,
            attribute.attname,
            array_agg(distinct view_space.nspname || '.' || view_class.relname)
        from pg_depend as depends
        inner join pg_rewrite as rule on depends.classid = 'pg_rewrite'::regclass and rule.oid = depends.objid
        inner join pg_class as view_class on view_class.oid = rule.ev_class
        inner join pg_namespace as view_space on view_space.oid = view_class.relnamespace
        inner join pg_class as class
            on depends.refclassid = 'pg_class'::regclass
            and class.oid = depends.refobjid and class.oid <> view_class.oid
        inner join pg_attribute as attribute
            on attribute.attrelid = class.oid and attribute.attnum = depends.refobjsubid and attribute.attnum > 0
        where class.relnamespace = to_regnamespace(%s)
        group by class.relname, attribute.attname
        """,
        [sql.Identifier(schema).as_string(connection)],
    )
    return {(table, column): views for table, column, views in rows}
