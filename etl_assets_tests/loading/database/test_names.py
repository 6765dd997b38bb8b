"""Tables and columns whose names PostgreSQL does not take, or that are too many, and keys that it cannot hold."""

from collections.abc import Callable

import pytest

from etl_assets.declare.copied_table import CopiedTable, Incremental
from etl_assets.declare.staging_names import column_names, table_names
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.report import LoadReport
from etl_assets.readers.database import connect_database, open_connection
from etl_assets_tests.loading.database.clinic import Clinic, checks, copied, counts

LONG = "c" * 62
LONG_TABLE = "t" * 64


def declare(clinic: Clinic, *names: str, **words: object) -> None:
    clinic.tables = tuple(
        CopiedTable(name=name, **{"key": "num", "load": Full(), **copied(), **words}) for name in names
    )


def failure(clinic: Clinic, table: str) -> EtlError:
    found = clinic.load(table)[table].failure
    assert isinstance(found, EtlError)
    assert not isinstance(found, TransientError)
    return found


def refresh(clinic: Clinic, table: str) -> LoadReport:
    report = clinic.take(table)
    assert checks(report).get("matches_source", True)
    return report


@pytest.mark.parametrize("name", ["etl_batch_id", "ctid", "Xmin", "tableoid", "etl_is_new"])
def test_a_column_named_like_one_of_staging_s_gets_another_name(clinic: Clinic, name: str) -> None:
    clinic.execute(
        f"create table taken (Num int primary key, {name} varchar(20))", "insert into taken values (1, 'a'), (2, 'b')"
    )
    declare(clinic, "taken")
    held = column_names([name])[name]
    assert counts(refresh(clinic, "taken")) == (2, 2, 0, 0, 0)
    assert clinic.held("taken", f"num, {held}") == [(1, "a"), (2, "b")]
    clinic.execute(f"update taken set {name} = 'c' where Num = 2")
    assert refresh(clinic, "taken").counts.rows_updated == 1
    assert clinic.held("taken", f"num, {held}") == [(1, "a"), (2, "c")]


@pytest.mark.parametrize("name", ["is_new", "overwrites", "old_date", "new_date", "row_key", "existing", "Xmax"])
def test_a_key_may_be_called_like_what_a_load_calls_its_own_columns(clinic: Clinic, name: str) -> None:
    clinic.execute(
        f"create table taken ({name} int primary key, Note varchar(20))",
        "insert into taken values (1, 'a'), (2, 'b'), (3, 'c')",
    )
    held = column_names([name])[name]
    declare(clinic, "taken", key=held)
    refresh(clinic, "taken")
    clinic.execute(f"update taken set Note = 'x' where {name} = 1", f"delete from taken where {name} = 2")
    assert counts(refresh(clinic, "taken"))[1:] == (0, 1, 1, 1)
    assert clinic.held("taken", f"{held}, note") == [(1, "x"), (3, "c")]


def test_columns_alike_in_their_first_63_bytes_are_two_and_none_is_new_twice(clinic: Clinic) -> None:
    first, second = f"{LONG}ab", f"{LONG}ac"
    stamp = f"{'s' * 55}DateTStamp"[-64:]
    clinic.execute(
        f"create table wide (Num int primary key, {first} int, {second} int, `{stamp}` timestamp not null"
        " default '2024-01-01 12:00:00' on update current_timestamp)",
        f"insert into wide (Num, {first}, {second}) values (1, 1, 10), (2, 2, 20)",
    )
    names = column_names([first, second, stamp])
    declare(clinic, "wide", load=Incremental(column=names[stamp]))
    assert counts(refresh(clinic, "wide")) == (2, 2, 0, 0, 0)
    assert clinic.held("wide", f"num, {names[first]}, {names[second]}") == [(1, 1, 10), (2, 2, 20)]
    again = refresh(clinic, "wide")
    assert (counts(again), again.notes) == ((0, 0, 0, 0, 0), [])
    clinic.execute(f"update wide set {second} = 21 where Num = 2")
    assert counts(refresh(clinic, "wide")) == (1, 0, 1, 0, 0)


