"""REST reader: the one DocumentReader of all services; what differs between them is declared (`declare/endpoints.py`).

A list may change while it is read (`completeness.py`), and `ListChanged` is raised when pages have been given already:
the caller holds them in one transaction, rolls it back and reads again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from urllib.parse import quote

from etl_assets.declare.dates import Span
from etl_assets.declare.document_reader import Document, DocumentPage, Key, KeyValue, RejectedRecord
from etl_assets.declare.endpoints import Endpoint, NextLink, OData, Offset, SearchAfter
from etl_assets.declare.rest import RestTable
from etl_assets.errors import EtlError, UnconfirmedDeletion
from etl_assets.readers.cancellation import CancellationToken
from etl_assets.readers.rest.client import HttpClient, NotFound, RequestRejected
from etl_assets.readers.rest.completeness import Completeness, SeenKeys
from etl_assets.readers.rest.envelopes import EnvelopeParser, ListPage
from etl_assets.readers.rest.odata import EndpointTraits, ODataPaging
from etl_assets.readers.rest.paging import (
    CountedOffsetPaging,
    LinkPaging,
    OffsetPaging,
    PageRequest,
    Paging,
    SinglePage,
    fetch_pages,
)
from etl_assets.readers.rest.records import format_key
from etl_assets.readers.rest.search_after import SearchAfterPaging

DAY = timedelta(days=1)
WINDOW_TOLERANCE = DAY
"""How far outside of the window a record may lie: the service may cut days elsewhere than the site does."""
RECORD_PARAMETERS = frozenset({"include", "fields", "$select", "$expand"})
"""The parameters of a list that say what a record holds, and not which records there are."""


class RestReader:
    """A `DocumentReader` for services whose tables are declared as `RestTable`s."""

    def __init__(
        self,
        client: HttpClient,
        *,
        connections: int = 6,
        headers: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            client: Closed with this reader.
            connections: Pages fetched at once. Twice as many, at most, wait to be taken.
            headers: Sent with every call, such as a filter of regions.
            settings: Those of the instance that endpoints name in braces.
        """
        self._client = client
        self._connections = connections
        self._headers = headers or {}
        self._settings = settings or {}
        self._repeated: dict[tuple[str, Span | None], frozenset[Key]] = {}
        """The keys that the last reading of each list gave more than once."""
        self.page_sizes: dict[str, int] = {}
        """As `DocumentReader` has it."""
        self._traits: dict[str, EndpointTraits] = {}
        """What is known by now of endpoints, by their declared paths."""

    def read(
        self, table: RestTable, window: Span | None = None, parent: Mapping[str, KeyValue] | None = None
    ) -> Iterator[DocumentPage]:
        """Every record of a table or, of one that is read by window, those of a span of dates and the pad around it.

        No key is given twice: of a list that repeats records at each reading, all but the first are rejected. The
        positions of rejected records count from the first record of this read.

        Args:
            table: Which.
            window: The dates; cut into pieces where the service allows only shorter spans.
            parent: The key of the parent's row, by its columns, of a table that is read for each row of another.

        Yields:
            Pages, none of them empty. They stand and fall with the last one.

        Raises:
            ListChanged: The list changed while it was read. Throw away what came, and begin again.
            TransientError: The service could not be reached.
            EtlError: It refused, says no count that it should, or ignores what it was asked.
        """
        path, parser = self._address(table, parent), EnvelopeParser(table, parent)
        body = table.endpoint.body_for(self._settings)
        counted: int | None = None
        seen_keys = SeenKeys(table, self._repeated.get((path, window), frozenset()))
        for span in _split_window(table, window):
            paging = self._paging(table, PageRequest(path, _parameters(table, span), body=body))
            completeness = Completeness(table.name, seen_keys)
            fetch = partial(self._fetch, parser, table.endpoint.timeout, seen_keys.received)
            with closing(
                fetch_pages(
                    paging, fetch, completeness, connections=self._connections, parent=self._client.cancellation
                )
            ) as pages:
                for page in pages:
                    if span:
                        _check_window(table, span, page.documents)
                    if page.size:
                        yield DocumentPage(page.documents, page.rejected, _sum(counted, completeness.total_count))
            counted = _sum(counted, completeness.total_count)
        self._repeated.pop((path, window), None)
        if seen_keys.repeated:
            self._repeated[path, window] = frozenset(seen_keys.repeated)
        seen_keys.finish()

    def find(
        self, table: RestTable, key: Key, parent: Mapping[str, KeyValue] | None = None
    ) -> Document | RejectedRecord | None:
        """Look up one record by its own address; None where the service says that there is none (404, 410).

        Args:
            table: One whose endpoint declares a `lookup`.
            key: All of it; the last column's value is what the address ends with.
            parent: As for `read`.

        Raises:
            UnconfirmedDeletion: It is not there, and it is not the service that says so.
            TransientError: The service could not be reached.
            EtlError: It refused, or gave another record; or no `lookup` is declared.
        """
        if table.lookup is None:
            raise EtlError(f"{table.name}: a record has no address of its own; its endpoint declares no lookup.")
        path = f"{self._address(table, parent)}/{_segment(table, key[-1])}"
        parameters = {name: value for name, value in table.endpoint.parameters.items() if name in RECORD_PARAMETERS}
        parse = EnvelopeParser(table, parent).parse_single
        try:
            found = self._client.get(
                path, parameters, parse=parse, headers=self._headers, timeout=table.endpoint.timeout
            )
        except NotFound:
            return None
        except RequestRejected as error:
            if error.is_missing:
                raise UnconfirmedDeletion(f"{error}. That is not in JSON, so a gateway may have said it.") from None
            raise
        if found.key != key:
            given = f"record {format_key(found.key)}" if found.key else "a record without a key"
            raise EtlError(f"{table.name} {format_key(key)}: the service gave {given} instead.")
        return found

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._client.requests

    def close(self) -> None:
        """End the connections; reads under way end with `Cancelled`."""
        self._client.close()

    def _address(self, table: RestTable, parent: Mapping[str, KeyValue] | None) -> str:
        """The path of the list, or of the list of one row of the parent table."""
        endpoint = table.endpoint
        wanted = {column for _, column in endpoint.placeholders}
        if table.per is None and parent is not None:
            raise EtlError(f"{table.name}: it is read at once, not for each row of another table.")
        if missing := sorted(wanted - set(parent or {})):
            owner = table.per.parent if table.per else None
            raise EtlError(f"{table.name}: it is read for each row of {owner}, and {', '.join(missing)} is not given.")
        return endpoint.address({column: _segment(table, (parent or {})[column]) for column in wanted}, self._settings)

    def _paging(self, table: RestTable, request: PageRequest) -> Paging:
        """The declared way to page through one of a table's lists."""
        declared, resolve = table.endpoint.paging, self._client.resolve
        if isinstance(declared, OData):
            endpoint = table.endpoint.path
            traits = self._traits.setdefault(endpoint, EndpointTraits(endpoint, declared, self.page_sizes))
            return ODataPaging(table, request, declared, resolve, traits)
        if isinstance(declared, NextLink):
            return LinkPaging(table.name, request, resolve)
        if isinstance(declared, SearchAfter):
            return SearchAfterPaging(table.name, request, declared)
        if isinstance(declared, Offset):
            return (CountedOffsetPaging if declared.count else OffsetPaging)(table.name, request, declared)
        return SinglePage(table.name, request)

    def _fetch(
        self,
        parser: EnvelopeParser,
        timeout: timedelta | None,
        position: int,
        request: PageRequest,
        cancellation: CancellationToken,
    ) -> ListPage:
        """Fetch one page, parsed inside of the call: a body that proves broken is retried."""
        parse = partial(parser.parse_page, first_position=position + request.offset)
        if request.body is not None:
            return self._client.search(
                request.path,
                request.body,
                request.parameters,
                parse=parse,
                headers=self._headers,
                cancellation=cancellation,
                timeout=timeout,
            )
        return self._client.get(
            request.path,
            request.parameters,
            parse=parse,
            headers=self._headers,
            cancellation=cancellation,
            timeout=timeout,
            is_divisible=request.is_divisible,
        )


