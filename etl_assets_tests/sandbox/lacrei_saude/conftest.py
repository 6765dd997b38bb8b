"""Databases for the stand-in of Lacrei Saude: empty ones, and one of each schema that is filled once and only read."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from etl_assets.warehouse import embedded

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def empty_database(server: Path) -> Callable[[], str]:
    """Makes a database without a table, and gives its URL."""

    def make() -> str:
        name = f"lacrei_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(embedded.server_url(server, "postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template template0")
        return embedded.server_url(server, name)

    return make


@pytest.fixture
def in_empty_database(empty_database: Callable[[], str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_database(), autocommit=True) as connection:
        yield connection
