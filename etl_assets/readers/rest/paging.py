"""Pagination: which requests give a list page by page, and how a service that pages in another way is found out.

Each way to page is a class that knows of requests and pages alone. What is fetched ahead is decided by `fetch_pages`,
what makes a list whole by `completeness.py`.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Protocol

from etl_assets.declare.endpoints import Offset
from etl_assets.errors import EtlError
from etl_assets.readers.cancellation import CancellationToken
from etl_assets.readers.prefetch import ordered_map
from etl_assets.readers.rest.completeness import Completeness
from etl_assets.readers.rest.envelopes import ListPage
from etl_assets.readers.rest.responses import RequestRejected

logger = logging.getLogger(__name__)

MAX_PAGES = 10_000
"""Pages of a list that says no end in advance: more are taken for a list that has none."""


@dataclass(frozen=True)
class PageRequest:
    """The request for one page."""

    path: str
    """What follows the service's base, or an address within the service."""
    parameters: Mapping[str, str]
    offset: int = 0
    """Records of the list before it."""
    limit: int | None = None
    """Records asked for at most, where the request says so."""
    wanted: int = 0
    """Records that must come of it before the next request's do: of less, what is missing is asked for as well."""
    is_divisible: bool = False
    """Whether fewer records can be asked for, where the answer does not come in time or whole."""
    body: Mapping[str, object] | None = None
    """What is sent as JSON, by POST; a GET where None."""


Fetch = Callable[[PageRequest, CancellationToken], ListPage]
Resolve = Callable[[str, str], str]
"""The address of a link in the answer to a path; EtlError where it leads out of the service."""
Answers = Sequence[tuple[PageRequest, ListPage]]
"""Pages, each with the request that it answers."""


class Paging(Protocol):
    """A way to page through one list. It keeps count of the list, so each list has its own."""

    def first(self) -> PageRequest:
        """The request for the first page."""
        ...

    def rest(self, first: ListPage) -> Iterable[PageRequest]:
        """All requests that are known once the first page is there; they may be fetched ahead, and are made one by one.

        Raises:
            EtlError: The page is not that of such a list.
        """
        ...

    def next(self, last: ListPage) -> Iterable[PageRequest]:
        """The requests that are known when all those before are answered; none ends the list.

        Raises:
            EtlError: The list goes round in circles.
        """
        ...

    def check(self, request: PageRequest, page: ListPage) -> None:
        """Check a page, in the order of the list, against its request.

        Raises:
            EtlError: The service ignores what it was asked.
        """
        ...

    def answer(self, request: PageRequest, fetch: Fetch, cancellation: CancellationToken) -> Answers:
        """Fetch what a request asks for: at least one page. Called by several threads at once."""
        return ((request, fetch(request, cancellation)),)

    def later_answer(self, request: PageRequest, fetch: Fetch, cancellation: CancellationToken) -> Answers:
        """As `answer`, of a page behind the first: that it is not there says nothing of the list.

        Raises:
            EtlError: The service says that there is no such page.
        """
        try:
            return self.answer(request, fetch, cancellation)
        except RequestRejected as error:
            if error.is_not_offered or error.is_unlicensed:
                raise EtlError(f"{error}. The first page of the list was answered.") from None
            raise


def fetch_pages(
    paging: Paging, fetch: Fetch, completeness: Completeness, *, connections: int, parent: CancellationToken
) -> Generator[ListPage]:
    """Yield all pages of a list in order; it ends without an error where all of them agree.

    Args:
        paging: Of this list alone.
        fetch: Called by several threads at once.
        completeness: Told of each page.
        connections: Pages fetched at once, where they are known in advance; twice as many wait to be taken.
        parent: Ends the read when cancelled.
    """
    first = paging.answer(paging.first(), fetch, parent)
    # The first page stands among the others, which are fetched while it is taken.
    requests, calls = paging.rest(first[0][1]), [partial(_already_fetched, first)]
    is_over = False
    while not is_over:
        cancellation, is_over = parent.child(), True
        # Made as they are wanted: a count may be of a million pages.
        coming = (partial(paging.later_answer, request, fetch, cancellation) for request in requests)
        head = [*calls, *islice(coming, 1 if calls else 2)]
        # One call needs no thread: of short lists there may be thousands.
        with closing(
            (call() for call in head)
            if len(head) <= 1
            else ordered_map(
                chain(head, coming), threads=connections, prefetch=2 * connections, cancellation=cancellation
            )
        ) as answered:
            for request, page in chain.from_iterable(answered):
                is_over = False
                paging.check(request, page)
                yield completeness.take(page)
        requests, calls = paging.next(page), []
    completeness.finish()


