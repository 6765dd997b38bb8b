"""A database of its own for a stand-in, in a PostgreSQL server that is there already."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from etl_assets.readers.database import open_connection


@contextmanager
def hosted_database(server_url: str, name: str) -> Iterator[str]:
    """The URL of a database of this name, made where it is missing. Others who ask for it wait until the block ends.

    Args:
        server_url: Of any database of the server, by an account that may create databases.
        name: Of our own words: it is not escaped.

    Raises:
        EtlError: The server refuses.
        TransientError: It cannot be reached.
    """
    server = open_connection(server_url)
    try:
        server.execute("select pg_advisory_lock(hashtext(%s))", (name,))  # until the connection ends
        if not server.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            # The same order of text on every system.
            server.execute(
                f"create database \"{name}\" template template0 encoding 'UTF8'"
                " locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"
            )
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        server.close()
