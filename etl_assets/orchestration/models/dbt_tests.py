"""dbt's tests as asset checks: each with a short name and a sentence that says what must be true.

dbt names a test after its kind, its model and all its arguments, in up to 150 characters. Dagster takes the names from
the manifest, so it is given one in which they are short; the ledger keeps dbt's own, by which issues are known.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from etl_assets.orchestration.models.dbt_results import NodeResult
from etl_assets.orchestration.models.model_builds import node_name, relation_of

MAX_CONDITION = 300
_REF = re.compile(r"ref\('(\w+)'\)")

Manifest = dict[str, Any]


def with_short_check_names(manifest: Manifest) -> Manifest:
    """The manifest with a short name and a description for each test; nothing else is changed, nor the one given."""
    nodes = dict(manifest["nodes"])
    taken: set[tuple[str, str]] = set()
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] != "test":
            continue
        tested = nodes.get(_tested_id(node, nodes), {})
        short = next(name for name in _names(node, tested) if (tested.get("unique_id", ""), name) not in taken)
        taken.add((tested.get("unique_id", ""), short))
        meta = {**node.get("meta", {}), "description": node.get("description") or describe_test(node, nodes)}
        nodes[unique_id] = {**node, "name": short, "meta": meta}
    return {**manifest, "nodes": nodes}


def described_tests(nodes: Mapping[str, Any], results: Iterable[NodeResult]) -> list[dict[str, Any]]:
    """Results of tests in the words of the ledger.

    Args:
        nodes: Of the manifest as it is shown.
        results: What dbt said of its tests.
    """
    return [_in_words(nodes, nodes[result.unique_id], result) for result in results]


def _in_words(nodes: Mapping[str, Any], node: Mapping[str, Any], result: NodeResult) -> dict[str, Any]:
    tested = nodes.get(node.get("attached_node") or "")
    return {
        "relation": relation_of(tested) if tested else "(several)",
        "rule": node_name(node["unique_id"]),
        "why": node["meta"]["description"],
        "severity": "warning" if node["config"]["severity"].lower() == "warn" else "error",
        "status": result.status,
        "failures": result.failures,
        "message": result.reason,
    }


def describe_test(node: Mapping[str, Any], nodes: Mapping[str, Any]) -> str:
    """What must be true, in a sentence: of a test that is a query of its own, the comment that it begins with."""
    kind = (node.get("test_metadata") or {}).get("name", "")
    arguments = (node.get("test_metadata") or {}).get("kwargs", {})
    if kind in _SENTENCES:
        return _SENTENCES[kind](arguments, nodes)
    words = _own_name(node, nodes.get(_tested_id(node, nodes), {})).replace("_", " ").capitalize()
    if kind == "always":
        text = " ".join(arguments["condition"].split())
        return f"{words}. Of every row: `{text[:MAX_CONDITION]}{'…' * (len(text) > MAX_CONDITION)}`"
    breaking = leading_comment(node.get("raw_code", "").lstrip())
    return f"{words}. What breaks it: {breaking}" if breaking else f"{words}."


def leading_comment(sql: str) -> str:
    """The comment that SQL begins with, in one line; empty where it begins with none."""
    comment = re.match(r"(?:--[^\n]*\n)+", sql)
    return " ".join(line.lstrip("- ") for line in comment[0].splitlines()) if comment else ""


def _names(node: Mapping[str, Any], tested: Mapping[str, Any]) -> Iterator[str]:
    """Names for a test, from the shortest on."""
    arguments = (node.get("test_metadata") or {}).get("kwargs", {})
    kind = (node.get("test_metadata") or {}).get("name")
    if kind in _SUFFIXES and "column_name" in arguments:
        yield f"{arguments['column_name']}_{_SUFFIXES[kind]}"
    elif kind in _SUFFIXES and node["name"].startswith(f"{kind}_"):
        yield _SUFFIXES[kind]
    yield _own_name(node, tested)
    yield node["name"]


def _own_name(node: Mapping[str, Any], tested: Mapping[str, Any]) -> str:
    """The name without that of the model, or of the source."""
    name: str = node["name"].removeprefix(f"{tested.get('name', '')}_")
    return name.partition("__")[2] or name


def _tested_id(node: Mapping[str, Any], nodes: Mapping[str, Any]) -> str:
    """The model that a test is shown at, as Dagster has it."""
    reference = node["config"].get("meta", {}).get("dagster", {}).get("ref", {}).get("name")
    if reference:
        return next(unique_id for unique_id, each in nodes.items() if each["name"] == reference)
    upstream = node["depends_on"]["nodes"]
    return upstream[0] if len(set(upstream)) == 1 else node.get("attached_node") or ""


def _refers(arguments: Mapping[str, Any], nodes: Mapping[str, Any]) -> str:
    reference = _REF.search(arguments["to"])
    other = next((node for node in nodes.values() if reference and node["name"] == reference[1]), None)
    relation = relation_of(other) if other else arguments["to"]
    return f"What `{arguments['column_name']}` names is a `{arguments['field']}` of `{relation}`."


_SUFFIXES = {
    "not_null": "not_null",
    "unique": "unique",
    "relationships": "references",
    "accepted_values": "accepted_values",
    "unique_together": "unique_together",
    "one_timeline": "one_timeline",
}
"""What follows the column's name in that of a check, by the kind of test; the whole name where there is no column."""
_SENTENCES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "not_null": lambda given, _: f"Every row has a value in `{given['column_name']}`.",
    "unique": lambda given, _: f"No two rows have the same `{given['column_name']}`.",
    "relationships": _refers,
    "accepted_values": lambda given, _: f"`{given['column_name']}` is one of: {', '.join(map(str, given['values']))}.",
    "unique_together": lambda given, _: f"No two rows are alike in all of {', '.join(given['columns'])}.",
    "one_timeline": lambda given, _: (
        f"The versions of each `{given['natural_key']}` follow one another without a gap or an overlap; the last one is"
        " the present one."
    ),
}