def _already_fetched(answers: Answers) -> Answers:
    return answers


class SinglePage(Paging):
    """One answer that holds everything."""

    def __init__(self, table: str, request: PageRequest) -> None:
        self._table = table
        self._request = request

    def first(self) -> PageRequest:
        """The only request."""
        return self._request

    def rest(self, first: ListPage) -> Sequence[PageRequest]:
        """None."""
        del first
        return ()

    def next(self, last: ListPage) -> Sequence[PageRequest]:
        """None."""
        del last
        return ()

    def check(self, request: PageRequest, page: ListPage) -> None:
        """An answer that names a next page is not all."""
        del request
        if page.next_link is not None:
            raise EtlError(f"{self._table}: its answer names a next page, and it is declared to be all in one.")


class LinkPaging(Paging):
    """Pages that each name the address of the next one."""

    def __init__(self, table: str, request: PageRequest, resolve: Resolve) -> None:
        self._table = table
        self._request = request
        self._resolve = resolve
        self._followed: set[str] = set()
        self._guard = LoopGuard(table)
        self._received = 0

    def first(self) -> PageRequest:
        """The list's own address."""
        return self._request

    def rest(self, first: ListPage) -> Sequence[PageRequest]:
        """None: each page is known by the one before it."""
        del first
        return ()

    def next(self, last: ListPage) -> Sequence[PageRequest]:
        """The page that the last one names. Its link has all parameters in it."""
        self._received += last.size
        if last.next_link is None:
            return ()
        link = self._resolve(last.next_link, self._request.path)
        if link in self._followed:
            raise EtlError(
                f"{self._table}: the page from {self._received - last.size:,} names a next page that was read before."
                " The list goes round in circles."
            )
        self._followed.add(link)
        self._request = PageRequest(link, {}, self._received)
        return (self._request,)

    def check(self, request: PageRequest, page: ListPage) -> None:
        """A page that came before ends the read."""
        self._guard.check(request, page)


class OffsetPaging(Paging):
    """Pages by limit and offset of a list without a count: one after the other, until one is empty.

    A page that is shorter than the one before does not end the list: a service may cap its pages by bytes, and the rest
    would be lost without a word. The price is one request more a list. The next page begins behind what came.
    """

    def __init__(self, table: str, request: PageRequest, declared: Offset) -> None:
        self._table = table
        self._request = request
        self._declared = declared
        self._limit = declared.size
        """Records asked for in a page."""
        self._guard = LoopGuard(table)
        self._received = 0
        self._first: ListPage | None = None

    def first(self) -> PageRequest:
        """The page from 0."""
        return self._at(0)

    def rest(self, first: ListPage) -> Iterable[PageRequest]:
        """None: nothing tells how many there are."""
        self._first = first
        return ()

    def next(self, last: ListPage) -> Iterable[PageRequest]:
        """The page behind what came; none after an empty one."""
        self._received += last.size
        return (self._at(self._received),) if last.size else ()

    def check(self, request: PageRequest, page: ListPage) -> None:
        """Limit and offset must be heeded, and no page come again."""
        self._check_parameters(request, page)
        if request.offset:
            self._check_first_key(request, page)
        self._guard.check(request, page)

    def _at(self, offset: int) -> PageRequest:
        window = {self._declared.limit: str(self._limit), self._declared.offset: str(offset)}
        return PageRequest(self._request.path, {**self._request.parameters, **window}, offset)

    def _check_parameters(self, request: PageRequest, page: ListPage) -> None:
        if page.size > self._limit:
            raise self._parameter_ignored("limit", f"{page.size:,} records came where {self._limit:,} were asked for")
        if page.offset not in {None, request.offset}:
            raise self._parameter_ignored(
                "offset", f"the page from {request.offset:,} says that it begins at {page.offset:,}"
            )

    def _check_first_key(self, request: PageRequest, page: ListPage) -> None:
        if self._first and page.first_key is not None and page.first_key == self._first.first_key:
            raise self._parameter_ignored(
                "offset", f"the page from {request.offset:,} begins with the same record as the first"
            )

    def _parameter_ignored(self, parameter: str, found: str) -> EtlError:
        return EtlError(f"{self._table}: the service does not page by {parameter}: {found}.")


