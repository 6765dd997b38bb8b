"""The one road into staging: claim, read, tidy, copy, guard, merge and write it down, in one transaction a file."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import psycopg

from etl_assets.declare.files import Feed
from etl_assets.declare.source import Source
from etl_assets.errors import FileRefused, TransientError
from etl_assets.loading.files.landing import feeds_of
from etl_assets.loading.files.load_file import FileLoad, TooManyRejects, load_file
from etl_assets.loading.report import LoadReport
from etl_assets.readers.files.open import Reject
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.files.ledger import (
    KnownFile,
    claim,
    record_failed,
    record_loaded,
    record_rejects,
    speaking_of,
)
from etl_assets.warehouse.ledger import Batch, record_load, record_watermark
from etl_assets.warehouse.relation import Relation, hold_alone
from etl_assets.warehouse.tables import ensure_table


def load_span(
    settings: Settings,
    source: Source,
    tables: Collection[str],
    span: tuple[date, date],
    batch: Batch,
    *,
    again: bool = False,
) -> dict[str, LoadReport]:
    """Load every file that speaks of a span of dates, each once and whole, oldest first.

    Args:
        settings: Which warehouse, and where the files lie.
        source: Whose files.
        tables: Which of its tables.
        span: First and last schedule date, both included.
        batch: Whose work it is.
        again: Load those files too that are loaded and in force; their rows are found unchanged.

    Returns:
        A report for each of `tables`. A file that cannot be loaded is in its `refused`, and stops no other.

    Raises:
        TransientError: The warehouse went away. What was committed stays; the rest waits as before.
        SchemaDrift: A staging table is not what it is declared to be; nothing was loaded into it.
    """
    reports = {name: LoadReport(Relation(source.schema, name)) for name in tables}
    try:
        with connect(settings) as connection:
            for name, report in reports.items():
                ensure_table(connection, source.table(name), report.relation)
            connection.commit()
            road = _Road(settings, source, {feed.name: feed for feed in feeds_of(settings, source)}, batch, connection)
            for file in speaking_of(batch.connection, source.name, tables, span, again=again):
                road.take(file, reports[file.table_name])
    except psycopg.OperationalError as error:
        raise TransientError(f"{source.name}: the warehouse went away in mid-load: {error}") from error
    return reports


@dataclass(frozen=True)
class _Road:
    """What every file of one run goes through."""

    settings: Settings
    source: Source
    feeds: Mapping[str, Feed]
    batch: Batch
    connection: psycopg.Connection

    def take(self, file: KnownFile, report: LoadReport) -> None:
        """Load one file and add it to the report, or write down why not."""
        if not claim(self.batch, file):
            return
        started = time.monotonic()
        try:
            with self.connection.transaction():
                load = self._load(file, report.relation)
                self._record(file, report.relation, load, time.monotonic() - started)
        except FileRefused as error:
            report.refused[file.file_name] = str(error)
            if isinstance(error, TooManyRejects):
                record_rejects(self.batch.connection, self.batch, report.relation, file.file_id, _told(error.rejects))
            record_failed(self.batch.connection, self.batch, file, str(error))
            return
        report.files.append(file.file_name)
        report.counts += load.counts
        report.seconds += time.monotonic() - started
        report.rows_by_slice.update(load.slices)

    def _load(self, file: KnownFile, relation: Relation) -> FileLoad:
        feed = self.feeds.get(file.feed)
        if feed is None:
            raise FileRefused(f"{file.file_name}: its feed {file.feed} is no longer declared.")
        hold_alone(self.connection, relation)
        return load_file(
            self.connection,
            self.settings.landing(self.source.name) / file.file_name,
            feed=feed,
            table=self.source.table(file.table_name),
            target=relation,
            batch_id=self.batch.id,
            file_name=file.file_name,
            only_dates=file.slices if file.status == "loaded" else None,
        )

    def _record(self, file: KnownFile, relation: Relation, load: FileLoad, seconds: float) -> None:
        """Write the load into the ledger, in its own transaction."""
        record_load(
            self.connection,
            self.batch,
            relation,
            load.counts,
            seconds=seconds,
            file_id=file.file_id,
            left=load.moved_from,
        )
        record_loaded(self.connection, self.batch, file, load.counts, slices=load.slices, notes=_notes(load))
        record_rejects(self.connection, self.batch, relation, file.file_id, _told(load.rejects))
        if load.slices:
            record_watermark(self.connection, self.batch, relation, max(load.slices).isoformat())


def _told(rejects: Iterable[Reject]) -> list[tuple[int, str | None, str, str]]:
    return [(reject.line, reject.column, reject.reason, reject.raw) for reject in rejects]


def _notes(load: FileLoad) -> str | None:
    """What a person should know of a file that was loaded all the same."""
    notes = []
    if load.ignored:
        notes.append(f"not read: {', '.join(load.ignored)}")
    if load.missing:
        notes.append(f"not in the file: {', '.join(load.missing)}")
    if load.rows_kept:
        notes.append(
            f"{load.rows_kept:,} rows held before are not in the file and were left,"
            " for it has lines whose key cannot be read"
        )
    return "; ".join(notes) or None
