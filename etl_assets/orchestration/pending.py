"""The backlog: pending files and stale models. The ledger decides, and not what Dagster remembers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.orchestration.asset_keys import asset_key
from etl_assets.orchestration.partitions import recent_span, spans, today, whole_periods
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.files.ledger import LedgerFile, loaded_slices, pending_files
from etl_assets.warehouse.ledger import loads_to_build


@dataclass(frozen=True)
class Work:
    """A span, and the files that wait to be loaded into it; none where only the models are behind."""

    span: Span
    files: tuple[LedgerFile, ...]
    digest: str
    """The same for the same work, and for no other."""

    def staging(self, source: Source) -> set[dg.AssetKey]:
        """The staging assets that the files are for."""
        return {asset_key(source, file.table_name) for file in self.files}


def pending_work(connection: Connection, source: Source) -> list[Work]:
    """The spans to run, oldest first, each file in exactly one of them; then what is only to be built."""
    files = pending_files(connection, source.name)
    dates = {day for file in files for day in file.slices}
    held = loaded_slices(connection, source.name, Span(min(dates), max(dates))) if dates else []
    found = [_files_of(span, files) for span in _one_run_a_file(spans(dates, held), files)]
    behind = stale_models(connection, source)
    covered = behind and any(
        each.span.first <= behind.span.first and behind.span.last <= each.span.last for each in found
    )
    return found + ([behind] if behind and not covered else [])


def stale_models(connection: Connection, source: Source) -> Work | None:
    """The dates that were loaded since the models were last built; None where the models are up to date."""
    newest, days = loads_to_build(connection, source.name, source.dates(today()))
    if not newest:
        return None
    # What is read whole has no date; what it says anew is in force from now on.
    span = whole_periods(source, Span(min(days), max(days))) if days else recent_span(source, 1)
    return Work(span, (), f"build after load {newest}")


def extend_to_changed_dates(connection: Connection, source: Source, span: Span) -> Span:
    """Extend a span to the dates that a load has changed beside it: a case that was moved leaves its old date."""
    behind = stale_models(connection, source)
    return Span(min(span.first, behind.span.first), max(span.last, behind.span.last)) if behind else span


def _files_of(span: Span, files: Iterable[LedgerFile]) -> Work:
    chosen = tuple(file for file in files if _touches(file, span))
    numbers = ",".join(str(file.file_id) for file in chosen)
    return Work(span, chosen, hashlib.sha256(numbers.encode()).hexdigest()[:16])


def _one_run_a_file(found: list[Span], files: Iterable[LedgerFile]) -> list[Span]:
    """Join the spans that one file speaks of: it is loaded whole, by one run."""
    for file in files:
        touched = [span for span in found if _touches(file, span)]
        if len(touched) > 1:
            joined = Span(min(span.first for span in touched), max(span.last for span in touched))
            found = [span for span in found if span.last < joined.first or span.first > joined.last] + [joined]
    return sorted(found)


def _touches(file: LedgerFile, span: Span) -> bool:
    return any(span.first <= day <= span.last for day in file.slices)
