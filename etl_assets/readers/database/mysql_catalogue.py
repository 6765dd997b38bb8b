"""MySQL's information_schema: describes all tables in a handful of round trips.

Views are left out, and MERGE tables, which are views of other tables.
"""

from collections import Counter, defaultdict
from collections.abc import Collection

from etl_assets.declare.database_reader import SourceColumn, SourceTable, with_staging_names
from etl_assets.declare.staging_names import table_names
from etl_assets.readers.database.mysql_connection import MysqlConnection, Row
from etl_assets.readers.database.mysql_types import MysqlType, declared_type

_FROM = """
from information_schema.tables
where
    table_schema = database()
    and table_type in ('BASE TABLE', 'SYSTEM VERSIONED')
    and coalesce(engine, '') <> 'MRG_MyISAM'"""
_NAMES = f"select table_name{_FROM}"
_TABLES = f"select table_name, table_rows, coalesce(data_length, 0) + coalesce(index_length, 0){_FROM}"
_COLUMNS = """
select table_name, column_name, column_type, character_set_name, is_nullable, extra
from information_schema.columns
where table_schema = database()"""
_INDEXES = """
select table_name, index_name, column_name
from information_schema.statistics
where table_schema = database() and column_name is not null"""


def describe_mysql(connection: MysqlConnection, names: Collection[str] | None = None) -> dict[str, SourceTable]:
    """Describe the tables of these names that exist, or all, sorted by name; see `DatabaseReader`."""
    if names is not None and not names:
        return {}
    renamed = table_names(_decode(row[0]) for row in connection.rows(f"{_NAMES} order by 1"))
    wanted = [name for name in renamed if names is None or not {renamed[name], name.lower()}.isdisjoint(names)]
    if not wanted:
        return {}
    # Of names that differ in case alone MariaDB finds one: then all are described, and those wanted are chosen here.
    alike = Counter(name.lower() for name in renamed)
    is_chosen = names is not None and all(alike[name.lower()] == 1 for name in wanted)
    chosen = f" and table_name in ({', '.join(map(_literal, wanted))})" if is_chosen else ""
    columns: dict[str, list[SourceColumn]] = defaultdict(list)
    for row in connection.rows(f"{_COLUMNS}{chosen} order by table_name, ordinal_position"):
        columns[_decode(row[0])].append(_column(row))
    indexes: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for row in connection.rows(f"{_INDEXES}{chosen} order by table_name, index_name, seq_in_index"):
        indexes[_decode(row[0])].setdefault(_decode(row[1]), []).append(_decode(row[2]))
    return {
        name: SourceTable(
            name=name,
            columns=with_staging_names(columns[name]),
            key=tuple(indexes[name].pop("PRIMARY", ())),
            rows=int(rows or 0),
            size_bytes=int(size or 0),
            indexes=tuple(tuple(each) for each in indexes[name].values()),
            renamed=renamed[name],
        )
        for name, rows, size in (
            (_decode(row[0]), row[1], row[2]) for row in connection.rows(f"{_TABLES}{chosen} order by 1")
        )
        if name in wanted
    }


def _column(row: Row) -> SourceColumn:
    declared = declared_type(_decode(row[2]), _decode(row[3]) if row[3] else None)
    return SourceColumn(
        name=_decode(row[1]),
        type=declared,
        staging_type=MysqlType.parse(declared).staging_type,
        nullable=row[4] == b"YES",
        on_update_timestamp="on update current_timestamp" in _decode(row[5]).lower(),
    )


def _decode(value: bytes | None) -> str:
    return (value or b"").decode()


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
