"""Completeness of a paginated list: duplicates, a count that falls, a total that is not what came.

A list may change while it is read: a record that is deleted moves those behind it forward, past the reader, and one
that is added moves them back, to be read twice. So the keys must be distinct, the count must not fall from page to page
and what came must be what the last page counts. No count shows a record deleted and another added between the same two
pages; the next reading has it. Of a list without a count only duplicates are found.
"""

from etl_assets.declare.document_reader import Key
from etl_assets.errors import ListChanged
from etl_assets.readers.rest.envelopes import ListPage


class Completeness:
    """Checks the pages of one list, in order, however it is paged."""

    def __init__(self, table: str, seen_keys: set[Key]) -> None:
        """Nothing came yet.

        Args:
            table: For messages.
            seen_keys: The keys that came before, in other lists of the same read too.
        """
        self.received = 0
        """Records so far."""
        self._table = table
        self._seen_keys = seen_keys
        self._total_count: int | None = None
        """Records of the whole list, as the last page that counts them has it."""

    def take(self, page: ListPage) -> None:
        """Count the next page in.

        Raises:
            ListChanged: Its list is shorter than that of the page before, or records of it had come before.
        """
        count = page.total_count
        if count is not None and self._total_count is not None and count < self._total_count:
            raise ListChanged(
                f"{self._table}: the list went from {self._total_count:,} records to {count:,} while it was read."
            )
        keys, before = page.keys, len(self._seen_keys)
        self._seen_keys.update(keys)
        if duplicates := len(keys) - (len(self._seen_keys) - before):
            raise ListChanged(
                f"{self._table}: {duplicates:,} records of the page from {self.received:,} had come before. They moved"
                " while the list was read, and others may have moved past the reader."
            )
        self.received += page.size
        self._total_count = self._total_count if count is None else count

    def finish(self) -> None:
        """The last page was counted in.

        Raises:
            ListChanged: The last count disagrees with the records that came.
        """
        if self._total_count not in {None, self.received}:
            raise ListChanged(
                f"{self._table}: {self.received:,} records came, and the last page counts {self._total_count:,}."
                " Where that happens at every reading, the count is not that of the list."
            )
