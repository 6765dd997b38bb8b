"""How a service's tables are loaded: lists whole, windows one by one, each in a transaction of its own.

A service that goes down in the twentieth window of a year leaves nineteen, and nothing half. Of several instances, one
that is down costs the others nothing.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from etl_assets.declare.dates import Span
from etl_assets.errors import EtlError
from etl_assets.loading.load import LoadRequest
from etl_assets.loading.report import LoadReport
from etl_assets.loading.rest.session import RestSession
from etl_assets.loading.rest.unit import DocumentUnit
from etl_assets.warehouse.calendars import write_calendar
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.tables import document_layout
from etl_assets.warehouse.tables import ensure_table


class RestStrategy:
    """Lists and windows of one service, table by table in the order in which they are declared."""

    in_order = True
    workers = 1

    def __init__(self, request: LoadRequest) -> None:
        self._request = request

    def units(self, reports: dict[str, LoadReport]) -> list[DocumentUnit]:
        """A unit a list or window, of each instance."""
        source = self._request.source
        given = self._request.settings.of_source(source.name)
        tables = [source.rest_table(table.name) for table in source.tables if table.name in reports]
        windows: list[Span | None] = [*source.windows(self._request.span)]
        return [
            DocumentUnit(self._request, table, window, instance)
            for table in tables
            for instance in self._instances(given)
            for window in (windows if table.is_windowed else [None])
        ]

    @contextmanager
    def open(self) -> Iterator[RestSession]:
        """Connect, and make all staging tables of the source, for rules look from one at the others; and the calendar.

        Raises:
            EtlError: The service is not set up, or refused to let us in; the calendar has moved.
        """
        source, settings = self._request.source, self._request.settings
        with connect(settings, autocommit=True) as connection, ExitStack() as opened:
            with connection.transaction():
                for table in source.tables:
                    layout = document_layout(source.rest_table(table.name), instances=source.service.instances)
                    ensure_table(connection, Relation(source.schema, table.name), layout)
                if source.calendar:
                    write_calendar(connection, source.calendar, Relation(source.name, "billing_periods"))
            source.require_settings(settings.of_source(source.name))
            session = RestSession(connection, self._request, opened)
            if not source.service.instances:
                session.reader("")  # what is wrong with it is wrong with every table
            yield session

    def cancel(self, reason: EtlError) -> None:
        """Nothing is read by another thread than the loader's own."""

    def finish(self, reports: dict[str, LoadReport]) -> None:
        """Nothing is left to be done."""

    def _instances(self, given: dict[str, str]) -> list[str]:
        try:
            return list(self._request.source.service.settings_by_instance(given))
        except ValueError as error:
            raise EtlError(f"ETL_{self._request.source.name.upper()}_INSTANCES: {error}.") from None
