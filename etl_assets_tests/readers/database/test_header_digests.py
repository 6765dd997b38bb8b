"""What header digests see and what leaves them as they are, each tried at a real PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest

from etl_assets.declare.database_reader import HeaderDigests, RowRange, SourceTable
from etl_assets.errors import TransientError
from etl_assets.readers.database import connect_database, open_connection, postgres_headers
from etl_assets.readers.database.postgres import PostgresReader
from etl_assets.readers.database.postgres_headers import _DIGESTS, CHUNK_PAGES
from etl_assets_tests.readers.database.databases import execute, rows_of

ROWS = 30_000
SCHEMA = f"""
create table clinic (id varchar(32) primary key, note text, big text, updated_at timestamptz default now());
alter table clinic alter big set storage external;
insert into clinic select lpad(to_hex(n), 8, '0'), repeat('x', 80), null from generate_series(1, {ROWS}) as n;
create table link (id bigint generated always as identity primary key, a text, b text);
insert into link (a, b) select 'a' || n, 'b' || n from generate_series(1, 100) as n;
create table empty (id integer primary key);
"""
ONE = "id = '00000001'"


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    url = in_schema(new_database())
    execute(url, SCHEMA)
    execute(url, "vacuum analyze clinic")
    return url


def in_schema(url: str) -> str:
    """The URL of the source's own schema."""
    execute(url, "create schema app")
    return f"{url}?options={quote('-csearch_path=app')}"


@pytest.fixture
def reader(url: str) -> Iterator[PostgresReader]:
    reader = connect_database({"url": url})
    assert isinstance(reader, PostgresReader)
    yield reader
    reader.close()


def clinic(reader: PostgresReader) -> SourceTable:
    return reader.describe()["clinic"]


def read_keys(reader: PostgresReader, table: SourceTable, chunk: int) -> list[str]:
    return [row[0] for row in rows_of(reader.read(table, RowRange(chunks=(chunk,)), batch_size=10))]


def changed_by(url: str, reader: PostgresReader, *statements: str, table: str = "clinic") -> tuple[list[int], int]:
    """Which chunks differ after these statements, and by how many rows."""
    described = reader.describe()[table]
    before = reader.header_digests(described)
    execute(url, *statements)
    after = reader.header_digests(described)
    assert before.storage == after.storage
    return after.changed_since(before), after.rows - before.rows


def test_the_chunks_together_are_the_table(reader: PostgresReader) -> None:
    table = clinic(reader)
    found = reader.header_digests(table)
    assert (found.rows, reader.count(table)) == (ROWS, ROWS)
    assert sorted(found.chunks) == list(range(len(found.chunks)))
    assert len(found.chunks) > 2
    keys = [key for chunk in found.chunks for key in read_keys(reader, table, chunk)]
    assert len(keys) == len(set(keys)) == ROWS
    assert [len(read_keys(reader, table, chunk)) for chunk in found.chunks] == [
        each.rows for each in found.chunks.values()
    ]
    assert reader.header_digests(table) == found
    assert reader.header_digests(table).changed_since(found) == []
    assert reader.header_digests(reader.describe()["empty"]).chunks == {}


def test_however_many_chunks_a_statement_asks_for_the_digests_are_the_same(
    reader: PostgresReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = clinic(reader)
    at_once = reader.header_digests(table)
    for statement_chunks in (1, 3):
        monkeypatch.setattr(postgres_headers, "STATEMENT_CHUNKS", statement_chunks)
        assert reader.header_digests(table) == at_once


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        pytest.param(f"update clinic set note = repeat('y', 80) where {ONE}", 0, id="an update without a stamp"),
        pytest.param(f"update clinic set note = note where {ONE}", 0, id="an update that changes nothing"),
        pytest.param(f"update clinic set big = repeat('t', 9000) where {ONE}", 0, id="a value out of line alone"),
        pytest.param(f"delete from clinic where {ONE}", -1, id="a deletion"),
        pytest.param("insert into clinic values ('1234e567'), ('00012345')", 2, id="inserts"),
    ],
)
def test_what_is_written_is_seen(url: str, reader: PostgresReader, statement: str, rows: int) -> None:
    everything = reader.header_digests(clinic(reader)).chunks
    changed, difference = changed_by(url, reader, statement)
    assert difference == rows
    assert 1 <= len(changed) < len(everything)
    execute(url, f"insert into clinic values ({ONE.partition('= ')[2]}) on conflict do nothing")


