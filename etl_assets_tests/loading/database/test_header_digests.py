"""Tables of a PostgreSQL whose chunks are read by the headers of their rows: nothing is missed, and little is read."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import quote

import psycopg
import pytest

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.tables import Full
from etl_assets.errors import ShrunkenLoad, TransientError
from etl_assets.loading.database import changes, chunks
from etl_assets.loading.database.plan import ExtractMode, plan_tables
from etl_assets.loading.database.rollback import roll_back
from etl_assets.loading.database.table_load import READ_WHOLE
from etl_assets.readers.database import open_connection, postgres_headers
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.database.clinic import EMPTY, Clinic, at_each, checks, copied, counts, once

ROWS = 1_500
"""Of the big table, four a page: three chunks."""
SCHEMA = f"""
drop schema if exists app cascade;
create schema app;
set search_path = app;
create table profile (
    id varchar(32) primary key, name text, big text, updated_at timestamptz default now(),
    pad char(1500) default '');
alter table profile alter big set storage external;
insert into profile
select lpad(to_hex(n), 8, '0'), repeat('x', 80), null, '2024-01-01' from generate_series(1, {ROWS}) as n;
create table profile_types (id bigint generated always as identity primary key, profile_id varchar(32), type_id bigint);
insert into profile_types (profile_id, type_id) values ('00000001', 1), ('00000001', 2), ('00000002', 1);
create table pair (a int, b text, note text, primary key (b, a));
insert into pair values (1, 'x', null), (2, 'x', 'n'), (1, 'y', 'n');
create table keyless (word text, n int);
insert into keyless values ('a', 1), ('a', 1), (null, 2);
"""
COLUMNS = {
    "profile": "id, name, big, updated_at",
    "profile_types": "id, profile_id, type_id",
    "pair": "b, a, note",
    "keyless": "word, n",
}
KEYS = {"profile": "id", "profile_types": "id", "pair": ("b", "a"), "keyless": ()}
ONE = "id = '00000001'"


@pytest.fixture(scope="module")
def source_url(new_database: Callable[..., str]) -> str:
    """A database whose schema each test makes anew."""
    return f"{new_database()}?options={quote('-csearch_path=app')}"


@pytest.fixture
def hosted(module_settings: Settings, source_url: str) -> Iterator[Clinic]:
    """A source in PostgreSQL, of which all tables were loaded once."""
    url = source_url
    with open_connection(url) as connection:
        connection.execute(SCHEMA)
    tables = tuple(
        CopiedTable(name=name, key=key, load=Full(shrink_floor=0.5), **copied()) for name, key in KEYS.items()
    )
    hosted = Clinic(replace(module_settings, given={**module_settings.given, "ETL_OPEN_DENTAL_URL": url}), url, tables)
    with connect(hosted.settings, role=None) as connection:
        connection.execute(EMPTY)
    load(hosted)
    yield hosted
    hosted.close()


def load(hosted: Clinic, **options: bool) -> dict[str, tuple[int, ...]]:
    """Load all tables, which must then be as the source has them: what was read, inserted, updated, ..."""
    reports = hosted.load(*KEYS, **options)
    assert [report.failure for report in reports.values()] == [None] * len(KEYS)
    for name, columns in COLUMNS.items():
        with open_connection(hosted.url) as connection:
            rows = connection.execute(f"select {columns} from {name} order by 1, 2".encode()).fetchall()
        assert hosted.held(name, columns) == rows, name
        assert checks(reports[name]).get("matches_source", True)
    return {name: counts(report) for name, report in reports.items()}


def modes(hosted: Clinic, **options: bool) -> set[str]:
    return {plan.strategy for plan in plan_tables(hosted.settings, hosted.source, list(KEYS), **options)}


NOTHING = dict.fromkeys(KEYS, (0, 0, 0, 0, 0))


def test_the_first_load_writes_the_digests_and_the_second_reads_nothing(hosted: Clinic) -> None:
    held = "select relation, count(*), sum(rows), sum(cardinality(key_hashes)) from etl.header_digest group by 1"
    chunks_of = {name.partition(".")[2]: rest for name, *rest in hosted.query(held)}
    assert chunks_of["profile"] == [3, ROWS, ROWS]
    assert (chunks_of["pair"], chunks_of["keyless"]) == ([1, 3, 3], [1, 3, 0])
    assert modes(hosted) == {ExtractMode.HEADER_DIGEST.value}
    asked: list[str] = []
    at_each(hosted, read=lambda: asked.append("rows"), fingerprints=lambda: asked.append("hashes"))
    reconciled = "select array_agg(distinct swept_at = read_at), min(swept_at) from etl.extraction"
    ((is_swept, first),) = hosted.query(reconciled)
    assert load(hosted) == NOTHING
    assert asked == []
    ((is_still, then),) = hosted.query(reconciled)
    assert is_swept == is_still == [True]
    assert then > first


@pytest.mark.parametrize(
    ("statement", "inserted", "updated", "deleted"),
    [
        pytest.param(f"update profile set name = 'bulk' where {ONE}", 0, 1, 0, id="no stamp moved"),
        pytest.param(f"update profile set big = repeat('t', 9000) where {ONE}", 0, 1, 0, id="out of line alone"),
        pytest.param(f"update profile set name = name where {ONE}", 0, 0, 0, id="nothing changed"),
        pytest.param(f"delete from profile where {ONE}", 0, 0, 1, id="deleted"),
        pytest.param("insert into profile values ('1234e567'), ('00012345'), ('12345')", 3, 0, 0, id="inserted"),
        pytest.param(f"update profile set id = '1234e567' where {ONE}", 1, 0, 1, id="another key"),
        pytest.param(f"delete from profile where {ONE}; insert into profile values ('e1')", 1, 0, 1, id="both"),
    ],
)
def test_of_a_large_table_the_chunks_are_read_that_were_written_to(
    hosted: Clinic, statement: str, inserted: int, updated: int, deleted: int
) -> None:
    hosted.write(statement)
    (read, *rest) = load(hosted)["profile"]
    assert (rest[0], rest[1], rest[3]) == (inserted, updated, deleted)
    assert 0 < read < ROWS
    assert load(hosted) == NOTHING


def test_tables_without_a_stamp_or_a_whole_number_as_key(hosted: Clinic) -> None:
    hosted.write(
        "delete from profile_types where type_id = 2",
        "insert into profile_types (profile_id, type_id) values ('00000003', 7)",
        "delete from pair where b = 'y'; update pair set note = 'other' where a = 2",
        "delete from keyless where word is null; insert into keyless values ('b', 3)",
    )
    found = load(hosted)
    assert found["profile"] == (0, 0, 0, 0, 0)
    assert found["profile_types"] == (3, 1, 0, 2, 1)
    assert found["pair"] == (2, 0, 1, 1, 1)
    assert found["keyless"] == (3, 3, 0, 0, 3)
    assert load(hosted) == NOTHING


def test_of_a_chunk_that_has_no_row_any_more_nothing_is_read(hosted: Clinic) -> None:
    hosted.write("delete from profile where id > '00000400'")
    assert load(hosted)["profile"] == (0, 0, 0, 0, ROWS - 0x400)
    assert load(hosted) == NOTHING


def test_what_writes_no_row_reads_none(hosted: Clinic) -> None:
    hosted.write(f"delete from profile where {ONE}")
    load(hosted)
    hosted.write(
        "vacuum profile",
        "vacuum (freeze) profile",
        "select from profile for update",
        "create index on profile (name)",
    )
    assert load(hosted) == NOTHING


def test_a_new_file_is_read_whole_and_written_nowhere(hosted: Clinic) -> None:
    hosted.write("vacuum full profile")
    assert READ_WHOLE in hosted.take("profile").notes
    hosted.write("vacuum full profile")
    assert load(hosted)["profile"] == (ROWS, 0, 0, ROWS, 0)
    hosted.write(f"delete from profile where {ONE}")
    assert load(hosted)["profile"][4] == 1
    assert load(hosted) == NOTHING


def test_a_table_that_is_emptied_and_filled_again(hosted: Clinic) -> None:
    hosted.write("create table kept as select * from profile; truncate profile",
          f"insert into profile select id, 'again', big, updated_at, pad from kept where not {ONE}")  # fmt: skip
    assert load(hosted)["profile"] == (ROWS - 1, 0, ROWS - 1, 0, 1)
    assert load(hosted) == NOTHING


def test_a_source_that_lost_its_rows_is_not_believed(hosted: Clinic) -> None:
    hosted.write("delete from profile where id > '00000100'")
    assert isinstance(hosted.load("profile")["profile"].failure, ShrunkenLoad)
    assert hosted.query("select count(*) from open_dental.profile") == [(ROWS,)]
    assert load(hosted, accept_shrink=True)["profile"][4] == ROWS - 0x100


def test_a_transaction_that_is_committed_late_is_read_later(hosted: Clinic) -> None:
    with psycopg.connect(hosted.url) as late:
        late.execute("insert into profile (id) values ('late')")
        hosted.write("insert into profile (id) values ('soon')")
        assert load(hosted)["profile"][1] == 1
        late.commit()
    assert load(hosted)["profile"][1] == 1
    assert load(hosted) == NOTHING


def test_a_row_that_moves_while_its_table_is_read_is_not_taken_for_deleted(hosted: Clinic) -> None:
    hosted.write(f"delete from profile where {ONE}")
    move = once(lambda: hosted.write("update profile set name = 'moved' where id = '00000020'"))
    at_each(hosted, read=move)
    report = hosted.take("profile")
    assert (report.counts.rows_deleted, report.counts.rows_updated) == (1, 0)
    assert load(hosted)["profile"][1:3] == (0, 1)


def test_a_migration_goes_first_and_the_next_run_loads(hosted: Clinic) -> None:
    hosted.write(
        f"update profile set name = 'new' where {ONE}", "update profile set name = 'new' where id > '00000400'"
    )
    migration = threading.Thread(target=hosted.write, args=("alter table profile add later int default 7",))

    def migrate() -> None:
        migration.start()
        begun = time.monotonic()
        with open_connection(hosted.url) as connection:
            while connection.execute("select count(*) from pg_locks where not granted").fetchone() == (0,):
                assert time.monotonic() - begun < 10
                time.sleep(0.01)

    at_each(hosted, read=once(migrate))
    failure = hosted.load("profile")["profile"].failure
    migration.join()
    assert isinstance(failure, TransientError)
    assert "waits for the table profile" in str(failure)
    assert load(hosted)["profile"][0] == ROWS
    assert hosted.query("select distinct later from open_dental.profile") == [(7,)]


def test_where_nothing_is_known_all_is_read(hosted: Clinic) -> None:
    with connect(hosted.settings) as connection:
        connection.execute("delete from etl.header_digest")
    hosted.write(f"delete from profile where {ONE}")
    found = load(hosted)
    assert found["profile"] == (ROWS - 1, 0, 0, ROWS - 1, 1)
    assert load(hosted) == NOTHING


def test_where_the_keys_are_not_known_the_count_tells_and_all_is_read(hosted: Clinic) -> None:
    with connect(hosted.settings) as connection:
        connection.execute("update etl.header_digest set key_hashes = '{}'")
    hosted.write(f"delete from profile where {ONE}")
    assert load(hosted)["profile"] == (ROWS - 1, 0, 0, ROWS - 1, 1)
    hosted.write("delete from profile where id = '00000002'")
    assert load(hosted)["profile"][0] < ROWS // 2
    assert load(hosted) == NOTHING


def test_a_sweep_goes_by_the_values_and_mends_what_was_written_here(hosted: Clinic) -> None:
    assert modes(hosted, full_compare=True) == {ExtractMode.RANGE_CHECKSUM.value}
    load(hosted, full_compare=True)
    with connect(hosted.settings, role=None) as connection:
        connection.execute(f"delete from open_dental.profile where {ONE}")
        connection.execute("update open_dental.pair set note = 'by hand'")
    load(hosted, full_compare=True)
    hosted.write("update profile set name = 'n' where id = '00000002'")
    load(hosted)
    assert load(hosted) == NOTHING


def test_a_row_that_a_sweep_has_brought_and_that_is_deleted_since_is_found_by_the_count(hosted: Clinic) -> None:
    """Its chunk is as it was when it was last read by its headers."""
    hosted.write("insert into pair values (9, 'z')")
    assert load(hosted, full_compare=True)["pair"][1] == 1
    hosted.write("delete from pair where a = 9")
    assert load(hosted)["pair"][4] == 1
    assert load(hosted) == NOTHING


def test_after_a_rollback_every_row_is_compared(hosted: Clinic) -> None:
    hosted.write(f"delete from profile where {ONE}")
    load(hosted)
    with open_batch(hosted.settings, "open_dental", "rollback") as batch:
        roll_back(hosted.settings, hosted.source, "profile", batch)
    assert hosted.query(f"select count(*) from open_dental.profile where {ONE}") == [(1,)]
    assert modes(hosted) == {ExtractMode.FULL_COMPARE.value, ExtractMode.HEADER_DIGEST.value}
    assert load(hosted)["profile"] == (ROWS - 1, 0, 0, ROWS - 1, 1)
    assert load(hosted) == NOTHING


def test_partitioned_and_retained_tables_keep_the_other_way(hosted: Clinic) -> None:
    hosted.write(
        "create table parted (id int primary key) partition by range (id)",
        "create table parted_1 partition of parted for values from (0) to (9); insert into parted values (1)",
        "create table audit (id int primary key); insert into audit values (1)",
    )
    hosted.tables = (
        *hosted.tables,
        CopiedTable(name="parted", key="id", load=Full(), **copied()),
        CopiedTable(name="audit", key="id", load=Full(), **copied(retain_deleted=True)),
    )
    for _ in range(2):
        hosted.take("parted")
        hosted.take("audit")
    plans = plan_tables(hosted.settings, hosted.source, ["parted", "audit"])
    assert {plan.strategy for plan in plans} == {ExtractMode.RANGE_CHECKSUM.value}


def test_a_large_table_is_read_and_verified_in_groups(hosted: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "FULL_VERIFY_ROWS", 10)
    monkeypatch.setattr(chunks, "GROUP_ROWS", 700)
    hosted.write(f"delete from profile where {ONE}; update profile set name = 'n' where id > '00000400'")
    report = hosted.take("profile")
    assert (report.counts.rows_deleted, report.counts.rows_updated) == (1, ROWS - 0x400)
    (compared,) = [check.rows_checked for check in report.checks if check.name == "matches_source"]
    assert compared == report.counts.rows_read
    assert load(hosted) == NOTHING


@pytest.mark.parametrize("seed", range(2))
def test_a_history_at_random_is_followed_to_the_row(hosted: Clinic, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(postgres_headers, "CHUNK_PAGES", 1)
    chance = random.Random(seed)  # noqa: S311 (what happens in a test)
    hosted.write("delete from profile where id > '00000200'", "vacuum full profile")
    load(hosted, accept_shrink=True)
    for _ in range(8):
        for _ in range(chance.randint(0, 4)):
            key = f"{chance.randint(1, 0x240):08x}"
            hosted.write(chance.choice((
                f"delete from profile where id = '{key}'",
                f"insert into profile values ('{key}', 'new') on conflict do nothing",
                f"update profile set name = repeat('m', {chance.randint(1, 1900)}) where id = '{key}'",
                f"update profile set id = 'k' || id where id = '{key}'",
                f"update profile_types set type_id = {chance.randint(1, 9)}",
                f"delete from pair where a = {chance.randint(1, 9)}",
                f"insert into pair values ({chance.randint(1, 9)}, 'z') on conflict do nothing",
                "vacuum profile",
                "vacuum full pair",
            )))  # fmt: skip
        load(hosted, accept_shrink=True)
        assert load(hosted) == NOTHING
