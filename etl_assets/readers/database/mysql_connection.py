"""One connection to MySQL or MariaDB by either driver: rows as raw bytes, driver errors translated.

mysqlclient needs a compiler to be installed and takes two thirds of pymysql's time; pymysql runs everywhere.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Lock
from typing import Any

from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.database.database_url import DatabaseUrl

DRIVERS = {"mysqlclient": "MySQLdb", "pymysql": "pymysql"}
CONNECT_SECONDS = 20
READ_SECONDS = 600
"""The read timeout: after it a source that says nothing is taken to be gone."""
FETCH_ROWS = 400
OPTIONS = ("socket", "ssl_ca", "ssl_cert", "ssl_key", "charset")
Row = tuple[bytes | None, ...]

# Zone UTC, so that a timestamp is an instant; no modes, so that no value is padded and backslashes escape; results are
# not converted, so that a text arrives as it is stored; a lock is waited for a minute and not a year; nothing can be
# written by mistake.
SESSION = (
    "set session autocommit = 1, time_zone = '+00:00', sql_mode = '', sql_big_selects = 1, net_write_timeout = 600,"
    " lock_wait_timeout = 60, character_set_results = null",
    "set session transaction read only",
)

_BUSY = {
    1040: "it has no connection left",
    1053: "it is being shut down",
    1203: "the account has no connection left",
    1205: "a lock was not to be had in time",
    1213: "it gave up over a deadlock",
    1226: "the account has used up what it may do in an hour",
    1317: "the statement was stopped there",
    1412: "the table was altered while it was read",
    1927: "the connection was killed there",
    1969: "the statement took longer than it may there",
    2002: "it cannot be reached",
    2003: "it cannot be reached",
    2005: "its name is unknown",
    2006: "the connection was lost",
    2013: "the connection was lost",
    2055: "the connection was lost",
    3024: "the statement took longer than it may there",
    4031: "the connection had been idle too long",
}
# Of these errors the server's message names accounts, databases, tables and columns, and holds no value of a row.
_NAMING = (1044, 1045, 1046, 1049, 1054, 1064, 1130, 1142, 1143, 1144, 1146, 1227, 1698, 1792)
_TOO_LONG = {
    1117: "a table has more columns than it can select at once",
    1153: "a statement is longer than its max_allowed_packet; have that set higher there",
    2020: "a row is longer than the driver takes",
}
_DAMAGED = (126, 127, 144, 145, 1034, 1035, 1194, 1195)


class MysqlConnection:
    """A read-only connection whose results are the server's own bytes, unconverted.

    Its methods raise TransientError where the server is away or busy, EtlError where it refuses; neither with a secret
    or a value of a row.
    """

    def __init__(self, url: DatabaseUrl, driver: str) -> None:
        self.url = url
        self._free = Lock()
        unconverted = {"conv": {}, "use_unicode": False, "autocommit": None}
        self._module, self._connection = _connect(url, driver, unconverted)
        with self._translating_errors():
            for statement in SESSION:
                self._connection.query(statement)
        self.max_packet_bytes = int(self.row("select @@max_allowed_packet")[0] or 0)
        """max_allowed_packet: the longest text that an expression of the server makes; a longer one is null."""

    def rows(self, statement: str) -> list[Row]:
        """All rows of a small result."""
        return [row for block in self.blocks(statement) for row in block]

    def row(self, statement: str) -> Row:
        """The one row of a result."""
        return self.rows(statement)[0]

    def blocks(self, statement: str, fetch_rows: int = FETCH_ROWS) -> Generator[list[Row]]:
        """The rows of a result as they arrive, so many at a time.

        Raises:
            RuntimeError: A result is still being taken; the connection cannot be asked anything else meanwhile.
        """
        if not self._free.acquire(blocking=False):
            raise RuntimeError("The connection is asked something while a result of it is still being taken.")
        try:
            with self._translating_errors():
                yield from self._results(statement, fetch_rows)
        finally:
            self._free.release()

    def _results(self, statement: str, fetch_rows: int) -> Generator[list[Row]]:
        """The rows of a result, by this driver; when it ends, nothing is left on the connection."""
        raise NotImplementedError

    def close(self) -> None:
        """End the connection; what is still to come of a result is not waited for."""
        with self._translating_errors():
            self._connection.close()

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Translate the driver's exceptions into TransientError and EtlError."""
        try:
            yield
        except self._module.Error as error:
            raise _translate_error(error, self.url) from None


class _Mysqlclient(MysqlConnection):
    def _results(self, statement: str, fetch_rows: int) -> Generator[list[Row]]:
        self._connection.query(statement)
        result = self._connection.use_result()
        if result is None:
            return
        try:
            while rows := result.fetch_row(fetch_rows, 0):
                yield rows
        finally:
            # Of a connection that was lost nothing is left to be taken; that is said already, or nobody asks.
            with suppress(self._module.Error):
                result.discard()


