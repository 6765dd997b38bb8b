"""Tables of a made-up service, and its list of records as a script for the stand-in."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from etl_assets.declare.endpoints import Endpoint, Offset, Records, Single
from etl_assets.declare.rest import RestTable, Window
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient, RetryPolicy
from etl_assets.readers.rest.reader import RestReader
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, Script, StandIn, stand_in

QUICK = RetryPolicy(
    connect_timeout=timedelta(seconds=0.5),
    read_timeout=timedelta(seconds=2),
    max_attempts=4,
    initial_backoff=timedelta(milliseconds=5),
    max_backoff=timedelta(milliseconds=20),
    total_timeout=timedelta(seconds=10),
)
listed = partial(
    Endpoint,
    envelope=Records(at="data"),
    paging=Offset(limit="limit", offset="offset", count="meta.count", echo="meta.offset"),
    lookup=Single(at="data"),
)
CLIENTS = RestTable(
    name="clients",
    key="id",
    load=Full(),
    endpoint=listed(path="clients", parameters={"includeInactive": "true", "include": "address", "fields": "id,name"}),
)
SHIFTS = RestTable(
    name="shifts",
    key="id",
    load=Window(slice_by="startDateTime"),
    endpoint=listed(
        path="shifts",
        parameters={"includeInactive": "true"},
        window="startDateTime:between",
        longest=timedelta(days=31),
    ),
)


class Service:
    """A service with one list, in pages by limit and offset; a record is its bytes."""

    def __init__(self, records: list[bytes], *, after: float = 0.0, cap: int | None = None) -> None:
        self.records = records
        self.after = after
        self.cap = cap
        """The most records of a page, whatever is asked for."""
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        if "offset" not in asked.query:
            return self.one(int(asked.path.rpartition("/")[2]))
        with self.lock:
            return self.page(int(asked.query["offset"]), int(asked.query["limit"]))

    def page(self, offset: int, limit: int, **meta: object) -> Answer:
        given = self.records[offset : offset + min(limit, self.cap or limit)]
        envelope = {"count": len(self.records), "itemCount": len(given), "limit": limit, "offset": offset, **meta}
        body = b'{"meta":' + json.dumps(envelope).encode() + b',"data":[' + b",".join(given) + b"]}"
        return Answer(body=body, after=self.after)

    def one(self, key: int) -> Answer:
        found = next((raw for raw in self.records if json.loads(raw)["id"] == key), None)
        if found is None:
            return Answer(status=404, body=b'{"message": "not found"}')
        return Answer(body=b'{"data": ' + found + b"}")


def clients(count: int) -> list[bytes]:
    return [b'{"id": %d, "rate": 12.50, "name": "Client %d"}' % (key, key) for key in range(1, count + 1)]


class SmallPages(RestReader):
    """Reads tables that are paged by offset in pages of another size than they declare."""

    def __init__(self, client: HttpClient, *, size: int, connections: int) -> None:
        super().__init__(client, connections=connections)
        self.size = size

    def read(self, table, window=None, parent=None):
        paging = replace(table.endpoint.paging, size=self.size)
        return super().read(replace(table, endpoint=replace(table.endpoint, paging=paging)), window, parent)


@contextmanager
def pages_of(
    script: Script, *, limit: int = 10, connections: int = 6, **options
) -> Iterator[tuple[RestReader, StandIn]]:
    with stand_in(script) as server:
        client = HttpClient(f"{server.url}/rest", retry_policy=QUICK, **options)
        reader = SmallPages(client, size=limit, connections=connections)
        try:
            yield reader, server
        finally:
            reader.close()


def read_all(reader: RestReader, table: RestTable = CLIENTS, window=None) -> tuple[list, list]:
    """The documents and the refused records."""
    documents, rejected = [], []
    for page in reader.read(table, window):
        documents += page.documents
        rejected += page.rejected
    return documents, rejected


def failure(script, table: RestTable = CLIENTS, window=None, **options) -> EtlError:
    with pages_of(script, **options) as (reader, _), pytest.raises(EtlError) as raised:
        read_all(reader, table, window)
    return raised.value


def offsets(server) -> list[int]:
    return sorted(int(asked.query["offset"]) for asked in server.asked)
