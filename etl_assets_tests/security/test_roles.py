"""Each role tries what it must not: PostgreSQL refuses it, whoever asks."""

from collections.abc import Iterator

import psycopg
import pytest

ROLES = ("etl_loader", "etl_transformer", "etl_live", "etl_reader", "etl_personal_reader", "etl_keeper")
NOBODY = (
    "create role somebody",
    "create database another",
    "alter system set log_statement = 'all'",
    "copy (select 1) to program 'id'",
    "copy etl.batch to '/etc/stolen'",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select lo_import('/etc/passwd')",
    "select rolpassword from pg_authid",
    "update public.schema_migration set checksum = ''",
    "create table public.mine (n integer)",
    "set session authorization postgres",
)
"""What none of them may."""
NOT_READERS = (
    "drop schema operating_room cascade",
    "select * from etl.batch",
    "select * from etl.tombstone",
    "select * from etl.rejected_row",
    "select * from stg.or_case",
    "select * from open_dental.claim",
    "insert into operating_room.dim_room default values",
    "create schema mine",
    "select etl.retain('etl.row_overwritten', 'overwritten_at', current_date, 'me', 'because')",
)
BY_ROLE = {
    "etl_loader": (
        "delete from etl.row_overwritten",
        "truncate etl.row_overwritten",
        "update etl.row_overwritten set batch_id = null",
        "delete from etl.retention",
        "drop schema etl cascade",
        "drop schema operating_room cascade",
        "drop table etl.row_overwritten",
        "alter table etl.row_overwritten disable trigger all",
        "create table operating_room.mine (n integer)",
        "select etl.erase_rows('stg.or_case', array['(0,1)'::tid], array['x'])",
    ),
    "etl_transformer": (
        "insert into stg.or_case default values",
        "delete from etl.batch",
        "update etl.watermark set value = ''",
        "delete from etl.quality_issue",
        "insert into etl.tombstone default values",
        "drop table stg.or_case",
        "drop schema etl cascade",
        "drop schema stg cascade",
        "create table etl.mine (n integer)",
    ),
    "etl_live": (*NOT_READERS, "select count(*) from operating_room.dim_room"),
    "etl_reader": NOT_READERS,
    "etl_personal_reader": NOT_READERS,
}
CASES = [(role, statement) for role in ROLES for statement in (*NOBODY, *BY_ROLE.get(role, ()))]


@pytest.fixture
def login(warehouse_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        connection.execute("create table if not exists open_dental.claim (claimnum bigint)")
        connection.execute("create table if not exists operating_room.dim_room (room_key bigint)")
        yield connection


@pytest.mark.parametrize(("role", "statement"), CASES, ids=[f"{role}: {statement}" for role, statement in CASES])
def test_a_role_is_refused(login: psycopg.Connection, role: str, statement: str) -> None:
    login.execute(f"set role {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        login.execute(statement)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_logs_in_as_a_role_or_is_a_superuser(login: psycopg.Connection, role: str) -> None:
    assert login.execute(
        "select rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles"
        " where rolname = %s",
        [role],
    ).fetchall() == [(False,) * 6]
