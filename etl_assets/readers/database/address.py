"""Where a database is, and who asks: what its URL says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from etl_assets.errors import EtlError

MYSQL = ("mysql", "mariadb")
POSTGRES = ("postgresql", "postgres")
FORMS = "mysql://user:password@host:3306/database or postgresql://user:password@host:5432/database"


@dataclass(frozen=True, kw_only=True)
class Address:
    """What a URL such as `mysql://user:password@host:3306/database?ssl_ca=/etc/ca.pem` says.

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
    def place(self) -> str:
        """Where it is, as a message may say it."""
        where = self.options.get("socket") or (f"{self.host}:{self.port}" if self.port else self.host)
        return f"{self.database} at {where}" if self.database else where

    @classmethod
    def of(cls, url: str, variable: str) -> "Address":
        """What a URL says.

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
            raise EtlError(f"{variable} is not a URL of the form {FORMS}; marks in it are percent-encoded.") from None
        if parts.scheme not in (*MYSQL, *POSTGRES):
            raise EtlError(f"{variable} is a URL of neither MySQL nor PostgreSQL; expected was {FORMS}.")
        return cls(
            scheme=parts.scheme,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            host=parts.hostname or "localhost",
            port=port,
            database=unquote(parts.path.lstrip("/")),
            options=dict(parse_qsl(parts.query)),
        )
