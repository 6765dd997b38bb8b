import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from etl_assets.errors import EtlError, TransientError
from etl_assets.settings import read_settings
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect, dagster_url


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home") / "postgres"
    embedded.start_server(folder)
    yield folder
    embedded.stop_server(folder)


def setting(folder: Path, name: str) -> str:
    with psycopg.connect(embedded.server_url(folder)) as connection:
        return connection.execute("select current_setting(%s)", [name]).fetchone()[0]


def test_a_second_start_finds_it_running(folder) -> None:
    started = setting(folder, "port")
    assert urlsplit(embedded.start_server(folder)).port == int(started)


def test_it_keeps_its_password_its_port_and_its_data_over_a_restart(folder) -> None:
    before = embedded.server_url(folder)
    with psycopg.connect(before) as connection:
        connection.execute("create table if not exists kept (n int)")
    assert embedded.stop_server(folder)
    assert embedded.start_server(folder) == before
    with psycopg.connect(before) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_it_takes_another_port_where_its_own_is_taken(folder) -> None:
    embedded.stop_server(folder)
    taken = urlsplit(embedded.server_url(folder)).port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((embedded.HOST, taken))
        other.listen()
        assert urlsplit(embedded.start_server(folder)).port != taken


def test_it_comes_back_after_its_first_process_was_killed_in_the_middle_of_a_statement(folder) -> None:
    url = embedded.start_server(folder)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table if not exists committed (n int)")
        connection.execute("insert into committed values (1)")
    busy = psycopg.connect(url)
    busy.execute("insert into committed values (2)")
    # One that reads nothing from its client does not notice by itself.
    asked = threading.Thread(target=forget, args=(busy, "select count(*) from generate_series(1, 10000000000)"))
    asked.start()
    time.sleep(0.3)
    os.kill(embedded.postmaster_pid(folder), signal.SIGKILL)
    end = time.monotonic() + 10
    while embedded.has_postmaster(folder):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert asked.is_alive()
    assert embedded.start_server(folder) == url
    asked.join(timeout=10)
    assert not asked.is_alive(), "what the old server was at is over"
    with psycopg.connect(url) as connection:
        assert connection.execute("select array_agg(n) from committed").fetchone() == ([1],)


def forget(connection: psycopg.Connection, statement: str) -> None:
    with suppress(psycopg.Error):
        connection.execute(statement)


def test_it_starts_where_the_number_of_its_last_process_is_another_s_now(folder) -> None:
    """As after a reboot, or where nobody waits for what was killed."""
    embedded.stop_server(folder)
    owner = (folder / "data").stat()
    other = subprocess.Popen(["/bin/sleep", "60"], user=owner.st_uid)
    try:
        file = folder / "data" / "postmaster.pid"
        file.write_text(f"{other.pid}\n{folder / 'data'}\n0\n1\n\n\n\n\n")
        os.chown(file, owner.st_uid, owner.st_gid)
        assert not embedded.has_postmaster(folder)
        embedded.start_server(folder)
        assert embedded.has_postmaster(folder)
    finally:
        other.kill()
        other.wait()


def test_a_connection_waits_for_a_server_that_recovers(folder, tmp_path, monkeypatch) -> None:
    settings = read_settings({"ETL_HOME": str(tmp_path), "ETL_WAREHOUSE_URL": embedded.start_server(folder)})
    opened = psycopg.connect
    answers = ["the database system is starting up", "the database system is not yet accepting connections"]

    def connect_after_recovery(*words, **options):
        if answers:
            raise psycopg.OperationalError(f"FATAL:  {answers.pop()}")
        return opened(*words, **options)

    monkeypatch.setattr(psycopg, "connect", connect_after_recovery)
    with connect(settings, role=None) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert answers == []


def test_nobody_comes_in_without_the_password(folder) -> None:
    port = urlsplit(embedded.server_url(folder)).port
    for words in (f"host=127.0.0.1 port={port} user=etl", f"host=127.0.0.1 port={port} user=postgres password=x"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(words + " dbname=warehouse")


def test_the_password_is_in_no_process_list_and_the_file_is_its_owners(folder) -> None:
    password = (folder / "password").read_text()
    assert len(password) > 20
    assert password not in subprocess.run(["/bin/ps", "axww"], capture_output=True, text=True, check=True).stdout
    assert (folder / "password").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("fsync", "on", id="safe when the power goes"),
        pytest.param("full_page_writes", "on", id="safe when a page is half written"),
        pytest.param("synchronous_commit", "on", id="what is committed is on the disk"),
        pytest.param("wal_level", "minimal", id="a load into a new table writes no log"),
        pytest.param("timezone", "UTC", id="time is UTC inside"),
        pytest.param("listen_addresses", "127.0.0.1", id="this machine only"),
    ],
)
def test_it_is_set_up_for_bulk_loads_that_survive_a_crash(folder, name, value) -> None:
    assert setting(folder, name) == value


def test_a_first_start_that_was_cut_off_is_taken_up_again(tmp_path) -> None:
    folder = tmp_path / "postgres"
    embedded.start_server(folder)
    embedded.stop_server(folder)
    (folder / "ready").unlink()
    try:
        with psycopg.connect(embedded.start_server(folder)) as connection:
            assert connection.execute("select current_user").fetchone() == ("etl",)
    finally:
        embedded.stop_server(folder)


def test_an_error_of_connecting_says_what_is_wrong_and_no_password(tmp_path) -> None:
    url = "postgresql://etl:very-secret@127.0.0.1:1/warehouse"
    settings = read_settings({"ETL_HOME": str(tmp_path), "ETL_WAREHOUSE_URL": url})
    with pytest.raises(TransientError, match="cannot be reached") as caught:
        connect(settings)
    assert "very-secret" not in f"{caught.value}{settings!r}"


def test_a_refused_login_is_for_a_person_to_mend(folder, tmp_path) -> None:
    wrong = re.sub(r"//etl:[^@]+@", "//etl:wrong@", embedded.server_url(folder))
    with pytest.raises(EtlError, match="password authentication failed") as caught:
        connect(read_settings({"ETL_HOME": str(tmp_path), "ETL_WAREHOUSE_URL": wrong}))
    assert not isinstance(caught.value, TransientError)


def test_dagsters_database_is_beside_the_warehouse_and_names_its_driver(tmp_path) -> None:
    settings = read_settings({"ETL_HOME": str(tmp_path), "ETL_WAREHOUSE_URL": "postgresql://u:p@h:5/warehouse"})
    assert dagster_url(settings) == "postgresql+psycopg2://u:p@h:5/dagster"
