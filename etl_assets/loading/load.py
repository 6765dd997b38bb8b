"""The loader: the steps that every load takes, whatever kind of source it reads.

    extract     ask the source; nothing of the warehouse is locked
    lock        one load of a table at a time; readers go on reading
    stage       copy into temporary tables
    guard       refuse what cannot be whole: too many rejected rows, far fewer rows than before
    merge       write what differs
    verify      compare with the source
    record      counts, changed dates, rejected rows and watermark into the ledger

From lock to record it is one transaction a unit: a file, a list or a window of a service, a table of a database. What
differs from kind to kind is a `Strategy`; units that do not depend on each other are loaded by several workers
(`workers.py`).
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, TypeVar

import psycopg

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, ListChanged, TransientError
from etl_assets.loading.guards import load_error
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import is_transient
from etl_assets.warehouse.ledger import Batch, Counts, RejectedRow, record_load, record_rejects, record_watermark
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.relation import Relation, lock_relation, refresh_statistics
from etl_assets.warehouse.results import record_result
from etl_assets.warehouse.under_way import loading

ATTEMPTS = 3
"""How often a unit is read that changes while it is read."""


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a load goes about it, where it is not as usual."""

    full_compare: bool = False
    """Full reconciliation: compare every row, and not only what is stamped as changed; read a service's lists whole."""
    accept_shrink: bool = False
    """Believe a source that has lost far more than the floor of a table allows."""
    reload: bool = False
    """Load files again that are loaded and in force; their rows are found unchanged."""
    any_hour: bool = False
    """Read a source at a time of day at which it is not to be read."""
    only_failed: bool = False
    """Ask a service for those parents' rows alone whose last request failed."""
    jobs: Sequence[int] = ()
    """The configured jobs of a service that are run; all that are switched on where none is named."""
    instances: Sequence[str] = ()
    """The tenants of a service that are read; all of them where none is named."""
    verify: bool = True
    """Compare with the source what was loaded."""

    @property
    def chosen(self) -> dict[str, object]:
        """What a run is configured with: all but `verify`, which only measurements leave out."""
        words = {name: value for name, value in vars(self).items() if name != "verify"}
        return {**words, "jobs": list(self.jobs), "instances": list(self.instances)}


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """What one run is to load."""

    settings: Settings
    source: Source
    tables: Sequence[str]
    span: Span
    """The dates, of what is loaded by date; the rest is loaded whole."""
    batch: Batch
    """Whose work it is."""
    options: LoadOptions = LoadOptions()


@dataclass(kw_only=True)
class Outcome:
    """What one unit came to. It is written into the ledger in the unit's own transaction."""

    counts: Counts = field(default_factory=Counts)
    changed: set[date] = field(default_factory=set)
    """Dates of which rows were written, where no file says it."""
    moved_from: Sequence[date] = ()
    """Dates that rows were moved away from, without anything being said of these dates."""
    rejects: Sequence[RejectedRow] = ()
    watermark: str | None = None
    notes: list[str] = field(default_factory=list)
    checks: list[TableCheck] = field(default_factory=list)
    newest_slice: date | None = None
    """The last date that was loaded, of what is loaded by date."""
    is_news: bool = True
    """Whether it was loaded for the first time, as far as is known."""
    source_said: dict[str, int] = field(default_factory=dict)
    """What the source itself says of what it gave: how many bytes, rows, records, ..."""


class Session(Protocol):
    """What one worker holds open: a connection to the warehouse, and what it takes to read the source."""

    @property
    def connection(self) -> psycopg.Connection:
        """The one that its units are loaded by."""


S = TypeVar("S", bound=Session)
S_contra = TypeVar("S_contra", bound=Session, contravariant=True)


class Unit(Protocol[S_contra]):
    """What is loaded in one transaction, with the steps in the order in which they are called."""

    @property
    def table(self) -> str:
        """The staging table."""

    @property
    def relation(self) -> Relation:
        """Where it is."""

    @property
    def instance(self) -> str:
        """Which of several tenants of the source it is of; empty where there is one."""

    @property
    def file_id(self) -> int | None:
        """The file of the ledger that it is, if it is one."""

    def extract(self, session: S_contra) -> bool:
        """Read what can be read before anything is locked; false where there is nothing to load."""

    def stage(self, session: S_contra) -> None:
        """Copy what arrived into temporary tables."""

    def guard(self, session: S_contra) -> None:
        """Raise where what arrived is not to be believed."""

    def merge(self, session: S_contra) -> Outcome:
        """Bring the target to what arrived, and write only what differs."""

    def verify(self, session: S_contra) -> Sequence[TableCheck]:
        """Compare what is held now with the source."""

    def record(self, session: S_contra, outcome: Outcome) -> None:
        """Write down what only this kind keeps of a load."""

    def loaded(self, report: LoadReport) -> None:
        """Called once it is committed."""

    def refused(self, error: EtlError, report: LoadReport) -> bool:
        """Called once it was rolled back: whether the error is dealt with, and stops no other unit of the table."""


