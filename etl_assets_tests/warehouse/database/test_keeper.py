"""Tables that outlive their source belong to a role that nobody loads as: whoever loads finds no way to lose a row."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from etl_assets.settings import PROJECT
from etl_assets.warehouse.migrations import migrate

LOG = "open_dental.securitylog"
LOGIN = f"loads_{os.getpid()}"
ROWS = 20

REFUSED = [
    f"delete from {LOG}",
    f"delete from {LOG} where false",
    f"with gone as (delete from {LOG} returning 1) select count(*) from gone",
    f"merge into {LOG} as held using (select 1) as one on true when matched then delete",
    f"truncate {LOG}",
    f"drop table {LOG} cascade",
    f"update {LOG} set securitylognum = securitylognum + 1000",
    f"alter table {LOG} disable trigger all",
    f"alter table {LOG} disable trigger outlives_source",
    f"drop trigger outlives_source on {LOG}",
    f"alter table {LOG} drop column logtext",
    f"alter table {LOG} alter column logtext type integer using 0",
    f"alter table {LOG} rename to other",
    f"alter table {LOG} set schema stg",
    f"alter table {LOG} set unlogged",
    f"alter table {LOG} owner to etl_loader",
    f"alter table {LOG} enable row level security",
    f"alter table {LOG} add column more text",
    f"create policy nobody on {LOG} using (false)",
    f"create rule loses as on insert to {LOG} do also delete from {LOG}",
    f"create trigger loses before insert on {LOG} execute function stg.loses()",
    f"create index on {LOG} (stg.reads(logtext))",
    f"create table stg.child () inherits ({LOG})",
    f"create table stg.refers (n bigint references {LOG} on delete cascade)",
    f"grant delete on {LOG} to etl_loader; delete from {LOG}",
    "drop schema open_dental cascade",
    "drop schema etl cascade",
    "alter schema open_dental rename to other",
    "alter schema open_dental owner to etl_loader",
    "create or replace function etl.refuse_loss() returns trigger language plpgsql as 'begin return null; end'",
    "drop function etl.refuse_loss() cascade",
    "alter function etl.refuse_loss() owner to etl_loader",
    "create or replace function etl.outlive_source(relation regclass) returns void language sql as ''",
    f"select etl.retain('{LOG}', 'logdatetime', '2100-01-01', 'me', 'because')",
    "set role etl_keeper",
    "reset role; set role etl_keeper",
    "set session authorization etl_keeper",
    "grant etl_keeper to current_user",
    "grant etl_keeper to etl_loader",
    "set session_replication_role = replica",
    "reassign owned by etl_keeper to etl_loader",
    "drop owned by etl_keeper cascade",
    f"reset role; delete from {LOG}",
    f"set role etl_transformer; delete from {LOG}",
    "delete from etl.row_overwritten",
    "truncate etl.row_overwritten",
    "update etl.row_overwritten set was = '{}'",
    "drop table etl.row_overwritten cascade",
    "delete from etl.row_refused",
    "update etl.row_refused set said = '{}'",
    "delete from etl.retention",
    f"insert into etl.retention (relation, date_column, before, rows_deleted, done_by, reason)"
    f" values ('{LOG}', 'logdatetime', '2100-01-01', 0, 'me', 'because')",
    "create trigger loses before update on etl.extraction execute function stg.loses()",
]


@pytest.fixture(scope="module")
def owner(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """The login that owns the warehouse, which has one table that outlives its source."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        make_log(connection)
        connection.execute("set role etl_loader")
        connection.execute(
            "insert into etl.row_overwritten (relation, row_key, batch_id, was) values"
            f" ('{LOG}', '[1]', gen_random_uuid(), '{{}}')"
        )
        connection.execute("select etl.outlive_source(%s)", [LOG])
        connection.execute(
            "create function stg.loses() returns trigger language plpgsql as 'begin return null; end';"
            "create function stg.reads(text) returns text immutable language sql as 'select $1'"
        )
        connection.execute("reset role")
        yield connection


