"""Fills a PostgreSQL database with the community, in either schema, and hosts one for trying."""

from collections.abc import Mapping, Sequence
from typing import Any

from etl_assets.errors import EtlError
from etl_assets.readers.database import open_connection
from etl_assets.sandbox.hosting import hosted_database
from etl_assets.sandbox.lacrei_saude.community import Community
from etl_assets.sandbox.lacrei_saude.drawing import PATIENTS, draw
from etl_assets.sandbox.lacrei_saude.records import write_records
from etl_assets.sandbox.lacrei_saude.rows import Row, Rows, write_core
from etl_assets.sandbox.lacrei_saude.schema import NEWER, OLDER, create_statements, listed_names, quoted, tables

MARK = "sandbox.lacrei.invalid"
"""The domain of the site by whose name a database is known to be a sandbox."""
HOSTED = {OLDER: "lacrei_saude_sandbox", NEWER: "lacrei_saude_newer_sandbox"}
"""The databases in which `host` has the community."""
_COUNT = "select count(*) from information_schema.tables where table_schema !~ '^(pg_|information_schema$)'"


def rows_of(community: Community, schema: str) -> Mapping[str, Sequence[Row]]:
    """The rows of every table of a schema that say these facts."""
    rows = Rows(schema)
    write_core(rows, community)
    write_records(rows, community)
    return rows.tables


def fill(
    url: str, *, schema: str = OLDER, patients: int = PATIENTS, seed: int = 1, anew: bool = False
) -> dict[str, int]:
    """Have a database hold the community: all of it is made in one transaction, or nothing.

    Args:
        url: Of an empty PostgreSQL database, or of one that this filled before.
        schema: `older` or `newer`; with the same seed both say the same.
        patients: How many there are besides those who are odd on purpose; appointments are three times as many.
        seed: Another one is another community.
        anew: Make all of it once more, whatever became of it; of another schema, seed or size, too.

    Returns:
        The rows written, by table. None where it held this community already, or what it has become.

    Raises:
        EtlError: The database holds something else, or another community; nothing was changed.
        TransientError: It cannot be reached.
    """
    mark = f"{schema}, seed {seed}, {patients} patients"
    connection = open_connection(url)
    try:
        (held,) = connection.execute(_COUNT).fetchone()
        found = mark_of(connection) if held else None
        if held and found is None:
            raise EtlError(
                f"The database holds {held} tables and is not marked as a sandbox of Lacrei Saude (site '{MARK}')."
                " It was left as it was; give an empty database."
            )
        if found == mark and not anew:
            return {}
        if held and not anew:
            raise EtlError(f"The sandbox holds another community ({found}). It was left as it was; fill it anew.")
        written = rows_of(draw(seed, patients=patients), schema)
        with connection.transaction():
            for name in {**tables(OLDER), **tables(NEWER)}:  # whatever else is there is somebody's
                connection.execute(f"drop table if exists {quoted(name)} cascade")
            for statement in create_statements(schema):
                connection.execute(statement)
            for table, rows in written.items():
                _write(connection, schema, table, rows)
            connection.execute("insert into django_site (domain, name) values (%s, %s)", (MARK, mark))
        return {table: len(rows) for table, rows in written.items()}
    finally:
        connection.close()


def host(
    server_url: str, *, schema: str = OLDER, database: str | None = None, patients: int = PATIENTS, seed: int = 1
) -> str:
    """Have a PostgreSQL server hold the community in a database of its own, made where it is missing.

    What is there already is left as it is. Several processes may ask at once.

    Args:
        server_url: Of any database of the server, by an account that may create databases.
        schema: `older` or `newer`.
        database: What it is called; by the schema where left out.
        patients: As of `fill`.
        seed: As of `fill`.

    Returns:
        The URL of the database, the account's password in it.

    Raises:
        EtlError: The server refuses, or the database holds something else.
        TransientError: It cannot be reached.
    """
    with hosted_database(server_url, database or HOSTED[schema]) as url:
        fill(url, schema=schema, patients=patients, seed=seed)
    return url


def mark_of(connection: Any) -> str | None:
    """What a database was marked with as a sandbox; none where it never was."""
    (is_there,) = connection.execute("select to_regclass('django_site') is not null").fetchone()
    found = is_there and connection.execute("select name from django_site where domain = %s", (MARK,)).fetchone()
    return str(found[0]) if found else None


def _write(connection: Any, schema: str, table: str, rows: Sequence[Row]) -> None:
    declared = tables(schema)[table]
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {quoted(table)} ({listed_names(declared.names)}) from stdin") as copy,
    ):
        for row in rows:
            copy.write_row([row[name] for name in declared.names])
    for column in declared.columns:
        if column.is_identity and rows:
            sequence = f"pg_get_serial_sequence('{table}', '{column.name}')"
            connection.execute(f"select setval({sequence}, max({column.name})) from {quoted(table)}")  # noqa: S608 (declared names)
