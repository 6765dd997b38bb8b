"""The tables as tables.yaml declares them, and the statements that make them. What is in them is not known here."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml

from etl_assets.errors import EtlError

MYSQL, POSTGRESQL = "mysql", "postgresql"
DECLARED = Path(__file__).with_name("tables.yaml")

# By the first word of the type; what is not here is a number.
_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}
_MOMENTS = {"date": "0001-01-01", "datetime": "0001-01-01 00:00:00", "time": "00:00:00"}
_BYTES = {"tinyblob", "blob", "mediumblob", "longblob", "binary", "varbinary"}
_POSTGRESQL_TYPES = {
    "tinyint": "smallint",
    "smallint": "smallint",
    "year": "smallint",
    "smallint unsigned": "integer",
    "mediumint": "integer",
    "int": "integer",
    "int unsigned": "bigint",
    "bigint": "bigint",
    "bigint unsigned": "numeric(20,0)",
    "float": "real",
    "double": "double precision",
    "date": "date",
    "datetime": "timestamp",
    "timestamp": "timestamptz",
    "time": "interval",
}


@dataclass(frozen=True)
class Column:
    """One column, with its type in the vendor's words: `smallint unsigned`, `varchar(255)`, `varchar(15) binary`."""

    name: str
    type: str

    @property
    def kind(self) -> str:
        """The first word of the type, without its width: `varchar`."""
        return re.split(r"[ (]", self.type)[0]

    @property
    def width(self) -> int | None:
        """How many characters a text may have, or digits a decimal number, where the type says so."""
        found = re.search(r"\((\d+)", self.type)
        return int(found[1]) if found else None

    @property
    def is_text(self) -> bool:
        """Whether it holds text. Such a column may be null."""
        return self.kind in _TEXTS

    @property
    def is_bytes(self) -> bool:
        """Whether it holds bytes."""
        return self.kind in _BYTES


@dataclass(frozen=True)
class Table:
    """One table, as it is declared."""

    name: str
    columns: tuple[Column, ...]
    key: str | None = None
    moves: str | None = None
    """The column in which the server itself keeps the moment of the last change."""
    indexed: bool = False
    """Whether that column has an index."""
    nullable: tuple[str, ...] = ()
    """Columns that may be null besides texts."""
    kinds: Mapping[str, str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", {column.name: column.kind for column in self.columns})

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in their order."""
        return tuple(column.name for column in self.columns)


@lru_cache
def tables() -> Mapping[str, Table]:
    """The declared tables, by name."""
    declared = yaml.safe_load(DECLARED.read_text())
    return {name: _table(name, **words) for name, words in declared.items()}


def named(names: Collection[str] | None) -> list[Table]:
    """The declared tables of these names, or all of them.

    Raises:
        EtlError: There is no such table.
    """
    unknown = sorted(set(names or ()) - set(tables()))
    if unknown:
        raise EtlError(
            f"The sandbox of Open Dental has no table {', '.join(unknown)}; {DECLARED.name} says which it has."
        )
    return [table for name, table in tables().items() if names is None or name in names]


def create_statements(dialect: str, names: Collection[str] | None = None) -> list[str]:
    """The statements that make the tables of these names, or all, in MySQL's dialect or in PostgreSQL's."""
    return [statement for table in named(names) for statement in statements_of(table, dialect)]


def statements_of(table: Table, dialect: str) -> list[str]:
    """The statements that make one table and its index."""
    lines = [_line(table, column, dialect) for column in table.columns]
    if table.key:
        lines.append(f"primary key ({quoted(table.key, dialect)})")
    if table.indexed and table.moves and dialect == MYSQL:
        lines.append(f"key {quoted(table.moves, dialect)} ({quoted(table.moves, dialect)})")
    engine = " engine=MyISAM default charset=utf8" if dialect == MYSQL else ""
    statements = [f"create table {quoted(table.name, dialect)} (\n    " + ",\n    ".join(lines) + f"\n){engine}"]
    if table.indexed and table.moves and dialect == POSTGRESQL:
        statements.append(f"create index on {quoted(table.name, dialect)} ({quoted(table.moves, dialect)})")
    return statements


def quoted(name: str, dialect: str) -> str:
    """A name as the dialect quotes it, so that it keeps its capitals."""
    mark = "`" if dialect == MYSQL else '"'
    return mark + name.replace(mark, mark * 2) + mark


def postgresql_type(column: Column) -> str:
    """The PostgreSQL type that holds every value of the column's own type."""
    if column.is_text:
        return "text"
    if column.is_bytes:
        return "bytea"
    if column.kind in ("decimal", "numeric"):
        return column.type.replace("decimal", "numeric").removesuffix(" unsigned")
    if column.kind == "bit":
        return "boolean" if (column.width or 1) == 1 else "bigint"
    unsigned = f"{column.kind} unsigned"
    if column.type.endswith("unsigned") and unsigned in _POSTGRESQL_TYPES:
        return _POSTGRESQL_TYPES[unsigned]
    return _POSTGRESQL_TYPES[column.kind]


def _table(name: str, columns: Mapping[str, str], **words: str | bool) -> Table:
    found = tuple(Column(column, type_) for type_, listed in columns.items() for column in listed.split())
    nullable = tuple(str(words.pop("nullable", "")).split())
    return Table(name, found, nullable=nullable, **words)  # type: ignore[arg-type]  # the file says no other words


def _line(table: Table, column: Column, dialect: str) -> str:
    name = quoted(column.name, dialect)
    if dialect == POSTGRESQL:
        # Nothing else is required: where MySQL holds a zero date, PostgreSQL can only hold null.
        return f"{name} {postgresql_type(column)}" + (" not null" if column.name == table.key else "")
    return f"{name} {_mysql_type(column)} {_mysql_rest(table, column)}"


def _mysql_type(column: Column) -> str:
    if column.type.endswith(" binary"):
        return f"{column.type.removesuffix(' binary')} character set utf8 collate utf8_bin"
    # The vendor's utf8 has three bytes a character at most; notes hold emoji all the same, in practices that moved on.
    return f"{column.type} character set utf8mb4" if column.kind.endswith("text") else column.type


def _mysql_rest(table: Table, column: Column) -> str:
    if column.name == table.key:
        return "not null auto_increment" if column.kind.endswith("int") else "not null"
    if column.kind == "timestamp":
        moves = " on update current_timestamp" if column.name == table.moves else ""
        return f"not null default current_timestamp{moves}"
    if column.is_text and column.width:
        return "default ''"
    if column.is_text or column.is_bytes or column.name in table.nullable:
        return "default null"
    nothing = "b'0'" if column.kind == "bit" else f"'{_MOMENTS.get(column.kind, '0')}'"
    return f"not null default {nothing}"