class CountedOffsetPaging(OffsetPaging):
    """Pages by limit and offset of a list that each page counts: all are known from the first one."""

    def __init__(self, table: str, request: PageRequest, declared: Offset) -> None:
        super().__init__(table, request, declared)
        self._count = 0
        """Records of the whole list, as the last page has it."""
        self._end = 0
        """Where the first page begins that was not asked for yet."""

    def rest(self, first: ListPage) -> Iterable[PageRequest]:
        """All others. What the first one gave is asked for from now on, where the service gives no more."""
        self._first, self._count = first, first.total_count or 0
        if not first.size and self._count:
            raise EtlError(f"{self._table}: the service counts {self._count:,} records, and its first page gives none.")
        if first.size < min(self._limit, self._count):
            logger.info("%s: asked for pages of %s, the service gives %s", self._table, self._limit, first.size)
            self._limit = first.size
        self._end = self._limit
        return self._up_to_count()

    def next(self, last: ListPage) -> Iterable[PageRequest]:
        """Those that a list has more by now, which grew at its end."""
        del last
        return self._up_to_count()

    def check(self, request: PageRequest, page: ListPage) -> None:
        """Limit and offset must be heeded, and none but the last page be short."""
        self._check_parameters(request, page)
        count, before = page.total_count or 0, self._count
        self._count = count
        if count < before:
            return  # the list shrank, which is for `Completeness` to tell
        if request.offset == self._limit and count == before:
            self._check_first_key(request, page)
        if page.size == self._limit or request.offset + self._limit >= count:
            return
        if not page.size:
            raise EtlError(
                f"{self._table}: the service counts {count:,} records, and its page from {request.offset:,} gives none."
            )
        raise self._parameter_ignored(
            "limit",
            f"the page from {request.offset:,} has {page.size:,} records of {self._limit:,}, and is not the last",
        )

    def _up_to_count(self) -> Iterable[PageRequest]:
        offsets = range(self._end, self._count, self._limit)
        pages = max(-(-(self._count - self._end) // self._limit), 0)
        self._end += pages * self._limit
        return map(self._at, offsets)


class LoopGuard:
    """Ends a list that comes again and again, or has no end."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._pages = 0
        self._seen: set[int] = set()

    def check(self, request: PageRequest, page: ListPage, *, is_bounded: bool = False) -> None:
        """Raise EtlError where all records of a page came as a page before, or the list is too long.

        Args:
            request: What the page answers.
            page: The next of the list.
            is_bounded: Whether a count says how many such pages there are at most.
        """
        if not is_bounded:
            self.count_page()
        # By all of a page: records without a key may be alike.
        content = hash((*page.keys, *(record.raw for record in page.rejected if record.key is None)))
        if page.size and content in self._seen:
            raise EtlError(
                f"{self._table}: the page from {request.offset:,} has the records of a page before. The service gives"
                " the same page again."
            )
        self._seen.add(content)

    def count_page(self) -> None:
        """Count a page of which nothing else says how many there may be."""
        self._pages += 1
        if self._pages > MAX_PAGES:
            raise EtlError(
                f"{self._table}: the list has more than {MAX_PAGES:,} pages, so it may have no end. If it is that long,"
                " declare larger pages."
            )
