"""The word for one of the systems that we load."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from etl_assets.declare.catalogue import Catalogue
from etl_assets.declare.database import DatabaseReader
from etl_assets.declare.dates import Calendar
from etl_assets.declare.rest import DocumentReader
from etl_assets.declare.rules import Rule
from etl_assets.declare.tables import PerFile, Table, Window
from etl_assets.errors import EtlError


@dataclass(frozen=True, kw_only=True)
class FileDrop:
    """A source that sends files: they are found in its landing folder, and read as its feeds say."""

    feeds: Path
    """The YAML file of the feeds that we ship."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A source that is asked over the network, by the clock and by hand."""

    connect: Callable[[Mapping[str, str]], DocumentReader]
    """Opens a connection with what is set of the source (`Settings.of_source`).

    Raises EtlError where something that it needs is not set.
    """
    needs: Sequence[str]
    """The settings without which it cannot be asked, such as `url` for ETL_TRACKTIK_URL."""
    cron: str
    """When the open billing period and the one before it are read."""
    sweep_cron: str
    """When the billing periods of a year are read again, for what was corrected late."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """A source whose database is read, table by table, by the clock and by hand."""

    connect: Callable[[Mapping[str, str]], DatabaseReader]
    """Opens a connection with what is set of the source (`Settings.of_source`).

    Raises EtlError where something that it needs is not set or the source refuses, TransientError where it is away.
    """
    needs: Sequence[str]
    """The settings without which it cannot be asked, such as `url` for ETL_OPEN_DENTAL_URL."""
    cron: str
    """When what changed is read."""
    sweep_cron: str
    """When every row is compared: what was deleted, or changed without moving a stamp."""
    start: date
    """The first date that models are built of."""
    catalogue: Catalogue | None = None
    """The file that lists its tables, and what `etl discover` writes it by."""
    horizon_days: int = 366
    """How many days ahead of today they are built."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One operational system: how it is reached, what is taken from it and what must be true of that."""

    name: str
    title: str
    schema: str
    """The staging schema of the warehouse."""
    reader: FileDrop | Service | Database
    tables: Sequence[Table]
    rules: Sequence[Rule]
    owner: str
    """`team:name`, or an email address."""
    fresh_within: timedelta
    """How long after its last load a table is stale."""
    calendar: Calendar | None = None
    """The periods that its windows and facts are partitioned by; without one they are days."""

    def __post_init__(self) -> None:
        if self.calendar is None and any(isinstance(table.load, Window) for table in self.tables):
            raise ValueError(f"{self.name}: tables that are read by window need a calendar")
        for rule in self.rules:
            table = self.table(rule.table)
            unknown = set(rule.reads) - set(table.names) - {"load_datetime", "loaded_at"}
            if unknown and not table.copied:
                raise ValueError(f"{self.name}: rule {rule.name} reads {sorted(unknown)}, which {table.name} lacks")
        checks = [(rule.table, rule.name) for rule in self.rules]
        if len(set(checks)) < len(checks):
            raise ValueError(f"{self.name}: two rules of one table have the same name")

    def dates(self, today: date) -> tuple[date, date]:
        """The first and the last date that can be in a partition."""
        if self.calendar:
            return self.calendar.periods[0].first, self.calendar.periods[-1].last
        if isinstance(self.reader, Database):
            return self.reader.start, today + timedelta(days=self.reader.horizon_days)
        loads = [table.load for table in self.tables if isinstance(table.load, PerFile)]
        return min(load.start for load in loads), today + timedelta(days=max(load.horizon_days for load in loads))

    def unset(self, given: Mapping[str, str]) -> list[str]:
        """The variables of the environment without which the source cannot be reached, and that are not set."""
        needs = () if isinstance(self.reader, FileDrop) else self.reader.needs
        return [f"ETL_{self.name}_{word}".upper() for word in needs if not given.get(word)]

    def hold_reachable(self, given: Mapping[str, str]) -> None:
        """Raise an EtlError where something is not set without which the source cannot be reached."""
        if unset := self.unset(given):
            raise EtlError(
                f"{self.title} cannot be reached: not set is {', '.join(unset)}."
                f" See etl_assets/sources/{self.name}/README.md."
            )

    def table(self, name: str) -> Table:
        """The declared table of that name.

        Raises:
            KeyError: There is none.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(f"{self.name} declares no table {name!r}. It declares: {', '.join(t.name for t in self.tables)}")
