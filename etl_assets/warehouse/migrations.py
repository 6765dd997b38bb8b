"""Schema migrations: numbered SQL files, applied once each in a transaction, in order; an edited one is refused.

No library that we found fits: yoyo tells migrations apart by their names alone and would not see an edit, and
Alembic's are Python. See docs/decisions.
"""

import hashlib
import re
from pathlib import Path

import psycopg

from etl_assets.errors import EtlError

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_LOCK = "select pg_advisory_xact_lock(hashtextextended('etl migrations', 0))"


def migrate(connection: psycopg.Connection, folder: Path) -> list[str]:
    """Apply the pending migrations of a folder.

    Args:
        connection: As the login that owns the database, in autocommit mode.
        folder: Files `NNNN_what_it_does.sql`.

    Returns:
        The names applied, in order; none where there was nothing to do.

    Raises:
        EtlError: A migration was edited after it was applied, has a misshapen name, or failed (it left nothing).
    """
    if connection.execute("select to_regclass('public.schema_migration')").fetchone() == (None,):
        connection.execute(
            "create table if not exists public.schema_migration"
            " (name text primary key, checksum text not null, applied_at timestamptz not null default now())"
        )
    return [path.name for path in _numbered(folder) if _apply(connection, path)]


def _numbered(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.sql"))
    seen: dict[str, str] = {}
    for path in paths:
        match = _NAME.match(path.name)
        if not match:
            raise EtlError(f"{path.name}: a migration is named NNNN_what_it_does.sql.")
        number = match[1]
        if number in seen:
            raise EtlError(f"{path.name} and {seen[number]} have the same number. Renumber the one not yet merged.")
        seen[number] = path.name
    return paths


def _apply(connection: psycopg.Connection, path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    try:
        with connection.transaction():
            connection.execute(_LOCK)
            applied = connection.execute(
                "select checksum from public.schema_migration where name = %s", [path.name]
            ).fetchone()
            if applied is None:
                connection.execute(text.encode())
                connection.execute(
                    "insert into public.schema_migration (name, checksum) values (%s, %s)", [path.name, checksum]
                )
                return True
    except psycopg.Error as error:
        raise EtlError(f"{path.name} failed and left nothing behind: {str(error).strip()}") from error
    if applied[0] != checksum:
        raise EtlError(
            f"{path.name} was edited after it was applied here. Nothing was changed."
            " Put it back as it was, and write what is new into a migration of the next number."
        )
    return False