def test_a_row_in_the_place_of_a_deleted_one_is_seen(url: str, reader: PostgresReader) -> None:
    """It lies where the other one lay: the transaction alone is another."""
    place = "select ctid from link where id = (select max(id) from link)"
    with open_connection(url) as connection:
        before = connection.execute(place).fetchone()
        change = (
            "delete from link where id = (select max(id) from link)",
            "vacuum link",
            "insert into link (a) values ('n')",
        )
        assert changed_by(url, reader, *change, table="link") == ([0], 0)
        assert connection.execute(place).fetchone() == before


def test_a_bulk_update_that_moves_no_stamp_is_seen_wherever_it_wrote(url: str, reader: PostgresReader) -> None:
    table = clinic(reader)
    keys = read_keys(reader, table, 1)
    changed, difference = changed_by(
        url, reader, f"update clinic set note = 'bulk' where id in ('{keys[0]}', '{keys[-1]}')"
    )
    assert 1 in changed
    assert difference == 0


def test_a_value_out_of_line_alone_is_seen(url: str, reader: PostgresReader) -> None:
    execute(url, f"update clinic set big = repeat('t', 9000) where {ONE}")
    assert changed_by(url, reader, f"update clinic set big = repeat('u', 9000) where {ONE}")[0] != []


@pytest.mark.parametrize(
    "statement",
    [
        "vacuum clinic",
        "vacuum (freeze) clinic",
        "analyze clinic",
        "select count(*) from (select from clinic for update) as locked",
        "select count(*) from (select from clinic for key share) as locked",
        "create index on clinic (updated_at)",
        "reindex table clinic",
    ],
)
def test_what_writes_no_row_changes_nothing(url: str, reader: PostgresReader, statement: str) -> None:
    execute(url, f"update clinic set note = note where {ONE}", f"delete from clinic where id = '{ROWS:08x}'")
    assert changed_by(url, reader, statement) == ([], 0)


def test_frozen_rows_keep_the_transaction_that_wrote_them(url: str, reader: PostgresReader) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        ask = "select string_agg(xmin::text, ',' order by id) from clinic"
        before = connection.execute(ask).fetchone()
        connection.execute("vacuum (freeze, disable_page_skipping) clinic")
        frozen = connection.execute("select age(relfrozenxid) < 10 from pg_class where relname = 'clinic'").fetchone()
        assert frozen == (True,)
        assert connection.execute(ask).fetchone() == before


def test_a_transaction_that_is_rolled_back_changes_nothing(url: str, reader: PostgresReader) -> None:
    with psycopg.connect(url) as writer:
        table = clinic(reader)
        before = reader.header_digests(table)
        writer.execute("update clinic set note = 'never'")
        assert reader.header_digests(table) == before
        writer.rollback()
        assert reader.header_digests(table) == before


def test_a_transaction_that_began_before_and_ends_after_the_reading_is_seen(url: str, reader: PostgresReader) -> None:
    table = clinic(reader)
    with psycopg.connect(url) as late:
        late.execute("insert into clinic (id) values ('late') on conflict do nothing")
        execute(url, "insert into clinic (id) values ('soon')")  # a later transaction, committed first
        read = reader.header_digests(table)
        late.commit()
    after = reader.header_digests(table)
    assert after.rows == read.rows + 1
    (changed,) = after.changed_since(read)
    assert "late" in read_keys(reader, table, changed)


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(("vacuum full link",), id="vacuum full"),
        pytest.param(("cluster link using link_pkey",), id="cluster"),
        pytest.param(
            (
                "create temporary table kept as select * from link; truncate link;"
                " insert into link overriding system value select * from kept",
            ),
            id="truncate and refill",
        ),
        pytest.param(
            ("alter table link rename a to c", "alter table link rename b to a", "alter table link rename c to b"),
            id="two columns that change their names",
        ),
        pytest.param(("alter table link add more text default 'x'",), id="a column with a default"),
    ],
)
def test_a_new_file_or_other_columns_are_read_whole(
    url: str, reader: PostgresReader, statements: tuple[str, ...]
) -> None:
    table = reader.describe()["link"]
    before = reader.header_digests(table)
    execute(url, *statements)
    after = reader.header_digests(table)
    assert after.storage != before.storage
    assert after.changed_since(before) == sorted(after.chunks) == [0]


def test_a_link_table_without_a_stamp_is_seen(url: str, reader: PostgresReader) -> None:
    assert changed_by(url, reader, "delete from link where id = 5", table="link") == ([0], -1)
    assert changed_by(url, reader, "update link set b = 'moved' where id = 6", table="link") == ([0], 0)


