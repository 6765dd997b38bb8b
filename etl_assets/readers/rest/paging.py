"""Services that give a list in pages by `limit` and `offset`, and say in each how long the whole list is.

Such a list may change while it is read (`listing.py`), and `ListChanged` is raised when pages have been given already:
the caller holds them in one transaction, rolls it back and reads again.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta

from etl_assets.declare.rest import Document, Page
from etl_assets.declare.tables import Endpoint, Table, Window
from etl_assets.errors import EtlError, ListChanged
from etl_assets.readers.rest.client import HttpClient, NotFound
from etl_assets.readers.rest.completeness import Listing, Question
from etl_assets.readers.rest.envelopes import RecordReader

__all__ = ["ListChanged", "OffsetPages"]

DAY = timedelta(days=1)
ASTRAY = DAY
"""How far outside of the window a record may lie: the service may cut days elsewhere than the site does."""
OF_ONE_RECORD = frozenset({"include", "fields"})
"""The parameters of a list that say what a record holds, and not which records there are."""

Span = tuple[date, date]


class OffsetPages:
    """A `DocumentReader` for services that page by limit and offset."""

    def __init__(
        self,
        client: HttpClient,
        *,
        limit: int = 1000,
        connections: int = 6,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            client: Closed with this reader.
            limit: Records asked for in one page.
            connections: Pages fetched at once. Twice as many, at most, wait to be taken.
            headers: Sent with every call, such as a filter of regions.
        """
        self._client = client
        self._limit = limit
        self._connections = connections
        self._headers = headers or {}

    def read(self, table: Table, window: Span | None = None) -> Iterator[Page]:
        """Every record of a table or, of one that is read by window, those of a span of dates and the pad around it.

        No key is given twice. The places of refused records count from the first record of this read.

        Args:
            table: One that has an endpoint.
            window: First and last date, both included; cut into pieces where the service allows only shorter ones.

        Yields:
            Pages, none of them empty. They stand and fall with the last one.

        Raises:
            ListChanged: The list changed while it was read. Throw away what came, and begin again.
            TransientError: The service could not be reached.
            EtlError: It refused, says no count, or ignores what it was asked.
        """
        endpoint = _endpoint(table)
        records, seen, place = RecordReader(table), set[int](), 0
        for span in _spans(table, endpoint, window):
            asked = dict(endpoint.parameters)
            if span and endpoint.window:
                asked[endpoint.window] = f"{span[0]}|{span[1]}"
            question = Question(self._client, endpoint.path, asked, self._headers, records, place)
            listing = Listing(table.name, question, limit=self._limit, seen=seen)
            with closing(listing.answers(self._connections, self._client.stop)) as answers:
                for answer in answers:
                    if span and endpoint.window:
                        _check_window(table.name, endpoint.window, span, answer.documents)
                    if answer.given:
                        yield Page(answer.documents, answer.refused)
            place += listing.received

    def find(self, table: Table, key: int) -> Document | None:
        """One record by its id; None where the service says that there is none (404).

        Raises:
            TransientError: The service could not be reached.
            EtlError: It refused, gave another record, or one that cannot be kept.
        """
        endpoint = _endpoint(table)
        asked = {name: value for name, value in endpoint.parameters.items() if name in OF_ONE_RECORD}
        try:
            found = self._client.get(
                f"{endpoint.path}/{key}", asked, read=RecordReader(table).single, headers=self._headers
            )
        except NotFound:
            return None
        if not isinstance(found, Document):
            raise EtlError(f"{table.name} {key}: the record cannot be kept: {found.field or 'it'}: {found.reason}.")
        if found.key != key:
            raise EtlError(f"{table.name} {key}: the service gave record {found.key} instead.")
        return found

    def close(self) -> None:
        """End the connections; reads under way end with `Abandoned`."""
        self._client.close()


def _endpoint(table: Table) -> Endpoint:
    if table.endpoint is None:
        raise EtlError(f"{table.name}: a service is asked for it, and it declares no endpoint.")
    return table.endpoint


def _spans(table: Table, endpoint: Endpoint, window: Span | None) -> list[Span | None]:
    """What is asked for in one list each: the window with its pad, in pieces that the service allows."""
    if not isinstance(table.load, Window) or endpoint.window is None:
        if window:
            raise EtlError(f"{table.name}: it is read whole, not by window.")
        return [None]
    if window is None or window[0] > window[1]:
        raise EtlError(f"{table.name}: it is read by window, from a first date to a last.")
    pad = DAY * -(-table.load.pad // DAY)
    days = endpoint.longest // DAY
    if days < 1:
        raise EtlError(f"{table.name}: its endpoint allows windows of {endpoint.longest}, and a day is the shortest.")
    begin, end = window[0] - pad, window[1] + pad
    pieces: list[Span | None] = []
    while begin <= end:
        pieces.append((begin, min(begin + DAY * (days - 1), end)))
        begin += DAY * days
    return pieces


def _check_window(table: str, parameter: str, span: Span, documents: list[Document]) -> None:
    first, last = span
    days = {document.slice for document in documents if document.slice}
    astray = sorted(day for day in days if not first - ASTRAY <= day <= last + ASTRAY)
    if astray:
        raise EtlError(
            f"{table}: asked for {parameter}={first}|{last}, the service gave a record of {astray[0]}."
            f" It does not know {parameter}, or ignores it."
        )
