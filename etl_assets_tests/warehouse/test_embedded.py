import re
import socket
import subprocess
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
