"""A back-up is whole or not there, and a restore replaces nothing; the drill is in `orchestration/test_restore.py`."""

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from etl_assets.errors import EtlError
from etl_assets.settings import PROJECT, Settings
from etl_assets.warehouse.backup import back_up, read_backup, restore_databases
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.tombstones import Tombstone, append_tombstones, read_tombstone_file

MIGRATIONS = [path.name for path in (PROJECT / "sql" / "migrations").glob("*.sql")]


def tombstone(digest: str) -> Tombstone:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    return Tombstone(subject="patient", digest=digest, key_check="k", erased_at=moment, erased_by="x", why="y")


@pytest.fixture
def installation(settings: Settings, empty_database: Callable[[], str]) -> Settings:
    made = replace(settings, dagster_url=empty_database())
    append_tombstones(made.tombstone_dir / "open_dental.jsonl", [tombstone("before")])
    return made


@pytest.fixture
def empty(installation: Settings, empty_database: Callable[[], str]) -> Settings:
    """The same installation over empty databases."""
    return replace(installation, warehouse_url=empty_database(), dagster_url=empty_database())


def tables(settings: Settings) -> int:
    with connect(settings, role=None) as connection:
        row = connection.execute("select count(*) from pg_class where relnamespace = to_regnamespace('etl')").fetchone()
    return row[0]


def test_a_back_up_is_for_its_owner_alone_and_nothing_is_beside_it(installation: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "of_monday"
    back_up(installation, folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in tmp_path.iterdir() if "monday" in path.name] == ["of_monday"]
    assert {path.name for path in folder.iterdir()} == {"warehouse", "dagster", "tombstones", "backup.json"}
    password = psycopg.conninfo.conninfo_to_dict(installation.warehouse_url)["password"]
    assert password not in (folder / "backup.json").read_text()
    before = sorted(folder.rglob("*"))
    with pytest.raises(EtlError, match="is there already"):
        back_up(installation, folder)
    assert sorted(folder.rglob("*")) == before


def test_of_one_that_failed_nothing_is_left(installation: Settings, tmp_path: Path, empty_database) -> None:
    url = empty_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table secret (n integer); revoke all on secret from public, current_user")
        with pytest.raises(EtlError, match=r"pg_dump failed with exit code 1: .*permission denied"):
            back_up(replace(installation, dagster_url=url), tmp_path / "of_monday")
    assert [path.name for path in tmp_path.iterdir() if "monday" in path.name] == []


def test_nothing_is_restored_over_what_is_there(installation: Settings, tmp_path: Path) -> None:
    back_up(installation, tmp_path / "b")
    with connect(installation, role=None, autocommit=True) as connection:
        before = connection.execute("select count(*), max(oid) from pg_class").fetchone()
        with pytest.raises(EtlError, match=r"The database of warehouse is not empty\. Nothing was restored"):
            restore_databases(installation, tmp_path / "b", known_migrations=MIGRATIONS)
        assert connection.execute("select count(*), max(oid) from pg_class").fetchone() == before


def test_who_was_erased_is_learnt_and_no_one_forgotten(installation: Settings, empty: Settings, tmp_path: Path) -> None:
    path = installation.tombstone_dir / "open_dental.jsonl"
    back_up(installation, tmp_path / "b")
    path.unlink()
    append_tombstones(path, [tombstone("after")])
    restore_databases(empty, tmp_path / "b", known_migrations=MIGRATIONS)
    assert {each.digest for each in read_tombstone_file(path)} == {"before", "after"}


def test_a_dump_that_is_broken_leaves_its_database_empty(
    installation: Settings, empty: Settings, tmp_path: Path
) -> None:
    back_up(installation, tmp_path / "b")
    largest = max((tmp_path / "b" / "warehouse").glob("*.dat.gz"), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    largest.write_bytes(content[: len(content) // 2])
    with pytest.raises(EtlError, match="nothing"):
        restore_databases(empty, tmp_path / "b", known_migrations=MIGRATIONS)
    assert tables(empty) == 0
    largest.write_bytes(content)
    restore_databases(empty, tmp_path / "b", known_migrations=MIGRATIONS)
    assert tables(empty) == tables(installation)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda given: given["migrations"].append("9999_of_tomorrow.sql"), "is of a newer version of this project"),
        (lambda given: given["roles"].append("ana"), "Not on this server: ana"),
        (lambda given: given.pop("roles"), "is no back-up that etl backup made"),
    ],
)
def test_what_stands_in_the_way_is_told_before_anything_is_done(
    installation: Settings, empty: Settings, tmp_path: Path, change: Callable[[dict], object], told: str
) -> None:
    back_up(installation, tmp_path / "b")
    given = json.loads((tmp_path / "b" / "backup.json").read_text())
    change(given)
    (tmp_path / "b" / "backup.json").write_text(json.dumps(given))
    with pytest.raises(EtlError, match=told):
        restore_databases(empty, tmp_path / "b", known_migrations=MIGRATIONS)
    assert tables(empty) == 0


def test_a_folder_that_lacks_a_dump_is_not_taken_for_one(installation: Settings, tmp_path: Path) -> None:
    back_up(installation, tmp_path / "b")
    (tmp_path / "b" / "dagster").rename(tmp_path / "elsewhere")
    with pytest.raises(EtlError, match="the dump of dagster is missing"):
        read_backup(tmp_path / "b")
