"""Who may read what dbt built: readers see dimensions, facts and marts, but no staging and nothing personal."""

import json

import psycopg
import pytest

from etl_assets_tests.sql.column_types import check_column_types
from etl_assets_tests.sql.dbt_runs import OPERATING_ROOM, Dbt, Outcome
from etl_assets_tests.sql.staging_rows import case, put


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt) -> list[dict[str, Outcome]]:
    """The project twice, the second time after somebody granted too much."""
    put(warehouse, "or_case", [case("c", "2026-03-02 08:00", "2026-03-02 09:00", patient_id="somebody")])
    models = ("build", *OPERATING_ROOM, "--exclude-resource-type", "test", "unit_test")
    first = dbt(*models)
    warehouse.execute("set role etl_transformer")
    warehouse.execute("grant select on operating_room.fact_case to etl_reader")
    warehouse.execute("revoke all on operating_room.dim_room from etl_reader, etl_personal_reader")
    warehouse.execute("reset role")
    return [first, dbt(*models)]


def relations(dbt: Dbt) -> dict[str, tuple[list[str], list[str]]]:
    """Each relation readers may see, with its columns: those that are open, and those that are personal."""
    nodes = json.loads((dbt.folder / "target" / "manifest.json").read_text())["nodes"].values()
    return {
        node["alias"]: (
            [name for name, column in node["columns"].items() if not column["meta"].get("personal")],
            [name for name, column in node["columns"].items() if column["meta"].get("personal")],
        )
        for node in nodes
        if node["resource_type"] == "model" and node["schema"] == "operating_room"
    }


def test_a_reader_reads_every_column_that_is_not_personal(
    warehouse: psycopg.Connection, dbt: Dbt, built: list[dict[str, Outcome]]
) -> None:
    warehouse.execute("set role etl_reader")
    for relation, (columns, _) in relations(dbt).items():
        warehouse.execute(f"select {', '.join(columns)} from operating_room.{relation}")
    warehouse.execute("reset role")


def test_a_reader_of_personal_columns_reads_every_column(
    warehouse: psycopg.Connection, dbt: Dbt, built: list[dict[str, Outcome]]
) -> None:
    warehouse.execute("set role etl_personal_reader")
    for relation in relations(dbt):
        warehouse.execute(f"select * from operating_room.{relation}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute("select case_id from stg.or_case")
    warehouse.execute("reset role")


def test_columns_have_the_types_that_the_ui_shows(
    warehouse: psycopg.Connection, built: list[dict[str, Outcome]]
) -> None:
    check_column_types(warehouse, "operating_room", "operating_room_staging")


def test_every_column_there_is_is_described(
    warehouse: psycopg.Connection, dbt: Dbt, built: list[dict[str, Outcome]]
) -> None:
    for relation, (columns, personal) in relations(dbt).items():
        readable = warehouse.execute(
            "select column_name from information_schema.columns"
            " where table_schema = 'operating_room' and table_name = %s",
            [relation],
        )
        assert {name for (name,) in readable} == {*columns, *personal}, relation


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select patient_id from operating_room.fact_case", id="a personal column"),
        pytest.param("select surgeon_name from operating_room.dim_surgeon", id="a surgeon's name"),
        pytest.param(
            "select owner_name from operating_room.mart_monthly_by_block_owner", id="an owner's, who may be one"
        ),
        pytest.param("select * from operating_room.fact_case", id="a whole row with one in it"),
        pytest.param("select case_id from operating_room_staging.stg_or_case", id="a staging view"),
        pytest.param("select case_id from stg.or_case", id="a staging table"),
        pytest.param("delete from operating_room.dim_room", id="writing"),
    ],
)
def test_a_reader_is_refused(warehouse: psycopg.Connection, built: list[dict[str, Outcome]], query: str) -> None:
    warehouse.execute("set role etl_reader")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.execute(query)
    warehouse.execute("reset role")


def test_a_second_build_mends_grants_and_changes_no_row(built: list[dict[str, Outcome]]) -> None:
    assert {outcome.status for outcome in built[1].values()} == {"success"}
    assert {
        name: outcome.rows for name, outcome in built[1].items() if "__stg_" not in name and (outcome.rows or 0) > 0
    } == {}
