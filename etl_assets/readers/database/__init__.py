"""Database readers: MySQL and MariaDB, and PostgreSQL. The type mappings are in `mysql_types` and `postgres_types`."""

from collections.abc import Mapping
from typing import Any

from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.errors import EtlError
from etl_assets.readers.database.database_url import MYSQL, DatabaseUrl
from etl_assets.readers.database.mysql import MysqlReader
from etl_assets.readers.database.mysql_connection import connect_mysql, open_mysql
from etl_assets.readers.database.postgres import PostgresReader
from etl_assets.readers.database.postgres_connection import PostgresConnection, open_postgres


def connect_database(given: Mapping[str, str], *, variables: str = "ETL_OPEN_DENTAL") -> DatabaseReader:
    """Connect to the database whose URL is set, and return its reader.

    Args:
        given: What is set of a source: `url`, and `driver` (mysqlclient or pymysql; mysqlclient where it is installed).
        variables: What the names of these settings begin with, for messages.

    Raises:
        EtlError: The URL cannot be read, or the database refuses.
        TransientError: The database cannot be reached.
    """
    url = given.get("url")
    if not url:
        raise EtlError(f"{variables}_URL is not set.")
    address = DatabaseUrl.parse(url, f"{variables}_URL")
    if address.scheme in MYSQL:
        return MysqlReader(connect_mysql(address, given.get("driver")))
    return PostgresReader(PostgresConnection(address))


def open_connection(url: str, *, driver: str | None = None) -> Any:
    """A DB-API connection of the driver's own to a database, autocommit on: for what writes into a stand-in source.

    Args:
        url: As `connect_database` has it.
        driver: For MySQL: mysqlclient or pymysql.

    Raises:
        EtlError: The URL cannot be read, or the database refuses.
        TransientError: The database cannot be reached.
    """
    address = DatabaseUrl.parse(url, "The URL")
    if address.scheme in MYSQL:
        return open_mysql(address, driver)
    return open_postgres(address)
