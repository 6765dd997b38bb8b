"""Back-up and restore: dumps of the warehouse and of Dagster's records, the roles they need, and who was erased."""

import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from etl_assets.errors import EtlError
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect, connect_dagster, dagster_url, warehouse_url
from etl_assets.warehouse.postgres_clients import MAJOR, dump_database, dump_entries, restore_entries
from etl_assets.warehouse.tombstones import append_tombstones, read_tombstone_file

WAREHOUSE, DAGSTER, TOMBSTONES, MANIFEST = "warehouse", "dagster", "tombstones", "backup.json"
JOBS = 2
"""Tables that are dumped at the same time."""
OUR_ROLES = re.compile(r"etl_[a-z_]+")
_SCHEMA_ENTRY = re.compile(r"^\d+; \d+ \d+ (SCHEMA - |ACL - SCHEMA )")
"""A line of pg_restore's list that makes a schema or says who may use it."""


@dataclass(frozen=True, kw_only=True)
class RoleGrant:
    """A role that is granted to another."""

    role: str
    member: str
    inherit: bool
    set: bool


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What a back-up is of."""

    made_at: str
    server_version: int
    """As PostgreSQL says it: 180004."""
    login: str
    """Who made it; what no role of ours owns is its."""
    migrations: list[str]
    roles: list[str]
    """Every role that owns something or may do something in one of the databases."""
    grants: list[RoleGrant]
    """Of our roles to others and to each other."""


def back_up(settings: Settings, folder: Path) -> Backup:
    """Dump both databases into a new folder, with the tombstones. Loads may go on; what changes a table's shape waits.

    Args:
        settings: Which installation.
        folder: Made here, for its owner alone; it must not be there yet.

    Raises:
        EtlError: The folder is there, a dump failed, or the server is newer than the programs; nothing is left then.
    """
    folder = folder.resolve()
    if folder.exists():
        raise EtlError(f"{folder} is there already. A back-up goes into a folder of its own.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # for its owner alone
    try:
        made = _manifest(settings)
        for name, url in _urls(settings).items():
            dump_database(url, partial / name, jobs=JOBS)
        (partial / TOMBSTONES).mkdir()
        for path in sorted(settings.tombstone_dir.glob("*.jsonl")):
            shutil.copy(path, partial / TOMBSTONES / path.name)
        (partial / MANIFEST).write_text(json.dumps(asdict(made), indent=2) + "\n")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return made


def read_backup(folder: Path) -> Backup:
    """What a back-up says of itself.

    Raises:
        EtlError: The folder is no back-up, or not a whole one.
    """
    try:
        given = json.loads((folder / MANIFEST).read_text())
        made = Backup(**{**given, "grants": [RoleGrant(**each) for each in given["grants"]]})
    except (OSError, ValueError, TypeError, KeyError):
        raise EtlError(
            f"{folder} is no back-up that etl backup made: {MANIFEST} is missing or cannot be read."
        ) from None
    if missing := [name for name in (WAREHOUSE, DAGSTER) if not (folder / name / "toc.dat").exists()]:
        raise EtlError(f"{folder} is not whole: the dump of {missing[0]} is missing.")
    return made


def restore_databases(settings: Settings, folder: Path, *, known_migrations: Collection[str]) -> list[str]:
    """Restore both databases into empty ones, each in one transaction, and learn who was erased.

    Args:
        settings: Which installation.
        folder: A back-up.
        known_migrations: Those of this version of the project.

    Returns:
        What a person is to know or to do besides, a line each.

    Raises:
        EtlError: A database is not empty, a role is missing, or the back-up is of a newer version; or a restore
            failed, which left its database empty.
    """
    made = read_backup(folder)
    if newer := sorted(set(made.migrations) - set(known_migrations)):
        raise EtlError(
            f"{folder} is of a newer version of this project: {newer[0]} is not known here. Install that one."
        )
    urls = _urls(settings)
    for name, url in urls.items():
        _require_empty(name, url)
    with connect(settings, role=None, autocommit=True) as connection:
        notes = list(_prepare_roles(connection, made))
    restored = ""
    for name, url in urls.items():
        try:
            _restore_database(folder / name, url)
        except EtlError as error:
            first = f" The database of {restored} was restored: empty it before you run this again." * bool(restored)
            raise EtlError(f"{name}: {error}{first}") from None
        restored = name
    for path in sorted((folder / TOMBSTONES).glob("*.jsonl")):
        # Who was erased after the back-up is in the folder's own file, which stays.
        kept = settings.tombstone_dir / path.name
        known = {each.identity for each in read_tombstone_file(kept)}
        append_tombstones(kept, [each for each in read_tombstone_file(path) if each.identity not in known])
    return notes


def _urls(settings: Settings) -> dict[str, str]:
    """Both databases; Dagster's is made where the server has it not."""
    dagster = dagster_url(settings).replace("postgresql+psycopg2://", "postgresql://", 1)
    with connect_dagster(settings) as connection:
        is_there = connection is not None
    if not is_there:
        with connect(settings, role=None, autocommit=True) as connection:
            name = urlsplit(dagster).path.removeprefix("/")
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return {WAREHOUSE: warehouse_url(settings), DAGSTER: dagster}


