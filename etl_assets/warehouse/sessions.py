"""Sessions: whether the process that began something lives, known by a lock that dies with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect

_LOCK = "hashtextextended('etl batch ' || %s, 0)"
"""Of a batch, which is a session too, and of a run of the terminal: their ids are never the same."""


@contextmanager
def open_session(settings: Settings) -> Iterator[str]:
    """Hold a lock of this process's own for the time of the `with` block, and give the session's id."""
    session = str(uuid4())
    with connect(settings, autocommit=True) as connection:
        hold_session(connection, session)
        yield session


def hold_session(connection: psycopg.Connection, session: str) -> None:
    """Hold a session for as long as the connection lives. PostgreSQL lets go of it when that ends, however it ends."""
    connection.execute(f"select pg_advisory_lock({_LOCK})", [session])


def is_session_alive(connection: psycopg.Connection, session: str) -> bool:
    """Whether a process still holds the session.

    Where none does, the one who asks holds it until its transaction ends: at once in autocommit mode.
    """
    row = connection.execute(f"select pg_try_advisory_xact_lock({_LOCK})", [session]).fetchone()
    return row is None or not row[0]
