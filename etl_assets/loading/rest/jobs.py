"""Configured jobs of a service: a list each, or a request for each row of a parent table.

The requests of a job with parents are made in chunks, each loaded in a transaction of its own with what the ledger says
of its parents: a run that is killed goes on behind the last one. A parent whose request fails costs no other; it is
counted, told, and asked again by `etl retry`.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import psycopg
from psycopg import sql

from etl_assets.declare.document_reader import Document, DocumentPage, DocumentReader
from etl_assets.declare.rest import RestTable
from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.guards import check_shrink_floor
from etl_assets.loading.load import LoadRequest, Outcome
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.loading.rest.incremental import read_list
from etl_assets.loading.rest.job_progress import JobProgress, parent_table_of
from etl_assets.loading.rest.observed_drift import codes_of
from etl_assets.loading.rest.parent_request import ParentPages, ask_parent, availability_of
from etl_assets.loading.rest.rejects import RejectedRecords
from etl_assets.loading.rest.session import RestSession, keep_unreadable
from etl_assets.readers.cancellation import CancellationToken
from etl_assets.readers.prefetch import ordered_map
from etl_assets.readers.rest.client import NotFound, RequestRejected
from etl_assets.warehouse.ledger import Counts
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest import job_ledger, job_parents, job_tables
from etl_assets.warehouse.rest.job_first_load import insert_first
from etl_assets.warehouse.rest.job_ledger import JobRun, JobTotals, ParentAnswer
from etl_assets.warehouse.rest.job_parents import ParentTable
from etl_assets.warehouse.rest.job_tables import JobTable
from etl_assets.warehouse.rest.job_watermarks import incremental_start, record_read
from etl_assets.warehouse.rest.observed_fields import (
    ObservedTable,
    find_unfilled,
    observed_job_rows,
    remember_sighting,
    sighting_of,
)
from etl_assets.warehouse.rest.tables import document_keys

CHUNK_PARENTS = 1_000
"""Parents whose answers are loaded in one transaction."""
COPY_RECORDS = 2_000
"""Records that are gathered for one COPY."""
GIVE_UP_AFTER = 20
"""Parents in a row whose requests fail, after which the service is taken for down."""
PROVE_AFTER = 3
"""Parents in a row of which the service knows none, after which the endpoint is taken for one that it does not have."""


class JobUnit:
    """One list, or one chunk of parents, of one job at one instance."""

    file_id = None

    def __init__(self, request: LoadRequest, table: RestTable, progress: JobProgress) -> None:
        self._request = request
        self._job = progress.job
        self._progress = progress
        self._declared = table.of_job(progress.job)
        self.table = table.name
        self.instance = progress.instance
        self.relation = Relation(request.source.schema, table.name)
        self._answers: list[ParentAnswer] = []
        self._rejected = RejectedRecords(self._declared, self.instance)
        self._staged = 0
        self._counted: dict[str, int] = {}
        """What the service counts."""
        self._waiting: list[Document] = []
        """Records that came and are not copied yet."""
        self._parents: list[str] = []
        """Whose each of these is; empty texts where the job has no parents."""
        self.news: str | None = None
        """What is to be told once of the job."""

    def extract(self, session: RestSession) -> bool:
        """Ask, and stage what comes; nothing is locked.

        Raises:
            TransientError: The service cannot be reached, or parent after parent fails.
            TooManyRejected: So many records cannot be kept that the rest says little.
            ShrunkenLoad: So much is missing that the list is not to be believed.
        """
        self._answers, self._rejected = [], RejectedRecords(self._declared, self.instance)
        reader = session.reader(self.instance)
        if self._progress.run is None:
            self._start(session, reader)
        job_tables.create_job_staging(session.connection, self._target)
        try:
            self._read(session, reader)
        except RequestRejected as error:
            found = availability_of(error)
            if found is None or self._progress.was_answered:
                raise  # what answered before and does not now is a failure
            self._set_unavailable(session, found, error)
            return False
        if self._declared.per and not self._answers:
            self._end(session)
            return False
        self._check(session)
        return True

    def stage(self, session: RestSession) -> None:
        """Nothing more: what arrived is staged."""
        del session

    def guard(self, session: RestSession) -> None:
        """Nothing more: what arrived was looked at before anything was locked."""
        del session

    def merge(self, session: RestSession) -> Outcome:
        """Upsert the records, mark those that are gone, and write down what came of the parents."""
        connection, target = session.connection, self._target
        codes = codes_of(self._request.source, self._declared)
        sighting = sighting_of(sql.Identifier("changes", "data"), sql.Identifier("changes"), codes)
        first = insert_first(connection, target, sighting)
        merged = first or job_tables.merge_records(connection, target, sighting)
        remember_sighting(connection, self._observed, codes, merged.noted)
        answered = [each.parent_key for each in self._answers if each.error is None]
        vanished = 0
        if first is None and (answered or self._is_whole_list):
            vanished = job_tables.mark_vanished(connection, target, answered, self._rejected.keys)
        read = self._staged + len(self._rejected)
        counts = Counts(
            rows_read=read,
            rows_inserted=merged.inserted,
            rows_updated=merged.updated,
            rows_unchanged=self._staged - merged.inserted - merged.updated,
            rows_rejected=len(self._rejected),
            rows_vanished=vanished,
        )
        job_ledger.record_answers(connection, self._run, self._answers)
        return Outcome(
            counts=counts,
            rejects=self._rejected.rows,
            notes=self._progress.notes,
            source_said={"parents": len(self._answers)} if self._declared.per else self._counted,
        )

    def verify(self, session: RestSession) -> Sequence[TableCheck]:
        """Nothing: a list is counted as it is read."""
        del session
        return ()

    def record(self, session: RestSession, outcome: Outcome) -> None:
        """Add the chunk to the job's run; close it behind the last one."""
        progress, failed = self._progress, [each for each in self._answers if each.error]
        progress.totals = JobTotals(
            counts=progress.totals.counts + outcome.counts,
            parents_asked=progress.totals.parents_asked + len(self._answers),
            parents_failed=progress.totals.parents_failed + len(failed),
        )
        progress.first_error = progress.first_error or next((each.error for each in failed), None)
        progress.place += len(self._answers)
        if progress.place >= progress.due or progress.budget.is_spent:
            if self._declared.per:
                outcome.counts += Counts(rows_vanished=self._mark_orphans(session))
            job_ledger.record_availability(session.connection, self._run, job_ledger.OFFERED)
            if self._declared.per or (self._is_whole_list and progress.totals.counts.changed):
                find_unfilled(session.connection, self._observed)
            record_read(session.connection, self._target, self._declared.endpoint.changes, progress.since)
            self._end(session)

    def loaded(self, report: LoadReport) -> None:
        """Say which parents failed, once all were asked."""
        failed = self._progress.totals.parents_failed
        if self._progress.is_over and failed:
            asked = self._progress.totals.parents_asked
            report.fail(
                EtlError(
                    f"{self._where}: {failed:,} of {asked:,} requests failed, and what the others brought is loaded."
                    f" The first: {self._progress.first_error} To ask for those again: etl retry"
                    f" {self._request.source.name}"
                )
            )

    def refused(self, error: EtlError, report: LoadReport) -> bool:
        """End the job's run with the error; other jobs of the table go on."""
        self._progress.is_over = True
        keep_unreadable(self._request, self.relation, self.instance, error)
        report.fail(error)
        if self._progress.run:
            job_ledger.end_run(self._request.batch.connection, self._run, "failed", self._progress.totals, str(error))
        return True

    def _start(self, session: RestSession, reader: DocumentReader) -> None:
        """Open the job's run and list the parents that are to be asked."""
        ledger, progress = self._request.batch.connection, self._progress
        progress.run = job_ledger.start_run(ledger, self._request.batch, self._job.id, progress.instance_id)
        progress.was_answered = job_ledger.was_answered(ledger, self._run)
        progress.requests_before = reader.requests
        if size := job_ledger.page_size(ledger, self._run):
            reader.page_sizes.setdefault(self._declared.endpoint.path, size)
        if not (self._request.options.full_compare or self._request.options.accept_shrink):
            progress.since = incremental_start(session.connection, self._target, self._declared.endpoint.changes)
        if parent := self._parent_table:
            only_failed = self._request.options.only_failed
            if not only_failed:
                job_ledger.begin_round(ledger, self._run)
            progress.due = job_parents.list_due_parents(
                session.connection,
                parent,
                self._run,
                only_failed=only_failed,
                most=progress.budget.quota(self._job.id),
            )
            self._check_parents(ledger, parent)

    def _check_parents(self, ledger: psycopg.Connection, parent: ParentTable) -> None:
        """Raise where there is nobody to ask for because the parent table was never loaded."""
        jobs = [job.id for job in self._request.source.rest_table(parent.relation.name).jobs]
        if (
            not self._progress.due
            and self._progress.budget.quota(self._job.id) is None
            and not job_ledger.were_loaded(ledger, self._run, jobs)
        ):
            raise EtlError(
                f"{self._where}: there is no row of {parent.relation} to ask for, since it was never loaded of"
                f" {self.instance}. Load it first: etl run {self._request.source.name} --job {jobs[0]}"
            )

    def _end(self, session: RestSession) -> None:
        progress, reader = self._progress, session.reader(self.instance)
        progress.is_over = True
        totals = replace(progress.totals, requests=reader.requests - progress.requests_before)
        if size := reader.page_sizes.get(self._declared.endpoint.path):
            job_ledger.record_page_size(session.connection, self._run, size)
        remain = self._count_remaining(session)
        state, error = "paused" if remain else "success", None
        if totals.parents_failed:
            state = "partial"
            error = f"{totals.parents_failed:,} of {totals.parents_asked:,} requests failed: {progress.first_error}"
        job_ledger.end_run(session.connection, self._run, state, totals, error)
        if self._declared.per and not remain:
            job_ledger.end_round(session.connection, self._run)

    def _count_remaining(self, session: RestSession) -> int:
        """Count the parents that the budget left for the next run."""
        parent, progress = self._parent_table, self._progress
        if parent is None or (progress.place >= progress.due and progress.budget.requests is None):
            return 0
        return job_parents.count_due(session.connection, [(self._run, parent)]).get(self._job.id, 0)

    def _read(self, session: RestSession, reader: DocumentReader) -> None:
        """Stage a whole list, or the lists of the next parents."""
        self._staged, self._waiting, self._parents, self._counted = 0, [], [], {}
        if self._declared.per is None:
            for page in read_list(reader, self._declared, self._progress):
                self._take(session, "", page)
                if page.counted is not None:
                    self._counted["records"] = page.counted
        else:
            self._read_parents(session, reader)
        self._flush(session)

    def _read_parents(self, session: RestSession, reader: DocumentReader) -> None:
        parent, first = self._parent_table, self._progress.place + 1
        if parent is None or self._progress.budget.is_spent:
            return
        names = parent.names
        due = job_parents.due_parents(session.connection, parent, first=first, last=first + CHUNK_PARENTS - 1)
        calls = [
            partial(ask_parent, reader, self._declared, parent_key, dict(zip(names, key, strict=True)))
            for parent_key, key in due
        ]
        in_a_row = missing = 0
        threads = self._request.source.service.parallel_requests
        with closing(
            ordered_map(calls, threads=threads, prefetch=2 * threads, cancellation=CancellationToken())
        ) as answers:
            for answer in answers:
                error = answer.error
                in_a_row = in_a_row + 1 if isinstance(error, TransientError) else 0
                if in_a_row >= GIVE_UP_AFTER:
                    raise TransientError(f"{self._where}: {in_a_row} requests in a row failed. The last: {error}")
                missing = missing + 1 if error and availability_of(error) else 0
                self._progress.was_answered |= error is None
                if error and missing >= min(PROVE_AFTER, len(due)) and not self._progress.was_answered:
                    raise error
                self._take_parent(session, answer)

    def _take_parent(self, session: RestSession, answer: ParentPages) -> None:
        error = answer.error
        if isinstance(error, NotFound):
            error = None  # the parent is gone, and with it what was of it
        if error:
            keep_unreadable(self._request, self.relation, self.instance, error)
        if error is None:
            for page in answer.pages:
                self._take(session, answer.parent_key, page)
        self._answers.append(
            ParentAnswer(
                parent_key=answer.parent_key,
                records=sum(len(page.documents) for page in answer.pages),
                digest=answer.digest,
                error=str(error) if error else None,
            )
        )

    def _take(self, session: RestSession, parent_key: str, page: DocumentPage) -> None:
        self._rejected.add(page.rejected)
        self._waiting += page.documents
        self._parents += [parent_key] * len(page.documents)
        if len(self._waiting) >= COPY_RECORDS:
            self._flush(session)

    def _flush(self, session: RestSession) -> None:
        unreadable = job_tables.copy_records(session.connection, self._target, self._waiting, self._parents)
        self._rejected.add_unreadable(self._waiting, unreadable)
        self._staged += len(self._waiting) - len(unreadable)
        self._waiting, self._parents = [], []

    def _check(self, session: RestSession) -> None:
        """Refuse what cannot be whole."""
        self._rejected.check_share(self._where, kept=self._staged, most=self._declared.load.max_rejected)
        if not self._request.options.accept_shrink and self._progress.since is None:
            answered = [each.parent_key for each in self._answers if each.error is None]
            if not answered and self._declared.per:
                return
            held, missing = job_tables.count_held(session.connection, self._target, answered)
            check_shrink_floor(
                self._where,
                held=held,
                staying=held - missing,
                floor=self._declared.load.shrink_floor,
                again=f"etl run {self._request.source.name} --job {self._job.id}",
            )

    def _mark_orphans(self, session: RestSession) -> int:
        parent = self._parent_table
        return job_parents.mark_orphans(session.connection, self._target, parent) if parent else 0

    def _set_unavailable(self, session: RestSession, found: str, error: EtlError) -> None:
        """The vendor does not have it, or not for us: a state of the job and no failure of the run."""
        ledger = self._request.batch.connection
        is_news = job_ledger.record_availability(ledger, self._run, found)
        job_ledger.end_run(ledger, self._run, found, self._progress.totals, str(error))
        self._progress.is_over = True
        if is_news:
            words = "does not have it" if found == job_ledger.NOT_OFFERED else "has no licence for it (501)"
            self.news = f"{self._where}: {self.instance} {words}: {error}"

    @property
    def _run(self) -> JobRun:
        if self._progress.run is None:
            raise AssertionError("the job's run is begun by extract")
        return self._progress.run

    @property
    def _target(self) -> JobTable:
        return JobTable(
            relation=self.relation,
            keys=document_keys(self._declared),
            run=self._run,
            batch=self._request.batch.id,
        )

    @property
    def _is_whole_list(self) -> bool:
        """Whether all was asked for that there is, at once."""
        return self._declared.per is None and self._progress.since is None

    @property
    def _observed(self) -> ObservedTable:
        return observed_job_rows(self._target, self.instance, is_personal=self._declared.personal_document)

    @property
    def _parent_table(self) -> ParentTable | None:
        return parent_table_of(self._request.source, self._job)

    @property
    def _where(self) -> str:
        return f"{self.relation} of {self.instance}, job {self._job.id}"
