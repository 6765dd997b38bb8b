"""One connection to PostgreSQL as a source: rows as lines of COPY, driver errors translated."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from etl_assets.declare.database_reader import SourceTable
from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.database.database_url import DatabaseUrl
from etl_assets.readers.database.postgres_sums import quote_postgres

CONNECT_SECONDS = 20
BLOCK_ROWS = 400
BLOCK_BYTES = 1 << 18

# What a value is written like must not depend on how the server or the account is set up. Whoever alters a table waits
# for those who read it, and everybody else for him: so no statement goes on for ever, and none waits long for a lock.
SESSION = """
set time zone 'UTC';
set datestyle = 'ISO, YMD';
set intervalstyle = 'postgres';
set bytea_output = 'hex';
set extra_float_digits = 1;
set lock_timeout = '5s';
set statement_timeout = '15min';
set idle_in_transaction_session_timeout = '5min';
set default_transaction_read_only = on;
"""
SNAPSHOT = "begin isolation level repeatable read, read only; set local statement_timeout = '60s'"

# Classes of SQLSTATE, and states, after which the same may go through later: connection, resources, operator, locks.
_BUSY = ("08", "53", "57", "40", "55P03", "55006", "25P03")
# Access rule violations and names that there are not: the message names them, and holds no value of a row.
_NAMING = ("28", "3D", "3F", "42")
_REFUSED = ("authentication failed", "does not exist", "no pg_hba.conf entry", "certificate", "permission denied")


class PostgresConnection:
    """A read-only connection.

    Its methods raise TransientError where the server is away or busy, EtlError where it refuses; neither with a secret
    or a value of a row.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self._connection = open_postgres(url)
        with self._translating_errors():
            self._connection.execute(SESSION)
        (schema,) = self.row("select current_schema()")
        if schema is None:
            self.close()
            raise EtlError(f"{url.display_name}: the account may see no schema of its search_path.")
        self.schema = str(schema)

    def name_of(self, table: SourceTable) -> str:
        """The name of a table of the schema, as a statement has it."""
        return f"{quote_postgres(self.schema)}.{quote_postgres(table.name)}"

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        with self._translating_errors():
            return self._connection.execute(statement.encode()).fetchall()

    def row(self, statement: str) -> tuple[Any, ...]:
        """The one row of a result."""
        return self.rows(statement)[0]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One transaction, which sees the database as it is at its first statement."""
        try:
            with self._translating_errors():
                self._connection.execute(SNAPSHOT)
            yield
        finally:
            with suppress(psycopg.Error):  # it may be lost
                self._connection.execute("rollback")

    def blocks(self, select: str) -> Iterator[list[bytes]]:
        """The rows of a select as lines of COPY's text format, as they arrive, some hundred at a time."""
        statement = f"copy ({select}) to stdout".encode()
        with self._translating_errors(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            lines: list[bytes] = []
            size = 0
            for line in copy:
                lines.append(bytes(line))
                size += len(line)
                if len(lines) == BLOCK_ROWS or size >= BLOCK_BYTES:
                    yield lines
                    lines, size = [], 0
            if lines:
                yield lines

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Translate the driver's exceptions into TransientError and EtlError."""
        try:
            yield
        except psycopg.Error as error:
            raise _translate_error(error, self.url) from None


def open_postgres(url: DatabaseUrl) -> psycopg.Connection[Any]:
    """Open a connection of the driver's own; autocommit is on. The URL's options are libpq's.

    Raises:
        EtlError: The server refuses.
        TransientError: It cannot be reached.
    """
    given: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.user or None,
        "password": url.password or None,
        "dbname": url.database or None,
        "connect_timeout": CONNECT_SECONDS,
        # A server that has gone without a word is noticed within two minutes.
        "keepalives_idle": 60,
        "keepalives_interval": 10,
        "keepalives_count": 6,
        "client_encoding": "utf8",
        **url.options,
    }
    try:
        return psycopg.connect(**{name: value for name, value in given.items() if value is not None}, autocommit=True)
    except psycopg.Error as error:
        raise _translate_error(error, url) from None


def _translate_error(error: psycopg.Error, url: DatabaseUrl) -> EtlError:
    """Translate a driver's error, without any value of a row."""
    state = error.sqlstate or ""
    if not state:
        # A connection that failed or was lost; of a refusal to connect the driver gives the text alone.
        refusal = next((line for line in str(error).splitlines() if any(word in line for word in _REFUSED)), None)
        if refusal and not isinstance(error, psycopg.ProgrammingError):
            return EtlError(f"{url.display_name} refuses: {refusal.rpartition('FATAL:')[2].strip()}")
        if isinstance(error, psycopg.OperationalError):
            return TransientError(f"{url.display_name} cannot be reached, or the connection was lost.")
        return EtlError(f"{url.display_name}: what is asked of it, or the URL's options, cannot be understood.")
    if state.startswith(_BUSY):
        return TransientError(f"{url.display_name} was busy or gave up (SQLSTATE {state}). Nothing was changed there.")
    if state.startswith(_NAMING):
        return EtlError(f"{url.display_name} refuses (SQLSTATE {state}): {error.diag.message_primary}")
    return EtlError(f"{url.display_name} refuses, with SQLSTATE {state}.")
