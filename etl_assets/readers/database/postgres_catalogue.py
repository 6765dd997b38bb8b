"""PostgreSQL's system catalogue: describes all tables of a schema in a handful of round trips.

A partition is described as a part of the table that its rows are read with. Tables that inherit from another one are
tables by themselves: of each its own rows are read. Views and foreign tables are left out. Row headers can be read of
an ordinary table that is kept as a heap, by an account that may read `xmin` and `ctid`, on PostgreSQL 14 or later.

Rows and sizes are the planner's estimates: to ask for a table's size waits for whoever has it locked.

No column of PostgreSQL is updated by itself. Where a trigger writes the moment of each change into one, a comment on
the column that holds `on update current_timestamp` says so, in MySQL's words.
"""

from collections import defaultdict
from collections.abc import Collection

from etl_assets.declare.database_reader import SourceColumn, SourceTable, with_staging_names
from etl_assets.declare.staging_names import table_names
from etl_assets.readers.database.postgres_connection import PostgresConnection
from etl_assets.readers.database.postgres_types import staging_type

FIRST_VERSION = 140000
"""The first PostgreSQL that reads a range of pages without reading what lies before it."""
_FROM = """
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace"""
_TABLES = f"""
select
    c.relname,
    coalesce(leaves.rows, greatest(c.reltuples, 0))::bigint,
    coalesce(leaves.pages, c.relpages)::bigint * current_setting('block_size')::integer,
    c.relkind = 'p',
    coalesce(above.relname, ''),
    c.relkind = 'r' and am.amname = 'heap'
    and has_column_privilege(c.oid, 'xmin', 'select') and has_column_privilege(c.oid, 'ctid', 'select')
    and current_setting('server_version_num')::integer >= {FIRST_VERSION}{_FROM}
left join pg_am as am on am.oid = c.relam
left join lateral (
    select sum(greatest(leaf.reltuples, 0)) as rows, sum(leaf.relpages) as pages
    from pg_partition_tree(c.oid) as tree
    join pg_class as leaf on leaf.oid = tree.relid and tree.isleaf
) as leaves on c.relkind = 'p'
left join lateral (
    select ancestor.relname
    from pg_partition_ancestors(c.oid) as ancestors
    join pg_class as ancestor on ancestor.oid = ancestors.relid
    where ancestor.oid <> c.oid and ancestor.relnamespace = c.relnamespace
    limit 1
) as above on c.relispartition"""
_COLUMNS = f"""
select
    c.relname,
    a.attname,
    format_type(a.atttypid, a.atttypmod),
    format_type(
        case when t.typtype = 'd' then t.typbasetype else t.oid end,
        case when t.typtype = 'd' then t.typtypmod else a.atttypmod end
    ),
    a.attnotnull or t.typnotnull,
    coalesce(col_description(c.oid, a.attnum), '') ilike '%on update current_timestamp%'{_FROM}
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type as t on t.oid = a.atttypid"""
_INDEXES = f"""
select c.relname, i.indexrelid, i.indisprimary, a.attname{_FROM}
join pg_index as i on i.indrelid = c.oid and i.indpred is null and 0 <> all(i.indkey)
join lateral unnest(i.indkey) with ordinality as k (number, place) on k.place <= i.indnkeyatts
join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.number"""


def describe_postgres(connection: PostgresConnection, names: Collection[str] | None = None) -> dict[str, SourceTable]:
    """Describe the tables of these names that exist, or all of the schema, sorted by name; see `DatabaseReader`."""
    if names is not None and not names:
        return {}
    chosen = f"\nwhere n.nspname = {_literal(connection.schema)} and c.relkind in ('r', 'p')"
    renamed = table_names(name for (name,) in connection.rows(f"select c.relname{_FROM}{chosen}"))
    wanted = [name for name in renamed if names is None or not {renamed[name], name.lower()}.isdisjoint(names)]
    if not wanted:
        return {}
    if names is not None:
        chosen += f" and c.relname in ({', '.join(map(_literal, wanted))})"
    columns: dict[str, list[SourceColumn]] = defaultdict(list)
    for table, name, kind, made_from, not_null, on_update_timestamp in connection.rows(
        f"{_COLUMNS}{chosen} order by c.relname, a.attnum"
    ):
        columns[table].append(
            SourceColumn(
                name=name,
                type=kind,
                staging_type=staging_type(made_from),
                nullable=not not_null,
                on_update_timestamp=bool(on_update_timestamp),
            )
        )
    keys: dict[str, list[str]] = defaultdict(list)
    indexes: dict[str, dict[int, list[str]]] = defaultdict(dict)
    for table, index, primary, name in connection.rows(f"{_INDEXES}{chosen} order by c.relname, i.indexrelid, k.place"):
        (keys[table] if primary else indexes[table].setdefault(index, [])).append(name)
    return {
        name: SourceTable(
            name=name,
            columns=with_staging_names(columns[name]),
            key=tuple(keys[name]),
            rows=rows,
            size_bytes=size,
            indexes=tuple(tuple(each) for each in indexes[name].values()),
            renamed=renamed[name],
            is_partitioned=is_partitioned,
            part_of=part_of,
            has_row_headers=has_row_headers and not part_of,
        )
        for name, rows, size, is_partitioned, part_of, has_row_headers in connection.rows(
            f"{_TABLES}{chosen} order by c.relname"
        )
    }


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
