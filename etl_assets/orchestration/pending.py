"""The backlog: pending files and stale models. The ledger decides, and not what Dagster remembers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.orchestration.asset_keys import asset_key, relation_key
from etl_assets.orchestration.models.build_plan import plan_build, source_builds
from etl_assets.orchestration.partitions import local_day, recent_span, spans, today, whole_periods
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.files.ledger import LedgerFile, loaded_slices, pending_files
from etl_assets.warehouse.ledger import changed_dates


@dataclass(frozen=True)
class Work:
    """A span, and the files that wait to be loaded into it; none where only the models are behind."""

    span: Span
    files: tuple[LedgerFile, ...]
    digest: str
    """The same for the same work, and for no other."""
    models: frozenset[dg.AssetKey] = frozenset()
    """The models to build, where nothing is to be loaded."""

    def staging(self, source: Source) -> set[dg.AssetKey]:
        """The staging assets that the files are for."""
        return {asset_key(source, file.table_name) for file in self.files}


def pending_work(connection: Connection, settings: Settings, source: Source) -> list[Work]:
    """The spans to run, oldest first, each file in exactly one of them; or what is only to be built.

    A run that loads files builds whatever is behind, so that it waits for nobody else.
    """
    files = pending_files(connection, source.name)
    dates = {day for file in files for day in file.slices}
    held = loaded_slices(connection, source.name, Span(min(dates), max(dates))) if dates else []
    found = [_files_of(span, files) for span in _one_run_a_file(spans(dates, held), files)]
    if found:
        return found
    behind = stale_models(connection, settings, source)
    return [behind] if behind else []


def stale_models(connection: Connection, settings: Settings, source: Source) -> Work | None:
    """The models that something has happened to since they were last built; None where all are up to date."""
    builds = source_builds(source.name)
    plan = plan_build(connection, builds, builds, as_of=local_day(settings, source, datetime.now(UTC)))
    # Before anything is loaded there is nothing to build it of.
    if not plan.behind or not any(plan.newest.values()):
        return None
    days = changed_dates(connection, plan.seen, source.dates(today()))
    return Work(
        # The ledger knows which dates are built; the run is only called by these.
        whole_periods(source, days) if days else recent_span(source, 1),
        (),
        digest_of(
            [*(build.relation for build in plan.behind), *(f"{name} {change}" for name, change in plan.newest.items())]
        ),
        frozenset(relation_key(relation) for relation in plan.touched),
    )


def _files_of(span: Span, files: Iterable[LedgerFile]) -> Work:
    chosen = tuple(file for file in files if _touches(file, span))
    return Work(span, chosen, digest_of(str(file.file_id) for file in chosen))


def digest_of(words: Iterable[str]) -> str:
    """The same for the same words, in whatever order, and for no others."""
    return hashlib.sha256(",".join(sorted(words)).encode()).hexdigest()[:16]


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
