"""OData pagination: `$top`, `$skip`, `$orderby` and `$count`, next links, and servers that keep less than they should.

`$top` is a total: a server gives less at a time, and a link to the rest of it. Others give less and no link, so a list
ends where its count says so, or with a page that cannot be followed by another (`ODataPaging._is_last`). Lists that are
declared as plain arrays are often given all at once, whatever is asked for.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from etl_assets.declare.document_reader import Key
from etl_assets.declare.endpoints import OData
from etl_assets.declare.rest import RestTable
from etl_assets.errors import EtlError
from etl_assets.readers.cancellation import CancellationToken
from etl_assets.readers.rest.completeness import MAX_RECORDS
from etl_assets.readers.rest.envelopes import ListPage
from etl_assets.readers.rest.paging import Answers, Fetch, LoopGuard, PageRequest, Paging, Resolve
from etl_assets.readers.rest.responses import RequestRejected
from etl_assets.readers.rest.retries import IncompleteAnswer

logger = logging.getLogger(__name__)

MIN_PAGE_SIZE = 50
"""Records that a page is not made smaller than, where it does not come in time."""
ORDER, COUNT = "$orderby", "$count"
"""What some endpoints do not offer, and reject a request for."""
_SORTED_ALIKE = frozenset({"bigint", "date"})
"""Types of which every service has the same order."""


@dataclass
class EndpointTraits:
    """What the lists of one endpoint have shown of it: one for all of them, shared by their threads."""

    path: str
    """As it is declared."""
    declared: OData
    page_sizes: dict[str, int]
    """Of all endpoints of the reader."""
    offered: frozenset[str] = field(init=False)
    """Of `$orderby` and `$count` those that are declared, and were not rejected."""
    is_ordered: bool = field(init=False)
    """Whether the order that is asked for is kept, as far as it can be seen."""
    longest_page: int = 0
    """Records of the longest page so far: the server does not cap pages below it."""
    shortest_cut: int | None = None
    """Records of the shortest page that the server cut short without a link."""

    def __post_init__(self) -> None:
        self.offered = frozenset([ORDER] * bool(self.declared.order_by) + [COUNT] * self.declared.count)
        self.is_ordered = ORDER in self.offered

    @property
    def page_size(self) -> int:
        """Records to be asked for in one page."""
        least = min(MIN_PAGE_SIZE, self.declared.size)
        return max(min(self.page_sizes.get(self.path, self.declared.size), self.declared.size), least)

    def shrink(self, table: str, size: int) -> None:
        """Ask for no more than this in a page from now on: it came in time, and more did not."""
        smaller = max(min(size, self.page_size), MIN_PAGE_SIZE)
        logger.warning("%s: pages do not come in time or whole; from now on they are of %s records", table, smaller)
        self.page_sizes[self.path] = smaller

    def fallbacks(self) -> list[frozenset[str]]:
        """What may be asked for instead of all that is offered."""
        less = dict.fromkeys([self.offered - {ORDER}, self.offered - {COUNT}, frozenset[str]()])
        return [offered for offered in less if offered != self.offered]

    def reject(self, table: str, offered: frozenset[str]) -> None:
        """From now on no more than this is asked for."""
        if offered != self.offered:
            logger.info("%s: the service does not offer %s", table, " and ".join(sorted(self.offered - offered)))
            self.offered = offered
            self.is_ordered = self.is_ordered and ORDER in offered


class ODataPaging(Paging):
    """Pages of one OData list: in parallel where a count and an order make them known, else one after the other."""

    def __init__(
        self, table: RestTable, request: PageRequest, declared: OData, resolve: Resolve, traits: EndpointTraits
    ) -> None:
        self._table = table.name
        self._request = request
        self._declared = declared
        self._resolve = resolve
        self._traits = traits
        self._order_column = _order_column(table, declared.order_by)
        self._guard = LoopGuard(table.name)
        self._followed: set[str] = set()
        self._step: int | None = None
        """Records from one request to the next, where they are made in parallel."""
        self._first: ListPage | None = None
        self._last_request = request
        self._last_keys: frozenset[Key] = frozenset()
        self._last_document: Key | None = None
        self._received = 0
        self._count: int | None = None
        """Records of the whole list, as the last page that counts them has it."""
        self._asked_until = 0
        """Records of the list that all were asked for by `$top`; those behind were not."""
        self._cut_size: int | None = None
        """Of the last page, where it was shorter than asked for, and had no link."""

    def first(self) -> PageRequest:
        """The page from 0."""
        return self._at(0, self._traits.page_size)

    def answer(self, request: PageRequest, fetch: Fetch, cancellation: CancellationToken) -> Answers:
        """A page, and of what the request wants those that bring the rest of it: by link, or by `$skip`."""
        wanted, answers = request.wanted, [self._without_all_again(*self._ask(request, fetch, cancellation))]
        while True:
            request, page = answers[-1]
            wanted -= page.size
            if wanted <= 0 or not (page.size or page.next_link):
                return answers
            following = self._link(request, page) or self._at(request.offset + page.size, wanted)
            answers.append(self._ask(replace(following, wanted=wanted), fetch, cancellation))
            if not page.size:
                self._guard.count_page()

    def _without_all_again(self, request: PageRequest, page: ListPage) -> tuple[PageRequest, ListPage]:
        """A page, empty where it has all of the first one again: an array that ignores `$skip` gives all at once."""
        first = self._first
        is_again = (
            first is not None
            and page.is_array
            and request.offset == first.size < self._traits.page_size
            and page.documents == first.documents
        )
        return request, replace(page, first_key=None, documents=[], rejected=[]) if is_again else page

    def rest(self, first: ListPage) -> Iterable[PageRequest]:
        """All others of a list that is counted and ordered, unless the service itself pages in another way."""
        self._first = first
        if self._traits.is_ordered and not self._is_sorted(first):
            logger.info("%s: the service does not heed %s", self._table, ORDER)
            self._traits.is_ordered = False
        count = first.total_count
        if count is None or not first.size or not self._traits.is_ordered or not _leads_by_skip(first):
            return ()
        asked = self._traits.page_size
        if first.size < min(asked, count):
            logger.info("%s: asked for pages of %s, the service gives %s", self._table, asked, first.size)
        self._step, self._count = min(first.size, asked), count
        return self._up_to_count(first.size)

    def next(self, last: ListPage) -> Iterable[PageRequest]:
        """The page that the last one names, or the one behind what came: a list may have grown since it was counted."""
        if link := self._link(self._last_request, last):
            return (link,)
        return () if self._is_last(last) else (self._at(self._received, self._traits.page_size),)

    def check(self, request: PageRequest, page: ListPage) -> None:
        """What was asked for must be heeded, and no page come again."""
        count, before = page.total_count, self._count
        if count is not None:
            self._count = count
            if before is not None and count < before:
                return  # the list shrank, which is for `Completeness` to tell
        self._check_size(request, page)
        if request.limit is not None and count == before:
            self._check_first_key(request, page)
        self._guard.check(request, page, is_bounded=bool(page.size and self._count is not None))
        self._check_order(request, page)
        self._take(request, page)

    def _take(self, request: PageRequest, page: ListPage) -> None:
        """Note what a page shows of the server."""
        traits = self._traits
        if page.size and self._cut_size:
            traits.shortest_cut = min(traits.shortest_cut or self._cut_size, self._cut_size)
        traits.longest_page = max(traits.longest_page, page.size)
        self._received += page.size
        if request.limit is not None:
            self._asked_until = request.offset + request.limit
        is_short = page.next_link is None and self._received < self._asked_until
        self._cut_size = page.size if is_short else None
        self._last_request = request
        self._last_keys = frozenset(page.keys)
        if page.documents:
            self._last_document = page.documents[-1].key

    def _is_last(self, page: ListPage) -> bool:
        """Whether nothing comes behind a page without a link.

        An empty page that was asked for by `$skip` is the last, and one with which as many came as are counted; but not
        a first page that is full, for some services count the page. Without a count a first page is the last as well
        that is shorter than asked for and than others of the table, so that the server could have given more: of short
        lists there may be thousands. Not so where pages were cut below that, by bytes say.
        """
        if not page.size and self._last_request.limit is not None:
            return True
        is_first, is_full = page.size == self._received, self._received >= self._asked_until
        if self._count is not None:
            return self._received >= self._count and not (is_first and is_full)
        is_short = is_first and not is_full and 0 < page.size < self._traits.longest_page
        return is_short and self._traits.longest_page <= (self._traits.shortest_cut or MAX_RECORDS)

    def _ask(self, request: PageRequest, fetch: Fetch, cancellation: CancellationToken) -> tuple[PageRequest, ListPage]:
        """Fetch a page; of half as many records, again and again, where it does not come in time or whole.

        That is kept for other pages once a smaller one has come: a service that is down gives none of any size.
        """
        whole, halvings = self._traits.page_size, 0
        if request.limit and request.limit > whole:  # it was made before that was known
            request = self._at(request.offset, whole, wanted=request.wanted)
        while True:
            try:
                answer = self._ask_what_is_offered(request, fetch, cancellation)
            except IncompleteAnswer:
                halvings += 1
                smaller = max((request.limit or whole) // 2, MIN_PAGE_SIZE)
                request = self._at(request.offset, min(smaller, request.wanted or smaller), wanted=request.wanted)
            else:
                if halvings:
                    self._traits.shrink(self._table, whole >> halvings)
                return answer

    def _ask_what_is_offered(
        self, request: PageRequest, fetch: Fetch, cancellation: CancellationToken
    ) -> tuple[PageRequest, ListPage]:
        """Fetch a page; the first one without an order or a count, where the service rejects them (400)."""
        try:
            return request, fetch(request, cancellation)
        except RequestRejected as error:
            if request.offset or request.limit is None or error.status != HTTPStatus.BAD_REQUEST:
                raise
            for offered in self._traits.fallbacks():
                with suppress(RequestRejected):
                    request = self._at(0, request.limit, offered=offered)
                    page = fetch(request, cancellation)
                    self._traits.reject(self._table, offered)
                    return request, page
            raise

    def _at(self, offset: int, limit: int, *, wanted: int = 0, offered: frozenset[str] | None = None) -> PageRequest:
        offered = self._traits.offered if offered is None else offered
        limit = min(limit, self._traits.page_size)
        parameters = {**self._request.parameters, "$top": str(limit), "$skip": str(offset)}
        if ORDER in offered:
            parameters[ORDER] = ",".join(self._declared.order_by)
        if COUNT in offered:
            parameters[COUNT] = "true"
        return PageRequest(self._request.path, parameters, offset, limit, wanted, limit > MIN_PAGE_SIZE)

    def _link(self, request: PageRequest, page: ListPage) -> PageRequest | None:
        """The page that the answer to a request names. Its link has all parameters in it."""
        if page.next_link is None:
            return None
        link = self._resolve(page.next_link, request.path)
        if link in self._followed:
            raise EtlError(
                f"{self._table}: the page from {request.offset:,} names a next page that was read before. The list goes"
                " round in circles."
            )
        self._followed.add(link)
        # Another way to the same page there is in an order alone.
        is_divisible = self._traits.is_ordered and self._traits.page_size > MIN_PAGE_SIZE
        return PageRequest(link, {}, request.offset + page.size, is_divisible=is_divisible)

    def _up_to_count(self, offset: int) -> Iterable[PageRequest]:
        step, count = self._step or 1, self._count or 0
        return (self._at(at, step, wanted=min(step, count - at)) for at in range(offset, count, step))

    def _check_size(self, request: PageRequest, page: ListPage) -> None:
        end, limit = request.offset + page.size, request.limit
        if self._step and request.offset != self._received:
            raise self._parameter_ignored(
                "$top", f"{self._received:,} records came before the page from {request.offset:,}"
            )
        if limit is not None and page.size > limit and end != self._count and (self._step or page.next_link is None):
            raise self._parameter_ignored("$top", f"{page.size:,} records came where {limit:,} were asked for")
        if not page.size and page.next_link is None and page.total_count is not None and end < page.total_count:
            raise EtlError(
                f"{self._table}: the service counts {page.total_count:,} records, and its page from {end:,} gives none."
            )

    def _check_first_key(self, request: PageRequest, page: ListPage) -> None:
        if not request.offset or self._first is None or page.first_key is None:
            return
        # One record may be like another, where their content is their key.
        pairs = zip(self._first.keys, page.keys, strict=False)
        if page.first_key == self._first.first_key and all(first == again for first, again in pairs):
            raise self._parameter_ignored(
                "$skip", f"the page from {request.offset:,} begins with the same record as the first"
            )

    def _check_order(self, request: PageRequest, page: ListPage) -> None:
        """A page must not go before the last one, unless records moved, which is for `Completeness` to tell."""
        if not self._traits.is_ordered or not self._last_keys.isdisjoint(page.keys):
            return
        if not self._is_sorted(page, after=self._last_document):
            raise EtlError(
                f"{self._table}: the page from {request.offset:,} is not in the order that was asked for,"
                f" {','.join(self._declared.order_by)}, and those before were. Declare another order, or none."
            )

    def _is_sorted(self, page: ListPage, *, after: Key | None = None) -> bool:
        """Whether its documents, and the key before them, are in the order that was asked for, as far as keys tell."""
        if self._order_column is None:
            return True
        keys = [after] * (after is not None) + [document.key for document in page.documents]
        values = [key[self._order_column.place] for key in keys if key]
        return values == sorted(values, reverse=self._order_column.is_descending)

    def _parameter_ignored(self, parameter: str, found: str) -> EtlError:
        return EtlError(
            f"{self._table}: the service does not page by {parameter}: {found}. If it always gives all of a list at"
            " once, declare OnePage()."
        )


@dataclass(frozen=True)
class _OrderColumn:
    """The column of the key by which a list is ordered before all else."""

    place: int
    is_descending: bool


def _order_column(table: RestTable, order_by: Sequence[str]) -> _OrderColumn | None:
    """None where the key does not tell the order, or not the one that the service's database has."""
    path, _, direction = (order_by[0] if order_by else "").strip().partition(" ")
    given = {*(table.per.gives if table.per else {}), *table.endpoint.constants}
    for place, column in enumerate(table.key_fields):
        if column.path == path.replace("/", ".") and column.type in _SORTED_ALIKE and column.name not in given:
            return _OrderColumn(place, direction.strip().lower() == "desc")
    return None


def _leads_by_skip(page: ListPage) -> bool:
    """Whether the page that a page names is the one that `$skip` gives: other links only the service can make."""
    if page.next_link is None:
        return True
    return parse_qs(urlsplit(page.next_link).query).get("$skip") == [str(page.size)]