def test_a_table_of_64_characters_is_loaded_again_and_again(clinic: Clinic) -> None:
    clinic.execute(f"create table {LONG_TABLE} (Num int primary key)", f"insert into {LONG_TABLE} values (1), (2)")
    name = table_names([LONG_TABLE])[LONG_TABLE]
    declare(clinic, name)
    assert counts(refresh(clinic, name)) == (2, 2, 0, 0, 0)
    clinic.execute(f"insert into {LONG_TABLE} values (3)")
    assert refresh(clinic, name).counts.rows_inserted == 1
    assert clinic.held(name, "num, num") == [(1, 1), (2, 2), (3, 3)]


def test_of_two_tables_alike_but_in_case_each_is_loaded_and_none_for_the_other(clinic: Clinic) -> None:
    clinic.execute("create table Foo (Num int primary key)", "insert into Foo values (1)")
    declare(clinic, "foo")
    assert counts(refresh(clinic, "foo")) == (1, 1, 0, 0, 0)
    clinic.execute("create table foo (Num int primary key)", "insert into foo values (7)")
    names = table_names(["Foo", "foo"])
    said = str(failure(clinic, "foo"))
    for words in ("Foo, foo", *names.values(), "etl discover open_dental"):
        assert words in said
    assert clinic.held("foo", "num, num") == [(1, 1)]
    declare(clinic, *names.values())
    for name, key in (("Foo", 1), ("foo", 7)):
        refresh(clinic, names[name])
        assert clinic.held(names[name], "num, num") == [(key, key)]


def test_a_table_is_described_by_the_name_that_it_has_in_staging_and_merge_tables_are_views(clinic: Clinic) -> None:
    clinic.execute(
        *(f"create table {name} (Num int primary key) engine=MyISAM" for name in ("Foo", "foo", "bar")),
        "create table both_of_them (Num int, key (Num)) engine=MERGE union=(Foo, bar)",
    )
    names = table_names(["Foo", "foo", "bar"])
    reader = connect_database(clinic.settings.of_source("open_dental"))
    assert {"Foo", "foo", "bar"} <= set(reader.describe())
    assert "both_of_them" not in reader.describe()
    for name, held in names.items():
        assert list(reader.describe([held])) == [name]
    assert sorted(reader.describe(["foo"])) == ["Foo", "foo"]
    assert reader.describe(["both_of_them"]) == {}
    reader.close()


def broad(clinic: Clinic, columns: int) -> None:
    lines = ", ".join(f"c{number} int" for number in range(columns - 1))
    clinic.execute(f"create table broad (Num int primary key, {lines})")
    clinic.execute(*(f"insert into broad (Num, c1) values ({number}, {number})" for number in range(5)))
    declare(clinic, "broad")


def test_a_thousand_columns_are_loaded_and_compared(clinic: Clinic) -> None:
    broad(clinic, 1000)
    assert counts(refresh(clinic, "broad")) == (5, 5, 0, 0, 0)
    clinic.execute("update broad set c998 = 9 where Num = 3")
    assert refresh(clinic, "broad").counts.rows_updated == 1
    assert checks(clinic.take("broad", full_compare=True))["matches_source"]
    assert clinic.held("broad", "num, c998")[3] == (3, 9)


def test_more_columns_than_postgresql_has_are_refused_by_name(clinic: Clinic) -> None:
    broad(clinic, 1700)
    said = str(failure(clinic, "broad"))
    for words in ("open_dental.broad", "1,700 columns", "1,599", "never_load"):
        assert words in said
    declare(clinic, "broad", never_load=[f"c{number}" for number in range(1000)])
    assert counts(refresh(clinic, "broad")) == (5, 5, 0, 0, 0)


