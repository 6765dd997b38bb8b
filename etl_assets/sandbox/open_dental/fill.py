"""Fills a database with the practice, and hosts one for trying."""

from collections.abc import Collection

from etl_assets.errors import EtlError
from etl_assets.sandbox.hosting import hosted_database
from etl_assets.sandbox.open_dental.database import Database
from etl_assets.sandbox.open_dental.practice import PATIENTS, Practice
from etl_assets.sandbox.open_dental.schema import named

HOSTED = "open_dental_sandbox"
"""The database in which `host` has the practice."""
_UNFINISHED = "filling"


def fill(
    url: str,
    *,
    patients: int = PATIENTS,
    seed: int = 1,
    only: Collection[str] | None = None,
    anew: bool = False,
    clinics: int = 0,
) -> dict[str, int]:
    """Have a database hold the practice: its tables are made and filled where they are missing.

    Args:
        url: Of an empty database, or of one that this filled before; MySQL, MariaDB or PostgreSQL.
        patients: How many come in the course of the two years.
        seed: Another one is another practice.
        only: The tables wanted; all of them by default. `preference` is always among them.
        anew: Make tables that are there once more, whatever became of them.
        clinics: Clinics besides the headquarters.

    Returns:
        The rows written, by table. None for a table that was there.

    Raises:
        EtlError: The database holds something else, or a part of another practice, or there is no such table; nothing
            was changed.
        TransientError: It cannot be reached.
    """
    mark = f"seed {seed}, {patients} patients"
    wanted = named(None if only is None else {*only, "preference"})
    with Database(url) as database:
        database.be_sandbox()
        anew = anew or database.mark() == _UNFINISHED
        held = set() if anew else database.held()
        missing = [table for table in wanted if table.name not in held]
        if not missing:
            return {}
        if held and database.mark() != mark:
            raise EtlError(
                f"The sandbox holds another practice ({database.mark()}), and tables of two do not go together."
                " It was left as it was; fill all of it anew, or another database."
            )
        practice = Practice(seed, patients=patients, clinics=clinics)
        # The mark comes first: whatever stops here, the database is known for what it is, and filled again next time.
        missing.sort(key=lambda table: table.name != "preference")
        for table in missing:
            database.make(table)
            database.write(table, practice.tables[table.name])
            database.set_mark(_UNFINISHED)
        database.set_mark(mark)
    return {table.name: len(practice.tables[table.name]) for table in missing}


def host(server_url: str, *, database: str = HOSTED, patients: int = PATIENTS, seed: int = 1) -> str:
    """Have a PostgreSQL server hold the practice in a database of its own, made where it is missing.

    What is there already is left as it is. Several processes may ask at once.

    Args:
        server_url: Of any database of the server, by an account that may create databases.
        database: What it is called.
        patients: How many come in the course of the two years.
        seed: Another one is another practice.

    Returns:
        The URL of the database, the account's password in it.

    Raises:
        EtlError: The server refuses.
        TransientError: It cannot be reached.
    """
    with hosted_database(server_url, database) as url:
        fill(url, patients=patients, seed=seed)
    return url
