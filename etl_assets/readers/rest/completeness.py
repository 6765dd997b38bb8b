"""Completeness of a paginated list: duplicates, a count that falls, a total that is not what came.

A list may change while it is read: a record that is deleted moves those behind it forward, past the reader, and one
that is added moves them back, to be read twice. So the keys must be distinct, the count must not fall from page to page
and what came must be what the last page counts. No count shows a record deleted and another added between the same two
pages; the next reading has it. Of a list without a count only duplicates are found.

Some lists repeat a record for good: a query at the service joins it to two rows. What moves gives other records twice
at the next reading, and what repeats gives the same ones: then it is whole, and the copies are rejected.
"""

from dataclasses import replace

from etl_assets.declare.document_reader import Key
from etl_assets.declare.rest import RestTable
from etl_assets.errors import EtlError, ListChanged
from etl_assets.readers.rest.envelopes import ListPage
from etl_assets.readers.rest.packed_keys import PackedKeys
from etl_assets.readers.rest.records import reject_repeated

MAX_RECORDS = 10_000_000
"""Records of a list at most: their keys are kept in memory until its end, in some 150 bytes each."""


class SeenKeys:
    """The keys that came in one read, of one list or more."""

    def __init__(self, table: RestTable, repeated_before: frozenset[Key] = frozenset()) -> None:
        """None came yet; `repeated_before` are the keys that the reading before gave more than once."""
        self.received = 0
        """Records so far."""
        self.repeated: set[Key] = set()
        """Those that came with one page and with another. Within one page nothing moves."""
        self._table = table
        self._repeated_before = repeated_before
        self._seen = PackedKeys()

    def take(self, page: ListPage) -> ListPage:
        """The page without the records whose key came before: these are rejected."""
        first_position, keys = self.received, page.keys
        self.received += page.size
        earlier = self._seen.take(keys)
        self.repeated |= earlier
        if not earlier and len(set(keys)) == len(keys):
            return page
        places = {*range(first_position, self.received)} - {each.position for each in page.rejected}
        documents, rejected = [], list(page.rejected)
        for place, document in zip(sorted(places), page.documents, strict=True):
            if document.key in earlier:
                rejected.append(reject_repeated(self._table, document, place))
            else:
                documents.append(document)
                earlier.add(document.key)
        return replace(page, documents=documents, rejected=sorted(rejected, key=lambda each: each.position))

    def finish(self) -> None:
        """The last page of the last list came.

        Raises:
            ListChanged: Records came with several pages that the reading before did not give twice.
        """
        if moved := len(self.repeated - self._repeated_before):
            raise ListChanged(
                f"{self._table.name}: {moved:,} records came more than once. They moved while the list was read, and"
                " others may have moved past the reader."
            )


class Completeness:
    """Checks the pages of one list, in order, however it is paged."""

    def __init__(self, table: str, seen_keys: SeenKeys) -> None:
        """Nothing came yet.

        Args:
            table: For messages.
            seen_keys: The keys that came before, in other lists of the same read too.
        """
        self.received = 0
        """Records so far."""
        self._table = table
        self._seen_keys = seen_keys
        self.total_count: int | None = None
        """Records of the whole list, as the last page that counts them has it."""

    def take(self, page: ListPage) -> ListPage:
        """Count the next page in; what comes back is without the records that came before.

        Raises:
            ListChanged: Its list is shorter than that of the page before.
            EtlError: The list is longer than any that can be read, by what came of it or by its count.
        """
        count = page.total_count
        if count is not None and self.total_count is not None and count < self.total_count:
            raise ListChanged(
                f"{self._table}: the list went from {self.total_count:,} records to {count:,} while it was read."
            )
        if max(count or 0, self._seen_keys.received + page.size) > MAX_RECORDS:
            number = f"counts {count:,}" if count else f"has more than {MAX_RECORDS:,}"
            raise EtlError(
                f"{self._table}: the list {number} records, and one of more than {MAX_RECORDS:,} is not read at once."
                " If it is that long, read it by window; else the service's count is wrong, or its list has no end."
            )
        self.received += page.size
        self.total_count = self.total_count if count is None else count
        return self._seen_keys.take(page)

    def finish(self) -> None:
        """The last page was counted in.

        Raises:
            ListChanged: The last count disagrees with the records that came.
        """
        if self.total_count not in {None, self.received}:
            raise ListChanged(
                f"{self._table}: {self.received:,} records came, and the last page counts {self.total_count:,}."
                " Where that happens at every reading, the count is not that of the list."
            )