@pytest.fixture(scope="module")
def login(server: Path, owner: psycopg.Connection, warehouse_url: str) -> Iterator[str]:
    """The URL of a login that may load and build, and nothing else."""
    owner.execute(f"create role {LOGIN} login createrole password 'p'; grant etl_loader, etl_transformer to {LOGIN}")
    parts = urlsplit(warehouse_url)
    yield urlunsplit(parts._replace(netloc=f"{LOGIN}:p@{parts.netloc.rpartition('@')[2]}"))
    owner.execute(f"drop role {LOGIN}")


@pytest.fixture
def loader(login: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(login, autocommit=True) as connection:
        connection.execute("set role etl_loader")
        yield connection


def make_log(connection: psycopg.Connection) -> None:
    connection.execute("set role etl_loader")
    connection.execute(
        f"create table {LOG} (securitylognum bigint primary key, logtext text, logdatetime timestamp,"
        " etl_batch_id uuid not null)"
    )
    connection.execute(
        f"insert into {LOG} select n, 'entry ' || n, '2020-01-01', gen_random_uuid() from generate_series(1, {ROWS}) n"
    )
    connection.execute("reset role")


def state(connection: psycopg.Connection) -> tuple:
    """What must not be lost."""
    return (
        connection.execute(f"select count(*), sum(securitylognum), count(logtext) from {LOG}").fetchone(),
        connection.execute("select count(*), min(was::text) from etl.row_overwritten").fetchone(),
        connection.execute("select count(*) from etl.retention").fetchone(),
    )


@pytest.mark.parametrize("statement", REFUSED)
def test_no_way_around_the_keeper_is_open(owner, loader, statement) -> None:
    before = state(owner)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        loader.execute(statement)
    assert state(owner) == before


def test_dropping_all_that_the_loader_owns_leaves_them(owner, loader) -> None:
    before = state(owner)
    with loader.transaction(force_rollback=True):
        loader.execute("drop owned by etl_loader cascade")
        loader.execute("reset role")
        assert loader.execute("select to_regclass('etl.batch')").fetchone() == (None,)
        kept = "select count(*) from pg_class where oid = any(array[%s, 'etl.row_overwritten']::regclass[])"
        assert loader.execute(kept, [LOG]).fetchone() == (2,)
    assert state(owner) == before


def test_the_loader_inserts_updates_analyzes_and_adds_columns(owner, loader) -> None:
    with loader.transaction(force_rollback=True):
        loader.execute(f"insert into {LOG} values (1000, 'new', null, gen_random_uuid())")
        loader.execute(f"update {LOG} set logtext = 'filled' where securitylognum = 1000")
        loader.execute("select etl.add_retained_column(%s, 'Shade of Blue', 'numeric(10,2)')", [LOG])
        loader.execute(f'update {LOG} set "Shade of Blue" = 1.234 where securitylognum = 1000')
        assert loader.execute(
            f'select logtext, "Shade of Blue"::text from {LOG} where securitylognum = 1000'
        ).fetchall() == [("filled", "1.23")]
        loader.execute(f"analyze {LOG}")
        assert loader.execute(f"select reltuples from pg_class where oid = '{LOG}'::regclass").fetchone() == (ROWS + 1,)


def test_a_login_that_only_loads_finds_that_no_migration_waits(login) -> None:
    with psycopg.connect(login, autocommit=True) as connection:
        assert migrate(connection, PROJECT / "sql" / "migrations") == []


def test_the_owner_of_the_warehouse_is_told_by_the_trigger(owner) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="outlives its source"):
        owner.execute(f"delete from {LOG}")


@pytest.mark.parametrize(
    "arguments",
    [
        (LOG, "securitylognum; drop table x", "text; drop table x"),
        (LOG, "more", "stg.mood"),
        ("etl.row_overwritten", "more", "text"),
        ("stg.or_case", "more", "text"),
    ],
)
def test_only_a_column_of_a_retained_table_is_added(loader, owner, arguments) -> None:
    with loader.transaction(force_rollback=True):
        loader.execute("create type stg.mood as enum ('well')")
        with pytest.raises((psycopg.errors.RaiseException, psycopg.errors.SyntaxError)):
            loader.execute("select etl.add_retained_column(%s, %s, %s)", arguments)


