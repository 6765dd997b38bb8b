"""The tables of the sandbox are the vendor's: as published, column by column."""

import json
import re
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.sandbox.open_dental.schema import MYSQL, POSTGRESQL, Column, create_statements, postgresql_type, tables


@pytest.fixture(scope="module")
def published(real_data: Path) -> dict[str, dict[str, object]]:
    return json.loads((real_data / "open_dental" / "schema.json").read_text())


def test_each_table_has_the_published_columns_key_and_stamp(published: dict[str, dict[str, object]]) -> None:
    for name, table in tables().items():
        vendor = published[name]
        types = {
            column["name"]: re.sub(r"int\(\d+\)", "int", column["mysql_type"]) + " binary" * ("collation" in column)
            for column in vendor["columns"]
        }
        assert {column.name: column.type for column in table.columns} == types, name
        assert [table.key] == vendor["primary_key"], name
        moves = [column["name"] for column in vendor["columns"] if column.get("on_update_current_timestamp")]
        assert ([table.moves] if table.moves else []) == moves, name
        assert table.indexed == bool(vendor.get("change_stamp_indexed")), name


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("tinyint", "smallint"),
        ("tinyint unsigned", "smallint"),
        ("smallint", "smallint"),
        ("smallint unsigned", "integer"),
        ("int", "integer"),
        ("int(11)", "integer"),
        ("int unsigned", "bigint"),
        ("bigint(20)", "bigint"),
        ("bigint unsigned", "numeric(20,0)"),
        ("float", "real"),
        ("double", "double precision"),
        ("decimal(12,2)", "numeric(12,2)"),
        ("date", "date"),
        ("datetime", "timestamp"),
        ("timestamp", "timestamptz"),
        ("time", "interval"),
        ("char(1)", "text"),
        ("varchar(15) binary", "text"),
        ("mediumtext", "text"),
        ("longblob", "bytea"),
        ("bit(1)", "boolean"),
        ("bit(8)", "bigint"),
    ],
)
def test_a_type_of_postgresql_holds_every_value_of_the_vendors(source: str, target: str) -> None:
    assert postgresql_type(Column("any", source)) == target


def test_the_statements_keep_the_names_as_the_vendor_spells_them() -> None:
    (mysql,) = create_statements(MYSQL, ["feesched"])
    assert "`FeeSchedNum` bigint not null auto_increment" in mysql
    assert "`SecDateTEdit` timestamp not null default current_timestamp on update current_timestamp" in mysql
    assert "engine=MyISAM" in mysql
    (postgresql,) = create_statements(POSTGRESQL, ["feesched"])
    assert '"SecDateTEdit" timestamptz' in postgresql
    assert 'primary key ("FeeSchedNum")' in postgresql
    assert len(create_statements(MYSQL)) == len(tables())


def test_a_table_that_it_has_not_is_refused_by_name() -> None:
    with pytest.raises(EtlError, match="no table patients"):
        create_statements(MYSQL, ["patients", "patient"])
