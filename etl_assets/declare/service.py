"""Sources that are asked over the network: REST services, of one or of several tenants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar

from etl_assets.declare.dates import Calendar, Span
from etl_assets.declare.document_reader import DocumentReader
from etl_assets.declare.rest import RestTable
from etl_assets.declare.tables import NAME, Table


@dataclass(frozen=True, kw_only=True)
class Service:
    """A source that is asked over the network, by the clock and by hand."""

    connect: Callable[[Mapping[str, str]], DocumentReader]
    """Opens a connection with what is set of the source, or of one of its instances (`Settings.of_source`).

    Raises EtlError where something that it needs is not set.
    """
    required_settings: Sequence[str]
    """The settings without which it cannot be asked, such as `url` for ETL_TRACKTIK_URL; of each instance, if any."""
    cron: str
    """When the lists and the open windows are read: the billing period of today and the ones before it."""
    sweep_cron: str
    """When the windows of long ago are read again, for what was corrected late."""
    open_windows: int = 2
    """How many windows (billing periods or days) are still being changed."""
    sweep_windows: int | None = None
    """How many windows are read again by the sweep; those of an ordinary year where None."""
    start: date | None = None
    """The first date that there is something of; needed where there is no billing calendar."""
    horizon_days: int = 366
    """How many days ahead of today there may be something, where there is no billing calendar."""
    shapes: Path | None = None
    """The file with what the vendor's specification says of the endpoints that are used; `etl discover` writes it."""
    parallel_requests: int = 6
    """How many requests of a job for the rows of its parent table are under way at once, within the rate."""
    instances: bool = False
    """Whether it is several tenants alike: ETL_<SOURCE>_INSTANCES names them, ETL_<SOURCE>_<INSTANCE>_<WORD> sets
    each one up. Their ids repeat, so the instance is part of keys, locks and watermarks."""

    table_kind: ClassVar[type[Table]] = RestTable

    def missing_settings(self, given: Mapping[str, str]) -> list[str]:
        """Which of the settings that it needs are not set."""
        if not self.instances:
            return [word for word in self.required_settings if not given.get(word)]
        named = self.settings_by_instance(given)
        return [f"{name}_{word}" for name in named for word in self.required_settings if not named[name].get(word)] or (
            [] if named else ["instances"]
        )

    def dates(self, tables: Sequence[Table], calendar: Calendar | None, today: date) -> Span:
        """The first and the last date that a window may cover."""
        del tables
        if calendar:
            return Span(calendar.periods[0].first, calendar.periods[-1].last)
        if self.start is None:
            return Span(today, today)
        return Span(self.start, today + timedelta(days=self.horizon_days))

    def settings_by_instance(self, given: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """What is set of each instance, by its name; under an empty name where the service is one.

        Args:
            given: `Settings.of_source`.

        Raises:
            ValueError: An instance's name is none, or the beginning of another's: their settings would mix.
        """
        if not self.instances:
            return {"": dict(given)}
        names = [name.strip().lower() for name in given.get("instances", "").split(",") if name.strip()]
        mixed = [name for name in names for other in names if name != other and other.startswith(f"{name}_")]
        if mixed or len(set(names)) < len(names) or not all(NAME.match(name) for name in names):
            raise ValueError(f"instances {names} must be different names of letters and digits, none beginning another")
        return {
            name: {word.removeprefix(f"{name}_"): value for word, value in given.items() if word.startswith(f"{name}_")}
            for name in names
        }
