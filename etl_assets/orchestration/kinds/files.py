"""Sources that deliver files: a sensor finds them, and the ledger says which wait."""

from collections.abc import Sequence

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.loading.files.landing import feeds_of, scan_landing_folder
from etl_assets.loading.files.load import FileStrategy
from etl_assets.orchestration.kinds.kind import Kind, LoadSchedule
from etl_assets.orchestration.pending import pending_work
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect


def files_due(settings: Settings, source: Source) -> list[tuple[Span, str]]:
    """The spans that pending files speak of, or whose models are behind."""
    with connect(settings, autocommit=True) as connection:
        return [(each.span, f"{len(each.files)} files") for each in pending_work(connection, settings, source)]


def not_by_the_clock(source: Source) -> Sequence[LoadSchedule]:
    """No schedule: files are loaded when they come."""
    del source
    return ()


FILES = Kind(
    icon="csv",
    strategy=FileStrategy,
    due=files_due,
    schedules=not_by_the_clock,
    setting_checks=(feeds_of,),
    scan=scan_landing_folder,
)
