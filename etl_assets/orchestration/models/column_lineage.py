"""Column lineage: from which columns of which relations each column of a model is made, by its compiled SQL.

sqlglot reads the SQL; no warehouse is asked. A column counts where its value goes into another, and not where rows are
joined or filtered by it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.schema import MappingSchema

from etl_assets.orchestration.models.model_builds import relation_of

DIALECT = "postgres"
Column = tuple[str, str]
"""The name of a relation, such as `tracktik.dim_clients`, and that of its column."""
Lineage = dict[str, dict[str, list[Column]]]
"""Of each relation, by column: the columns that it is made of, in order. A model that cannot be read is not in it."""


def column_lineage(manifest: Mapping[str, Any]) -> Lineage:
    """The lineage of every model of a manifest that dbt has compiled."""
    nodes = manifest["nodes"]
    found: Lineage = {}
    for node in nodes.values():
        if node["resource_type"] != "model" or node["config"]["materialized"] == "ephemeral":
            continue
        try:
            columns = _read(node["compiled_code"], _schema(manifest, node))
        except SqlglotError:
            continue
        described = node["columns"]
        found[relation_of(node)] = {name: columns[name] for name in columns if name in described}
    return found


def _read(sql: str, schema: MappingSchema) -> dict[str, list[Column]]:
    tree = parse_one(sql, dialect=DIALECT)
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    outputs = lineage(
        None, tree, schema, dialect=DIALECT, trim_selects=False, copy=False, validate_qualify_columns=False
    )
    return {name: sorted(_leaves(node)) for name, node in outputs.items()}


def _leaves(output: Node) -> set[Column]:
    """The columns of tables at the end of a column's way; of `select *` from a table, the one that was asked for."""
    found, seen, waiting = set(), set(), [(output, "")]
    while waiting:
        node, asked = waiting.pop()
        name = node.name.rpartition(".")[2].strip('"')
        column = asked if name == "*" else name
        if (id(node), column) in seen:
            continue
        seen.add((id(node), column))
        if isinstance(node.expression, exp.Table) and node.expression.db and column:  # a function has no schema
            found.add((f"{node.expression.db}.{node.expression.name}", column))
        waiting += [(below, column) for below in node.downstream]
    return found


def _schema(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> MappingSchema:
    """The columns of what a model reads, as far as they are described."""
    described: dict[str, Any] = {}
    for each in _read_by(manifest, node):
        if each["columns"]:
            columns = dict.fromkeys(each["columns"], "text")
            described.setdefault(each["schema"], {})[relation_of(each).partition(".")[2]] = columns
    return MappingSchema(described, dialect=DIALECT)


def _read_by(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a model reads: an ephemeral one is part of its SQL, and what that reads is read."""
    for unique_id in node["depends_on"]["nodes"]:
        parent = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        if parent.get("config", {}).get("materialized") == "ephemeral":
            yield from _read_by(manifest, parent)
        else:
            yield parent
