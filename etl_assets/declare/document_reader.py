"""Document reader: what a connection to a service must offer the loader.

Records travel as JSON documents in the bytes that the service sent. A record is not decoded and encoded again: 12.50
stays 12.50, and a field that nobody here knows of is kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeAlias
from uuid import UUID

from etl_assets.declare.dates import Span
from etl_assets.declare.rest import RestTable

KeyValue: TypeAlias = int | str | UUID | date
Key: TypeAlias = tuple[KeyValue, ...]
"""The values of a table's key columns, in their order: bigint, text, uuid or date."""


@dataclass(frozen=True, slots=True)
class Document:
    """One record as a JSON document."""

    key: Key
    slice: date | None
    """The site's own date on which it happened, for tables that are read by window."""
    raw: bytes
    """JSON in UTF-8."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One record that cannot be kept, and why; it goes to the quarantine of rejected rows."""

    key: Key | None
    """Its key, where all of it could be read."""
    position: int
    """Its position in the list, from 0."""
    field: str | None
    reason: str
    raw: str
    """The record as it came, cut short where it is long."""


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page of a table's records."""

    documents: Sequence[Document]
    rejected: Sequence[RejectedRecord] = ()
    counted: int | None = None
    """Records that the service counts in the lists of this read, up to this page's; None where it counts none."""


class DocumentReader(Protocol):
    """A connection to a service, or to one of its instances, that answers with documents."""

    page_sizes: dict[str, int]
    """Records asked for in a page, by the declared path of endpoints that did not give as many in time. What an earlier
    connection came to may be put here before anything is read."""

    def read(
        self, table: RestTable, window: Span | None = None, parent: Mapping[str, KeyValue] | None = None
    ) -> Iterator[DocumentPage]:
        """Every record of a table or, of a table that is read by window, those of a span of dates.

        Args:
            table: Which.
            window: The dates; cut into pieces where the service allows only shorter spans.
            parent: The key of the parent's row, by its columns, of a table that is read for each row of another.

        Yields:
            Pages. What was read stands only when the iterator has ended without an error. No document has the key
            of one before: where a list repeats records, all but the first are rejected.

        Raises:
            ListChanged: The list changed while it was read. Throw away what came, and begin again.
            TransientError: The service could not be reached.
            EtlError: The service refused, ignored what it was asked, or its own count disagrees with what it sent.
        """
        ...

    def find(
        self, table: RestTable, key: Key, parent: Mapping[str, KeyValue] | None = None
    ) -> Document | RejectedRecord | None:
        """Look up one record by its own address; None where the service says that there is none (404).

        Raises:
            UnconfirmedDeletion: It is not there, and it is not the service that says so.
            TransientError: The service could not be reached.
            EtlError: It refused; or the table's endpoint declares no `lookup`.
        """
        ...

    @property
    def requests(self) -> int:
        """Requests sent so far, those that failed and were repeated too."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...
