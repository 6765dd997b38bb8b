"""The road of a database's tables into staging: all of them planned at once, then loaded by a few workers.

Each table is a transaction of its own, so that one that fails costs no other. Of a table of which the source says that
nothing has changed, nothing is written but a line in the ledger, and these lines are written together at the end.
"""

import time
from collections import deque
from collections.abc import Collection, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

import psycopg

from etl_assets.declare.database import DatabaseReader
from etl_assets.declare.hours import Hours
from etl_assets.declare.source import Database, Source
from etl_assets.errors import EtlError, NotAtSource, TransientError
from etl_assets.loading.database.changes import Asked, ask
from etl_assets.loading.database.extraction_window import Item, end
from etl_assets.loading.database.plan import Plan, TablePlan, draw_up, plan_tables
from etl_assets.loading.database.table_load import Copying
from etl_assets.loading.guards import refusal, told
from etl_assets.loading.report import LoadReport
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.extraction import move_on
from etl_assets.warehouse.database.staging import widen
from etl_assets.warehouse.ledger import Batch, Counts, record_load, record_watermark
from etl_assets.warehouse.relation import Relation

__all__ = ["Plan", "load_tables", "plan_tables"]

WORKERS = 2
"""Tables that are loaded at once, unless ETL_<SOURCE>_WORKERS says otherwise."""


def load_tables(
    settings: Settings,
    source: Source,
    tables: Collection[str],
    batch: Batch,
    *,
    sweep: bool = False,
    accept_shrink: bool = False,
    hours: Hours | None = None,
    verify: bool = True,
) -> dict[str, LoadReport]:
    """Bring tables of staging to what the source's database holds.

    Args:
        settings: Which warehouse, and how the source is reached.
        source: Whose tables.
        tables: Which of them.
        batch: Whose work it is.
        sweep: Compare every row, and not only what is stamped as changed.
        accept_shrink: Believe a table that has lost far more rows than its floor allows.
        hours: When the source may be read; a table that is not done then is left as it was.
        verify: Compare with the source what was loaded.

    Returns:
        A report for each of `tables`. What a table failed of is in its `failure`, and costs no other table: where the
        source or the warehouse is gone for good, all that remain fail of that.

    Raises:
        EtlError: The source is not set up, or refused to let us in.
        TransientError: The source or the warehouse could not be reached at all.
    """
    reports = {name: LoadReport(Relation(source.schema, name)) for name in tables}
    if not reports:
        return reports
    try:
        _hold_hours(hours, source)
    except TransientError as error:
        for report in reports.values():
            report.failure = error
        return reports
    try:
        plans, failures = draw_up(settings, source, list(reports), sweep=sweep, nobody_writes=hours is not None)
    except psycopg.OperationalError as error:
        raise TransientError(f"{source.name}: the warehouse went away: {error}") from error
    for name, failure in failures.items():
        reports[name].is_absent = isinstance(failure, NotAtSource)
        reports[name].failure = None if reports[name].is_absent else failure
    run = _Run(settings, source, batch, reports, deque(plans), accept_shrink, hours, verify)
    run.work(min(_workers(settings, source), len(plans)))
    for name, report in reports.items():
        if name not in run.done and not (report.failure or report.is_absent):
            report.failure = TransientError(f"{report.relation}: nobody came to load it. Run it again.")
    return reports


def _workers(settings: Settings, source: Source) -> int:
    text = settings.of_source(source.name).get("workers") or str(WORKERS)
    if not text.isdigit() or int(text) < 1:
        raise EtlError(f"ETL_{source.name.upper()}_WORKERS is {text!r}; a number from 1 on was expected.")
    return int(text)


def _hold_hours(hours: Hours | None, source: Source) -> None:
    if hours and not hours.allow(datetime.now(UTC)):
        raise TransientError(
            f"{source.title} may be read {hours} alone, and it is not that time. What was not loaded by then was left"
            " as it was; the next run loads it."
        )


