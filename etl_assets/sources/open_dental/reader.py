"""How one speaks to Open Dental: with its database, by a read-only account. See README.md here for its manners."""

from collections.abc import Mapping

from etl_assets.declare.database import DatabaseReader
from etl_assets.readers.database import connect_database

NEEDS = ("url",)


def connect(given: Mapping[str, str]) -> DatabaseReader:
    """A connection to the database that the settings name.

    Raises:
        EtlError: A setting cannot be used, or the database refuses the account.
        TransientError: The database is away.
    """
    return connect_database(given, variables="ETL_OPEN_DENTAL")
