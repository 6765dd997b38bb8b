"""Workers: the units of a load, one after the other or several at once, each worker over connections of its own.

A unit that fails costs no other but those behind it of the same table and tenant. A worker that met an error connects
anew for its next unit; where units must keep their order, a lost warehouse ends the load instead.
"""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Generic

import psycopg

from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.load import LoadRequest, S, Strategy, Unit, WarehouseLost, load_unit
from etl_assets.loading.report import LoadReport
from etl_assets.warehouse.connection import is_transient
from etl_assets.warehouse.relation import Relation


def load_tables(strategy: Strategy[S], request: LoadRequest) -> dict[str, LoadReport]:
    """Load tables of one source.

    Returns:
        A report for each of the tables. What a table failed of is in its `failure`, and costs no other table: where the
        source or the warehouse is gone for good, all that remain fail of that.

    Raises:
        EtlError: The source is not set up, or refused to let us in.
        TransientError: The source or the warehouse cannot be reached, or went away where the order must be kept.
    """
    reports = {name: LoadReport(Relation(request.source.schema, name)) for name in request.tables}
    if not reports:
        return reports
    try:
        units = strategy.units(reports)
        if strategy.in_order:
            _load_in_order(strategy, request, reports, units)
        else:
            _Pool(strategy, request, reports, units).run()
    except psycopg.OperationalError as error:
        if is_transient(error):
            raise TransientError(f"{request.source.name}: the warehouse went away: {error}") from error
        raise EtlError(f"{request.source.name}: {error.diag.message_primary}") from error
    strategy.finish(reports)
    return reports


def _load_in_order(
    strategy: Strategy[S], request: LoadRequest, reports: dict[str, LoadReport], units: Iterable[Unit[S]]
) -> None:
    failed: set[tuple[str, str]] = set()
    with strategy.open() as session:
        for unit in units:
            if (unit.table, unit.instance) in failed:
                continue
            try:
                load_unit(request, unit, session, reports[unit.table])
            except WarehouseLost:
                raise
            except EtlError as error:
                if not unit.refused(error, reports[unit.table]):
                    reports[unit.table].fail(error)
                    failed.add((unit.table, unit.instance))


class _Pool(Generic[S]):
    """Workers that share a queue of units."""

    def __init__(
        self, strategy: Strategy[S], request: LoadRequest, reports: dict[str, LoadReport], units: Iterable[Unit[S]]
    ) -> None:
        self._strategy = strategy
        self._request = request
        self._reports = reports
        self._queue = deque(units)
        self._lock = Lock()
        self._sessions: list[S] = []
        self._stopped: EtlError | None = None
        """Why no further unit is begun."""
        self._not_connected: EtlError | None = None
        """Why a worker had no connection."""

    def run(self) -> None:
        """Load every unit; what remains because no worker could go on fails of the reason."""
        number = max(min(self._strategy.workers, len(self._queue)), 1)
        with ThreadPoolExecutor(number, thread_name_prefix=f"load-{self._request.source.name}") as pool:
            try:
                for done in [pool.submit(self._work) for _ in range(number)]:
                    done.result()
            except BaseException:
                self._stopped = TransientError(f"{self._request.source.name}: the run was ended.")
                self._strategy.cancel(self._stopped)
                self._interrupt()
                raise
        for unit in self._queue:
            self._reports[unit.table].failure = self._stopped or self._not_connected

    def _work(self) -> None:
        """Take units as long as there are any and connections can be opened."""
        with ExitStack() as stack:
            session: S | None = None
            while unit := self._next():
                if session is None:
                    try:
                        session = stack.enter_context(self._strategy.open())
                    except EtlError as error:
                        self._give_back(unit, error)
                        return
                    self._sessions.append(session)
                try:
                    load_unit(self._request, unit, session, self._reports[unit.table])
                except EtlError as error:
                    if not unit.refused(error, self._reports[unit.table]):
                        self._reports[unit.table].fail(error)
                    self._sessions.remove(session)
                    session = None
                    stack.close()  # it may be dead, or in the middle of an answer

    def _next(self) -> Unit[S] | None:
        with self._lock:
            return self._queue.popleft() if self._queue and not self._stopped else None

    def _give_back(self, unit: Unit[S], error: EtlError) -> None:
        """A worker has no connection: it leaves its unit to the others. Where it is the last, the unit remains."""
        with self._lock:
            self._queue.appendleft(unit)
            self._not_connected = error

    def _interrupt(self) -> None:
        """End what the warehouse is doing for the workers."""
        for session in list(self._sessions):
            with suppress(psycopg.Error):
                session.connection.cancel_safe(timeout=5)
