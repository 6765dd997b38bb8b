"""Lists that were asked for, kept as bytes until the company changes or there are too many."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from etl_assets.sandbox.tracktik.answers import envelope
from etl_assets.sandbox.tracktik.books import Books
from etl_assets.sandbox.tracktik.query import Query
from etl_assets.sandbox.tracktik.selection import select
from etl_assets.sandbox.transport import Answer, packed

_MOST_DOCUMENTS = 400_000  # about half a gigabyte of shifts


@dataclass
class Listed:
    """Every document of a query, and the pages that were packed."""

    documents: list[bytes]
    pages: dict[tuple[int, int], bytes] = field(default_factory=dict)


class Lists:
    """Makes pages of lists, each list once for as long as the company stays as it is."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._kept: OrderedDict[tuple[int, Query], Listed] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, query: Query, request: dict[str, object], *, gzip: bool, shift: int = 0, lie: int = 0) -> Answer:
        """One page, as gzip where that is asked for.

        Args:
            query: With its limit and offset.
            request: What `meta.request` says.
            gzip: Whether the caller takes it packed; a packed page is kept.
            shift: By how many documents the list has grown at its beginning since the page before.
            lie: How much is added to the count.
        """
        listed = self.listed(query)
        begin, place = query.offset - shift, (query.offset, query.limit)
        if gzip and not shift and not lie and place in listed.pages:
            return Answer(200, listed.pages[place], packed=True)
        body = envelope(
            listed.documents[max(0, begin) : max(0, begin + query.limit)],
            count=len(listed.documents) + lie,
            limit=query.limit,
            offset=query.offset,
            request=request,
            resource=query.resource.path,
        )
        if not gzip or shift or lie:
            return Answer(200, body)
        listed.pages[place] = packed(body)
        return Answer(200, listed.pages[place], packed=True)

    def listed(self, query: Query) -> Listed:
        """The list of a query; it is made where it is not kept."""
        key = self._books.version, query.whole
        found = self._kept.get(key)
        if found is None:
            with self._lock:
                found = self._kept.get(key) or self._make(query)
        return found

    def _make(self, query: Query) -> Listed:
        with self._books.lock:
            version = self._books.version
            made = Listed(select(self._books, query))
        for key in [key for key in self._kept if key[0] != version]:
            del self._kept[key]
        while (
            self._kept
            and len(made.documents) + sum(len(one.documents) for one in self._kept.values()) > _MOST_DOCUMENTS
        ):
            self._kept.popitem(last=False)
        self._kept[version, query.whole] = made
        return made
