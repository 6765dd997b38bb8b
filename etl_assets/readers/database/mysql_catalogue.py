"""MySQL's information_schema: describes all tables in three round trips."""

from collections import defaultdict
from collections.abc import Collection

from etl_assets.declare.database_reader import SourceColumn, SourceTable
from etl_assets.readers.database.mysql_connection import MysqlConnection, Row
from etl_assets.readers.database.mysql_types import MysqlType, declared_type

_TABLES = """
select table_name, table_rows, coalesce(data_length, 0) + coalesce(index_length, 0)
from information_schema.tables
where table_schema = database() and table_type in ('BASE TABLE', 'SYSTEM VERSIONED')"""
_COLUMNS = """
select table_name, column_name, column_type, character_set_name, is_nullable, extra
from information_schema.columns
where table_schema = database()"""
_INDEXES = """
select table_name, index_name, column_name
from information_schema.statistics
where table_schema = database() and column_name is not null"""


def describe_mysql(connection: MysqlConnection, names: Collection[str] | None = None) -> dict[str, SourceTable]:
    """Describe the tables of these names that exist, or all, sorted by name; views are left out."""
    if names is not None and not names:
        return {}
    chosen = "" if names is None else f" and table_name in ({', '.join(map(_literal, sorted(names)))})"
    columns: dict[str, list[SourceColumn]] = defaultdict(list)
    for row in connection.rows(f"{_COLUMNS}{chosen} order by table_name, ordinal_position"):
        columns[_decode(row[0])].append(_column(row))
    indexes: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for row in connection.rows(f"{_INDEXES}{chosen} order by table_name, index_name, seq_in_index"):
        indexes[_decode(row[0])].setdefault(_decode(row[1]), []).append(_decode(row[2]))
    return {
        name: SourceTable(
            name=name,
            columns=tuple(columns[name]),
            key=tuple(indexes[name].pop("PRIMARY", ())),
            rows=int(rows or 0),
            size_bytes=int(size or 0),
            indexes=tuple(tuple(each) for each in indexes[name].values()),
        )
        for name, rows, size in (
            (_decode(row[0]), row[1], row[2]) for row in connection.rows(f"{_TABLES}{chosen} order by 1")
        )
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
