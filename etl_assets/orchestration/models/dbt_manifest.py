"""Make the manifest of the dbt project, and of it the parts that a run of one source needs and no others.

Of each source `<source>.json`, as the UI shows it, with the lineage of columns and what each model is built of; and
`<source>.msgpack`, as dbt takes it, so that a run neither parses the project nor reads the other sources.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
from dbt.contracts.graph.manifest import Manifest

from etl_assets.orchestration.models.column_lineage import column_lineage
from etl_assets.orchestration.models.model_builds import ModelBuild, describe_builds, describe_tests, relation_of
from etl_assets.orchestration.models.shown_manifest import shown_manifest

DBT = str(Path(sys.executable).with_name("dbt"))
_BY_NODE = ("parent_map", "child_map")
_EMPTY = (
    "exposures",
    "metrics",
    "semantic_models",
    "saved_queries",
    "unit_tests",
    "macros",
    "docs",
    "selectors",
    "groups",
)


def make_manifest(project: Path, target: Path) -> None:
    """Compile a dbt project and write what is made of it; the manifest last, whose time says how new all of it is.

    Raises:
        dg.DagsterInvalidDefinitionError: dbt cannot parse the project; its words are in the message.
    """
    with TemporaryDirectory(dir=target) as folder:
        # Compiled, and not only parsed: lineage and code versions are read out of SQL. No warehouse is asked.
        words = ["compile", "--quiet", "--no-introspect", "--no-populate-cache", "--target-path", folder]
        words += ["--project-dir", str(project), "--profiles-dir", str(project)]
        done = subprocess.run(  # noqa: S603 (our own words)
            [DBT, "--log-path", folder, *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise dg.DagsterInvalidDefinitionError(f"dbt cannot parse {project}:\n{done.stdout}{done.stderr}")
        made = Path(folder) / "manifest.json"
        compiled = json.loads(made.read_text())
        lineage, builds = column_lineage(compiled), describe_builds(compiled, project / "macros")
        tests = describe_tests(compiled)
        shown = shown_manifest(compiled, lineage)
        parsed = (Path(folder) / "partial_parse.msgpack").read_bytes()
        for source in sorted({_source_of(node) for node in compiled["nodes"].values()}):
            nodes = {key: node for key, node in compiled["nodes"].items() if _source_of(node) == source}
            relations = {relation_of(node) for node in nodes.values()}
            part = {
                "manifest": _part(shown, source),
                "lineage": {name: columns for name, columns in lineage.items() if name in relations},
                "tests": {name: read for name, read in tests.items() if name in nodes},
                "builds": {name: asdict(build) for name, build in builds.items() if name in relations},
            }
            (target / f"{source}.json").write_text(json.dumps(part))
            # Parsed for each anew: its part is what is left of it.
            part_of_dbt = _dbt_part(Manifest.from_msgpack(parsed), source, builds)
            (target / f"{source}.msgpack").write_bytes(part_of_dbt.to_msgpack())
        # The time is that of the reading, so that what was edited meanwhile counts as newer.
        made.replace(target / made.name)


def _source_of(node: Mapping[str, Any]) -> str:
    """The source of a node: the folder that it lies in."""
    name: str = node["fqn"][1]
    return name


def _part(manifest: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The nodes of one source, and what they read."""
    nodes = {key: _bare(node) for key, node in manifest["nodes"].items() if _source_of(node) == source}
    read = {parent for node in nodes.values() for parent in node.get("depends_on", {}).get("nodes", ())}
    sources = {key: node for key, node in manifest["sources"].items() if key in read}
    kept = {*nodes, *sources}
    return {
        "metadata": manifest["metadata"],
        "nodes": nodes,
        "sources": sources,
        **{
            name: {
                key: [each for each in others if each in kept] for key, others in manifest[name].items() if key in kept
            }
            for name in _BY_NODE
        },
        **{name: {} for name in _EMPTY},
        "disabled": {},
        "group_map": {},
    }


def _bare(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node without what dbt compiled of it: the UI shows what was written."""
    return {name: value for name, value in node.items() if name not in {"compiled_code", "extra_ctes", "refs"}}


def _dbt_part(manifest: Manifest, source: str, builds: Mapping[str, ModelBuild]) -> Manifest:
    """The same, of what dbt itself reads; each table's node says of itself what the ledger must know."""
    nodes = {key: node for key, node in manifest.nodes.items() if node.fqn[1] == source}
    by_id = {build.unique_id: build for build in builds.values() if build.kind != "view"}
    for key in nodes.keys() & by_id.keys():
        nodes[key].config.meta["build"] = by_id[key].for_ledger()
    read = {parent for node in nodes.values() for parent in node.depends_on_nodes}
    manifest.nodes = nodes
    manifest.sources = {key: node for key, node in manifest.sources.items() if key in read}
    manifest.unit_tests = {}
    manifest.docs = {}
    manifest.files = {}
    manifest.disabled = {}
    return manifest
