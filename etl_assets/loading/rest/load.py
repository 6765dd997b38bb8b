"""The road of a service's records into staging: read, copy, reconcile, merge and write it down.

A table that is read whole is one transaction; one that is read by window is one for each period, so that a service that
goes down in the twentieth period of a year leaves nineteen, and nothing half.
"""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import psycopg

from etl_assets.declare.rest import Document, DocumentReader, RefusedDocument
from etl_assets.declare.source import Service, Source
from etl_assets.declare.tables import Full, Table
from etl_assets.declare.tables import Window as WindowLoad
from etl_assets.errors import EtlError, ListChanged, TransientError
from etl_assets.loading.guards import FEW, hold_to_floor, refusal, told
from etl_assets.loading.report import LoadReport
from etl_assets.settings import Settings
from etl_assets.warehouse.calendars import write_calendar
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.files.ledger import record_rejects
from etl_assets.warehouse.ledger import Batch, Counts, record_load, record_watermark
from etl_assets.warehouse.relation import Relation, count_anew, hold_alone
from etl_assets.warehouse.rest import documents
from etl_assets.warehouse.tables import ensure_table

ATTEMPTS = 3
"""How often a list is read that changes while it is read."""
MOST_ASKED = 200
"""Records that are missing from a list and are asked for one by one; of more, the list is to be doubted."""

COUNT_ANEW_FROM = 100
"""Rows written from which on the server counts the table anew at once, and not when it comes round to it."""
SHOWN = 2000
"""Characters of a record that are kept with the reason why it was refused."""

Window = tuple[date, date]


def load_documents(
    settings: Settings,
    source: Source,
    tables: Collection[str],
    span: Window,
    batch: Batch,
    *,
    accept_shrink: bool = False,
) -> dict[str, LoadReport]:
    """Read tables of a service and bring staging up to date.

    Args:
        settings: Which warehouse, and how the service is reached.
        source: Whose records.
        tables: Which of its tables.
        span: First and last date, both included, of what is read by window; the rest is read whole.
        batch: Whose work it is.
        accept_shrink: Believe a list that is far shorter than what is held.

    Returns:
        A report for each of `tables`. What a table failed of is in its `failure`, and costs no other table.

    Raises:
        EtlError: The service is not set up, or refused to let us in; the calendar has moved.
        TransientError: The warehouse went away.
    """
    reports = {name: LoadReport(Relation(source.schema, name)) for name in tables}
    service = source.reader
    if not isinstance(service, Service):
        raise TypeError(f"{source.name} sends files")
    given = settings.of_source(source.name)
    try:
        with ExitStack() as opened:
            connection = opened.enter_context(connect(settings))
            _prepare(connection, source)
            if not reports:
                return reports
            source.hold_reachable(given)
            reader = opened.enter_context(closing(service.connect(given)))
            for name, report in reports.items():
                road = _Road(source, source.table(name), report.relation, reader, connection, batch, accept_shrink)
                with told(report):
                    for window in road.windows(span):
                        road.take(window, report)
    except psycopg.OperationalError as error:
        raise TransientError(f"{source.name}: the warehouse went away in mid-load: {error}") from error
    return reports


def _prepare(connection: psycopg.Connection, source: Source) -> None:
    """Make all staging tables of the source, for rules look from one at the others, and the calendar."""
    for table in source.tables:
        ensure_table(connection, table, Relation(source.schema, table.name))
    if source.calendar:
        write_calendar(connection, source.calendar, Relation(source.name, "billing_periods"))
    connection.commit()


class TooManyRefused(EtlError):
    """So many records of a list cannot be kept that nothing of it was loaded."""

    def __init__(self, where: str, refused: Sequence[RefusedDocument], read: int, most: float) -> None:
        super().__init__(
            f"{where}: {len(refused):,} of {read:,} records cannot be kept, more than the {most:.0%} that are allowed,"
            f" so nothing was loaded. The first: {refused[0].field or 'the record'}: {refused[0].reason}. All of them"
            " are in etl.rejected_row."
        )
        self.refused = refused


@dataclass
class _Taken:
    """What one reading brought."""

    is_new: bool
    """Whether the target held nothing of it."""
    straight: Counter[date | None] = field(default_factory=Counter)
    """Records that went straight into the target, by date."""
    refused: list[RefusedDocument] = field(default_factory=list)


