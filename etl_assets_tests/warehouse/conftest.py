from collections.abc import Iterator

import psycopg
import pytest

from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect


@pytest.fixture
def ledger(settings: Settings) -> Iterator[psycopg.Connection]:
    """The ledger of one test's own warehouse, as the loader, each statement for itself."""
    with connect(settings, autocommit=True) as connection:
        yield connection
