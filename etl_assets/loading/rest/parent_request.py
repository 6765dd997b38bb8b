"""The request for one row of a job's parent table, and what an answer says of the endpoint."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from etl_assets.declare.document_reader import Document, DocumentPage, DocumentReader, KeyValue
from etl_assets.declare.rest import RestTable
from etl_assets.errors import EtlError, ListChanged
from etl_assets.loading.load import ATTEMPTS
from etl_assets.readers.cancellation import Cancelled
from etl_assets.readers.rest.client import RequestRejected
from etl_assets.warehouse.rest.job_ledger import NOT_LICENSED, NOT_OFFERED


@dataclass(frozen=True)
class ParentPages:
    """What a parent's request came to."""

    parent_key: str
    pages: Sequence[DocumentPage] = ()
    digest: UUID | None = None
    error: EtlError | None = None


def ask_parent(
    reader: DocumentReader, table: RestTable, parent_key: str, parent: Mapping[str, KeyValue]
) -> ParentPages:
    """Read the list of one parent; called by several threads at once."""
    for attempt in range(ATTEMPTS):
        try:
            pages = list(reader.read(table, None, parent))
            break
        except Cancelled:
            raise
        except ListChanged as error:
            if attempt == ATTEMPTS - 1:
                return ParentPages(parent_key, error=error)
        except EtlError as error:
            return ParentPages(parent_key, error=error)
    digest = hashlib.md5(usedforsecurity=False)
    for document in _documents(pages):
        digest.update(document.raw)
    return ParentPages(parent_key, pages, UUID(bytes=digest.digest()))


def _documents(pages: Sequence[DocumentPage]) -> Iterator[Document]:
    for page in pages:
        yield from page.documents


def availability_of(error: EtlError) -> str | None:
    """What an answer says of the endpoint: that there is none, or none for us; None where it says neither."""
    if not isinstance(error, RequestRejected):
        return None
    return NOT_OFFERED if error.is_not_offered else NOT_LICENSED if error.is_unlicensed else None
