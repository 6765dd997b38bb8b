"""Databases for the stand-in of Lacrei Saude."""

from collections.abc import Callable, Iterator

import psycopg
import pytest


@pytest.fixture
def in_empty_database(empty_database: Callable[[], str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_database(), autocommit=True) as connection:
        yield connection
