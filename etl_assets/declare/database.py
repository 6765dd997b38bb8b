"""Sources whose database is read table by table, and the tables that are copied from it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar

from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.declare.dates import Calendar, Span
from etl_assets.declare.tables import NAME, Full, Table

if TYPE_CHECKING:
    from etl_assets.declare.catalogue import Catalogue

IMPORTANCES = ("critical", "important", "audit", "reference")
"""The classes of a database's tables, in the order in which they are loaded."""
_SECRET = re.compile(
    r"passw|passcode|pwd|secret(?!ar)|token|api_?key|reg_?key|prov_?key|private_?key|credential|(^|_)ssn|ssn$|cvv|pin$"
    r"|hash$|salt$|(^|_)otk|guid(?![ae])|credit_?card_?num$|cc_?num|card_?holder|masked|bank_?(number|acc)"
)


def looks_secret(name: str) -> bool:
    """Whether a column of this name may well hold what opens something: a password, a token, the number of a card."""
    return _SECRET.search(name.lower()) is not None


@dataclass(frozen=True, kw_only=True)
class Incremental:
    """Incremental load: new and changed rows are copied; full reconciliation finds what moved no cursor."""

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
class CopiedTable(Table):
    """A staging table that copies one of a database's; its columns are those that the source has."""

    load: Full | Incremental
    importance: str
    why: str
    """The rule by which it has its importance."""
    batch_size: int = 10_000
    """Rows of one statement at the source."""
    size: str = "tiny"
    monitoring: Monitoring = Monitoring()
    retain_deleted: bool = False
    """Whether rows stay here that the source deletes: an audit trail outlives it."""
    event_date: str | None = None
    """The column, as staging spells it, that holds the date of what a row says; what is built by date heeds it."""
    not_secret: Sequence[str] = ()
    """Columns, as staging spells them, whose names look like a secret's although they hold none."""

    @property
    def cursor(self) -> Incremental | None:
        """How changes are found by a cursor column; None where every row is compared."""
        return self.load if isinstance(self.load, Incremental) else None

    @property
    def is_wide(self) -> bool:
        """A rule asks for few of its columns."""
        return True

    @property
    def summary(self) -> str:
        """What is said of it by hand, or why it has its importance."""
        return self.description or f"As the source has it: {self.why}."

    @property
    def tags(self) -> Mapping[str, str]:
        """Its importance."""
        return {"importance": self.importance}

    @property
    def details(self) -> Mapping[str, object]:
        """How it is copied, in the words of the catalogue's file."""
        return {
            "importance": f"{self.importance}: {self.why}",
            "size": self.size,
            "batch_size": self.batch_size,
            "keep_deleted": self.retain_deleted,
            **vars(self.monitoring),
        }

    def left_out(self, columns: Iterable[str]) -> list[str]:
        """Which of these columns of the source's table are not loaded, as staging spells them.

        Those of `never_load`, and those that look like a secret until somebody has said that they hold none.
        """
        known = {*self.keys, *self.not_secret}
        names = [name.lower() for name in columns]
        return [name for name in names if name in self.never_load or (name not in known and looks_secret(name))]

    def _check_columns(self) -> None:
        """Refuse an unknown importance, and names that no column can have: which there are, the source knows alone."""
        if self.importance not in IMPORTANCES:
            raise ValueError(f"importance {self.importance!r} is none of {', '.join(IMPORTANCES)}")
        wrong = [name for name in self.personal if not NAME.match(name)]
        if wrong or not set(self.personal).isdisjoint(self.never_load):
            raise ValueError(f"{self.name}: personal are loaded columns by their names in staging, not {wrong}")


@dataclass(frozen=True, kw_only=True)
class Database:
    """A source whose database is read, table by table, by the clock and by hand."""

    connect: Callable[[Mapping[str, str]], DatabaseReader]
    """Opens a connection with what is set of the source (`Settings.of_source`).

    Raises EtlError where something that it needs is not set or the source refuses, TransientError where it is away.
    """
    required_settings: Sequence[str]
    """The settings without which it cannot be asked, such as `url` for ETL_OPEN_DENTAL_URL."""
    cron: str
    """When what changed is read."""
    sweep_cron: str
    """When every row is compared: what was deleted, or changed without moving a stamp."""
    start: date
    """The first date that models are built of."""
    catalogue: "Catalogue | None" = None
    """The file that lists its tables, and what `etl discover` writes it by."""
    horizon_days: int = 366
    """How many days ahead of today they are built."""

    table_kind: ClassVar[type[Table]] = CopiedTable

    def missing_settings(self, given: Mapping[str, str]) -> list[str]:
        """Which of the settings that it needs are not set."""
        return [word for word in self.required_settings if not given.get(word)]

    def dates(self, tables: Sequence[Table], calendar: Calendar | None, today: date) -> Span:
        """The first and the last date that models are built of."""
        del tables, calendar  # rows are read by change, and not by date
        return Span(self.start, today + timedelta(days=self.horizon_days))
