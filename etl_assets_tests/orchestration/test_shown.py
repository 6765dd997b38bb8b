"""What the UI shows of the assets: groups that read from left to right, checks, columns, and what a row is."""

import json
import re
from graphlib import TopologicalSorter

import dagster as dg
import pytest

from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.definitions import defs
from etl_assets.orchestration.models.column_lineage import column_lineage
from etl_assets.orchestration.models.column_types import model_column_types
from etl_assets.orchestration.models.dbt_project import manifest, source_manifest
from etl_assets.orchestration.models.dbt_tests import describe_test, with_short_check_names
from etl_assets.sources import SOURCES

GRAPH = defs.get_repository_def().asset_graph
ASSETS = sorted(GRAPH.materializable_asset_keys)
LONGEST_NAME = 55
LINEAGE = {
    relation: {name: [tuple(parent) for parent in parents] for name, parents in columns.items()}
    for source in SOURCES
    for relation, columns in source_manifest(source.name)["lineage"].items()
}
MANIFEST = json.loads(manifest().read_text())
MODELS = [node for node in MANIFEST["nodes"].values() if node["resource_type"] == "model"]
TESTS = [node for node in MANIFEST["nodes"].values() if node["resource_type"] == "test"]
# Of functions that give rows, and of tables joined to a document's field, sqlglot cannot tell whose a bare name is.
NOT_READ = {
    "open_dental_mart.mart_ar_aging",
    "open_dental_typed.stg_fee",
    "tracktik_typed.stg_shifts",
    "tracktik_typed.stg_work_sessions",
}


def group(path: str) -> str:
    return GRAPH.get(dg.AssetKey(path.split("."))).group_name


def test_groups_are_by_source_and_layer_and_importance() -> None:
    assert group("stg.or_case") == "operating_room_staging"
    assert group("operating_room_staging.stg_or_case") == "operating_room_typed"
    assert group("tracktik.billing_periods") == "tracktik_lookups"
    assert group("tracktik.dim_clients") == "tracktik_dimensions"
    assert group("open_dental_mart.fact_claim") == "open_dental_facts"
    assert group("open_dental_mart.mart_ar_aging") == "open_dental_marts"
    assert group("open_dental.patient") == "open_dental_staging_critical"
    staging = {GRAPH.get(key).group_name for key in ASSETS if key.path[0] == "open_dental"}
    assert staging == {f"open_dental_staging_{name}" for name in IMPORTANCES}


def test_no_group_reads_what_is_built_on_it() -> None:
    above: dict[str, set[str]] = {}
    for key in ASSETS:
        node = GRAPH.get(key)
        parents = {GRAPH.get(parent).group_name for parent in node.parent_keys} - {node.group_name}
        above.setdefault(node.group_name, set()).update(parents)
    assert list(TopologicalSorter(above).static_order())


def test_the_job_of_a_source_still_is_all_of_it() -> None:
    for source in SOURCES:
        keys = defs.resolve_job_def(source.name).asset_layer.executable_asset_keys
        tags = {key: GRAPH.get(key).tags for key in ASSETS}
        assert keys == {key for key, of in tags.items() if of["source"] == source.name and of.get("layer") != "report"}


@pytest.mark.parametrize("key", ASSETS, ids=lambda key: key.to_user_string())
def test_an_asset_says_what_a_row_is(key: dg.AssetKey) -> None:
    if GRAPH.get(key).tags.get("layer") not in {None, "report"} and not key.path[-1].startswith("enumeration"):
        said = GRAPH.get(key).description.partition("#### Raw SQL")[0]
        assert re.search(r"\brows?\b", said), said


def test_every_test_of_a_model_has_a_short_name_of_its_own_and_a_sentence() -> None:
    checks = [GRAPH.get(key) for key in GRAPH.asset_check_keys if key.asset_key.path[0] != "open_dental"]
    assert len(checks) >= len(TESTS)
    assert max(len(check.key.name) for check in checks) <= LONGEST_NAME
    assert [check.key for check in checks if not check.description or not re.search(r"[.`]$", check.description)] == []
    names = {check.key.name for check in checks if check.key.asset_key.path[-1] == "fact_turnover"}
    assert {"case_id_not_null", "case_is_unique", "room_key_references"} <= names


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("not_null_tracktik__fact_shifts_shift_id", "Every row has a value in `shift_id`."),
        ("unique_tracktik__fact_shifts_shift_id", "No two rows have the same `shift_id`."),
        (
            "relationships_tracktik__fact_shifts_employee_key__surrogate_key__ref_tracktik__dim_employees_",
            "What `employee_key` names is a `surrogate_key` of `tracktik.dim_employees`.",
        ),
        (
            "tracktik__dim_employees_has_one_unknown_member",
            "Has one unknown member. Of every row: `(surrogate_key = -1) = (employee_id is null)`",
        ),
        (
            "tracktik__shifts_are_in_the_period_of_their_date",
            "Shifts are in the period of their date. What breaks it: Shifts that lie in another billing period than"
            " their date does.",
        ),
    ],
)
def test_a_test_is_described_by_what_must_be_true(name, sentence) -> None:
    node = next(node for node in TESTS if node["name"] == name)
    assert describe_test(node, MANIFEST["nodes"]) == sentence


