"""The words for what is taken from a source: tables, their columns, and how each is loaded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

TYPES = ("text", "boolean", "integer", "bigint", "numeric", "date", "time", "timestamp", "timestamptz", "jsonb")
_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a staging table, in PostgreSQL's types."""

    name: str
    type: str

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"column {self.name!r}: a name is lower case letters, digits and underscores")
        if self.type not in TYPES:
            raise ValueError(f"{self.name}: type {self.type!r} is none of {', '.join(TYPES)}")


def columns(**names_by_type: str) -> tuple[Column, ...]:
    """Columns from a line of names per type: `columns(text="room_id room_name", date="surgery_date")`."""
    return tuple(Column(name=name, type=kind) for kind, names in names_by_type.items() for name in names.split())


@dataclass(frozen=True, kw_only=True)
class PerFile:
    """Files are taken in one by one; a file replaces what earlier files of its feed said of its dates."""

    slice_by: str
    """The date column that says which schedule dates a file speaks of."""
    start: date
    """The first schedule date that has data."""
    horizon_days: int = 731
    """How many days ahead of today a file may speak of."""
    max_rejected: float = 0.10
    """The share of rejected rows over which a file is refused whole."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table, endpoint or file kind of a source, and the staging table it becomes."""

    name: str
    key: str | Sequence[str]
    load: PerFile
    columns: tuple[Column, ...]
    never_load: Sequence[str] = ()
    """Columns that must not reach the warehouse at all: secrets, free clinical text."""
    personal: Sequence[str] = ()
    """Columns that tell of a person; no reader role is granted them."""
    description: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)

    @property
    def names(self) -> tuple[str, ...]:
        """Every declared column's name, in order."""
        return tuple(column.name for column in self.columns)

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"table {self.name!r}: a name is lower case letters, digits and underscores")
        hidden = set(self.keys) & set(self.never_load)
        if hidden:
            raise ValueError(f"{self.name}: {sorted(hidden)} is in the key and in never_load; a key must be loaded")
        unknown = ({*self.keys, *self.personal, self.load.slice_by}) - set(self.names)
        if unknown:
            raise ValueError(f"{self.name}: {sorted(unknown)} is not among its columns")
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ValueError(f"{self.name}: {sorted(twice)} is declared twice")
