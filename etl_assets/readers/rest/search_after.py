"""Pagination by the place of the last record: a search that is sent by POST, and goes on behind what came.

That a list is whole is shown by its count, which every page says again; here it is seen that the service heeds what it
is asked.
"""

from collections.abc import Iterable, Sequence

from etl_assets.declare.endpoints import SearchAfter
from etl_assets.errors import EtlError
from etl_assets.readers.rest.envelopes import ListPage, Place
from etl_assets.readers.rest.paging import LoopGuard, PageRequest, Paging


class SearchAfterPaging(Paging):
    """Pages one after the other, each behind the last record of the one before.

    A page that is full may have a next one whatever the count says: some services count no further than their searches
    reach, and the rest would be lost without a word. The price is one request more, of a list that fills its pages.
    """

    def __init__(self, table: str, request: PageRequest, declared: SearchAfter) -> None:
        """Nothing is asked yet; `request` has the body without page size and place."""
        self._table = table
        self._request = request
        self._declared = declared
        self._guard = LoopGuard(table)
        self._received = 0
        self._place: Place | None = None
        """Of the last record that came."""

    def first(self) -> PageRequest:
        """The page that begins with no record."""
        return self._next_page()

    def rest(self, first: ListPage) -> Sequence[PageRequest]:
        """None: each page is known by the one before it."""
        del first
        return ()

    def next(self, last: ListPage) -> Iterable[PageRequest]:
        """The page behind the last record; none after an empty one, or where all have come, or more than there are."""
        self._received += last.size
        missing = (last.total_count or 0) - self._received
        if not last.size or missing < 0 or (missing == 0 and last.size < self._declared.size):
            return ()
        if not last.place:
            raise EtlError(
                f"{self._table}: the last of {self._received:,} records has no {self._declared.at}, and nothing else"
                " says where the next page begins."
            )
        self._place = last.place
        return (self._next_page(),)

    def check(self, request: PageRequest, page: ListPage) -> None:
        """The page size must be heeded, no page come again, and none lie before the one that came last."""
        declared = self._declared
        if page.size > declared.size:
            raise EtlError(
                f"{self._table}: the service does not page by {declared.limit}: {page.size:,} records came where"
                f" {declared.size:,} were asked for."
            )
        self._guard.check(request, page)
        if self._place and page.place and _is_before(page.place[0], self._place[0]):
            raise EtlError(
                f"{self._table}: the page from {request.offset:,} ends before it begins, in the order that was asked"
                f" for: the service does not sort the list, or ignores {declared.after}."
            )

    def _next_page(self) -> PageRequest:
        declared, body = self._declared, dict(self._request.body or {})
        body[declared.limit] = declared.size
        if self._place is not None:
            body[declared.after] = self._place
        return PageRequest(self._request.path, self._request.parameters, self._received, body=body)


def _is_before(one: float | str | None, other: float | str | None) -> bool:
    """Whether a number lies before another; of all else the service's own order is not known."""
    return isinstance(one, int | float) and isinstance(other, int | float) and one < other
