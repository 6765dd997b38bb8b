"""One list or window of a service's table: extract, stage, find what is missing, merge.

A list is read before the transaction that merges it, into a temporary table: a service may take minutes, and nobody
else's load is to wait for it. Where the target holds nothing of it yet, the documents go straight in instead, within
the transaction: they are written once and not twice, and there is nothing that somebody could wait for.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import psycopg

from etl_assets.declare.dates import Span
from etl_assets.declare.document_reader import Document, DocumentPage, Key, KeyValue, RejectedRecord
from etl_assets.declare.rest import RestTable
from etl_assets.errors import EtlError, ListChanged, UnconfirmedDeletion
from etl_assets.loading.guards import SMALL_TABLE, check_shrink_floor
from etl_assets.loading.load import LoadRequest, Outcome
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.loading.rest.observed_drift import codes_of
from etl_assets.loading.rest.rejects import RejectedRecords
from etl_assets.loading.rest.session import RestSession, keep_unreadable
from etl_assets.warehouse.ledger import Counts, latest_load
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest import documents
from etl_assets.warehouse.rest.observed_fields import find_unfilled, observe_documents, observed_documents
from etl_assets.warehouse.rest.tables import DocumentTable, document_keys

MAX_LOOKUPS = 200
"""Records that are missing from a list and are looked up one by one; of more, the list is to be doubted."""


class DocumentUnit:
    """One list or window of one instance of a service."""

    file_id = None

    def __init__(self, request: LoadRequest, table: RestTable, window: Span | None, instance: str) -> None:
        """`window` is None for a table that is read whole; `instance` is empty where the service is one."""
        self._request = request
        self._declared = table
        self._window = window
        self.instance = instance
        self.table = table.name
        self.relation = Relation(request.source.schema, table.name)
        self._target = self._document_table(table)
        self._begin()

    def _begin(self) -> None:
        """Forget what an earlier attempt has read."""
        self._rows_by_slice: dict[date, int] = {}
        self._is_direct = False
        """Whether the target held nothing of it, so that documents go straight in."""
        self._seen_load = 0
        """The last load of the table before it was read."""
        self._counted: dict[str, int] = {}
        """What the service counts, of the lists of which it counts anything."""
        self._copied_directly: Counter[date | None] = Counter()
        self._rejected = RejectedRecords(self._declared, self.instance)
        self._deleted: list[Key] = []
        self._vanished: list[Key] = []
        self._unconfirmed = 0
        """How many of these are not at their own address, and it is not the service that says so."""

    def extract(self, session: RestSession) -> bool:
        """Read the list into the temporary table and look up what is missing from it; or leave that to `stage`.

        Raises:
            TooManyRejected: So many records cannot be kept that the rest says little.
            ShrunkenLoad: So much is missing that the list is not to be believed.
        """
        self._begin()
        connection = session.connection
        session.reader(self.instance)  # it is connected before anything is locked
        self._is_direct = documents.is_empty(connection, self._target, self._window)
        self._seen_load = latest_load(connection, self.relation)
        documents.create_staging(connection, self._target)
        if not self._is_direct:
            for page in self._pages(session):
                self._rejected.add(page.rejected)
                self._stage_documents(session, page.documents)
            self._finish_staging(session)
            self._check_rejected_share(session)
            self._find_missing(session)
        return True

    def stage(self, session: RestSession) -> None:
        """Copy straight into a target that holds nothing of it, or see that nobody has loaded it meanwhile.

        Raises:
            ListChanged: Another run has loaded the table since it was read; it is read again.
        """
        if not self._is_direct:
            if latest_load(session.connection, self.relation) != self._seen_load:
                raise ListChanged(f"{self.relation}: another run has loaded it while it was read.")
            return
        if not documents.is_empty(session.connection, self._target, self._window):
            raise ListChanged(f"{self.relation}: another run has loaded it first.")
        for page in self._pages(session):
            self._rejected.add(page.rejected)
            inside = [each for each in page.documents if self._in_window(each)]
            batch = self._request.batch.id
            if inside and documents.copy_documents_into_target(session.connection, self._target, batch, inside):
                self._copied_directly.update(each.slice for each in inside)
                inside = []
            outside = [each for each in page.documents if not self._in_window(each)]
            self._stage_documents(session, [*inside, *outside])
        self._finish_staging(session)

    def guard(self, session: RestSession) -> None:
        """Refuse a list of which too many records cannot be kept; one that was read before was looked at then."""
        if self._is_direct:
            self._check_rejected_share(session)

    def merge(self, session: RestSession) -> Outcome:
        """Upsert the documents, and mark those that are deleted or no longer in the list."""
        connection, target, batch = session.connection, self._target, self._request.batch.id
        by_date = documents.staged_counts(connection, target) + self._copied_directly
        merged = documents.merge_documents(connection, target, batch)
        vanished, dates = documents.mark_missing(connection, target, batch, self._vanished, as_deleted=False)
        _, dates_left = documents.mark_missing(connection, target, batch, self._deleted, as_deleted=True)
        inserted = merged.inserted + self._copied_directly.total()
        self._observe(connection, is_written=bool(inserted or merged.updated), is_less=bool(vanished or self._deleted))
        self._rows_by_slice = {
            day: rows for day, rows in by_date.items() if day and self._window and day in self._window
        }
        return Outcome(
            counts=Counts(
                rows_read=by_date.total() + len(self._rejected),
                rows_inserted=inserted,
                rows_updated=merged.updated,
                rows_unchanged=by_date.total() - inserted - merged.updated,
                rows_deleted=len(self._deleted),
                rows_rejected=len(self._rejected),
                rows_vanished=vanished,
            ),
            changed={*merged.slices, *filter(None, self._copied_directly), *dates, *dates_left},
            rejects=self._rejected.rows,
            watermark=(self._window.last if self._window else datetime.now(UTC)).isoformat(),
            notes=self._notes(),
            newest_slice=self._window.last if self._window else None,
            source_said=self._counted,
        )

    def verify(self, session: RestSession) -> Sequence[TableCheck]:
        """Nothing: the list was counted as it was read."""
        del session
        return ()

    def record(self, session: RestSession, outcome: Outcome) -> None:
        """Resolve the rejects of records that have come well since."""
        del outcome
        documents.resolve_rejects(session.connection, self._target, self._request.batch.id)

    def loaded(self, report: LoadReport) -> None:
        """Add the rows of each date; another instance may have brought some too."""
        for day, rows in self._rows_by_slice.items():
            report.rows_by_slice[day] = report.rows_by_slice.get(day, 0) + rows

    def refused(self, error: EtlError, report: LoadReport) -> bool:
        """No error is expected: each fails the table, or the instance's part of it."""
        del report
        keep_unreadable(self._request, self.relation, self.instance, error)
        return False

    def _document_table(self, table: RestTable) -> DocumentTable:
        return DocumentTable(
            relation=Relation(self._request.source.schema, table.name),
            keys=document_keys(table),
            keeps_versions=table.has_versions,
            instance=self.instance,
        )

    def _pages(self, session: RestSession) -> Iterator[DocumentPage]:
        """All pages: of one list, or of one list for each row of the parent table."""
        reader = session.reader(self.instance)
        for parent in self._parents(session):
            counted = None
            for page in reader.read(self._declared, self._window, parent):
                counted = page.counted
                yield page
            if counted is not None:
                self._counted["records"] = self._counted.get("records", 0) + counted

    def _parents(self, session: RestSession) -> Sequence[Mapping[str, KeyValue] | None]:
        per = self._declared.per
        if per is None:
            return [None]
        parent = self._document_table(self._request.source.rest_table(per.parent))
        return [
            dict(zip(parent.key_names, key, strict=True)) for key in documents.current_keys(session.connection, parent)
        ]

    def _stage_documents(self, session: RestSession, page: Sequence[Document]) -> None:
        unreadable = documents.copy_documents_into_staging(session.connection, self._target, page)
        self._rejected.add_unreadable(page, unreadable)

    def _finish_staging(self, session: RestSession) -> None:
        """Drop what was read of the pad alone; renew the planner's statistics of what stays."""
        load = self._declared.window
        if self._window and load and not load.keeps_pad:
            documents.drop_out_of_window(session.connection, self._target, self._window)
        documents.analyze_staging(session.connection)

    def _check_rejected_share(self, session: RestSession) -> None:
        """Raise TooManyRejected where so many records cannot be kept that the rest says little."""
        if len(self._rejected) <= SMALL_TABLE:
            return
        staged = documents.staged_counts(session.connection, self._target).total()
        self._rejected.check_share(
            self._where, kept=staged + self._copied_directly.total(), most=self._declared.load.max_rejected
        )

    def _find_missing(self, session: RestSession) -> None:
        """Find what the list should have given and did not: the keys that were deleted, and those not looked up.

        A list leaves out what lies outside of its window or of somebody's permissions; only the record's own address
        says that it is gone. What is still there, on another date say, is put with what arrived, or with what cannot
        be kept.

        Raises:
            ShrunkenLoad: So much is missing that the list is not to be believed.
        """
        existing, missing = documents.missing_documents(session.connection, self._target, self._window)
        rejected = self._rejected.keys
        missing = [key for key in missing if key not in rejected]
        if not self._request.options.accept_shrink:
            again = f"etl run {self._request.source.name} {self.table}"
            if self._window:
                again += f" --from {self._window.first} --to {self._window.last}"
            floor = self._declared.load.shrink_floor
            check_shrink_floor(self._where, held=existing, staying=existing - len(missing), floor=floor, again=again)
        if self._declared.lookup is None:
            self._vanished = missing
            return
        reader = session.reader(self.instance)
        found: list[Document] = []
        for key in missing[:MAX_LOOKUPS]:
            try:
                record = reader.find(self._declared, key, self._parent_of(key))
            except UnconfirmedDeletion:
                self._vanished.append(key)
                continue
            match record:
                case Document():
                    found.append(record)
                case RejectedRecord():
                    self._rejected.add([record])
                case None:
                    self._deleted.append(key)
        self._stage_documents(session, found)
        self._unconfirmed = len(self._vanished)
        self._vanished += missing[MAX_LOOKUPS:]

    def _parent_of(self, key: Key) -> Mapping[str, KeyValue] | None:
        """The parent's columns that a record's own key tells."""
        per = self._declared.per
        if per is None:
            return None
        return {column: key[self._declared.keys.index(name)] for name, column in per.gives.items()}

    def _notes(self) -> list[str]:
        if not self._vanished:
            return []
        number = f"{len(self._vanished):,} records are missing from the list"
        if self._declared.lookup is None:
            return [f"{number}, and no address of their own tells whether they were deleted: they are marked vanished"]
        again = f"they are marked vanished, and the next load asks for {MAX_LOOKUPS:,} of them"
        if self._unconfirmed == len(self._vanished):
            return [f"{number}, and not the service but a gateway may have said that they are not there: {again}"]
        return [f"{number}, too many to ask for one by one at once: {again}"]

    def _observe(self, connection: psycopg.Connection, *, is_written: bool, is_less: bool) -> None:
        """Remember what the records that were written hold; and of a list what none of them has any longer."""
        observed = observed_documents(
            self._target, self._request.batch.id, is_personal=self._declared.personal_document
        )
        if is_written:
            codes = codes_of(self._request.source, self._declared)
            observe_documents(connection, self._target, observed, self._window, codes)
        if self._window is None and (is_written or is_less):
            find_unfilled(connection, observed)

    def _in_window(self, document: Document) -> bool:
        return self._window is None or (document.slice is not None and document.slice in self._window)

    @property
    def _where(self) -> str:
        of_instance = f" of {self.instance}" * bool(self.instance)
        dates = f", {self._window.first} to {self._window.last}" if self._window else ""
        return f"{self.relation}{of_instance}{dates}"