class Strategy(Protocol[S]):
    """How one kind of source is loaded, in one run. Everything else is the loader's."""

    @property
    def in_order(self) -> bool:
        """Whether a unit may be loaded only after those before it."""

    @property
    def workers(self) -> int:
        """How many units are loaded at once, where the order does not matter."""

    def units(self, reports: dict[str, LoadReport]) -> Iterable[Unit[S]]:
        """What is to be loaded, in order, made as it is wanted. What cannot be is said in the reports."""

    def open(self) -> AbstractContextManager[S]:
        """Connect one worker. Raises an EtlError where that cannot be done."""

    def cancel(self, reason: EtlError) -> None:
        """End what the workers are doing at the source; called from another thread."""

    def finish(self, reports: dict[str, LoadReport]) -> None:
        """Called once every unit was tried."""


class WarehouseLost(TransientError):
    """The connection to the warehouse was lost in mid-load; what was not committed is not there."""


class RefusedRows(EtlError):
    """So many rows cannot be stored that the rest is not to be trusted; nothing was loaded."""

    def __init__(self, message: str, rejects: Sequence[RejectedRow]) -> None:
        super().__init__(message)
        self.rejects = tuple(rejects)
        """Why, row by row; the first ones where there are very many."""


def load_unit(request: LoadRequest, unit: Unit[S], session: S, report: LoadReport) -> None:
    """Load one unit and add what came of it to the report.

    Raises:
        WarehouseLost: The connection is of no more use.
        EtlError: It could not be loaded; nothing of it was.
    """
    started = time.monotonic()
    try:
        with loading(request.batch, session.connection, unit.relation, unit.instance):
            outcome = _with_retries(request, unit, session, started)
    except psycopg.Error as error:
        if not is_transient(error):
            raise load_error(unit.relation, error) from None
        reason = error.diag.message_primary or "the connection was lost"
        raise WarehouseLost(f"{unit.relation}: the warehouse went away in mid-load: {reason}") from None
    except RefusedRows as error:
        record_rejects(request.batch.connection, request.batch, unit.relation, unit.file_id, error.rejects)
        raise
    finally:
        report.seconds += time.monotonic() - started
    if outcome is None:
        return
    report.counts += outcome.counts
    report.notes += outcome.notes
    report.checks += outcome.checks
    unit.loaded(report)


def _with_retries(request: LoadRequest, unit: Unit[S], session: S, started: float) -> Outcome | None:
    """Load a unit; again from the start where the source, or another run, changed it while it was read."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _load_once(request, unit, session, started)
        except ListChanged:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("it is left by return or raise")


def _load_once(request: LoadRequest, unit: Unit[S], session: S, started: float) -> Outcome | None:
    if not unit.extract(session):
        return None
    connection = session.connection
    with connection.transaction():
        lock_relation(connection, unit.relation, instance=unit.instance)
        unit.stage(session)
        unit.guard(session)
        outcome = unit.merge(session)
        refresh_statistics(connection, unit.relation, written=outcome.counts.changed)
        outcome.checks += unit.verify(session)
        unit.record(session, outcome)
        _record(request, unit, connection, outcome, seconds=time.monotonic() - started)
    return outcome


def _record(
    request: LoadRequest, unit: Unit[S], connection: psycopg.Connection, outcome: Outcome, *, seconds: float
) -> None:
    """Write into the ledger what every load leaves there."""
    batch, relation = request.batch, unit.relation
    record_load(
        connection,
        batch,
        relation,
        outcome.counts,
        seconds=seconds,
        instance=unit.instance,
        file_id=unit.file_id,
        dates=LoadedDates(
            changed=outcome.changed, left=outcome.moved_from, newest=outcome.newest_slice, is_news=outcome.is_news
        ),
        source_said=outcome.source_said,
    )
    record_rejects(connection, batch, relation, unit.file_id, outcome.rejects)
    if outcome.watermark:
        record_watermark(connection, batch, relation, outcome.watermark, instance=unit.instance)
    for check in outcome.checks:
        record_check(connection, batch, relation, check)


def record_check(connection: psycopg.Connection, batch: Batch, relation: Relation, check: TableCheck) -> None:
    """Record in the ledger what a load found of a table."""
    record_result(
        connection,
        batch,
        str(relation),
        check.name,
        severity="error" if check.is_error else "warning",
        passed=check.passed,
        rows_checked=check.rows_checked,
        rows_broken=check.rows_broken,
    )
