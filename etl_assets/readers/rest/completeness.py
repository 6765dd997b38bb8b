"""A list that is given in pages: all of them, several at once, and whether what came is the whole list.

A list may change while it is read: a record that is deleted moves those behind it forward, past the reader, and one
that is added moves them back, to be read twice. So the keys must be distinct, the count must not fall from page to page
and what came must be what the last page counts. No count shows a record deleted and another added between the same two
pages; the next reading has it.
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from etl_assets.errors import EtlError, ListChanged
from etl_assets.readers.prefetch import in_order
from etl_assets.readers.rest.client import HttpClient
from etl_assets.readers.rest.envelopes import ListAnswer, RecordReader
from etl_assets.readers.rest.rate_limit import Stop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What is asked for, page by page."""

    client: HttpClient
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    records: RecordReader
    first_place: int
    """Of its first record, in the read that the list is a part of."""

    def page(self, offset: int, limit: int, stop: Stop) -> ListAnswer:
        """One page, cut into records inside of the call: a body that proves broken is asked for again."""
        return self.client.get(
            self.path,
            {**self.parameters, "limit": str(limit), "offset": str(offset)},
            read=partial(self.records.page, first_place=self.first_place + offset),
            headers=self.headers,
            stop=stop,
        )


class Listing:
    """One list, from its first page to the last, and what it must obey."""

    def __init__(self, table: str, question: Question, *, limit: int, seen: set[int]) -> None:
        self.received = 0
        """Records so far."""
        self._table = table
        self._question = question
        self._limit = limit
        """Records asked for in a page; what the first one gave, where the service gives no more."""
        self._seen = seen
        """The keys that came before, in other lists of the same read too."""
        self._count = 0
        """Records of the whole list, as the last page said it."""
        self._first_key: int | None = None

    def answers(self, connections: int, parent: Stop) -> Generator[ListAnswer]:
        """All pages in order, fetched by so many threads at once; it ends without an error where all of them agree."""
        first = self._question.page(0, self._limit, parent)
        self._begin(first)
        offsets = range(0, max(self._count, 1), self._limit)
        while offsets:
            stop = parent.child()
            fetch = partial(self._question.page, limit=self._limit, stop=stop)
            calls = [partial(fetch, offset) if offset else (lambda: first) for offset in offsets]
            with closing(in_order(calls, threads=connections, ahead=2 * connections, stop=stop)) as pages:
                for offset, answer in zip(offsets, pages, strict=True):
                    self._check(offset, answer)
                    yield answer
            # A list that grew at its end has more pages by now.
            offsets = range(offsets[-1] + self._limit, self._count, self._limit)
        if self.received != self._count:
            raise ListChanged(
                f"{self._table}: {self.received:,} records came, and the last page counts {self._count:,}. Where that"
                " happens at every reading, the count is not that of the list."
            )

    def _begin(self, first: ListAnswer) -> None:
        """See from the first page what the others must be like."""
        self._count = first.count
        self._first_key = first.first_key
        if first.given >= min(self._limit, first.count):
            return
        if not first.given:
            raise EtlError(f"{self._table}: the service counts {first.count:,} records, and its first page gives none.")
        logger.info("%s: asked for pages of %s, the service gives %s", self._table, self._limit, first.given)
        self._limit = first.given

    def _check(self, offset: int, answer: ListAnswer) -> None:
        """Take the next page for what it is, or say what is wrong with it."""
        if answer.given > self._limit:
            raise self._ignored("limit", f"{answer.given:,} records came where {self._limit:,} were asked for")
        if answer.offset not in {None, offset}:
            raise self._ignored("offset", f"the page from {offset:,} says that it begins at {answer.offset:,}")
        if answer.count < self._count:
            raise ListChanged(
                f"{self._table}: the list went from {self._count:,} records to {answer.count:,} while it was read."
            )
        is_second = offset == self._limit and answer.count == self._count
        if is_second and answer.first_key is not None and answer.first_key == self._first_key:
            raise self._ignored("offset", f"the page from {offset:,} begins with the same record as the first")
        if answer.given < self._limit and offset + self._limit < answer.count:
            raise self._ignored(
                "limit",
                f"the page from {offset:,} has {answer.given:,} records of {self._limit:,}, and is not the last",
            )
        keys = [document.key for document in answer.documents]
        keys += [record.key for record in answer.refused if record.key is not None]
        before = len(self._seen)
        self._seen.update(keys)
        if twice := len(keys) - (len(self._seen) - before):
            raise ListChanged(
                f"{self._table}: {twice:,} records of the page from {offset:,} had come before. They moved while the"
                " list was read, and others may have moved past the reader."
            )
        self.received += answer.given
        self._count = answer.count

    def _ignored(self, parameter: str, found: str) -> EtlError:
        return EtlError(f"{self._table}: the service does not page by {parameter}: {found}.")
