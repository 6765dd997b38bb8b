"""Sessions: whether the process that began something lives, known by a lock that dies with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect

_LOCK = "hashtextextended('etl session ' || %s, 0)"


@contextmanager
def open_session(settings: Settings) -> Iterator[str]:
    """Hold a lock of this process's own for the time of the `with` block, and give the session's id."""
    session = str(uuid4())
    with connect(settings, autocommit=True) as connection:
        connection.execute(f"select pg_advisory_lock({_LOCK})", [session])
        yield session


def is_session_alive(connection: psycopg.Connection, session: str) -> bool:
    """Whether a process still holds the session; in autocommit mode, so that no lock is kept by asking."""
    row = connection.execute(f"select pg_try_advisory_xact_lock({_LOCK})", [session]).fetchone()
    return row is None or not row[0]