def test_what_a_statement_cannot_do_is_no_lost_connection(clinic: Clinic) -> None:
    """Rows of 1,590 numbers do not fit into a page of PostgreSQL's; to try again would not help."""
    lines = ", ".join(f"c{number} double not null default {number}.5" for number in range(1590))
    clinic.execute(
        f"create table broad (Num int primary key, {lines}) engine=MyISAM", "insert into broad (Num) values (1)"
    )
    declare(clinic, "broad")
    assert "row is too big" in str(failure(clinic, "broad"))
    assert clinic.query("select status from etl.batch") == [("success",)]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("Day date", ["'0000-00-00'", "'2024-01-01'"]),
        ("Word varchar(20)", ["'a'", "'a\\0'"]),
        ("Word varchar(20)", ["'b'", "'\\0a'", "'a'"]),
    ],
)
def test_a_key_that_postgresql_cannot_hold_is_refused_by_name_and_can_be_read_whole(
    clinic: Clinic, key: str, values: list[str]
) -> None:
    name = key.split(maxsplit=1)[0]
    clinic.execute(
        "set sql_mode = ''", f"create table ledger ({key} not null primary key, Note int) collate utf8mb4_bin"
    )
    clinic.add("ledger", f"{values[0]}, 1", columns=f"{name}, Note")
    declare(clinic, "ledger", key=name.lower())
    if values[0] != "'0000-00-00'":
        refresh(clinic, "ledger")
    clinic.add("ledger", *(f"{value}, 2" for value in values[1:]), columns=f"{name}, Note")
    said = str(failure(clinic, "ledger"))
    for words in (f"open_dental.ledger: by its key ({name.lower()})", "NUL", "read_whole", "etl discover open_dental"):
        assert words in said
    clinic.query("select 1 from etl.batch")
    with open_connection(clinic.settings.warehouse_url or "") as connection:
        connection.execute("drop table if exists open_dental.ledger")
    declare(clinic, "ledger", key=())
    assert refresh(clinic, "ledger").counts.rows_inserted == len(values)
    clinic.execute("update ledger set Note = 5")
    refresh(clinic, "ledger")
    assert clinic.query("select count(*), sum(note) from open_dental.ledger") == [(len(values), 5 * len(values))]


HOSTED = """
create schema clinic;
create table clinic."Bill" ("Num" int primary key, "Name" text, name text);
create table clinic.bill (num int primary key);
create table clinic."Visit" (num int primary key);
create table clinic.claim (num int, day date, primary key (num, day)) partition by range (day);
create table clinic.claim_2024 partition of clinic.claim for values from ('2024-01-01') to ('2025-01-01')
partition by list (num);
create table clinic.claim_2024_a partition of clinic.claim_2024 for values in (1, 2);
create table clinic.claim_2025 partition of clinic.claim for values from ('2025-01-01') to ('2026-01-01');
create table clinic.person (num int primary key, name text);
create table clinic.guard (badge int, primary key (num)) inherits (clinic.person);
insert into clinic."Bill" values (1, 'a', 'b');
insert into clinic.bill values (7);
insert into clinic."Visit" values (3);
insert into clinic.claim values (1, '2024-05-05'), (2, '2024-05-06'), (3, '2025-05-05');
insert into clinic.person values (1, 'Ann'), (2, 'Bea'); insert into clinic.guard values (1, 'Cem', 7);
"""


@pytest.fixture
def hosted(clinic: Clinic, new_database: Callable[[], str]) -> Clinic:
    """A clinic whose database is hosted in PostgreSQL."""
    clinic.host_in_postgresql(new_database(), HOSTED)
    return clinic


def test_tables_and_columns_of_a_postgresql_that_differ_in_case_alone(hosted: Clinic) -> None:
    names, columns = table_names(["Bill", "bill"]), column_names(["Name", "name"])
    declare(hosted, *names.values(), "visit")
    for name in (*names.values(), "visit"):
        assert counts(refresh(hosted, name)) == (1, 1, 0, 0, 0)
    assert hosted.held(names["Bill"], f'num, "{columns["Name"]}", "{columns["name"]}"') == [(1, "a", "b")]
    assert hosted.held(names["bill"], "num, num") == [(7, 7)]
    assert hosted.held("visit", "num, num") == [(3, 3)]


def test_a_partition_s_rows_are_read_once_and_those_of_an_heir_are_its_own(hosted: Clinic) -> None:
    reader = connect_database(hosted.settings.of_source("open_dental"))
    parts = {name: table.part_of for name, table in reader.describe().items() if table.part_of}
    reader.close()
    assert set(parts) == {"claim_2024", "claim_2024_a", "claim_2025"}
    assert parts["claim_2025"] == "claim"
    declare(hosted, "claim", "claim_2025", "person", "guard")
    assert counts(refresh(hosted, "claim")) == (3, 3, 0, 0, 0)
    assert "is a part of claim" in str(failure(hosted, "claim_2025"))
    assert counts(refresh(hosted, "person")) == (2, 2, 0, 0, 0)
    assert counts(refresh(hosted, "guard")) == (1, 1, 0, 0, 0)
    assert hosted.held("guard", "num, badge") == [(1, 7)]
