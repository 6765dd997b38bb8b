"""How a service's tables are loaded: lists whole, windows one by one, each in a transaction of its own.

A service that goes down in the twentieth window of a year leaves nineteen, and nothing half. Of several instances, one
that is down costs the others nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from etl_assets.declare.dates import Span
from etl_assets.errors import EtlError
from etl_assets.loading.load import LoadRequest
from etl_assets.loading.report import LoadReport
from etl_assets.loading.rest.budget import Budget
from etl_assets.loading.rest.job_progress import JobProgress, parent_table_of
from etl_assets.loading.rest.jobs import JobUnit
from etl_assets.loading.rest.session import RestSession
from etl_assets.loading.rest.unit import DocumentUnit
from etl_assets.warehouse.calendars import write_calendar
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.job_ledger import (
    JobOfInstance,
    active_jobs,
    jobs_to_retry,
    register_instances,
    register_jobs,
    unavailable_jobs,
)
from etl_assets.warehouse.rest.job_parents import count_due
from etl_assets.warehouse.rest.job_tables import job_layout
from etl_assets.warehouse.rest.tables import document_layout
from etl_assets.warehouse.tables import TableLayout, ensure_tables


class RestStrategy:
    """Lists and windows of one service, table by table in the order in which they are declared."""

    in_order = True
    workers = 1

    def __init__(self, request: LoadRequest) -> None:
        self._request = request

    def units(self, reports: dict[str, LoadReport]) -> Iterator[DocumentUnit | JobUnit]:
        """A unit a list or window, of each instance; then those of configured jobs, phase by phase."""
        source = self._request.source
        given = self._instances(self._request.settings.of_source(source.name))
        tables = [source.rest_table(table.name) for table in source.tables if table.name in reports]
        windows: list[Span | None] = [*source.windows(self._request.span)]
        for table in tables:
            for instance in given if not table.jobs else ():
                for window in windows if table.is_windowed else [None]:
                    yield DocumentUnit(self._request, table, window, instance)
        if any(table.jobs for table in tables):
            yield from self._job_units(given, reports)

    def _job_units(self, given: Mapping[str, Mapping[str, str]], reports: dict[str, LoadReport]) -> Iterator[JobUnit]:
        request, ledger = self._request, self._request.batch.connection
        source, options = request.source, request.options
        addresses = {name: settings.get("url") for name, settings in given.items()}
        with ledger.transaction():
            numbers = register_instances(ledger, source.name, addresses)
            register_jobs(ledger, source.name, source.jobs)
        chosen = set(options.jobs) or active_jobs(ledger, source.name)
        named = {name: number for name, number in numbers.items() if name in (options.instances or numbers)}
        jobs = dict.fromkeys(named, chosen)
        if options.only_failed:
            failed = jobs_to_retry(ledger, source.name)
            jobs = {name: {job for job, of in failed if of == number} for name, number in named.items()}
        budgets = {name: self._budget(name, given[name], number, jobs[name]) for name, number in named.items()}
        yield from _units_of_jobs(request, jobs, named, budgets, reports)

    def _budget(self, name: str, given: Mapping[str, str], number: int, jobs: set[int]) -> Budget:
        """What may be asked of an instance in this run, and what of it each job is given."""
        request, source = self._request, self._request.source
        budget = Budget.of(given, f"ETL_{source.name}_{name}".upper())
        if budget.requests is None or request.options.only_failed:
            return replace(budget, requests=None)
        ledger, tables = request.batch.connection, set(request.tables)
        asked = jobs - unavailable_jobs(ledger, source.name, number)
        parents = [
            (JobOfInstance(source=source.name, job_id=job.id, instance_id=number), parent)
            for job in source.jobs
            if job.id in asked and job.table in tables and (parent := parent_table_of(source, job))
        ]
        return replace(budget, quotas=count_due(ledger, parents, most=budget.requests))

    @contextmanager
    def open(self) -> Iterator[RestSession]:
        """Connect, and make all staging tables of the source, for rules look from one at the others; and the calendar.

        Raises:
            EtlError: The service is not set up, or refused to let us in; the calendar has moved.
        """
        source, settings = self._request.source, self._request.settings
        with connect(settings, autocommit=True) as connection, ExitStack() as opened:
            with connection.transaction():
                ensure_tables(connection, source.schema, self._layouts())
                if source.calendar:
                    write_calendar(connection, source.calendar, Relation(source.name, "billing_periods"))
            source.require_settings(settings.of_source(source.name))
            session = RestSession(connection, self._request, opened)
            if not source.service.instances:
                session.reader("")  # what is wrong with it is wrong with every table
            yield session

    def _layouts(self) -> dict[str, TableLayout]:
        source = self._request.source
        declared = [source.rest_table(table.name) for table in source.tables]
        instances = source.service.instances
        return {
            table.name: job_layout(table) if table.jobs else document_layout(table, instances=instances)
            for table in declared
        }

    def cancel(self, reason: EtlError) -> None:
        """Nothing is read by another thread than the loader's own."""

    def finish(self, reports: dict[str, LoadReport]) -> None:
        """Nothing is left to be done."""

    def _instances(self, given: dict[str, str]) -> dict[str, dict[str, str]]:
        """What is set of each instance.

        Raises:
            EtlError: They cannot be told apart, or one that is asked for is not set up.
        """
        try:
            found = self._request.source.service.settings_by_instance(given)
        except ValueError as error:
            raise EtlError(f"ETL_{self._request.source.name.upper()}_INSTANCES: {error}.") from None
        if unknown := sorted(set(self._request.options.instances) - set(found)):
            raise EtlError(f"{self._request.source.name} has no instance {unknown[0]!r}; it has: {', '.join(found)}.")
        return found


def _units_of_jobs(
    request: LoadRequest,
    jobs: Mapping[str, set[int]],
    instance_ids: Mapping[str, int],
    budgets: Mapping[str, Budget],
    reports: Mapping[str, LoadReport],
) -> Iterator[JobUnit]:
    """The units of a source's jobs, phase by phase and each instance by itself.

    They are made as they are wanted: which parents there are is known when the jobs of the phase before are done.

    Args:
        request: Which tables.
        jobs: The jobs to be run of each instance.
        instance_ids: The instances' numbers, by name.
        budgets: What may be asked of each instance.
        reports: What was found of each table.
    """
    for job in sorted(request.source.jobs, key=lambda each: (each.phase, each.id)):
        table = request.source.rest_table(job.table)
        for instance, number in instance_ids.items():
            if table.name not in reports or job.id not in jobs[instance]:
                continue
            progress = JobProgress(job=job, instance=instance, instance_id=number, budget=budgets[instance])
            while not progress.is_over:
                unit = JobUnit(request, table, progress)
                yield unit
                if unit.news:
                    reports[table.name].notes.append(unit.news)
