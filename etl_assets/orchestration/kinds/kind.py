"""What depends on the kind of a source: one `Kind` each, and nowhere else a question which it is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table
from etl_assets.loading.files.landing import ScanResult
from etl_assets.loading.load import LoadOptions, LoadRequest, Strategy
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import Connection


@dataclass(frozen=True, kw_only=True)
class LoadSchedule:
    """When a source that does not deliver by itself is read, and what of it."""

    name: str
    """What follows the source's name in that of the schedule."""
    cron: str
    what: str
    """What is read, in words."""
    windows: int = 1
    """How many billing periods, or days, up to today's."""
    options: Mapping[str, object] = field(default_factory=dict)
    """How, in the words of `LoadOptions`."""
    tables: Sequence[str] = ()
    """The staging tables that are read; all of them where none is named."""
    builds: bool = True
    """Whether what follows is built."""
    each_instance: bool = False
    """Whether each of a service's instances has a run of its own."""


class Scan(Protocol):
    """Looks for deliveries, and registers what is new in the ledger; as `scan_landing_folder`."""

    def __call__(
        self,
        settings: Settings,
        source: Source,
        connection: Connection,
        *,
        seconds: float | None = None,
        settle_seconds: float = 0.0,
        retry_failed: bool = False,
    ) -> ScanResult:
        """What was found."""


def one_op(source: Source) -> dict[str, list[Table]]:
    """All tables of a source in one op."""
    return {f"load_{source.name}": list(source.tables)}


def no_checks(table: Table) -> dict[str, str]:
    """No load of this kind finds anything of a table besides what rules look at."""
    del table
    return {}


def no_plan(settings: Settings, source: Source, tables: Sequence[str], options: LoadOptions) -> list[str]:
    """Nothing is said of single tables."""
    del settings, source, tables, options
    return []


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How the sources of one kind are loaded, scheduled and shown."""

    icon: str
    """What Dagster's UI shows beside their staging tables."""
    strategy: Callable[[LoadRequest], Strategy[Any]]
    """How they are loaded."""
    due: Callable[[Settings, Source], Sequence[tuple[Span, str]]]
    """The spans that a run by hand is for where none is named, each with what is to be done in it."""
    schedules: Callable[[Source], Sequence[LoadSchedule]]
    """When they are read by themselves; never, where they deliver."""
    setting_checks: Sequence[Callable[[Settings, Source], object]] = ()
    """Each raises an EtlError or a ValueError where a setting of a source that is set up is wrong; none connects."""
    scan: Scan | None = None
    """How deliveries are found, where they deliver."""
    ops: Callable[[Source], Mapping[str, Sequence[Table]]] = one_op
    """The tables that share an op, by its name, in the order in which the ops run."""
    checks: Callable[[Table], Mapping[str, str]] = no_checks
    """What a load finds of a table, as checks: their names, and what each says."""
    plan: Callable[[Settings, Source, Sequence[str], LoadOptions], Iterable[str]] = no_plan
    """What a dry run says of tables, a line each."""
