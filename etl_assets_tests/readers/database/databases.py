"""What the tests of the database readers share: statements run at a source, blocks taken apart."""

from collections.abc import Iterable
from importlib.util import find_spec

import pytest

from etl_assets.readers.database import open_connection

INSTALLED = tuple(
    name for name, module in {"pymysql": "pymysql", "mysqlclient": "MySQLdb"}.items() if find_spec(module)
)
DRIVERS = (
    "pymysql",
    pytest.param(
        "mysqlclient",
        marks=pytest.mark.skipif(
            "mysqlclient" not in INSTALLED,
            reason="mysqlclient IS NOT INSTALLED AND WAS NOT TESTED: it must be compiled; pip install '.[mysqlclient]'",
        ),
    ),
)


def execute(url: str, *statements: str) -> None:
    """Run statements at a source, as whoever writes into it."""
    connection = open_connection(url)
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
    finally:
        connection.close()


def rows_of(blocks: Iterable[bytes]) -> list[list[str]]:
    """The rows of COPY's text format, their values still escaped."""
    return [line.split("\t") for line in b"".join(blocks).decode().splitlines()]


def keys_of(blocks: Iterable[bytes]) -> list[int]:
    """The first value of each row."""
    return [int(row[0]) for row in rows_of(blocks)]
