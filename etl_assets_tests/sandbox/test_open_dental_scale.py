"""Any table at any scale: as its types allow, and the same in both dialects."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.sandbox.open_dental.database import Database
from etl_assets.sandbox.open_dental.scale import scale
from etl_assets.sandbox.open_dental.schema import Column, Table, tables
from etl_assets.warehouse import embedded
from etl_assets_tests.sandbox.databases import held

ROWS = 4_000


@pytest.fixture(scope="module")
def mysql(new_mysql_database: Callable[[], str]) -> str:
    return new_mysql_database()


@pytest.fixture(scope="module")
def postgresql(server: Path, mysql: str) -> str:
    name = f"scaled_{mysql.rpartition('/')[2]}"
    with Database(embedded.server_url(server, "postgres")) as database:
        database.run(f"create database {name} template template0")
    return embedded.server_url(server, name)


@pytest.mark.parametrize("table", ["securitylog", "paysplit", "sheetfield", "clockevent", "patient"])
def test_the_rows_are_the_same_in_both_dialects(mysql: str, postgresql: str, table: str) -> None:
    for url in (mysql, postgresql):
        scale(url, table, ROWS)
    first, second = held(mysql, table)[table], held(postgresql, table)[table]
    assert set(first) == set(range(1, ROWS + 1))
    # MySQL writes a float with six digits only, whatever it holds.
    exact = [place for place, column in enumerate(tables()[table].columns) if column.kind != "float"]
    for key, row in first.items():
        assert [row[place] for place in exact] == [second[key][place] for place in exact]


def test_its_values_are_odd_where_values_can_be(mysql: str) -> None:
    scale(mysql, "sheetfield", ROWS)
    columns = zip(*held(mysql, "sheetfield")["sheetfield"].values(), strict=True)
    found = dict(zip(tables()["sheetfield"].names, columns, strict=True))
    texts = found["FieldValue"]
    assert {None, ""} < set(texts)
    assert max(len(text or "") for text in texts) > 2_500
    assert any("\t" in (text or "") for text in texts)
    assert any("\U0001f600" in (text or "") for text in texts)
    assert {value.year == 1 for value in found["DateTimeSig"]} == {True, False}
    assert len(set(found["XPos"])) > ROWS // 2
    assert 0 in found["SheetNum"]


def test_another_seed_makes_other_rows(mysql: str) -> None:
    made = []
    for seed in (1, 1, 2):
        scale(mysql, "paysplit", 50, seed=seed)
        made.append(held(mysql, "paysplit")["paysplit"])
    assert made[0] == made[1] != made[2]


def test_any_table_of_the_vendor_can_be_filled(new_mysql_database: Callable[[], str], real_data: Path) -> None:
    published = json.loads((real_data / "open_dental" / "schema.json").read_text())
    url = new_mysql_database()
    made = []
    for name, words in published.items():
        columns = words["columns"]
        if not words.get("primary_key") or not all("mysql_type" in column for column in columns):
            continue
        types = tuple(Column(c["name"], re.sub(r"int\(\d+\)", "int", c["mysql_type"])) for c in columns)
        moves = next((c["name"] for c in columns if c.get("on_update_current_timestamp")), None)
        made.append(Table(name, types, words["primary_key"][0], moves))
        scale(url, made[-1], 3)
    assert len(made) == 440
    with Database(url) as database:
        counts = {table.name: database.rows(f"select count(*) from {database.name(table.name)}") for table in made}
    assert {name for name, found in counts.items() if found != [(3,)]} <= {"preference"}


@pytest.mark.parametrize("which", ["mysql", "postgresql"])
def test_other_types_than_the_vendors_are_held_as_well(request: pytest.FixtureRequest, which: str) -> None:
    types = ("decimal(6,2)", "bit(1)", "bigint unsigned", "longblob", "int unsigned", "smallint unsigned", "datetime")
    columns = (Column("Id", "bigint"), *(Column(f"C{place}", type_) for place, type_ in enumerate(types)))
    url = request.getfixturevalue(which)
    scale(url, Table("others", columns, "Id"), 200)
    with Database(url) as database:
        assert database.rows("select count(*) from others") == [(200,)]


def test_a_database_of_somebody_elses_is_refused(warehouse_url: str) -> None:
    with pytest.raises(EtlError, match="not marked as a sandbox"):
        scale(warehouse_url, "paysplit", 10)
