"""The words for what is taken from a source: tables, their columns, and how each is loaded."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

TYPES = ("text", "boolean", "integer", "bigint", "numeric", "date", "time", "timestamp", "timestamptz", "jsonb")
IMPORTANCES = ("critical", "important", "audit", "reference")
"""The classes of a database's tables, in the order in which they are loaded."""
_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")
_SECRET = re.compile(
    r"passw|passcode|pwd|secret(?!ar)|token|api_?key|reg_?key|prov_?key|private_?key|credential|(^|_)ssn|ssn$|cvv|pin$"
    r"|hash$|salt$|(^|_)otk|guid(?![ae])|credit_?card_?num$|cc_?num|card_?holder|masked|bank_?(number|acc)"
)


def looks_secret(name: str) -> bool:
    """Whether a column of this name may well hold what opens something: a password, a token, the number of a card."""
    return _SECRET.search(name.lower()) is not None


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
class Full:
    """The whole list is read; each document of a record that differs from the one before is kept as a version."""

    shrink_floor: float = 0.8
    """Least share of the records now held that must arrive; under it the list is not believed."""
    max_rejected: float = 0.10
    """The share of records that cannot be kept over which nothing is loaded."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """One span of dates is read at a time, and its records are brought up to date."""

    slice_by: str
    """The field that says when a record happened; its first ten characters are the site's own date."""
    pad: timedelta = timedelta(days=1)
    """How far beyond the span is asked: what happens at midnight belongs to one day here and to another there."""
    keeps_pad: bool = False
    """Whether records of the pad are kept that are not held yet. Where they count by themselves, a day of a period
    would look like all of it; where they belong to what lies in the span, they are wanted."""
    shrink_floor: float = 0.5
    """Least share of the records held of the span that must arrive; under it the list is not believed."""
    max_rejected: float = 0.10
    """The share of records that cannot be kept over which nothing of the period is loaded."""


@dataclass(frozen=True, kw_only=True)
class Incremental:
    """Rows that are new or were changed since the last load are copied; a sweep finds what moved no stamp."""

    column: str
    """The stamp that the source moves with every change; or the key, of a table whose rows are never changed."""
    overlap: timedelta = timedelta(minutes=10)
    """How far back of the last load's moment is read again: what was being written then was not to be seen yet."""
    shrink_floor: float = 0.5
    """Least share of the rows held that must still be at the source; under it deletions are not believed."""


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """What a load of a table must keep to."""

    alert_on_failure: bool = False
    max_extraction_time_minutes: int = 5
    """A load that takes longer is too slow."""
    data_quality_threshold: float = 0.95
    """Least share of the rows that must be as they are at the source; under it the check is an error."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What a table of a database is copied by, besides its key and its load."""

    importance: str
    why: str
    """The rule by which it has its importance."""
    batch_size: int = 10_000
    """Rows of one statement at the source."""
    size: str = "tiny"
    monitoring: Monitoring = Monitoring()
    keep_deleted: bool = False
    """Whether rows stay here that the source deletes: an audit trail outlives it."""
    happens_on: str | None = None
    """The column, as staging spells it, that holds the date of what a row says; what is built by date heeds it."""
    harmless: Sequence[str] = ()
    """Columns, as staging spells them, whose names look like a secret's although they hold none."""

    def __post_init__(self) -> None:
        if self.importance not in IMPORTANCES:
            raise ValueError(f"importance {self.importance!r} is none of {', '.join(IMPORTANCES)}")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a service keeps the records of a table, and how it is asked for them."""

    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request for the list."""
    window: str | None = None
    """The parameter that takes `first|last`, two ISO dates, both included."""
    longest: timedelta = timedelta(days=31)
    """The longest window that the service allows, both ends included; longer ones are cut."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a table's documents, in PostgreSQL's types. A value that is not of the type reads as null."""

    name: str
    type: str
    path: str
    """Where it lies in the document, such as `billingSetting.rate`."""

    def __post_init__(self) -> None:
        Column(name=self.name, type=self.type)


def fields(**paths_by_type: str) -> tuple[Field, ...]:
    """Fields from a line of paths per type: `fields(text="status customId")` gives status and custom_id."""
    return tuple(
        Field(name=re.sub(r"([A-Z])", r"_\1", path).lower().replace(".", "_"), type=kind, path=path)
        for kind, paths in paths_by_type.items()
        for path in paths.split()
    )


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table, endpoint or file kind of a source, and the staging table it becomes."""

    name: str
    key: str | Sequence[str]
    load: PerFile | Full | Window | Incremental
    columns: tuple[Column, ...] = ()
    """What a file's table is made of; a service's records are kept as documents."""
    endpoint: Endpoint | None = None
    fields: tuple[Field, ...] = ()
    """The fields of the documents that rules look at."""
    copied: Copied | None = None
    """How a table of a database is copied; its columns are those that the source has."""
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
        """Every declared column's name, in order; of documents, their key and the fields that rules look at."""
        if self.endpoint:
            return (*self.keys, *(each.name for each in self.fields))
        return tuple(column.name for column in self.columns)

    @property
    def per_file(self) -> PerFile:
        """How its files are loaded.

        Raises:
            TypeError: It has none.
        """
        if not isinstance(self.load, PerFile):
            raise TypeError(f"{self.name} is not loaded from files")
        return self.load

    def left_out(self, columns: Iterable[str]) -> list[str]:
        """Which of these columns of a database's table are not loaded, as staging spells them.

        Those of `never_load`, and those that look like a secret until somebody has said that they hold none.
        """
        known = {*self.keys, *(self.copied.harmless if self.copied else ())}
        names = [name.lower() for name in columns]
        return [name for name in names if name in self.never_load or (name not in known and looks_secret(name))]

    @property
    def has_slices(self) -> bool:
        """Whether each row belongs to a date, by which the table is loaded."""
        return isinstance(self.load, PerFile | Window)

    @property
    def slice_by(self) -> str:
        """The column of the staging table that holds the date of a row.

        Raises:
            TypeError: Its rows have none.
        """
        if isinstance(self.load, Full | Incremental):
            raise TypeError(f"{self.name} is not loaded by date")
        return self.load.slice_by if isinstance(self.load, PerFile) else "slice"

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"table {self.name!r}: a name is lower case letters, digits and underscores")
        hidden = set(self.keys) & set(self.never_load)
        if hidden:
            raise ValueError(f"{self.name}: {sorted(hidden)} is in the key and in never_load; a key must be loaded")
        if self.copied:
            if self.endpoint or self.columns or isinstance(self.load, PerFile | Window):
                raise ValueError(f"{self.name}: a database's table is read Full or Incremental, and says its columns")
            return
        if isinstance(self.load, Incremental) or (self.endpoint is None) != isinstance(self.load, PerFile):
            raise ValueError(f"{self.name}: files have columns and are loaded PerFile, a service's tables an endpoint")
        sliced = {self.load.slice_by} if isinstance(self.load, PerFile) else set()
        unknown = {*self.keys, *self.personal, *sliced} - set(self.names)
        if unknown:
            raise ValueError(f"{self.name}: {sorted(unknown)} is not among its columns")
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ValueError(f"{self.name}: {sorted(twice)} is declared twice")