def _segment(table: RestTable, value: KeyValue) -> str:
    """A value as one segment of a path."""
    text = str(value)
    if text in {"", ".", ".."}:
        # Even quoted, points are taken for a way up, and another list would be read.
        raise EtlError(f"{table.name}: a key of {text!r} cannot stand in an address.")
    return quote(text, safe="")


def _parameters(table: RestTable, span: Span | None) -> dict[str, str]:
    endpoint = table.endpoint
    window = {endpoint.window: _format_window(endpoint, span)} if span and endpoint.window else {}
    return {**endpoint.parameters, **window}


def _format_window(endpoint: Endpoint, span: Span) -> str:
    return endpoint.window_format.format(first=span.first, last=span.last, end=span.last + DAY)


def _sum(before: int | None, count: int | None) -> int | None:
    return before if count is None else count + (before or 0)


def _split_window(table: RestTable, window: Span | None) -> Sequence[Span | None]:
    """Split a window, with its pad, into the spans that the service allows in one list each."""
    endpoint = table.endpoint
    if table.window is None or endpoint.window is None:
        if window:
            raise EtlError(f"{table.name}: it is read whole, not by window.")
        return [None]
    if window is None or window.first > window.last:
        raise EtlError(f"{table.name}: it is read by window, from a first date to a last.")
    longest = endpoint.longest
    days = longest // DAY
    if days < 1:
        raise EtlError(f"{table.name}: its endpoint allows windows of {longest}, and a day is the shortest.")
    padded = window.extended(DAY * -(-table.window.pad // DAY))
    begin, pieces = padded.first, []
    while begin <= padded.last:
        pieces.append(Span(begin, min(begin + DAY * (days - 1), padded.last)))
        begin += DAY * days
    return pieces


def _check_window(table: RestTable, span: Span, documents: Sequence[Document]) -> None:
    allowed = span.extended(WINDOW_TOLERANCE)
    outside = sorted({document.slice for document in documents if document.slice and document.slice not in allowed})
    if outside:
        endpoint, parameter = table.endpoint, table.endpoint.window
        raise EtlError(
            f"{table.name}: asked for {parameter}={_format_window(endpoint, span)}, the service gave a record of"
            f" {outside[0]}. It does not know {parameter}, or ignores it."
        )