def test_adding_a_column_that_is_there_opens_no_key(loader, owner) -> None:
    loader.execute("select etl.add_retained_column(%s, 'securitylognum', 'bigint')", [LOG])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        loader.execute(f"update {LOG} set securitylognum = 0 where false")


@pytest.mark.parametrize(
    ("made", "because"),
    [
        ("create trigger t before delete on {} execute function stg.loses()", "triggers"),
        ("create rule r as on delete to {} do instead nothing", "triggers, rules"),
        ("create policy p on {} using (stg.reads('x') = 'x')", "policies"),
        ("create index on {} (stg.reads(word))", "expressions"),
        ("create index on {} (n) where stg.reads(word) = 'x'", "expressions"),
        ("alter table {} add check (stg.reads(word) = 'x')", "constraints"),
        ("alter table {} alter word set default stg.reads('x')", "defaults"),
        ("alter table {} add more text generated always as (stg.reads(word)) stored", "defaults"),
        ("alter table {} add constraint r foreign key (n) references {}", "constraints"),
        ("create domain stg.sly as text check (stg.reads(value) = 'x'); alter table {} add more stg.sly", "types"),
        ("create table open_dental.child () inherits ({})", "no ordinary table"),
        (
            "create table open_dental.parent (n bigint, word text); alter table {} inherit open_dental.parent",
            "ordinary",
        ),
        ("alter table {} set unlogged", "no ordinary table"),
        ("alter table {} set schema stg", "belongs to etl_loader"),
    ],
)
def test_nothing_is_taken_over_that_would_run_as_the_keeper(loader, owner, made, because) -> None:
    with loader.transaction(force_rollback=True):
        loader.execute("create table open_dental.trojan (n bigint primary key, word text)")
        table = loader.execute("select 'open_dental.trojan'::regclass::oid").fetchone()[0]
        loader.execute(made.replace("{}", "open_dental.trojan"))
        with pytest.raises(psycopg.errors.RaiseException, match=because):
            loader.execute("select etl.outlive_source(%s::oid::regclass)", [table])


@pytest.mark.parametrize("table", ["etl.key_range", "etl.batch", "stg.or_case", "stg.file_tracking"])
def test_what_is_no_staging_table_of_a_database_is_not_taken_over(loader, owner, table) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="cannot outlive its source"):
        loader.execute("select etl.outlive_source(%s)", [table])


def test_tables_that_there_are_change_their_owner(
    server: Path, new_database: Callable[[], str], tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(PROJECT / "sql" / "migrations", folder)
    later = [path for path in sorted(folder.glob("*.sql")) if path.name >= "0012"]
    parts = urlsplit(new_database())
    name = f"{parts.path[1:]}_old"
    with psycopg.connect(urlunsplit(parts), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    with psycopg.connect(urlunsplit(parts._replace(path=f"/{name}")), autocommit=True) as old:
        for path in later:
            path.rename(tmp_path / path.name)
        migrate(old, folder)
        make_log(old)
        old.execute("set role etl_loader")
        old.execute("select etl.outlive_source(%s)", [LOG])
        old.execute("reset role")
        for path in later:
            (tmp_path / path.name).rename(path)
        migrate(old, folder)
        owned = "select distinct relowner::regrole::text from pg_class where oid = any(%s::regclass[])"
        retained = [LOG, "etl.row_overwritten", "etl.row_refused", "etl.retention", "etl.extraction"]
        assert old.execute(owned, [retained]).fetchall() == [("etl_keeper",)]
        assert old.execute(f"select etl.retain('{LOG}', 'logdatetime', '2100-01-01', 'me', 'why')").fetchone() == (
            ROWS,
        )
        readable = "select has_table_privilege('etl_transformer', %s, 'select')"
        assert old.execute(readable, [LOG]).fetchone() == (True,)
