"""The connection to Lacrei Saude's PostgreSQL, by a read-only account. See README.md here for its manners."""

from collections.abc import Mapping

from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.readers.database import connect_database

REQUIRED_SETTINGS = ("url",)


def connect_lacrei_saude(given: Mapping[str, str]) -> DatabaseReader:
    """A connection to the database that the settings name.

    Raises:
        EtlError: A setting cannot be used, or the database refuses the account.
        TransientError: The database is away.
    """
    return connect_database(given, variables="ETL_LACREI_SAUDE")
