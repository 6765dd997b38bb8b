"""A module's warehouse, a connection that may write anywhere in it, and dbt on it."""

from collections.abc import Iterator

import psycopg
import pytest

from etl_assets_tests.sql.dbt_runs import SQL, TRIAL, Dbt


@pytest.fixture(scope="module")
def warehouse(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """The module's warehouse as its owner, each statement for itself."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def dbt(warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The warehouse's own dbt project."""
    return Dbt(SQL, warehouse_url, tmp_path_factory.mktemp("dbt"))


@pytest.fixture(scope="module")
def trial(warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The dbt project that exists only to try the macros."""
    return Dbt(TRIAL, warehouse_url, tmp_path_factory.mktemp("dbt"))
