"""A real MariaDB for the tests: one server a session, started where it is first asked for, shared by all workers.

ETL_TEST_MYSQL_URL names another server to use, of an account that may create databases. Otherwise it is the `mariadbd`
of this machine, which is installed where we are root of a Debian; where there is none, the tests that need it say so.
"""

import fcntl
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit, urlunsplit

import pytest

from etl_assets.errors import TransientError
from etl_assets.readers.database import open_connection

GIVEN = "ETL_TEST_MYSQL_URL"
SESSION = "ETL_TEST_SERVER"
"""Names the folder of the session's servers, which conftest makes and removes."""
_numbers = itertools.count(1)
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/local/mysql/bin"
# As at a clinic: MyISAM, and not strict. Small, quick to start, and nothing of it must outlive the tests.
_OPTIONS = (
    "--default-storage-engine=MyISAM", "--sql-mode=NO_ENGINE_SUBSTITUTION", "--character-set-server=utf8mb4",
    "--bind-address=127.0.0.1", "--skip-log-bin", "--skip-name-resolve", "--performance-schema=off",
    "--key-buffer-size=32M", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-load-at-startup=off",
    "--innodb-buffer-pool-dump-at-shutdown=off", "--max-connections=100", "--max-allowed-packet=16M",
)  # fmt: skip


@pytest.fixture(scope="session")
def mariadb_server() -> str:
    """The URL of a running server, with an account that may do everything there; without a database."""
    if given := os.environ.get(GIVEN):
        return given
    session = Path(os.environ[SESSION])
    folder = session / "mariadb"
    with (session / "mariadb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "url").exists():
            start(session)
    return (folder / "url").read_text()


@pytest.fixture(scope="session")
def new_mysql_database(mariadb_server: str) -> Iterator[Callable[[], str]]:
    """Makes an empty database, and gives its URL."""
    made: list[str] = []

    def make() -> str:
        name = f"test_{secrets.token_hex(3)}_{os.getpid()}_{next(_numbers)}"
        _execute(mariadb_server, f"create database {name} character set utf8mb4")
        made.append(name)
        return urlunsplit(urlsplit(mariadb_server)._replace(path=f"/{name}"))

    yield make
    if os.environ.get(GIVEN):
        for name in made:
            _execute(mariadb_server, f"drop database {name}")


@contextmanager
def own_server(*statements: str) -> Iterator[str]:
    """The URL of an empty database of a server that is set up by these statements, and that nobody else uses."""
    folder = Path(mkdtemp(prefix="etl-own-"))
    folder.chmod(0o755)
    try:
        url = start(folder)
        for statement in (*statements, "create database own character set utf8mb4"):
            _execute(url, statement)
        yield f"{url}own"
    finally:
        stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: Path) -> str:
    """Start a server in this folder; the URL of an account that may do everything there."""
    _start(folder / "mariadb", _program("mariadbd"), _program("mariadb-install-db"))
    return (folder / "mariadb" / "url").read_text()


def stop(folder: Path) -> None:
    """End the server that the tests of the session in this folder have started, where they have."""
    pid = folder / "mariadb" / "pid"
    if not pid.exists():
        return
    with suppress(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGTERM)
    for _ in range(200):
        if not pid.exists():
            return
        time.sleep(0.05)


def _program(name: str) -> str:
    found = shutil.which(name, path=_PLACES)
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in ("update", "install -y --no-install-recommends mariadb-server"):
            subprocess.run(
                ["apt-get", "-q", *words.split()],  # noqa: S607 (the system's own)
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=600,
            )
        found = shutil.which(name, path=_PLACES)
    if not found:
        pytest.skip(
            f"{name} IS NOT INSTALLED AND COULD NOT BE: NOTHING WAS TESTED AGAINST A REAL MARIADB."
            f" Install Debian's mariadb-server, or name a server in {GIVEN}."
        )
    return found


def _start(folder: Path, program: str, install: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    user = "mysql" if os.geteuid() == 0 else _login()
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    words = ["--no-defaults", f"--user={user}", f"--datadir={folder / 'data'}"]
    subprocess.run(
        [install, *words, "--skip-test-db", "--auth-root-authentication-method=normal"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    password = secrets.token_urlsafe(12)
    accounts = folder / "accounts.sql"
    accounts.write_text(  # a statement a line
        f"create user etl@'%' identified by '{password}';\n"
        "grant all on *.* to etl@'%' with grant option;\n"
        "alter user root@localhost identified via unix_socket;\n"
    )
    port = _free_port()
    words += [f"--init-file={accounts}", f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"]
    command = [program, *words, *_OPTIONS, f"--port={port}"]
    # A shell that ends at once: the server belongs to no worker, and none has to wait for its end.
    subprocess.run(
        ["/bin/sh", "-c", 'log=$1; shift; "$@" > "$log" 2>&1 &', "sh", str(folder / "log"), *command],
        check=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"mysql://etl:{password}@127.0.0.1:{port}/"
    _await(url, folder / "log")
    (folder / "url").write_text(url)


def _await(url: str, log: Path) -> None:
    for _ in range(400):
        try:
            return _execute(url, "select 1")
        except TransientError:
            time.sleep(0.05)
    raise RuntimeError(f"The MariaDB of the tests did not start:\n{log.read_text()[-2000:]}")


def _execute(url: str, statement: str) -> None:
    connection = open_connection(url, driver="pymysql")
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _login() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
