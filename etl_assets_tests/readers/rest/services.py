"""Tables of a made-up service, and its list of records as a script for the stand-in."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from etl_assets.declare.tables import Endpoint, Full, Table, Window
from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient, Patience
from etl_assets.readers.rest.paging import OffsetPages
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, Script, StandIn, stand_in

QUICK = Patience(
    connect=timedelta(seconds=0.5),
    silence=timedelta(seconds=2),
    attempts=4,
    first_wait=timedelta(milliseconds=5),
    longest_wait=timedelta(milliseconds=20),
    total=timedelta(seconds=10),
)
CLIENTS = Table(
    name="clients",
    key="id",
    load=Full(),
    endpoint=Endpoint(
        path="clients", parameters={"includeInactive": "true", "include": "address", "fields": "id,name"}
    ),
)
SHIFTS = Table(
    name="shifts",
    key="id",
    load=Window(slice_by="startDateTime"),
    endpoint=Endpoint(
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
        said = {"count": len(self.records), "itemCount": len(given), "limit": limit, "offset": offset, **meta}
        body = b'{"meta":' + json.dumps(said).encode() + b',"data":[' + b",".join(given) + b"]}"
        return Answer(body=body, after=self.after)

    def one(self, key: int) -> Answer:
        found = next((raw for raw in self.records if json.loads(raw)["id"] == key), None)
        if found is None:
            return Answer(status=404, body=b'{"message": "not found"}')
        return Answer(body=b'{"data": ' + found + b"}")


def clients(count: int) -> list[bytes]:
    return [b'{"id": %d, "rate": 12.50, "name": "Client %d"}' % (key, key) for key in range(1, count + 1)]


@contextmanager
def pages_of(
    script: Script, *, limit: int = 10, connections: int = 6, **words
) -> Iterator[tuple[OffsetPages, StandIn]]:
    with stand_in(script) as server:
        client = HttpClient(f"{server.url}/rest", patience=QUICK, **words)
        reader = OffsetPages(client, limit=limit, connections=connections)
        try:
            yield reader, server
        finally:
            reader.close()


def read_all(reader: OffsetPages, table: Table = CLIENTS, window=None) -> tuple[list, list]:
    """The documents and the refused records."""
    documents, refused = [], []
    for page in reader.read(table, window):
        documents += page.documents
        refused += page.refused
    return documents, refused


def failure(script, table: Table = CLIENTS, window=None, **words) -> EtlError:
    with pages_of(script, **words) as (reader, _), pytest.raises(EtlError) as raised:
        read_all(reader, table, window)
    return raised.value


def offsets(server) -> list[int]:
    return sorted(int(asked.query["offset"]) for asked in server.asked)