def test_a_copy_of_the_database_is_another_storage(
    url: str, reader: PostgresReader, new_database: Callable[..., str]
) -> None:
    before = reader.header_digests(clinic(reader))
    reader.close()
    copied = connect_database({"url": f"{new_database(like=url)}?{urlsplit(url).query}"})
    after = copied.header_digests(copied.describe()["clinic"])
    copied.close()
    assert after.chunks == before.chunks
    assert after.storage != before.storage


def test_an_account_that_may_not_identify_the_server_sees_when_it_was_started(
    url: str, new_database: Callable[..., str]
) -> None:
    own = in_schema(new_database())
    execute(own, SCHEMA)
    name = urlsplit(own).path[1:]
    execute(
        own,
        f"create role reads_{name} login password 'x'; grant usage on schema app to reads_{name}",
        f"grant select on clinic to reads_{name}; grant select (id, a) on link to reads_{name}",
        f"grant select (id), select (xmin, ctid) on empty to reads_{name}",
    )
    parts = urlsplit(own)
    place = parts.netloc.rpartition("@")[2]
    execute(
        urlunsplit(parts._replace(netloc=f"postgres:{parts.password}@{place}")),
        "revoke execute on function pg_control_system() from public",
        f"grant execute on function pg_control_system() to {parts.username}",
    )
    restricted = connect_database({"url": urlunsplit(parts._replace(netloc=f"reads_{name}:x@{place}"))})
    full = connect_database({"url": own})
    described = restricted.describe()
    has = {name: described[name].has_row_headers for name in ("clinic", "link", "empty")}
    assert has == {"clinic": True, "link": False, "empty": True}
    with restricted.snapshot(described["empty"]):
        assert restricted.header_digests(described["empty"]).chunks == {}
    found, whole = (each.header_digests(described["clinic"]) for each in (restricted, full))
    restricted.close()
    full.close()
    assert found.chunks == whole.chunks
    with psycopg.connect(own) as connection:
        started = connection.execute("select extract(epoch from pg_postmaster_start_time())::text").fetchone()
        identifier = connection.execute("select system_identifier::text from pg_control_system()").fetchone()
    assert started is not None
    assert identifier is not None
    assert found.storage.split()[0] == started[0]
    assert whole.storage.split()[0] == identifier[0]


def test_which_tables_have_headers_to_read(new_database: Callable[..., str]) -> None:
    url = in_schema(new_database())
    execute(
        url,
        "create table ordinary (id int primary key); create table above (id int) partition by range (id);"
        "create table part partition of above for values from (0) to (9); create table heir () inherits (ordinary)",
    )
    reader = connect_database({"url": url})
    has = {name: table.has_row_headers for name, table in reader.describe().items()}
    reader.close()
    assert has == {"above": False, "heir": True, "ordinary": True, "part": False}


@pytest.mark.parametrize("kept", ["", " and (id in ('a', 'b')) is not true"], ids=["of all", "without erased persons"])
def test_digests_cost_a_range_of_pages_each(url: str, kept: str) -> None:
    """Not a pass over the table for each chunk."""
    statement = _DIGESTS.format(first=0, last=9, table="clinic", pages=CHUNK_PAGES, kept=kept)
    with psycopg.connect(url) as connection:
        plan = connection.execute(f"explain {statement}".encode()).fetchall()
    assert any("Tid Range Scan" in line for (line,) in plan)
    assert not any("Seq Scan" in line for (line,) in plan)


def test_in_a_snapshot_digests_and_rows_are_of_one_moment(url: str, reader: PostgresReader) -> None:
    """A row that moves from a chunk that is read to one that is not would be missed, and be taken for deleted."""
    execute(url, "vacuum full clinic")
    table = clinic(reader)
    known = reader.header_digests(table)
    moving = read_keys(reader, table, 0)[0]

    def read_changed(found: HeaderDigests) -> list[str]:
        execute(url, f"update clinic set note = repeat('z', 1900) where id = '{moving}'")
        return [key for chunk in found.changed_since(known) for key in read_keys(reader, table, chunk)]

    execute(url, f"delete from clinic where id = '{read_keys(reader, table, 0)[1]}'")
    with reader.snapshot(table):
        found = reader.header_digests(table)
        assert moving in read_changed(found)
        assert reader.header_digests(table) == found
    found = reader.header_digests(table)
    assert moving in read_keys(reader, table, found.changed_since(known)[-1])
    known = found
    execute(url, f"delete from clinic where id = '{read_keys(reader, table, 0)[2]}'")
    moving = read_keys(reader, table, 0)[0]
    assert moving not in read_changed(reader.header_digests(table)), "without a snapshot it is missed"


