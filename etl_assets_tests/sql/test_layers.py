"""What the SQL of a layer may read, and what every relation must say of itself; read from dbt's manifest."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from etl_assets_tests.sql.dbt_runs import SQL, Dbt

# A layer by its folder, and what may be read from it.
MAY_READ = {
    "staging": {"source", "seed"},
    "dimensions": {"staging", "seed"},
    "intermediate": {"staging", "dimensions", "intermediate"},
    "facts": {"staging", "dimensions", "intermediate"},
    "marts": {"dimensions", "facts"},
}
# Where each source's views on staging are; TrackTik's documents have the plain name, as Open Dental's tables do.
TYPED = {
    "operating_room": "operating_room_staging",
    "tracktik": "tracktik_typed",
    "open_dental": "open_dental_typed",
    "trialsync": "trialsync_typed",
    "lacrei_saude": "lacreisaude_staging_02",
}
# Where what is built on them is.
BUILT = {
    "operating_room": "operating_room",
    "tracktik": "tracktik",
    "open_dental": "open_dental_mart",
    "trialsync": "trialsync",
    "lacrei_saude": "lacreisaude_model",
}
# Marts that are not where dimensions and facts are.
MARTS = {"lacrei_saude": "lacreisaude_mart_exact"}
# Whose relations have names that were given to us: without the prefix, or in part.
UNPREFIXED = {"lacrei_saude"}
# What a fact is built by: the tag of its partitions, and the date of its slices. Others are computed
# whole, whatever changed.
BUILT_BY = {"operating_room": ("daily", "surgery_date"), "tracktik": ("periodic", "week_ending")}
MODELS = sorted(path.stem for path in (SQL / "models").rglob("*.sql"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest, parsed without a warehouse to ask."""
    dbt = Dbt(SQL, "host=127.0.0.1 port=1 user=nobody dbname=none", tmp_path_factory.mktemp("dbt"))
    dbt.parse()
    return json.loads((dbt.folder / "target" / "manifest.json").read_text())


def named(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """The model of that name."""
    return next(node for node in manifest["nodes"].values() if node["name"] == name)


def layer_of(manifest: dict[str, Any], unique_id: str) -> str:
    """The folder a node lies in, or what kind of node it is."""
    kind, _, _ = unique_id.partition(".")
    return Path(manifest["nodes"][unique_id]["path"]).parent.name if kind == "model" else kind


@pytest.mark.parametrize("name", MODELS)
def test_a_model_reads_only_the_layers_below_its_own(manifest: dict[str, Any], name: str) -> None:
    node = named(manifest, name)
    allowed = MAY_READ[layer_of(manifest, node["unique_id"])]
    read = {layer_of(manifest, used) for used in node["depends_on"]["nodes"]}
    assert read <= allowed, f"{name} may read {sorted(allowed)}, and reads {sorted(read)}"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_a_relation_of_its_source_in_the_schema_of_its_layer(manifest: dict[str, Any], name: str) -> None:
    node = named(manifest, name)
    source, _, relation = name.partition("__")
    prefix = {
        "staging": "stg_",
        "intermediate": "int_",
        "dimensions": ("dim_", "bridge_"),
        "facts": "fact_",
        "marts": ("mart_", "v_", "mv_"),
    }
    layer = layer_of(manifest, node["unique_id"])
    assert node["path"].startswith(f"{source}/{layer}/")
    assert relation.startswith(prefix[layer])
    named_as_given = (
        {relation, relation.removeprefix("stg_").removeprefix("mart_")} if source in UNPREFIXED else {relation}
    )
    assert node["alias"] in named_as_given
    built = MARTS.get(source, BUILT[source]) if layer == "marts" else BUILT[source]
    assert node["schema"] == (TYPED[source] if layer in {"staging", "intermediate"} else built)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_and_each_of_its_columns_are_described_and_tested(manifest: dict[str, Any], name: str) -> None:
    node = named(manifest, name)
    assert node["description"]
    assert [column for column, described in node["columns"].items() if not described["description"]] == []
    assert [test for test in manifest["child_map"][node["unique_id"]] if test.startswith(("test.", "unit_test."))]


@pytest.mark.parametrize("name", [name for name in MODELS if "__fact_" in name])
def test_a_fact_states_its_grain_first_and_what_it_is_built_by(manifest: dict[str, Any], name: str) -> None:
    node = named(manifest, name)
    assert re.match(r"-- One row per ", node["raw_code"])
    if (source := name.split("__", maxsplit=1)[0]) in BUILT_BY:
        tag, window_column = BUILT_BY[source]
        assert tag in node["tags"]
        assert node["config"]["window_column"] == window_column
    assert [test for test in manifest["unit_tests"].values() if test["model"] == name], "it has no unit test"


def test_the_sources_are_the_staging_assets(manifest: dict[str, Any]) -> None:
    for source in manifest["sources"].values():
        key = source["config"]["meta"]["dagster"]["asset_key"]
        assert key == [source["schema"], source["name"]]