@dataclass
class _Run:
    """What the workers of one run share."""

    settings: Settings
    source: Source
    batch: Batch
    reports: dict[str, LoadReport]
    waiting: deque[TablePlan]
    accept_shrink: bool
    hours: Hours | None
    verify: bool
    stopped: EtlError | None = None
    """Why no further table is begun."""
    unchanged: list[tuple[TablePlan, Asked]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    """Tables that were loaded, or that had nothing new."""
    refused: EtlError | None = None
    """Why a worker had no connection."""
    lock: Lock = field(default_factory=Lock)
    alive: int = 0

    def work(self, workers: int) -> None:
        """Load every table that waits; what remains then fails of what has stopped the run."""
        self.alive = workers
        crew = [_Worker(self) for _ in range(workers)]
        with ThreadPoolExecutor(max(workers, 1), thread_name_prefix=f"load-{self.source.name}") as pool:
            try:
                for done in [pool.submit(worker.run) for worker in crew]:
                    done.result()
            except BaseException:
                self.stopped = TransientError(f"{self.source.name}: the run was ended.")
                for worker in crew:
                    worker.interrupt()
                raise
        for plan in self.waiting:
            self.reports[plan.table.name].failure = self.stopped or self.refused
        self._write_down_unchanged()

    def next(self) -> TablePlan | None:
        """The next table to load."""
        with self.lock:
            return self.waiting.popleft() if self.waiting and not self.stopped else None

    def give_up(self, plan: TablePlan, error: EtlError) -> None:
        """A worker has no connection: it leaves its table to the others or, where it is the last, ends the run."""
        with self.lock:
            self.waiting.appendleft(plan)
            self.refused = error

    def leave(self) -> None:
        """A worker ends; after the last of them nobody takes what waits."""
        with self.lock:
            self.alive -= 1
            if not self.alive and self.waiting:
                self.stopped = self.stopped or self.refused

    def hold(self) -> None:
        """Raise TransientError where the source may not be read any more, or the run has ended."""
        _hold_hours(self.hours, self.source)
        if self.stopped:
            raise self.stopped

    def watch(self, items: Iterable[Item]) -> Generator[Item, None, None]:
        """Pass items on, as long as the source may be read and the run goes on."""
        try:
            for item in items:
                self.hold()
                yield item
        finally:
            end(items)

    def _write_down_unchanged(self) -> None:
        """Enter in the ledger, in one transaction, the tables that were asked for and had nothing new."""
        try:
            with connect(self.settings) as connection, connection.pipeline():
                for plan, asked in sorted(self.unchanged, key=lambda each: each[0].table.name):
                    seconds = self.reports[plan.table.name].seconds
                    record_load(connection, self.batch, plan.relation, Counts(), seconds=seconds)
                    if plan.state:
                        move_on(
                            connection,
                            self.batch,
                            plan.relation,
                            seen=plan.state,
                            until=asked.until,
                            at=asked.at,
                            swept=bool(asked.ranges),
                        )
                    record_watermark(connection, self.batch, plan.relation, (asked.until or asked.at).isoformat())
        except (psycopg.OperationalError, EtlError) as error:
            away = TransientError(f"{self.source.name}: the warehouse went away: {error}")
            for plan, _ in self.unchanged:
                self.reports[plan.table.name].failure = away


class _Worker:
    """One table after the other, over a connection to the source and one to the warehouse, both its own."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._reader: DatabaseReader | None = None
        self._connection: psycopg.Connection | None = None

    def run(self) -> None:
        """Load tables as long as there are any."""
        try:
            while plan := self._run.next():
                try:
                    self._connect()
                except EtlError as error:
                    self._run.give_up(plan, error)
                    return
                with told(self._run.reports[plan.table.name]):
                    self._take(plan)
        finally:
            self._leave_source()
            self._leave_warehouse()
            self._run.leave()

    def interrupt(self) -> None:
        """End what the warehouse is doing for this worker; from another thread."""
        connection = self._connection
        if connection:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=5)

    def _connect(self) -> None:
        """Open what is not open. A connection that was lost is opened once more, for the next table.

        Raises:
            EtlError: It could not be opened.
        """
        run = self._run
        database = run.source.reader
        if not isinstance(database, Database):
            raise TypeError(f"{run.source.name} is no database")
        if self._connection is None:
            try:
                self._connection = connect(run.settings)
                # Moments come without a zone where the source has none, and are UTC where it has one.
                self._connection.execute("set time zone 'UTC'")
                self._connection.commit()
            except (psycopg.OperationalError, EtlError) as error:
                self._leave_warehouse()
                raise TransientError(f"{run.source.name}: the warehouse went away: {error}") from error
        if self._reader is None:
            self._reader = database.connect(run.settings.of_source(run.source.name))

    def _take(self, plan: TablePlan) -> None:
        """Load one table. What it fails of is raised, and the connection that may be at fault is closed."""
        run, started = self._run, time.monotonic()
        if self._reader is None or self._connection is None:
            raise AssertionError("it was connected")
        try:
            run.hold()
            plan.hold_types()
            asked = ask(plan, self._reader, run)
            if not asked.anything:
                with run.lock:
                    run.unchanged.append((plan, asked))
                    run.done.add(plan.table.name)
                return
            copying = Copying(
                plan=plan,
                reader=self._reader,
                connection=self._connection,
                batch=run.batch,
                permit=run,
                started=started,
                accept_shrink=run.accept_shrink,
                verify=run.verify,
            )
            widen(self._connection, copying.target, plan.held)
            with self._connection.transaction():
                copying.load(asked)
            copying.tell(run.reports[plan.table.name])
            with run.lock:
                run.done.add(plan.table.name)
        except psycopg.OperationalError as error:
            self._leave_source()
            self._leave_warehouse()
            reason = error.diag.message_primary or "the connection was lost"
            raise TransientError(f"{plan.relation}: the warehouse went away in mid-load: {reason}") from None
        except psycopg.Error as error:
            self._leave_source()
            raise refusal(plan.relation, error) from None
        except EtlError:
            self._leave_source()
            raise

    def _leave_source(self) -> None:
        """Close the connection to the source: it may be dead, or in the middle of an answer."""
        reader, self._reader = self._reader, None
        if reader:
            with suppress(EtlError), closing(reader):
                pass

    def _leave_warehouse(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
