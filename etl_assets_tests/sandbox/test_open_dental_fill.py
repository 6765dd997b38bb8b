"""The practice in a database: the same in MariaDB and in PostgreSQL, made once, and never over others' tables."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.sandbox.open_dental.database import MARK, Database
from etl_assets.sandbox.open_dental.fill import HOSTED, fill, host
from etl_assets.sandbox.open_dental.practice import Practice
from etl_assets.sandbox.open_dental.schema import tables
from etl_assets.warehouse import embedded
from etl_assets_tests.sandbox.databases import held, of

SMALL = 60


@pytest.fixture
def empty(server: Path, new_mysql_database: Callable[[], str]) -> Callable[[str], str]:
    """Makes an empty database of a dialect."""

    def make(dialect: str) -> str:
        if dialect == "mysql":
            return new_mysql_database()
        name = f"sandbox_{new_mysql_database().rpartition('/')[2]}"
        with Database(embedded.server_url(server, "postgres")) as database:
            database.run(f"create database {name} template template0")
        return embedded.server_url(server, name)

    return make


BOTH = pytest.mark.parametrize("dialect", ["mysql", "postgresql"])


@BOTH
def test_the_database_holds_every_value_of_the_practice(empty: Callable[[str], str], dialect: str) -> None:
    url = empty(dialect)
    written = fill(url, patients=SMALL, seed=5)
    practice = Practice(5, patients=SMALL)
    found = held(url)
    mark = max(found["preference"])
    assert found["preference"].pop(mark)[:2] == (MARK, f"seed 5, {SMALL} patients")
    assert written == {name: len(rows) for name, rows in found.items()}
    for name, table in tables().items():
        assert found[name] == {row[table.key]: of(row) for row in practice.tables[name]}, name


def test_a_date_of_zeros_is_held_by_mysql_alone(empty: Callable[[str], str]) -> None:
    url = empty("mysql")
    fill(url, only=["medicationpat"])
    with Database(url, driver="pymysql") as database:
        assert ("0000-00-00",) in set(database.rows("select DateStop from medicationpat"))


def test_the_stamp_moves_by_itself_in_mysql_and_keys_count_on(empty: Callable[[str], str]) -> None:
    url = empty("mysql")
    fill(url, patients=SMALL, only=["adjustment"])
    with Database(url) as database:
        database.run("update adjustment set AdjNote = 'edited' where AdjNum = 1")
        database.run("insert into adjustment (AdjAmt) values (1)")
        found = database.rows("select AdjNum from adjustment where SecDateTEdit > now() - interval 1 hour order by 1")
        assert [number for (number,) in found] == [1, database.rows("select max(AdjNum) from adjustment")[0][0]]


@BOTH
def test_tables_that_are_there_are_left_alone_unless_they_are_wanted_anew(
    empty: Callable[[str], str], dialect: str
) -> None:
    url = empty(dialect)
    assert set(fill(url, patients=SMALL, only=["patient"])) == {"patient", "preference"}
    with Database(url) as database:
        database.run("delete from patient")
    assert fill(url, patients=SMALL, only=["patient"]) == {}
    assert set(fill(url, patients=SMALL, only=["patient", "carrier"])) == {"carrier"}
    assert held(url, "patient")["patient"] == {}
    assert fill(url, patients=SMALL, only=["patient"], anew=True)["patient"] == len(held(url, "patient")["patient"]) > 0


@BOTH
def test_what_was_cut_off_is_filled_again(empty: Callable[[str], str], dialect: str) -> None:
    url = empty(dialect)
    fill(url, patients=SMALL, only=["patient"])
    with Database(url) as database:
        database.run("delete from patient")
        database.set_mark("filling")
    assert fill(url, patients=SMALL, only=["patient"])["patient"] > 0
    assert fill(url, patients=SMALL, only=["patient"]) == {}


@BOTH
def test_a_database_of_somebody_elses_is_refused(empty: Callable[[str], str], dialect: str) -> None:
    url = empty(dialect)
    with Database(url) as database:
        database.run("create table patient (precious integer)")
        database.run("insert into patient values (1)")
    for anew in (False, True):
        with pytest.raises(EtlError, match="not marked as a sandbox"):
            fill(url, patients=SMALL, anew=anew)
    with Database(url) as database:
        assert database.rows("select * from patient") == [(1,)]
        assert database.held() == {"patient"}


def test_a_real_practice_is_refused_though_it_has_preferences(empty: Callable[[str], str]) -> None:
    url = empty("mysql")
    with Database(url) as database:
        database.make(tables()["preference"])
        database.run("insert into preference (PrefName, ValueString) values ('PracticeTitle', 'Real')")
    with pytest.raises(EtlError, match="not marked as a sandbox"):
        fill(url, patients=SMALL)


def test_a_warehouse_is_refused(warehouse_url: str) -> None:
    with pytest.raises(EtlError, match="not marked as a sandbox"):
        fill(warehouse_url, patients=SMALL)


@BOTH
def test_two_practices_are_not_mixed(empty: Callable[[str], str], dialect: str) -> None:
    url = empty(dialect)
    fill(url, patients=SMALL, only=["patient"])
    with pytest.raises(EtlError, match=f"another practice .seed 1, {SMALL} patients"):
        fill(url, patients=SMALL, seed=2)
    assert len(fill(url, patients=SMALL, seed=2, anew=True)) == len(tables())


def test_it_is_hosted_beside_the_warehouse_once(server: Path) -> None:
    name = f"{HOSTED}_{secrets.token_hex(3)}"
    with ThreadPoolExecutor() as pool:
        (url,) = set(pool.map(lambda _: host(embedded.server_url(server), database=name, patients=SMALL), range(2)))
    assert url.endswith(f"/{name}")
    with Database(url) as database:
        database.run('update patient set "LName" = \'Changed\' where "PatNum" = 1')
    assert host(embedded.server_url(server), database=name, patients=SMALL) == url
    names = tables()["patient"].names
    assert held(url, "patient")["patient"][1][names.index("LName")] == "Changed"
