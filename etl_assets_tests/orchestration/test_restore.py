"""The drill: a warehouse is lost and restored, on a new server of the same major version and on a newer one."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from etl_assets.drills.installation import Installation, scratch_installation
from etl_assets.sandbox.operating_room.write import write_files
from etl_assets.warehouse import embedded
from etl_assets_tests.command_lines import watched

OLD_POSTGRES = "ETL_TEST_OLD_POSTGRES"
"""Names the folder of the programs of an older PostgreSQL, 17, such as /usr/lib/postgresql/17/bin."""
ACL = "left join lateral (select array_agg(a::text order by a::text) as acl from unnest(%s) as a) on true"
RELATION_ACL = """coalesce(relacl, acldefault(cast(case relkind when 'S' then 's' else 'r' end as "char"), relowner))"""
PRIVILEGES = f"""
    select 'relation', oid::regclass::text, relowner::regrole::text, acl::text
    from pg_class
    {ACL % RELATION_ACL}
    where relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    union all
    select 'column', attrelid::regclass || '.' || attname, '', acl::text
    from pg_attribute {ACL % "attacl"}
    where acl is not null and attrelid >= 16384
    union all
    select 'schema', nspname, nspowner::regrole::text, acl::text
    from pg_namespace {ACL % "coalesce(nspacl, acldefault('n', nspowner))"}
    where nspname !~ '^(pg_|information_schema)'
    union all
    select 'function', oid::regprocedure::text, proowner::regrole || ' ' || prosecdef || coalesce(proconfig::text, ''),
        acl::text
    from pg_proc {ACL % "coalesce(proacl, acldefault('f', proowner))"}
    where pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
    union all
    select 'default', defaclrole::regrole || ' ' || defaclnamespace::regnamespace || ' ' || defaclobjtype::text, '',
        acl::text
    from pg_default_acl {ACL % "defaclacl"}
    union all
    select 'member', roleid::regrole::text, member::regrole::text, inherit_option || ' ' || set_option
    from pg_auth_members where roleid::regrole::text ~ '^etl_' and member::regrole::text ~ '^etl_'
