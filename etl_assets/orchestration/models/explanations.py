"""What models' yml declares of their cells and rows (`meta.explain`): of marts explanations, of facts origins."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from etl_assets.declare.explanation import Explanation, FactOrigins, read_explanation, read_origins
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.model_builds import relation_of

MARTS = "marts"


@cache
def explanations(source: str) -> dict[str, Explanation]:
    """The explanations of a source's marts, by relation.

    Raises:
        EtlError: One is not well formed.
    """
    return {name: read_explanation(name, meta) for name, meta, node in _declared(source) if MARTS in node["fqn"]}


@cache
def fact_origins(source: str) -> dict[str, FactOrigins]:
    """What names the rows of a source's facts and dimensions, and where they come from, by relation; raises as well."""
    return {
        name: read_origins(name, meta, node["config"].get("unique_key"))
        for name, meta, node in _declared(source)
        if MARTS not in node["fqn"]
    }


def mart_columns(source: str) -> dict[str, list[str]]:
    """The columns of each of a source's marts, as its yml describes them, by relation."""
    return {relation_of(node): list(node["columns"]) for node in _models(source) if MARTS in node["fqn"]}


def _models(source: str) -> Iterator[Mapping[str, Any]]:
    nodes = source_manifest(source).get("manifest", {}).get("nodes", {}).values()
    return (node for node in nodes if node["resource_type"] == "model")


def _declared(source: str) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for node in _models(source):
        if declared := node.get("config", {}).get("meta", {}).get("explain"):
            yield relation_of(node), declared, node