class _Pymysql(MysqlConnection):
    def _results(self, statement: str, fetch_rows: int) -> Generator[list[Row]]:
        cursor = self._connection.cursor(import_module("pymysql.cursors").SSCursor)
        try:
            cursor.execute(statement)
            while rows := cursor.fetchmany(fetch_rows):
                yield rows
        except self._module.Error:
            # Else it looks for the rest of the result when it is collected, on a connection that may be none any more.
            cursor.connection = None
            if cursor._result:  # noqa: SLF001 (there is no other way to tell it)
                cursor._result.unbuffered_active = False  # noqa: SLF001
            raise
        finally:
            with suppress(self._module.Error):
                cursor.close()


def connect_mysql(url: DatabaseUrl, driver: str | None) -> MysqlConnection:
    """Open a connection for reading.

    Args:
        url: Where.
        driver: `mysqlclient` or `pymysql`; the first that is installed where left out.

    Raises:
        EtlError: No such driver, an option that there is not, or the server refuses.
        TransientError: The server cannot be reached.
    """
    chosen = choose_driver(driver)
    return (_Mysqlclient if chosen == "mysqlclient" else _Pymysql)(url, chosen)


def open_mysql(url: DatabaseUrl, driver: str | None) -> Any:
    """Open a DB-API connection of the driver's own, which writes and converts values; autocommit is on.

    Raises:
        EtlError, TransientError: As `connect_mysql`.
    """
    return _connect(url, choose_driver(driver), {"autocommit": True})[1]


def choose_driver(wanted: str | None) -> str:
    """The driver of that name, or the best that is installed.

    Raises:
        EtlError: It is none of ours, or it is not installed.
    """
    if wanted and wanted not in DRIVERS:
        raise EtlError(f"A driver for MySQL is one of {', '.join(DRIVERS)}; {wanted!r} is none.")
    for name in (wanted,) if wanted else DRIVERS:
        try:
            import_module(DRIVERS[name])
        except ImportError:
            continue
        return name
    raise EtlError(f"The driver {wanted or 'pymysql'} is not installed: pip install {wanted or 'pymysql'}.")


def _connect(url: DatabaseUrl, driver: str, wanted: Mapping[str, Any]) -> tuple[Any, Any]:
    """The driver's module, and a connection of it."""
    module = import_module(DRIVERS[driver])
    given = {
        "host": url.host,
        "port": url.port or 3306,
        "user": url.user,
        "password": url.password,
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        **({"database": url.database} if url.database else {}),
        **_options(url, driver),
        **wanted,
    }
    try:
        return module, module.connect(**given)
    except module.Error as error:
        raise _translate_error(error, url) from None
    except OSError:
        raise EtlError(f"{url.display_name}: a file that the URL's ssl options name cannot be read.") from None


def _options(url: DatabaseUrl, driver: str) -> dict[str, Any]:
    unknown = sorted(set(url.options) - set(OPTIONS))
    if unknown:
        raise EtlError(f"The URL of {url.display_name} has the option {unknown[0]!r}; there are {', '.join(OPTIONS)}.")
    given: dict[str, Any] = {}
    if socket := url.options.get("socket"):
        given["unix_socket"] = socket
    files = {name: url.options.get(f"ssl_{name}") for name in ("ca", "cert", "key")}
    if any(files.values()):
        # With an authority at hand the server must prove that it is the host of the URL.
        named = {name: path for name, path in files.items() if path}
        given["ssl"] = {**named, "check_hostname": True} if driver == "pymysql" else named
        if driver == "mysqlclient" and files["ca"]:
            given["ssl_mode"] = "VERIFY_IDENTITY"
    return given


def _translate_error(error: Exception, url: DatabaseUrl) -> EtlError:
    """Translate a driver's error, without any value of a row."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if code in _BUSY:
        return TransientError(f"{url.display_name}: {_BUSY[code]} (error {code}). Nothing was changed there.")
    if code in _NAMING:
        message = error.args[1]
        text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
        return EtlError(f"{url.display_name} refuses (error {code}): {text}")
    if code in _TOO_LONG:
        return EtlError(f"{url.display_name}: {_TOO_LONG[code]} (error {code}).")
    if code in _DAMAGED:
        return EtlError(f"{url.display_name}: a table is damaged (error {code}); whoever runs it must repair it.")
    if code == 0:
        # Both drivers say so of a connection that is closed, and of an answer that broke off.
        return TransientError(f"{url.display_name}: the connection was lost.")
    return EtlError(f"{url.display_name} refuses, with error {code}.")