def _manifest(settings: Settings) -> Backup:
    with connect(settings, role=None) as connection, connect_dagster(settings) as dagster:
        version = connection.info.server_version
        if version // 10_000 > MAJOR:
            raise EtlError(
                f"The server is PostgreSQL {version // 10_000}, and the programs here are of {MAJOR}. Dump it with"
                " pg_dump of its own version: docs/recovery.md has the commands."
            )
        roles = _roles_in_use(connection) | (_roles_in_use(dagster) if dagster else set())
        migrations = connection.execute("select name from public.schema_migration order by name").fetchall()
        grants = connection.execute(
            "select role.rolname, member.rolname, inherit_option, set_option from pg_auth_members"
            " inner join pg_roles as role on role.oid = roleid inner join pg_roles as member on member.oid = member"
            " where role.rolname ~ %s order by 1, 2",
            [f"^{OUR_ROLES.pattern}$"],
        ).fetchall()
        return Backup(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            server_version=version,
            login=connection.info.user,
            migrations=[name for (name,) in migrations],
            roles=sorted(roles | {role for role, *_ in grants}),
            grants=[RoleGrant(role=role, member=member, inherit=inherit, set=can_set)
                    for role, member, inherit, can_set in {tuple(row) for row in grants}],
        )  # fmt: skip


def _roles_in_use(connection: psycopg.Connection) -> set[str]:
    """The roles that own something, or are granted something, in this database."""
    rows = connection.execute(
        "select distinct rolname from pg_shdepend inner join pg_roles on pg_roles.oid = refobjid"
        " where refclassid = 'pg_authid'::regclass"
        " and dbid = (select oid from pg_database where datname = current_database())"
    )
    return {name for (name,) in rows}


def _require_empty(name: str, url: str) -> None:
    with psycopg.connect(url, application_name="etl_assets", connect_timeout=15) as connection:
        row = connection.execute(
            "select count(*) from pg_class inner join pg_namespace as space on space.oid = relnamespace"
            " where nspname !~ '^pg_' and nspname <> 'information_schema'"
        ).fetchone()
    if row and row[0]:
        raise EtlError(
            f"The database of {name} is not empty. Nothing was restored: name empty databases in ETL_WAREHOUSE_URL and"
            " ETL_DAGSTER_URL; of the embedded server, stop it and move the folder `postgres` of its home away."
        )


def _prepare_roles(connection: psycopg.Connection, made: Backup) -> Iterator[str]:
    """Make the roles of ours that the server lacks; people's it does not make, for no back-up has their passwords."""
    existing = {name for (name,) in connection.execute("select rolname from pg_roles")}
    owner = connection.info.user
    missing = [name for name in made.roles if name not in existing and not OUR_ROLES.fullmatch(name)]
    if missing:
        raise EtlError(
            f"Not on this server: {', '.join(missing)}. They own something there, or may read it. Create them, or a"
            " login of that name, and run it again. Nothing was restored."
        )
    for name in made.roles:
        if OUR_ROLES.fullmatch(name):
            if name not in existing:
                connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(name)))
            if not _may_set(connection, name):
                connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(name), sql.Identifier(owner)))
    for each in made.grants:
        if each.member in existing or OUR_ROLES.fullmatch(each.member):
            if each.member != owner:
                connection.execute(
                    sql.SQL("grant {} to {} with inherit {}, set {}").format(
                        sql.Identifier(each.role),
                        sql.Identifier(each.member),
                        sql.SQL(str(each.inherit).lower()),
                        sql.SQL(str(each.set).lower()),
                    )
                )
        else:
            yield f"{each.member} was granted {each.role}, and is not on this server: create it and grant it again."


def _may_set(connection: psycopg.Connection, role: str) -> bool:
    row = connection.execute("select pg_has_role(current_user, %s, 'set')", [role]).fetchone()
    return bool(row and row[0])


def _restore_database(dump: Path, url: str) -> None:
    """Restore a dump in one transaction.

    Schemas and who may use them come first: without being a superuser, who gives a table to a role must find that the
    role may create in its schema, and pg_restore by itself grants that last.
    """
    lines = dump_entries(dump)
    schemas = [line for line in lines if _SCHEMA_ENTRY.match(line)]
    rest = [line for line in lines if not _SCHEMA_ENTRY.match(line)]
    restore_entries(dump, url, [part for part in (schemas, rest) if part])
    with psycopg.connect(url, autocommit=True, application_name="etl_assets") as connection:
        connection.execute("analyze")


def describe_backup(made: Backup) -> Mapping[str, object]:
    """What to print of a back-up."""
    return {
        "made": made.made_at,
        "PostgreSQL": made.server_version // 10_000,
        "newest migration": made.migrations[-1] if made.migrations else "none",
        "roles": ", ".join(made.roles),
    }