@dataclass(frozen=True)
class _Road:
    """What every table of one run goes through."""

    source: Source
    table: Table
    relation: Relation
    reader: DocumentReader
    connection: psycopg.Connection
    batch: Batch
    accept_shrink: bool

    @property
    def target(self) -> documents.Target:
        return documents.Target(
            relation=self.relation,
            key=self.table.keys[0],
            versions=not self.table.has_slices,
            without=self.table.never_load,
        )

    def windows(self, span: Window) -> Sequence[Window | None]:
        """The pieces that are loaded in a transaction each."""
        if not self.table.has_slices or not self.source.calendar:
            return [None]
        return [(period.first, period.last) for period in self.source.calendar.between(*span)]

    def take(self, window: Window | None, report: LoadReport) -> None:
        """Load one piece, and add it to the report."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.connection.transaction():
                    self._load(window, report)
            except ListChanged:
                if attempt == ATTEMPTS:
                    raise
            except TooManyRefused as error:
                told = [_told_of(refused) for refused in error.refused]
                record_rejects(self.batch.connection, self.batch, self.relation, None, told)
                raise
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                raise refusal(self.relation, error) from None
            else:
                return

    def _load(self, window: Window | None, report: LoadReport) -> None:
        started = time.monotonic()
        connection, target, batch = self.connection, self.target, self.batch
        hold_alone(connection, self.relation)
        documents.begin(connection)
        taken = self._read(window)
        self._hold_to_share(taken, window)
        deleted, vanished = self._ask_for_absent(window, taken)
        by_date = documents.arrived(connection) + taken.straight
        merged = documents.merge(connection, target, batch.id)
        documents.mark(connection, target, batch.id, vanished, as_deleted=False)
        left = documents.mark(connection, target, batch.id, deleted, as_deleted=True)
        inserted = merged.inserted + taken.straight.total()
        counts = Counts(
            rows_read=by_date.total() + len(taken.refused),
            rows_inserted=inserted,
            rows_updated=merged.updated,
            rows_unchanged=by_date.total() - inserted - merged.updated,
            rows_deleted=len(deleted),
            rows_rejected=len(taken.refused),
        )
        if counts.changed >= COUNT_ANEW_FROM:
            count_anew(connection, self.relation)
        seconds = time.monotonic() - started
        changed = {*merged.slices, *filter(None, taken.straight), *left}
        record_load(connection, batch, self.relation, counts, seconds=seconds, changed=changed)
        documents.supersede_rejects(connection, target, batch.id)
        record_rejects(connection, batch, self.relation, None, [_told_of(refused) for refused in taken.refused])
        record_watermark(connection, batch, self.relation, _reached(window))
        report.counts += counts
        report.rows_by_slice |= {
            day: rows for day, rows in by_date.items() if day and window and window[0] <= day <= window[1]
        }
        if vanished:
            report.notes.append(
                f"{len(vanished):,} records are missing from the list, too many to ask for one by one at once: they are"
                f" marked vanished, and the next load asks for {MOST_ASKED:,} of them"
            )

    def _read(self, window: Window | None) -> _Taken:
        """Put the records of the window where they are merged from, or straight into a target that holds none of it."""
        taken = _Taken(is_new=documents.holds_none(self.connection, self.target, window))
        for page in self.reader.read(self.table, window):
            taken.refused.extend(page.refused)
            inside = [each for each in page.documents if taken.is_new and _lies_in(window, each)]
            if inside and documents.put_straight(self.connection, self.target, self.batch.id, inside):
                taken.straight.update(each.slice for each in inside)
                rest = [each for each in page.documents if not _lies_in(window, each)]
            else:
                rest = list(page.documents)
            for place, reason in documents.take_in(self.connection, rest).items():
                raw = rest[place].raw.decode(errors="replace")[:SHOWN]
                taken.refused.append(
                    RefusedDocument(key=rest[place].key, place=place, field=None, reason=reason, raw=raw)
                )
        if window and isinstance(self.table.load, WindowLoad) and not self.table.load.keeps_pad:
            documents.forget_strangers(self.connection, self.target, window)
        return taken

    def _hold_to_share(self, taken: _Taken, window: Window | None) -> None:
        """Raise TooManyRefused where so many records cannot be kept that the rest says little."""
        read = documents.arrived(self.connection).total() + taken.straight.total() + len(taken.refused)
        load = self.table.load
        most = load.max_rejected if isinstance(load, Full | WindowLoad) else 1.0
        if len(taken.refused) > FEW and len(taken.refused) > most * read:
            raise TooManyRefused(_where(self.relation, window), taken.refused, read, most)

    def _ask_for_absent(self, window: Window | None, taken: _Taken) -> tuple[list[int], list[int]]:
        """What the list should have given and did not: the keys that do not exist any more, and those not asked for.

        A list leaves out what lies outside of its window or of somebody's permissions; only the record's own address
        says that it is gone. What is still there, on another date say, is put with what arrived.

        Raises:
            ShrunkenLoad: So much is missing that the list is not to be believed.
        """
        if taken.is_new:
            return [], []
        held, missing = documents.absent(self.connection, self.target, window)
        refused = {each.key for each in taken.refused}
        missing = [key for key in missing if key not in refused]
        load = self.table.load
        floor = load.shrink_floor if isinstance(load, Full | WindowLoad) else 0
        if not self.accept_shrink:
            again = f"etl run {self.source.name} {self.table.name}"
            if window:
                again += f" --from {window[0]} --to {window[1]}"
            where = _where(self.relation, window)
            hold_to_floor(where, held=held, staying=held - len(missing), floor=floor, again=again)
        found = {key: self.reader.find(self.table, key) for key in missing[:MOST_ASKED]}
        documents.take_in(self.connection, [document for document in found.values() if document])
        return [key for key, document in found.items() if document is None], missing[MOST_ASKED:]


def _where(relation: Relation, window: Window | None) -> str:
    return str(relation) if window is None else f"{relation}, {window[0]} to {window[1]}"


def _told_of(refused: RefusedDocument) -> tuple[int | None, str | None, str, str]:
    """What the ledger keeps of a record; one without an id is told by its place."""
    reason = refused.reason if refused.key is not None else f"{refused.reason} (record {refused.place + 1} of the list)"
    return refused.key, refused.field, reason, refused.raw


def _lies_in(window: Window | None, document: Document) -> bool:
    return window is None or (document.slice is not None and window[0] <= document.slice <= window[1])


def _reached(window: Window | None) -> str:
    return (datetime.now(UTC) if window is None else window[1]).isoformat()