def test_a_table_that_is_emptied_between_snapshot_and_lock_is_not_taken_for_empty(
    url: str, reader: PostgresReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, connection = reader.describe()["link"], reader._connection  # noqa: SLF001
    ask, refill = connection.rows, ("truncate link", "insert into link (a, b) values ('n', 'n')")

    def rows(statement: str) -> list[tuple[object, ...]]:
        if statement.endswith("where false"):
            ask("select 1")  # the snapshot is taken
            execute(url, *refill)
        return ask(statement)

    monkeypatch.setattr(connection, "rows", rows)
    with pytest.raises(TransientError, match="emptied or rewritten just now"), reader.snapshot(table):
        pytest.fail("the table would be empty")
    monkeypatch.undo()
    with reader.snapshot(table):
        assert reader.header_digests(table).rows == reader.count(table) == 1


def test_whoever_empties_a_table_waits_until_the_snapshot_is_read(url: str, reader: PostgresReader) -> None:
    table = reader.describe()["link"]
    with reader.snapshot(table):
        other = threading.Thread(target=execute, args=(url, "truncate link; insert into link (a) values ('n'), ('m')"))
        other.start()
        wait_until(url, "select count(*) from pg_locks where not granted")
        with pytest.raises(TransientError, match="waits for the table link"):
            reader.header_digests(table)
    other.join()
    assert reader.header_digests(table).rows == 2


def wait_until(url: str, ask: str) -> None:
    begun = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(ask.encode()).fetchone() == (0,):
            assert time.monotonic() - begun < 10, "nobody waits"
            time.sleep(0.01)


def test_a_migration_waits_for_a_chunk_and_not_for_the_table(url: str, reader: PostgresReader) -> None:
    table = clinic(reader)
    took: list[float] = []

    def alter() -> None:
        begun = time.monotonic()
        execute(url, "set lock_timeout = '5s'; alter table clinic add column later int")
        took.append(time.monotonic() - begun)

    def read_all(chunks: list[int]) -> None:
        with reader.snapshot(table):
            for chunk in chunks:
                list(reader.read(table, RowRange(chunks=(chunk,)), batch_size=10))
                read.append(chunk)
                if len(read) == 1:
                    migration.start()
                    wait_until(url, "select count(*) from pg_locks where not granted")

    migration, read = threading.Thread(target=alter), list[int]()
    chunks = sorted(reader.header_digests(table).chunks)
    with pytest.raises(TransientError, match="waits for the table clinic"):
        read_all(chunks)
    migration.join()
    assert read == chunks[:1]
    assert took[0] < 5


def test_sums_of_chunks_are_those_of_the_table_and_let_a_migration_through(url: str, reader: PostgresReader) -> None:
    table = clinic(reader)
    whole = RowRange(chunks=tuple(reader.header_digests(table).chunks))
    assert reader.sums(table, whole) == reader.sums(table, RowRange())
    migration = threading.Thread(target=execute, args=(url, "alter table clinic alter note set default 'x'"))
    with reader.snapshot(table):
        migration.start()
        wait_until(url, "select count(*) from pg_locks where not granted")
        with pytest.raises(TransientError, match="waits for the table clinic"):
            reader.sums(table, whole)
    migration.join()


def test_who_waits_for_a_migration_gives_up(url: str, reader: PostgresReader) -> None:
    table = clinic(reader)
    for name, limit in {"lock": "5s", "statement": "15min", "idle_in_transaction_session": "5min"}.items():
        assert reader._connection.row(f"show {name}_timeout") == (limit,)  # noqa: SLF001
    with reader.snapshot(table):
        assert reader._connection.row("show statement_timeout") == ("1min",)  # noqa: SLF001
    reader._connection.rows("select set_config('lock_timeout', '100ms', false)")  # noqa: SLF001
    with open_connection(url) as migration, migration.transaction():
        migration.execute("lock table clinic in access exclusive mode")
        for ask in (lambda: reader.header_digests(table), lambda: reader.snapshot(table).__enter__()):
            with pytest.raises(TransientError, match="55P03"):
                ask()
    assert reader.count(table) > 0
