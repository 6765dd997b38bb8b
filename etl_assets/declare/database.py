"""Sources whose database is read table by table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from etl_assets.declare.catalogue import Catalogue
from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.declare.dates import Calendar, Span
from etl_assets.declare.privacy import Subject
from etl_assets.declare.tables import Table

PSEUDONYM_KEY = "pseudonym_key"
"""The setting with the secret that pseudonyms are made with."""
ERASURE_KEY = "erasure_key"
"""The setting with the secret that erased persons are known again by."""


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
    catalogue: Catalogue | None = None
    """The file that lists its tables, and what `etl discover` writes it by."""
    subjects: Sequence[Subject] = ()
    """The persons it tells of; where they have pseudonyms, ETL_<SOURCE>_PSEUDONYM_KEY is a setting that it needs."""
    horizon_days: int = 366
    """How many days ahead of today they are built."""

    table_kind: ClassVar[type[Table]] = CopiedTable

    @property
    def pseudonymised(self) -> list[Subject]:
        """The subjects whose pseudonyms the loader makes."""
        return [subject for subject in self.subjects if subject.is_pseudonymised]

    def missing_settings(self, given: Mapping[str, str]) -> list[str]:
        """Which of the settings that it needs are not set."""
        needed = [*self.required_settings, *([PSEUDONYM_KEY] if self.pseudonymised else [])]
        return [word for word in needed if not given.get(word)]

    def dates(self, tables: Sequence[Table], calendar: Calendar | None, today: date) -> Span:
        """The first and the last date that models are built of."""
        del tables, calendar  # rows are read by change, and not by date
        return Span(self.start, today + timedelta(days=self.horizon_days))
