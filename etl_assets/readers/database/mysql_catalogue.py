"""What MySQL's catalogue says of its tables, in three round trips for all of them."""

from collections import defaultdict
from collections.abc import Collection

from etl_assets.declare.database import SourceColumn, SourceTable
from etl_assets.readers.database.mysql_link import MysqlLink, Row
from etl_assets.readers.database.mysql_types import MysqlType, in_words

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


def describe(link: MysqlLink, names: Collection[str] | None = None) -> dict[str, SourceTable]:
    """The tables of these names that there are, or all; views are none. By name, sorted."""
    if names is not None and not names:
        return {}
    chosen = "" if names is None else f" and table_name in ({', '.join(map(_literal, sorted(names)))})"
    columns: dict[str, list[SourceColumn]] = defaultdict(list)
    for row in link.rows(f"{_COLUMNS}{chosen} order by table_name, ordinal_position"):
        columns[_text(row[0])].append(_column(row))
    indexes: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for row in link.rows(f"{_INDEXES}{chosen} order by table_name, index_name, seq_in_index"):
        indexes[_text(row[0])].setdefault(_text(row[1]), []).append(_text(row[2]))
    return {
        name: SourceTable(
            name=name,
            columns=tuple(columns[name]),
            key=tuple(indexes[name].pop("PRIMARY", ())),
            rows=int(rows or 0),
            size_bytes=int(size or 0),
            indexes=tuple(tuple(each) for each in indexes[name].values()),
        )
        for name, rows, size in ((_text(row[0]), row[1], row[2]) for row in link.rows(f"{_TABLES}{chosen} order by 1"))
    }


def _column(row: Row) -> SourceColumn:
    words = in_words(_text(row[2]), _text(row[3]) if row[3] else None)
    return SourceColumn(
        name=_text(row[1]),
        type=words,
        staging_type=MysqlType.of(words).staging_type,
        nullable=row[4] == b"YES",
        moves="on update current_timestamp" in _text(row[5]).lower(),
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode()


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
