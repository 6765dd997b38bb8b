"""What decides whether a model is built: its code, and the relations that it reads. It goes into the manifest.

A model is built when its code, or something that it reads, has changed since it was last built; the ledger holds what
each was built of (`etl.model_state`), and `etl.begin_build` decides in the transaction that builds it. Two words of a
model's config say which dates change with what it reads:

- `input_reach`: by the name of a model that it reads, how many days from a row its own rows may lie: dates of that
  input reach so much further. One that it is not joined to by date at all is `any`: it is built whole. `*` stands for
  the inputs that are not named.
- `window_from`: the inputs whose dates make its window, where others have no say in it; all of them by default.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

ANY_DATE, EVERY_OTHER = "any", "*"
_OF_NO_ROWS = {"view", "ephemeral"}
_SPELLED_BY = (
    "materialized",
    "unique_key",
    "window_column",
    "partition_by",
    "natural_key",
    "tracked",
    "meta",
    "indexes",
)
"""What of a model's config makes another table of the same SQL."""


@dataclass(frozen=True)
class ModelBuild:
    """A model or a seed, and what it is built of."""

    unique_id: str
    relation: str
    kind: Literal["view", "seed", "table"]
    code: str
    """Changes when what it says does: its SQL, that of the views that it reads, its config and the macros behind it."""
    parents: tuple[str, ...]
    """The models, and the tables of staging, that it reads, as relations; views too, and no ephemeral models."""
    inputs: tuple[str, ...]
    """The tables that it reads, through views and all."""
    dated_inputs: Mapping[str, int]
    """Those whose dates say which of its own dates change, and by how many days they reach further."""
    undated_inputs: tuple[str, ...]
    """Those that may change any date of it."""
    by_day: bool
    """It says something else when the day is another."""

    def for_ledger(self) -> dict[str, Any]:
        """What `etl.begin_build` is told."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name in {"code", "inputs", "dated_inputs", "undated_inputs", "by_day"}
        }


def relation_of(node: Mapping[str, Any]) -> str:
    """The name of a node's relation in the warehouse."""
    return f"{node['schema']}.{node.get('alias') or node['identifier']}"


def node_name(unique_id: str) -> str:
    """Dbt's own name of a model, a seed or a test, out of its id."""
    return unique_id.split(".")[2]


def describe_builds(manifest: Mapping[str, Any], macros: Path) -> dict[str, ModelBuild]:
    """What each model and seed is built of, by its relation.

    Args:
        manifest: As dbt compiled it, without asking a warehouse.
        macros: The folder of the macros that SQL is written by which is in no model's compiled code.
    """
    behind = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(macros.rglob("*.sql")))).hexdigest()
    reader = _Reader(manifest, behind)
    nodes = (node for node in manifest["nodes"].values() if node["resource_type"] in {"model", "seed"})
    builds = [reader.read(node) for node in nodes if node["config"]["materialized"] != "ephemeral"]
    return {build.relation: build for build in builds}


def describe_tests(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """The relations that each test looks at, by its id: tables and views, and the tables behind these."""
    reader = _Reader(manifest, "")
    nodes = (node for node in manifest["nodes"].values() if node["resource_type"] == "test")
    return {node["unique_id"]: reader.relations(node) for node in nodes}


class _Reader:
    """Reads what models are built of out of one manifest."""

    def __init__(self, manifest: Mapping[str, Any], behind: str) -> None:
        self._nodes = {**manifest["nodes"], **manifest["sources"]}
        self._behind = behind

    def read(self, node: Mapping[str, Any]) -> ModelBuild:
        """What one node is built of."""
        kind = node["config"]["materialized"]
        inputs = sorted({relation_of(each) for each in self._tables(node)})
        reaches = self._reaches(node, inputs)
        chosen = node["config"].get("window_from")
        makes_window = (
            inputs if chosen is None else sorted({r for name in chosen for r in self._relations_behind(node, name)})
        )
        code = self._code(node)
        return ModelBuild(
            unique_id=node["unique_id"],
            relation=relation_of(node),
            kind=kind if kind in {"view", "seed"} else "table",
            code=hashlib.sha256(code.encode()).hexdigest()[:16],
            parents=tuple(sorted({relation_of(each) for each in self._parents(node)})),
            inputs=tuple(inputs),
            dated_inputs={r: reaches.get(r, 0) for r in makes_window if reaches.get(r) != ANY_DATE},
            undated_inputs=tuple(sorted(r for r, days in reaches.items() if days == ANY_DATE)),
            by_day="etl.as_of" in code or kind == "daily_snapshot",
        )

    def _reaches(self, node: Mapping[str, Any], inputs: Sequence[str]) -> dict[str, Any]:
        """How far each input reaches, as the config says; without those of which it says nothing."""
        declared = dict(node["config"].get("input_reach", {}))
        reaches: dict[str, Any] = dict.fromkeys(inputs, declared.pop(EVERY_OTHER)) if EVERY_OTHER in declared else {}
        for name, days in declared.items():
            reaches |= dict.fromkeys(self._relations_behind(node, name), days)
        return reaches

    def relations(self, node: Mapping[str, Any]) -> list[str]:
        """The relations that a node reads, and the tables behind them."""
        return sorted({relation_of(each) for each in (*self._parents(node), *self._tables(node))})

    def _parents(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """What it reads that is a relation."""
        for unique_id in node.get("depends_on", {}).get("nodes", ()):
            parent = self._nodes[unique_id]
            if parent.get("config", {}).get("materialized") == "ephemeral":
                yield from self._parents(parent)
            else:
                yield parent

    def _tables(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """What it reads that has rows of its own."""
        for parent in self._parents(node):
            if parent.get("config", {}).get("materialized") in _OF_NO_ROWS:
                yield from self._tables(parent)
            else:
                yield parent

    def _relations_behind(self, node: Mapping[str, Any], name: str) -> set[str]:
        """The tables behind one of the models that it reads, by that one's name."""
        for each in self._above(node):
            if each["name"] == name:
                of_no_rows = each["config"]["materialized"] in _OF_NO_ROWS
                return {relation_of(table) for table in self._tables(each)} if of_no_rows else {relation_of(each)}
        raise KeyError(f"{node['name']}: its config names {name}, which it does not read")

    def _above(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for unique_id in node.get("depends_on", {}).get("nodes", ()):
            parent = self._nodes[unique_id]
            yield parent
            if parent.get("config", {}).get("materialized") == "ephemeral":
                yield from self._above(parent)

    def _code(self, node: Mapping[str, Any]) -> str:
        """All that makes the node what it is; the name of the database is not of it."""
        sql = node.get("compiled_code") or node.get("checksum", {}).get("checksum", "")
        config = {name: node["config"].get(name) for name in _SPELLED_BY}
        # How a cell is explained makes no other cell of it.
        config["meta"] = {name: value for name, value in (config["meta"] or {}).items() if name != "explain"}
        columns = {name: (column["description"], column.get("meta")) for name, column in node["columns"].items()}
        views = [
            self._code(parent)
            for parent in self._parents(node)
            if parent.get("config", {}).get("materialized") == "view"
        ]
        spelled = json.dumps([config, node["description"], columns], sort_keys=True, default=str)
        return "\n".join([sql.replace(f'"{node["database"]}".', ""), spelled, self._behind, *views])
