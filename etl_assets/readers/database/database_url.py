"""Database URLs: host, credentials and options of a source's database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from etl_assets.errors import EtlError

MYSQL = ("mysql", "mariadb")
POSTGRES = ("postgresql", "postgres")
URL_FORMS = "mysql://user:password@host:3306/database or postgresql://user:password@host:5432/database"


@dataclass(frozen=True, kw_only=True)
class DatabaseUrl:
    """A parsed connection URL, such as `mysql://user:password@host:3306/database?ssl_ca=/etc/ca.pem`.

    User, password and database are percent-decoded: a password `a@b` is written `a%40b`.
    """

    scheme: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int | None
    database: str
    options: Mapping[str, str]

    @property
    def display_name(self) -> str:
        """Database and host, for messages: no user and no password."""
        where = self.options.get("socket") or (f"{self.host}:{self.port}" if self.port else self.host)
        return f"{self.database} at {where}" if self.database else where

    @classmethod
    def parse(cls, url: str, variable: str) -> "DatabaseUrl":
        """Parse a URL.

        Args:
            url: As above.
            variable: Where it was found, as a message names it; the URL itself is in none.

        Raises:
            EtlError: It is no such URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise EtlError(
                f"{variable} is not a URL of the form {URL_FORMS}; marks in it are percent-encoded."
            ) from None
        if parts.scheme not in (*MYSQL, *POSTGRES):
            raise EtlError(f"{variable} is a URL of neither MySQL nor PostgreSQL; expected was {URL_FORMS}.")
        return cls(
            scheme=parts.scheme,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            host=parts.hostname or "localhost",
            port=port,
            database=unquote(parts.path.lstrip("/")),
            options=dict(parse_qsl(parts.query)),
        )
