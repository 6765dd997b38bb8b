"""What a database's tables and columns are called in staging."""

from hashlib import md5

import pytest

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.database_reader import SourceColumn, SourceTable, with_staging_names
from etl_assets.declare.staging_names import MAX_BYTES, RESERVED, column_names, table_names
from etl_assets.declare.tables import Full
from etl_assets.warehouse.catalog import BATCH_COLUMN


def hashed(start: str, name: str) -> str:
    return f"{start}_{md5(name.encode(), usedforsecurity=False).hexdigest()[:8]}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["PatNum", "LName"], ["patnum", "lname"], id="names are in lower case"),
        pytest.param(["odd `name", "Größe"], ["odd `name", "größe"], id="a column may need quotes"),
        pytest.param(["ctid", "Xmin"], [hashed("ctid", "ctid"), hashed("xmin", "Xmin")], id="system columns"),
        pytest.param(["etl_batch_id"], [hashed("etl_batch_id", "etl_batch_id")], id="our own column"),
        pytest.param(
            ["Name", "name", "x"], [hashed("name", "Name"), hashed("name", "name"), "x"], id="alike but in case"
        ),
        pytest.param(["a" * 63], ["a" * 63], id="as long as a name may be"),
        pytest.param(
            ["a" * 63 + "b", "a" * 63 + "c"],
            [hashed("a" * 54, "a" * 63 + "b"), hashed("a" * 54, "a" * 63 + "c")],
            id="alike in their first 63 bytes",
        ),
        pytest.param(["é" * 32], [hashed("é" * 27, "é" * 32)], id="no character is cut in two"),
    ],
)
def test_a_column_keeps_its_name_or_gets_one_that_no_other_has(given: list[str], expected: list[str]) -> None:
    assert column_names(given) == dict(zip(given, expected, strict=True))
    assert all(len(name.encode()) <= MAX_BYTES for name in expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["Patient"], ["patient"], id="names are in lower case"),
        pytest.param(["Foo", "foo"], [hashed("foo", "Foo"), hashed("foo", "foo")], id="alike but in case"),
        pytest.param(["my list"], [hashed("my_list", "my list")], id="no name needs quotes"),
        pytest.param(["2024_bills"], [hashed("_2024_bills", "2024_bills")], id="no name begins with a digit"),
        pytest.param(["t" * 64], [hashed("t" * 54, "t" * 64)], id="longer than a name may be"),
    ],
)
def test_a_table_s_name_needs_no_quotes(given: list[str], expected: list[str]) -> None:
    assert table_names(given) == dict(zip(given, expected, strict=True))
    for name in expected:
        assert CopiedTable(name=name, key="id", load=Full(), importance="reference", why="all").name == name


def test_what_staging_adds_to_a_table_is_reserved() -> None:
    assert BATCH_COLUMN in RESERVED


def test_a_longer_name_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ValueError, match="63 bytes"):
        CopiedTable(name="t" * 64, key="id", load=Full(), importance="reference", why="all")


@pytest.mark.parametrize(("names", "never_load"), [(["PIN", "pin"], []), (["Note", "note"], ["note"])])
def test_what_is_not_loaded_is_not_loaded_under_another_name(names: list[str], never_load: list[str]) -> None:
    columns = with_staging_names([SourceColumn(name=each, type="text", staging_type="text") for each in names])
    found = SourceTable(name="guard", columns=columns)
    table = CopiedTable(name="guard", key=(), load=Full(), importance="reference", why="all", never_load=never_load)
    assert names[1] not in {each.staging_name for each in columns}
    hidden = [each.name for each in found.columns if table.leaves_out(each.staging_name, spelled=each.name)]
    assert hidden == names
