"""The heartbeat outward, by which somebody else notices that nobody here would tell of anything."""

from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import psycopg

from etl_assets.errors import EtlError
from etl_assets.readers.rest.client import HttpClient, RetryPolicy
from etl_assets.settings import Settings
from etl_assets.warehouse.outbox import due_messages

LATE = timedelta(minutes=5)
"""How long a message may have been due: with one that is older, people do not hear what they should."""
HEARTBEAT = "ETL_HEARTBEAT_URL"
ONCE = RetryPolicy(connect_timeout=timedelta(seconds=5), read_timeout=timedelta(seconds=5), max_attempts=1)


def beat(settings: Settings, connection: psycopg.Connection, now: datetime) -> bool:
    """Ask for ETL_HEARTBEAT_URL, where it is set and every message that was due has been sent; whether that arrived.

    What is watched by it is to raise the alarm when it has not come for some minutes.
    """
    url = settings.given.get(HEARTBEAT)
    if not url or due_messages(connection, now - LATE):
        return False
    where = urlsplit(url)
    try:
        with HttpClient(f"{where.scheme}://{where.netloc}", retry_policy=ONCE) as client:
            client.get(where.path, dict(parse_qsl(where.query)), parse=len)
    except EtlError:
        return False  # whoever waits for it notices that by itself
    return True
