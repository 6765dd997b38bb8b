"""Readers of databases: MySQL and MariaDB, and PostgreSQL. What turns into what: `mysql_types`, `postgres_types`."""

from collections.abc import Mapping
from typing import Any

from etl_assets.declare.database import DatabaseReader
from etl_assets.errors import EtlError
from etl_assets.readers.database.address import MYSQL, Address
from etl_assets.readers.database.mysql import MysqlReader
from etl_assets.readers.database.mysql_link import connect_link, open_mysql
from etl_assets.readers.database.postgres import PostgresReader
from etl_assets.readers.database.postgres_link import PostgresLink, open_postgres


def connect_database(given: Mapping[str, str], *, variables: str = "ETL_OPEN_DENTAL") -> DatabaseReader:
    """Open a reader of the database that is set.

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
    address = Address.of(url, f"{variables}_URL")
    if address.scheme in MYSQL:
        return MysqlReader(connect_link(address, given.get("driver")))
    return PostgresReader(PostgresLink(address))


def open_connection(url: str, *, driver: str | None = None) -> Any:
    """A DB-API connection of the driver's own to a database, autocommit on: for what writes into a stand-in source.

    Args:
        url: As `connect_database` has it.
        driver: For MySQL: mysqlclient or pymysql.

    Raises:
        EtlError: The URL cannot be read, or the database refuses.
        TransientError: The database cannot be reached.
    """
    address = Address.of(url, "The URL")
    if address.scheme in MYSQL:
        return open_mysql(address, driver)
    return open_postgres(address)
