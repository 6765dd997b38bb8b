"""Calls of a client to the stand-in, with little patience, and all that an error says."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient, RetryPolicy
from etl_assets_tests.readers.rest.stand_in import Answer, Script, StandIn, in_turn, json_answer, stand_in

QUICK = RetryPolicy(
    connect_timeout=timedelta(seconds=0.2),
    read_timeout=timedelta(seconds=0.2),
    max_attempts=4,
    initial_backoff=timedelta(milliseconds=5),
    max_backoff=timedelta(milliseconds=20),
    total_timeout=timedelta(seconds=5),
)
SECRET = "hunter2-s3cret"  # noqa: S105
GOOD = json_answer({"a": 1})


class Key:
    """An authority with a key that cannot be renewed."""

    def __init__(self, key: str = SECRET) -> None:
        self.key = key

    def headers(self, post) -> Mapping[str, str]:
        return {"Authorization": f"Key {self.key}"}

    def refresh(self, rejected, post) -> bool:
        return False

    def secrets(self) -> tuple[str, ...]:
        return (self.key,)


@contextmanager
def service(script: Script, **options) -> Iterator[tuple[HttpClient, StandIn]]:
    with stand_in(script) as server, HttpClient(server.url, **{"retry_policy": QUICK, **options}) as client:
        yield client, server


def get(client: HttpClient, path: str = "shifts", **options):
    return client.get(path, parse=json.loads, **options)


def failed(*answers: Answer, **options) -> tuple[EtlError, StandIn]:
    with service(in_turn(*answers), **options) as (client, server):
        with pytest.raises(EtlError) as raised:
            get(client)
        return raised.value, server


def everything_in(error: BaseException | None) -> str:
    """All that an error, what caused it and what it was raised in say, and hold."""
    message, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        message += [str(error), repr(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "\n".join(message)
