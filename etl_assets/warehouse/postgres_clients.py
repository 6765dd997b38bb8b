"""PostgreSQL's own programs, pg_dump and its like: those of the embedded server's wheel, with no password in sight."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl_assets.errors import EtlError
from etl_assets.settings import process_environment
from etl_assets.warehouse.embedded import client_folder

MAJOR = 18
"""Of the programs: they dump servers of this version and older, and restore into this one and newer."""


@contextmanager
def client_environment(url: str) -> Iterator[tuple[str, dict[str, str]]]:
    """How a client program reaches a database, for the time of the `with` block.

    Args:
        url: Of the database, password and all.

    Returns:
        The connection string without the password, for the command line, and the environment: it names a file that
        has the password, which only its owner can read and which goes with the block.
    """
    given = conninfo_to_dict(url)
    password = str(given.pop("password", "") or "")
    environment = {name: value for name, value in process_environment().items() if not name.startswith(("PG", "ETL_"))}
    with tempfile.TemporaryDirectory(prefix="etl-") as folder:
        path = Path(folder) / "pgpass"
        path.touch(mode=0o600)
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        path.write_text(f"*:*:*:*:{escaped}\n")
        yield make_conninfo("", **given), {**environment, "PGPASSFILE": str(path), "PGAPPNAME": "etl_assets"}


def dump_database(url: str, folder: Path, *, jobs: int) -> None:
    """Dump a database into a new folder, in pg_dump's directory format.

    Raises:
        EtlError: pg_dump failed.
    """
    with client_environment(url) as (where, environment):
        command = [f"--dbname={where}", "--format=directory", f"--jobs={jobs}", f"--file={folder}"]
        _run("pg_dump", command, environment)


def dump_entries(folder: Path) -> list[str]:
    """The entries of a dump, a line each, as pg_restore lists them.

    Raises:
        EtlError: It cannot be read.
    """
    with client_environment("") as (_, environment):
        return _run("pg_restore", ["--list", str(folder)], environment).splitlines()


def restore_entries(folder: Path, url: str, parts: Sequence[Sequence[str]]) -> None:
    """Restore entries of a dump in one transaction, part by part.

    Args:
        folder: The dump.
        url: The database.
        parts: Lines of `dump_entries`; a part is restored as pg_restore orders it, after the one before.

    Raises:
        EtlError: It failed, and nothing was restored.
    """
    with client_environment(url) as (where, environment), tempfile.TemporaryDirectory(prefix="etl-") as scratch:
        errors = Path(scratch) / "errors"
        command = [str(client_folder() / "psql"), f"--dbname={where}", "--quiet", "--no-psqlrc"]
        with errors.open("wb") as log:
            psql = subprocess.Popen(  # noqa: S603 (our own words)
                [*command, "--set=ON_ERROR_STOP=1"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment,
            )
        with psql:
            _feed(psql, folder, parts, Path(scratch) / "list", environment)
        if psql.returncode:
            raise EtlError(f"The restore failed, and left nothing: {_first_error(errors.read_bytes())}")


def _feed(
    psql: "subprocess.Popen[bytes]",
    folder: Path,
    parts: Sequence[Sequence[str]],
    chosen: Path,
    environment: dict[str, str],
) -> None:
    """Write a dump to psql as SQL. It commits when all was written; where it ends before, what was done is undone."""
    script = psql.stdin
    if script is None:
        raise EtlError("psql cannot be written to.")
    with suppress(BrokenPipeError):  # it has failed, and says why
        script.write(b"begin;\n")
        script.flush()
        for part in parts:
            chosen.write_text("\n".join(part) + "\n")
            command = [str(client_folder() / "pg_restore"), f"--use-list={chosen}", "--file=-", str(folder)]
            with (chosen.parent / "restore_errors").open("w+b") as log:
                done = subprocess.run(command, stdout=script, stderr=log, env=environment, check=False)  # noqa: S603
                if done.returncode:
                    log.seek(0)
                    words = _first_error(log.read())
                    if psql.poll() is None:
                        psql.kill()
                    psql.wait()
                    if "pipe" not in words:
                        raise EtlError(f"{folder} cannot be read, and nothing was restored: {words}")
                    return
        script.write(b"commit;\n")
        script.close()


def _run(name: str, words: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 (our own words)
        [str(client_folder() / name), *words], capture_output=True, env=environment, check=False
    )
    if done.returncode:
        raise EtlError(f"{name} failed with exit code {done.returncode}: {_first_error(done.stderr)}")
    return done.stdout.decode()


def _first_error(text: bytes) -> str:
    """The first line that tells of an error; what follows it may quote rows."""
    lines = text.decode(errors="replace").splitlines()
    return next((line for line in lines if "error" in line.lower() or "fatal" in line.lower()), "without a word")