"""
NEVER_THE_SAME = {"etl.load_under_way"}


def contents(at: Installation) -> dict[str, tuple]:
    """Of every table how many rows it has, and a digest of all of them."""
    names = at.query(
        "select oid::regclass::text from pg_class where relkind = 'r'"
        " and relnamespace::regnamespace::text !~ '^(pg_|information_schema)' order by 1"
    )
    return {
        name: at.query(f"select count(*), md5(string_agg(held::text, ',' order by held::text)) from {name} as held")[0]
        for (name,) in names
        if name not in NEVER_THE_SAME
    }


def fill(at: Installation) -> None:
    write_files(at.landing, start=date(2026, 1, 5), days=4, rooms=2)
    at.etl("run", "operating_room")
    with psycopg.connect(at.environment.get("ETL_WAREHOUSE_URL") or at.etl("url").strip(), autocommit=True) as login:
        login.execute("create role auditor login; grant etl_reader to auditor")


def password(at: Installation) -> str:
    return psycopg.conninfo.conninfo_to_dict(at.etl("url").strip())["password"]


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Path]]:
    with scratch_installation({}) as at:
        fill(at)
        yield at, tmp_path_factory.mktemp("backups") / "of_monday"


def test_what_is_lost_is_restored_and_a_run_changes_nothing(drill: tuple[Installation, Path]) -> None:
    at, folder = drill
    before, may = contents(at), set(at.query(PRIVILEGES))
    proof, status = at.etl("prove", "operating_room"), at.etl("status")
    assert before["stg.or_case"][0] > 0
    with watched(password(at), seen=("pg_dump", "psql")) as shown:
        at.etl("backup", str(folder), expected=0)
    assert shown == []

    embedded.stop_server(at.settings.home / "postgres")
    shutil.rmtree(at.settings.home / "postgres")
    write_files(at.landing, start=date(2026, 1, 12), days=1, rooms=2)  # came since

    at.etl("url")
    with watched(password(at), seen=("pg_dump", "psql")) as shown:
        said = at.etl("restore", str(folder), expected=0)
    assert shown == []
    assert "auditor was granted etl_reader, and is not on this server" in said
    assert contents(at) == before
    assert set(at.query(PRIVILEGES)) ^ may == set()
    assert at.etl("migrate") == "The warehouse is up to date.\n"
    assert at.etl("prove", "operating_room") == proof
    assert at.etl("status") == status

    loads = at.query("select max(load_id) from etl.table_load")[0][0]
    at.etl("run", "operating_room", "--from", "2026-01-05", "--to", "2026-01-08")
    assert at.query(
        "select sum(rows_inserted + rows_updated + rows_deleted + rows_rejected), sum(rows_read) > 0"
        " from etl.table_load where load_id > %s",
        loads,
    ) == [(0, True)]
    at.etl("run", "operating_room")
    assert at.query("select count(*) > 0 from stg.or_case where surgery_date = '2026-01-12'") == [(True,)]
    with psycopg.connect(at.etl("url").strip().replace("/warehouse", "/dagster")) as dagster:
        (runs,) = dagster.execute("select count(*) from runs").fetchone()
    assert runs >= 3, "Dagster's records of before and of after"


def test_a_role_may_do_there_what_it_might_before(drill: tuple[Installation, Path]) -> None:
    at, _ = drill
    with psycopg.connect(at.etl("url").strip(), autocommit=True) as login:
        login.execute("set role etl_reader")
        assert login.execute("select count(*) from operating_room.dim_room").fetchone()[0] > 0
        for refused in ("select 1 from stg.or_case", "delete from operating_room.dim_room"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                login.execute(refused)


@pytest.fixture(scope="module")
def old_server() -> Iterator[str]:
    """A server of PostgreSQL 17, and the URL of its database."""
    named = os.environ.get(OLD_POSTGRES)
    if not named:
        pytest.skip(
            f"{OLD_POSTGRES} names no programs of PostgreSQL 17: the UPGRADE of the major version was NOT tried"
        )
    with tempfile.TemporaryDirectory(prefix="etl-old-") as folder:  # the server's user may go there
        yield from _old_server(Path(named), Path(folder))


def _old_server(binaries: Path, folder: Path) -> Iterator[str]:
    user = "pgserver" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    secret = folder / "secret"
    secret.write_text("of:17\\")
    secret.chmod(0o644)

    def run(name: str, *words: str) -> None:
        command = [str(binaries / name), "-D", str(folder / "data"), *words]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    encoding = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "-E", "UTF8")
    run("initdb", "-U", "etl", "-A", "scram-sha-256", f"--pwfile={secret}", *encoding)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-p {port} -k '' -c listen_addresses=127.0.0.1", "start")
    try:
        url = f"postgresql://etl:of%3A17%5C@127.0.0.1:{port}/warehouse"
        with psycopg.connect(url.replace("/warehouse", "/postgres"), autocommit=True) as connection:
            connection.execute("create database warehouse")
            connection.execute("create database dagster")
        yield url
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


def test_a_dump_of_the_major_version_before_is_restored_into_the_newer_one(old_server: str, tmp_path: Path) -> None:
    with scratch_installation({"ETL_WAREHOUSE_URL": old_server}) as at:
        fill(at)
        assert at.query("show server_version_num")[0][0].startswith("17")
        before, may, proof = contents(at), set(at.query(PRIVILEGES)), at.etl("prove", "operating_room")
        at.etl("backup", str(tmp_path / "of_17"), expected=0)
        newer = Installation({name: value for name, value in at.environment.items() if name != "ETL_WAREHOUSE_URL"})
        newer.etl("restore", str(tmp_path / "of_17"), expected=0)
        assert newer.query("show server_version_num")[0][0].startswith("18")
        assert contents(newer) == before
        assert set(newer.query(PRIVILEGES)) ^ may == set()
        assert newer.etl("migrate") == "The warehouse is up to date.\n"
        assert newer.etl("prove", "operating_room") == proof
        loads = newer.query("select max(load_id) from etl.table_load")[0][0]
        newer.etl("run", "operating_room", "--from", "2026-01-05", "--to", "2026-01-08", "--rebuild")
        assert newer.query(
            "select sum(rows_inserted + rows_updated + rows_deleted) from etl.table_load where load_id > %s", loads
        ) == [(0,)]
        built = newer.query("select sum(rows_changed), count(*) > 5 from etl.model_build where build_id > 0"
                            " and built_at > (select max(began_at) from (select min(started_at) as began_at"
                            " from etl.batch group by run_id) as runs)")  # fmt: skip
        assert built == [(0, True)]
