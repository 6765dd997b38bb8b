"""Sessions: whether the process that began something lives, known by a lock that dies with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect

_LOCK = "hashtextextended('etl batch ' || %s, 0)"
"""Of a batch, which is a session too, of a run of the terminal, and of one on a worker: no two ids are the same."""
_FIND_DEAD_HOST = "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"
"""The lock of a host that lost its power is let go of after a minute; the system's own default is two hours."""


@contextmanager
def open_session(settings: Settings, session: str | None = None) -> Iterator[str]:
    """Hold a session, a new one where none is named, for the time of the `with` block; gives its id."""
    session = session or str(uuid4())
    with connect(settings, autocommit=True) as connection:
        connection.execute(_FIND_DEAD_HOST)
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
