"""Open connections to the warehouse, each in the role of the work it does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import Connection

from etl_assets.errors import EtlError, TransientError
from etl_assets.settings import Settings
from etl_assets.warehouse import embedded

__all__ = [
    "LOADER",
    "PERSONAL_READER",
    "PREVIEWER",
    "READER",
    "TRANSFORMER",
    "Connection",
    "connect",
    "connect_dagster",
    "dagster_url",
    "is_transient",
    "warehouse_url",
]

LOADER, TRANSFORMER, READER = "etl_loader", "etl_transformer", "etl_reader"
PERSONAL_READER, PREVIEWER = "etl_personal_reader", "etl_previewer"
_MAY_PASS = ("08", "40", "53", "55006", "55P03", "57", "58")
"""SQLSTATEs: the connection, rollbacks, resources, objects in use, locks, the operator, and the system outside."""
RECOVERING = ("database system is", "not yet accepting connections", "due to administrator command")
"""What a server says that is starting up, in recovery after a crash, or shutting down."""
RECOVERY_SECONDS = 20.0
"""How long a connection waits for that; a tick of a sensor may take a minute."""
RECOVERY_POLL_SECONDS = 0.2
OLDEST = 170000
"""PostgreSQL 17: the first whose COPY skips a row that does not fit and says which."""


def warehouse_url(settings: Settings) -> str:
    """The warehouse's URL, password and all; the embedded server is started where it is down."""
    return settings.warehouse_url or embedded.start_server(settings.home / "postgres")


def dagster_url(settings: Settings) -> str:
    """The URL of Dagster's own database, in the form that dagster-postgres takes.

    A bare `postgresql://` means psycopg 3 to newer SQLAlchemy, and every run then dies on its first event.
    """
    url = settings.dagster_url or urlunsplit(urlsplit(warehouse_url(settings))._replace(path="/dagster"))
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def connect(settings: Settings, *, role: str | None = LOADER, autocommit: bool = False) -> psycopg.Connection:
    """A connection to the warehouse that acts as `role`; as the login itself where that is None.

    Raises:
        TransientError: The server cannot be reached.
        EtlError: The server refused: a password, a database or a role is not there; or it is too old.
    """
    connection = _open(settings, autocommit=autocommit)
    if connection.info.server_version < OLDEST:
        connection.close()
        raise EtlError("The warehouse is older than PostgreSQL 17. Name another in ETL_WAREHOUSE_URL, or upgrade it.")
    if role:
        connection.execute("select set_config('role', %s, false)", [role])
        if not autocommit:
            connection.commit()
    return connection


def _open(settings: Settings, *, autocommit: bool) -> psycopg.Connection:
    end = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            return psycopg.connect(
                warehouse_url(settings), autocommit=autocommit, application_name="etl_assets", connect_timeout=15
            )
        except psycopg.OperationalError as error:
            is_recovering = any(words in str(error) for words in RECOVERING)
            if is_recovering and time.monotonic() < end:
                time.sleep(RECOVERY_POLL_SECONDS)
                continue
            kind = EtlError if "FATAL" in str(error) and not is_recovering else TransientError
            raise kind(f"The warehouse cannot be reached: {_without_secret(error)}") from None


@contextmanager
def connect_dagster(settings: Settings) -> Iterator[psycopg.Connection | None]:
    """A connection to Dagster's own database for the time of the `with` block; None where there is none yet.

    Raises:
        EtlError: It cannot be reached, or it refuses.
    """
    url = dagster_url(settings).replace("postgresql+psycopg2://", "postgresql://", 1)
    try:
        connection = psycopg.connect(url, application_name="etl_assets", connect_timeout=15)
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise EtlError(f"Dagster's database cannot be reached: {_without_secret(error)}") from None
        yield None
        return
    with connection:
        yield connection


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same may go through later: the connection was lost, or the server was busy or out of resources.

    Not so of what a statement itself cannot do, though it may be an OperationalError too: a row that is too big, more
    columns than a query may have.
    """
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_MAY_PASS)


def _without_secret(error: Exception) -> str:
    """The message of libpq without the URL that a malformed one would show."""
    text = str(error)
    return "the URL is not one of PostgreSQL's" if "://" in text else text.strip()
