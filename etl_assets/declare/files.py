"""Sources that deliver files: the landing folder, and the tables that the files are loaded into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar

from etl_assets.declare.dates import Calendar, Span
from etl_assets.declare.tables import Column, Table


@dataclass(frozen=True, kw_only=True)
class PerFile:
    """Partition replacement: each file replaces what earlier files of its feed said of its dates."""

    slice_by: str
    """The date column that says which schedule dates a file speaks of."""
    start: date
    """The first schedule date that has data."""
    horizon_days: int = 731
    """How many days ahead of today a file may speak of."""
    max_rejected: float = 0.10
    """The share of rejected rows over which a file is refused whole; a feed may have its own."""
    shrink_floor: float = 0.5
    """The share of the rows held for a date that a file must bring to replace them; with fewer, none is deleted."""
    tolerated_rejects: int = 5
    """How many rejected rows never refuse a file, whatever their share: one bad row of eight is no broken file. A file
    of which no row is left is refused all the same."""
    kept_rejects: int = 1_000
    """Rejected rows of a file that are kept with line, reason and text; beyond them they are only counted."""

    def __post_init__(self) -> None:
        if not 0 <= self.max_rejected <= 1 or self.tolerated_rejects < 0 or self.kept_rejects < 1:
            raise ValueError(
                "max_rejected is a share from 0 to 1, tolerated_rejects a number from 0 and kept_rejects one from 1;"
                f" they are {self.max_rejected}, {self.tolerated_rejects} and {self.kept_rejects}"
            )


@dataclass(frozen=True, kw_only=True)
class FileTable(Table):
    """A staging table that files are loaded into."""

    load: PerFile
    columns: tuple[Column, ...]
    fallbacks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Text column of the key -> the text columns that stand in for it where a row has none of its own, in this order;
    an empty text where none has one."""
    indexes: Sequence[Sequence[str]] = ()
    """What the models look rows up by, besides the key and the date."""

    @property
    def columns_known(self) -> Sequence[Column]:
        """Its columns."""
        return self.columns

    @property
    def read_again(self) -> str:
        """A file is loaded again for its dates."""
        return "--from DATE --to DATE"

    @property
    def loader_columns(self) -> Sequence[str]:
        """Where a row came from, and when."""
        return ("feed", "file_name", "load_datetime")

    @property
    def slice_by(self) -> str:
        """The column with the schedule date of a row."""
        return self.load.slice_by

    def _check_columns(self) -> None:
        """Refuse fallbacks of what is no key, or by what is no text."""
        super()._check_columns()
        types = {column.name: column.type for column in self.columns}
        others = {name for names in self.fallbacks.values() for name in names}
        wrong = sorted(self.fallbacks.keys() - set(self.keys)) + sorted(
            name for name in {*self.fallbacks, *others} if types.get(name) != "text"
        )
        if wrong:
            raise ValueError(f"{self.name}: {wrong[0]} cannot have or be a fallback: a text column of the key has")

    @property
    def required_columns(self) -> Sequence[str]:
        """The columns without which a row cannot be stored: the key, but for what has a fallback, and the date."""
        return tuple(dict.fromkeys((*(key for key in self.keys if key not in self.fallbacks), self.slice_by)))

    @property
    def partition_column(self) -> str | None:
        """The schedule date."""
        return self.slice_by


@dataclass(frozen=True, kw_only=True)
class FileDrop:
    """A source that sends files: they are found in its landing folder, and read as its feeds say."""

    feeds: Path
    """The YAML file of the feeds that we ship."""

    table_kind: ClassVar[type[Table]] = FileTable

    def missing_settings(self, given: Mapping[str, str]) -> list[str]:
        """None: files are delivered."""
        del given
        return []

    def dates(self, tables: Sequence[Table], calendar: Calendar | None, today: date) -> Span:
        """The first and the last date that a file may speak of."""
        del calendar  # files speak of schedule dates
        loads = [table.load for table in tables if isinstance(table, FileTable)]
        ahead = max(load.horizon_days for load in loads)
        return Span(min(load.start for load in loads), today + timedelta(days=ahead))
