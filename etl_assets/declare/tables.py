"""Staging tables: what all kinds of source have in common. Each kind has a table of its own beside it.

`files.FileTable`, `rest.RestTable` and `database.CopiedTable` add what only they need; whoever handles tables of every
kind asks for what is declared here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

TYPES = ("text", "boolean", "integer", "bigint", "numeric", "date", "time", "timestamp", "timestamptz", "jsonb", "uuid")
NAME = re.compile(r"^[a-z_][a-z0-9_]*$")
"""What tables, columns, sources and rules may be called: such names need no quotes in SQL."""
LONGEST_LOAD = timedelta(hours=12)
"""Of a table that does not say it: a night, which a service's first load may take."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a staging table, in PostgreSQL's types."""

    name: str
    type: str

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ValueError(f"column {self.name!r}: a name is lower case letters, digits and underscores")
        if self.type not in TYPES:
            raise ValueError(f"{self.name}: type {self.type!r} is none of {', '.join(TYPES)}")


def columns(**names_by_type: str) -> tuple[Column, ...]:
    """Columns from a line of names per type: `columns(text="room_id room_name", date="surgery_date")`."""
    return tuple(Column(name=name, type=kind) for kind, names in names_by_type.items() for name in names.split())


@dataclass(frozen=True, kw_only=True)
class Field(Column):
    """One field of a JSON document, in PostgreSQL's types. A value that is not of the type reads as null."""

    path: str
    """Where it lies in the document, such as `billingSetting.rate`."""


@dataclass(frozen=True, kw_only=True)
class Full:
    """Full load: everything is read, so deletions are seen. Of documents each version of a record is kept."""

    shrink_floor: float = 0.8
    """Least share of the records now held that must arrive; under it the list is not believed."""
    max_rejected: float = 0.10
    """The share of records that cannot be kept over which nothing is loaded."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One staging table, and the part of a source that it is loaded from."""

    name: str
    key: str | Sequence[str]
    never_load: Sequence[str] = ()
    """Columns that must not reach the warehouse at all: secrets, free clinical text."""
    is_optional: bool = False
    """Whether some versions of the source lack it: nobody misses it there."""
    personal: Sequence[str] = ()
    """Columns that tell of a person: no finding shows their values, and what models make of them only
    `etl_personal_reader` may read."""
    personal_document: bool = False
    """Whether all of a row tells of people: findings withhold its values, no rejected record shows one, and of tables
    that readers may see, as those that jobs fill, only `etl_personal_reader` may read it."""
    description: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)

    @property
    def columns_known(self) -> Sequence[Column]:
        """The columns whose names and types are declared; none where the source alone knows them."""
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every declared column's name, in order."""
        return tuple(column.name for column in self.columns_known)

    @property
    def parsed_fields(self) -> Sequence[Field]:
        """What rules read out of documents besides the table's own columns."""
        return ()

    @property
    def document_column(self) -> str:
        """The column with the record as it came, which `parsed_fields` are read out of; empty where there is none."""
        return ""

    @property
    def loader_columns(self) -> Sequence[str]:
        """Columns that the loader writes, and that rules may look at as well."""
        return ()

    @property
    def partition_column(self) -> str | None:
        """The staging column with the date of a row, by which the table is loaded; None where it is loaded whole."""
        return None

    @property
    def current_rows(self) -> str:
        """The condition, in SQL, that a row of staging is in force: what rules look at."""
        return "true"

    @property
    def is_wide(self) -> bool:
        """Whether a rule that reads few columns is better off without the others being read first."""
        return False

    @property
    def read_again(self) -> str:
        """The words of `etl run` that have rows compared again with those held; none where each load does it."""
        return ""

    @property
    def summary(self) -> str:
        """What the table is, for people."""
        return self.description

    @property
    def grain(self) -> str:
        """What a row is, for people."""
        return f"One row per {' and '.join(self.keys)}." if self.keys else "One row for each of the source's: no key."

    @property
    def tags(self) -> Mapping[str, str]:
        """What tables are chosen by besides their names, such as their importance."""
        return {}

    @property
    def details(self) -> Mapping[str, object]:
        """How the table is loaded, for people who look at it."""
        return {}

    @property
    def alerts_on_failure(self) -> bool:
        """Whether somebody is to hear at once that it could not be loaded; else it stands in the daily summary."""
        return True

    @property
    def longest_load(self) -> timedelta:
        """How long a load of it may go on before it is taken to hang."""
        return LONGEST_LOAD

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ValueError(f"table {self.name!r}: a name is lower case letters, digits and underscores")
        hidden = set(self.keys) & set(self.never_load)
        if hidden:
            raise ValueError(f"{self.name}: {sorted(hidden)} is in the key and in never_load; a key must be loaded")
        self._check_columns()

    def _check_columns(self) -> None:
        """Refuse names that no declared column has, and columns declared twice."""
        sliced = {self.partition_column} if self.partition_column in self.names else set()
        unknown = {*self.keys, *self.personal, *sliced} - set(self.names)
        if unknown:
            raise ValueError(f"{self.name}: {sorted(unknown)} is not among its columns")
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ValueError(f"{self.name}: {sorted(twice)} is declared twice")
