"""Calls of a client to the stand-in, with little patience, and all that an error says."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient, Patience
from etl_assets_tests.readers.rest.stand_in import Answer, Script, StandIn, in_turn, json_answer, stand_in

QUICK = Patience(
    connect=timedelta(seconds=0.2),
    silence=timedelta(seconds=0.2),
    attempts=4,
    first_wait=timedelta(milliseconds=5),
    longest_wait=timedelta(milliseconds=20),
    total=timedelta(seconds=5),
)
SECRET = "hunter2-s3cret"  # noqa: S105
GOOD = json_answer({"a": 1})


class Key:
    """An authority with a key that cannot be renewed."""

    def __init__(self, key: str = SECRET) -> None:
        self.key = key

    def headers(self, post) -> Mapping[str, str]:
        return {"Authorization": f"Key {self.key}"}

    def renew(self, refused, post) -> bool:
        return False

    def secrets(self) -> tuple[str, ...]:
        return (self.key,)


@contextmanager
def service(script: Script, **words) -> Iterator[tuple[HttpClient, StandIn]]:
    with stand_in(script) as server, HttpClient(server.url, **{"patience": QUICK, **words}) as client:
        yield client, server


def get(client: HttpClient, path: str = "shifts", **words):
    return client.get(path, read=json.loads, **words)


def failed(*answers: Answer, **words) -> tuple[EtlError, StandIn]:
    with service(in_turn(*answers), **words) as (client, server):
        with pytest.raises(EtlError) as raised:
            get(client)
        return raised.value, server


def everything_in(error: BaseException | None) -> str:
    """All that an error, what caused it and what it was raised in say, and hold."""
    said, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        said += [str(error), repr(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "\n".join(said)
