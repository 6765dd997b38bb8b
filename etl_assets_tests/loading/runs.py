"""Loads as a run makes them: a request, and the strategy of the source's kind."""

from collections.abc import Callable, Sequence
from typing import Any

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.loading.load import LoadOptions, LoadRequest, Strategy
from etl_assets.loading.report import LoadReport
from etl_assets.loading.workers import load_tables
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import Batch


def load_by(
    strategy: Callable[[LoadRequest], Strategy[Any]],
    settings: Settings,
    source: Source,
    tables: Sequence[str],
    *,
    span: Span,
    batch: Batch,
    **options: bool,
) -> dict[str, LoadReport]:
    """Load tables; `options` are those of `LoadOptions`."""
    request = LoadRequest(
        settings=settings, source=source, tables=tables, span=span, batch=batch, options=LoadOptions(**options)
    )
    return load_tables(strategy(request), request)