def test_tests_of_one_name_keep_apart() -> None:
    def test(number: int, name: str) -> dict:
        arguments = {"column_name": "day", "model": "x"}
        return {
            "resource_type": "test",
            "name": name,
            "unique_id": f"test.{number}",
            "test_metadata": {"name": "not_null", "kwargs": arguments},
            "attached_node": "model.a",
            "depends_on": {"nodes": ["model.a"]},
            "config": {},
        }

    model = {"resource_type": "model", "unique_id": "model.a", "name": "a"}
    nodes = {"model.a": model, "test.1": test(1, "not_null_a_day"), "test.2": test(2, "not_null_a_day_by_year")}
    shown = with_short_check_names({"nodes": nodes})["nodes"]
    assert [shown[f"test.{number}"]["name"] for number in (1, 2)] == ["day_not_null", "not_null_a_day_by_year"]
    assert nodes["test.1"]["name"] == "not_null_a_day"


def made_of(relation: str, column: str) -> set[str]:
    return {f"{of}.{name}" for of, name in LINEAGE[relation][column]}


@pytest.mark.parametrize(
    ("relation", "column", "parents"),
    [
        ("tracktik.v_standby_shifts", "employee_last_name", {"tracktik.dim_employees.last_name"}),
        ("tracktik.mart_overtime", "nbot_hours", {
            "tracktik.fact_shifts.pay_overtime_hours", "tracktik.fact_shifts.bill_overtime_hours",
        }),
        ("operating_room_staging.stg_or_case", "surgeon_npi", {"stg.or_case.primary_surgeon_npi"}),
        ("open_dental_typed.stg_patient", "patient_num", {"open_dental.patient.patnum"}),
        ("tracktik_typed.stg_employees", "last_name", {"tracktik_staging.employees.raw_data"}),
        ("tracktik.mart_overtime", "shifts", set()),
    ],
)  # fmt: skip
def test_a_column_says_what_it_is_made_of(relation, column, parents) -> None:
    assert made_of(relation, column) == parents


def test_assets_carry_the_lineage_of_their_columns() -> None:
    shown = GRAPH.get(dg.AssetKey(["tracktik", "v_standby_shifts"])).metadata["dagster/column_lineage"]
    (parent,) = shown.deps_by_column["employee_last_name"]
    assert parent == dg.TableColumnDep(dg.AssetKey(["tracktik", "dim_employees"]), "last_name")
    shown = [GRAPH.get(dg.AssetKey(of.split("."))).metadata["dagster/column_lineage"] for of in LINEAGE]
    parents = {dep.asset_key for each in shown for deps in each.deps_by_column.values() for dep in deps}
    assert parents <= GRAPH.get_all_asset_keys()


def test_columns_show_their_types() -> None:
    schema = GRAPH.get(dg.AssetKey(["tracktik", "dim_employees"])).metadata["dagster/column_schema"]
    types = {column.name: column.type for column in schema.columns}
    assert (types["employee_id"], types["valid_from"], types["is_current"], types["etl_batch_id"]) == (
        "integer",
        "timestamp with time zone",
        "boolean",
        "uuid",
    )


def test_columns_say_what_they_are_made_of() -> None:
    schema = GRAPH.get(dg.AssetKey(["tracktik", "v_standby_shifts"])).metadata["dagster/column_schema"]
    said = {column.name: column.description for column in schema.columns}
    assert said["employee_last_name"].endswith(" From `tracktik.dim_employees.last_name`.")
    fact = GRAPH.get(dg.AssetKey(["tracktik", "fact_shifts"])).metadata["dagster/column_schema"]
    (total,) = [column.description for column in fact.columns if column.name == "bill_total"]
    assert re.search(r" From (`[a-z_.]+`, ){3}`[a-z_.]+` and \d+ more\.$", total)


def test_every_column_of_a_model_has_a_type() -> None:
    """Whether it is the right one, the tests that build the models say."""
    stated = {relation: set(types) for relation, types in model_column_types().items()}
    described = {
        f"{node['schema']}.{node['alias']}": set(node["columns"])
        for node in MANIFEST["nodes"].values()
        if node["resource_type"] in {"model", "seed"} and node["config"]["materialized"] != "ephemeral"
    }
    assert set(stated) == set(described)
    assert {of: sorted(names - stated[of]) for of, names in described.items() if names - stated[of]} == {}


def test_the_sql_of_every_model_but_a_few_can_be_read() -> None:
    models = {f"{node['schema']}.{node['alias']}" for node in MODELS if node["config"]["materialized"] != "ephemeral"}
    assert models - set(LINEAGE) == NOT_READ


def test_a_model_that_cannot_be_read_has_no_lineage() -> None:
    manifest = json.loads(json.dumps(MANIFEST))
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            node["compiled_code"] = "select from where" if "stg_patient" in node["name"] else "select 1 as case_id"
    found = column_lineage(manifest)
    assert "open_dental_typed.stg_patient" not in found
    assert found["operating_room_staging.stg_or_case"] == {"case_id": []}


def test_whatever_is_made_of_a_personal_column_is_personal_or_says_why_not() -> None:
    """A declaration is not lost on the way to a mart: the lineage is followed from staging on."""
    marks = {
        (f"{node['schema']}.{node['alias']}", name): column["meta"].get("personal")
        for node in MODELS
        for name, column in node["columns"].items()
    }
    personal = {column for column, mark in marks.items() if mark}
    personal |= {
        (f"{source.schema}.{table.name}", name)
        for source in SOURCES
        for table in source.tables
        for name in table.personal
    }
    assert ("stg.or_case", "primary_surgeon") in personal
    unmarked = [
        (relation, column)
        for relation, columns in LINEAGE.items()
        for column, parents in columns.items()
        if marks[relation, column] is None and not personal.isdisjoint(parents)
    ]
    assert unmarked == []
