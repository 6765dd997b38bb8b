"""What a service's records are on their way: JSON documents, as the bytes that the service sent.

A record is not decoded and encoded again: 12.50 stays 12.50, and a field that nobody here knows of is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from etl_assets.declare.tables import Table


@dataclass(frozen=True, slots=True)
class Document:
    """One record."""

    key: int
    slice: date | None
    """The site's own date on which it happened, for tables that are read by window."""
    raw: bytes
    """JSON in UTF-8."""


@dataclass(frozen=True, slots=True)
class RefusedDocument:
    """One record that cannot be kept, and why."""

    key: int | None
    """Its id, where that could be read."""
    place: int
    """Its place in the answer, from 0."""
    field: str | None
    reason: str
    raw: str
    """The record as it came, cut short where it is long."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a table."""

    documents: Sequence[Document]
    refused: Sequence[RefusedDocument] = ()


class DocumentReader(Protocol):
    """A connection to a service that answers with documents."""

    def read(self, table: Table, window: tuple[date, date] | None = None) -> Iterator[Page]:
        """Every record of a table or, of a table that is read by window, those of a span of dates.

        Args:
            table: One that has an endpoint.
            window: First and last date, both included; cut into pieces where the service allows only shorter ones.

        Yields:
            Pages. What was read stands only when the iterator has ended without an error.

        Raises:
            TransientError: The service could not be reached, or its list changed all the time while it was read.
            EtlError: The service refused, ignored what it was asked, or its own count disagrees with what it sent.
        """
        ...

    def find(self, table: Table, key: int) -> Document | None:
        """One record by its id; None where the service says that there is none (404).

        Raises:
            TransientError: The service could not be reached.
            EtlError: It refused.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...
