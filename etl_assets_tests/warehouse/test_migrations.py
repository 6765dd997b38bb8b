import shutil
import socket
import time
from pathlib import Path

import psycopg
import pytest

from etl_assets.errors import EtlError
from etl_assets.settings import PROJECT
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.migrations import migrate


@pytest.fixture
def owner(settings):
    with connect(settings, role=None, autocommit=True) as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "migrations"
    shutil.copytree(PROJECT / "sql" / "migrations", copied)
    return copied


def test_a_migrated_warehouse_is_left_as_it_is(owner, folder) -> None:
    assert migrate(owner, folder) == []


def test_a_new_migration_is_applied_once(owner, folder) -> None:
    (folder / "9000_more.sql").write_text("create table etl.more (n int); create table etl.more_yet (n int);")
    assert migrate(owner, folder) == ["9000_more.sql"]
    assert migrate(owner, folder) == []


def test_a_query_ends_soon_after_its_client_is_gone(owner, settings) -> None:
    client = connect(settings, role=None, autocommit=True)
    client.pgconn.send_query(b"select pg_sleep(600)")
    goes_on = "select state = 'active' from pg_stat_activity where pid = %s"
    while owner.execute(goes_on, [client.info.backend_pid]).fetchone() != (True,):
        time.sleep(0.02)
    with socket.socket(fileno=client.pgconn.socket) as line:
        line.shutdown(socket.SHUT_RDWR)
        line.detach()
    begun = time.monotonic()
    while owner.execute(goes_on, [client.info.backend_pid]).fetchone() == (True,):
        assert time.monotonic() - begun < 20, "it goes on, and nobody waits for it"
        time.sleep(0.1)
    client.close()


def test_an_edited_migration_is_refused_and_named(owner, folder) -> None:
    path = folder / "0002_ledger.sql"
    path.write_text(path.read_text() + "\n-- one more thing\n")
    with pytest.raises(EtlError, match=r"0002_ledger\.sql was edited after it was applied"):
        migrate(owner, folder)


def test_one_that_fails_in_the_middle_leaves_nothing_and_can_be_mended(owner, folder) -> None:
    path = folder / "9000_more.sql"
    path.write_text("create table etl.more (n int); create table etl.more (n int);")
    with pytest.raises(EtlError, match=r"9000_more\.sql failed and left nothing behind"):
        migrate(owner, folder)
    path.write_text("create table etl.more (n int)")
    assert migrate(owner, folder) == ["9000_more.sql"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("more.sql", "is named NNNN_what_it_does.sql", id="a name without a number"),
        pytest.param("0002_more.sql", "have the same number", id="a number twice"),
    ],
)
def test_a_misnamed_migration_is_refused(owner, folder, name, message) -> None:
    (folder / name).write_text("select 1")
    with pytest.raises(EtlError, match=message):
        migrate(owner, folder)


@pytest.mark.parametrize("role", ["etl_transformer", "etl_reader"])
def test_only_the_loader_writes_the_ledger(owner, role) -> None:
    owner.execute(f"set role {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("insert into etl.batch (batch_id, source, kind) values (gen_random_uuid(), 'x', 'load')")


def test_a_reader_sees_neither_staging_nor_the_ledger(owner) -> None:
    owner.execute("set role etl_reader")
    for relation in ("stg.or_case", "stg.data_load_error", "etl.rejected_row"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(f"select * from {relation}")
