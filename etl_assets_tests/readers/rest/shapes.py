"""Tables of every shape of services, each read from a real HTTP server, and the lists that these give."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from etl_assets.declare.dates import Span
from etl_assets.declare.endpoints import (
    Endpoint,
    Envelope,
    NextLink,
    Offset,
    Paging,
    Records,
)
from etl_assets.declare.rest import RestTable, Window
from etl_assets.declare.tables import Field, Full
from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient
from etl_assets.readers.rest.reader import RestReader
from etl_assets_tests.readers.rest.calls import Key
from etl_assets_tests.readers.rest.services import QUICK
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, Script, StandIn, json_answer, stand_in

ITEMS = Records(at="Items")
ITEM_LINKS = NextLink(at="NextPageLink", count="Count")
VALUE = Records(at="value")
VALUE_LINKS = NextLink(at="@odata.nextLink", count="@odata.count")
OFFSETS = Offset(limit="take", offset="skip", size=10)


def table(
    envelope: Envelope = VALUE,
    paging: Paging = VALUE_LINKS,
    *,
    key: str | tuple[str, ...] = "id",
    known: tuple[Field, ...] = (),
    load: Full | Window | None = None,
    **endpoint,
) -> RestTable:
    endpoint = {"path": "visits", "envelope": envelope, "paging": paging, **endpoint}
    return RestTable(name="visits", key=key, load=load or Full(), endpoint=Endpoint(**endpoint), fields=known)


@contextmanager
def reading(script: Script, **options) -> Iterator[tuple[RestReader, StandIn]]:
    with stand_in(script) as server:
        reader = RestReader(HttpClient(f"{server.url}/api/v1", auth=Key(), retry_policy=QUICK), **options)
        try:
            yield reader, server
        finally:
            reader.close()


def read_all(script: Script, declared: RestTable, window: Span | None = None, parent=None):
    """The documents, the rejected records, and the server."""
    with reading(script) as (reader, server):
        pages = list(reader.read(declared, window, parent))
    return (
        [each for page in pages for each in page.documents],
        [each for page in pages for each in page.rejected],
        server,
    )


def read_keys(script: Script, declared: RestTable, **options) -> list:
    documents, rejected, _ = read_all(script, declared, **options)
    assert rejected == []
    return [document.key for document in documents]


def failure(script: Script, declared: RestTable, **options) -> EtlError:
    with pytest.raises(EtlError) as raised:
        read_all(script, declared, **options)
    assert "visits" in str(raised.value)
    return raised.value


def records(first: int, last: int) -> list[dict]:
    return [{"id": number, "rate": 12.5} for number in range(first, last + 1)]


def one_to(last: int) -> list[tuple[int]]:
    return [(number,) for number in range(1, last + 1)]


def linked(total: int, size: int, make: Callable[[Asked, list, int | None], dict]) -> Script:
    """A list by links; `make` gives a page from its records and the token of the next one, if there is one."""

    def script(asked: Asked) -> Answer:
        skip = int(asked.query.get("$skiptoken", 0))
        after = skip + size
        return json_answer(make(asked, records(skip + 1, min(after, total)), after if after < total else None))

    return script


def absolute(asked: Asked, found: list, after: int | None, **page) -> dict:
    link = f"http://{asked.headers['Host']}{asked.path}?$skiptoken={after}"
    return {"Items": found, "NextPageLink": link if after else None, "Count": 25, **page}


def relative(asked: Asked, found: list, after: int | None) -> dict:
    """As OData has it: no link on the last page, and the count on the first one alone."""
    count = {} if "$skiptoken" in asked.query else {"@odata.count": 25}
    return {**count, "value": found, **({"@odata.nextLink": f"visits?$skiptoken={after}"} if after else {})}


def skipping(
    total: int, *, cap: int = 1000, envelope: Callable[[list, int], object] = lambda found, _: found
) -> Script:
    """A list by `skip` and `take`, with no more than `cap` records in a page."""

    def script(asked: Asked) -> Answer:
        skip, take = int(asked.query["skip"]), int(asked.query["take"])
        return json_answer(envelope(records(skip + 1, min(skip + min(take, cap), total)), total))

    return script
