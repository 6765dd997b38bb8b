"""The manifest as the UI is to show it: tests with short names, columns with types, models with what a row is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from etl_assets.orchestration.models.column_lineage import Lineage
from etl_assets.orchestration.models.column_types import model_column_types
from etl_assets.orchestration.models.dbt_tests import leading_comment, with_short_check_names
from etl_assets.orchestration.models.model_builds import relation_of

SHOWN_PARENTS = 4
"""Columns that are named of those which a column is made of."""


def shown_manifest(manifest: dict[str, Any], lineage: Lineage) -> dict[str, Any]:
    """The manifest with what the UI shows; the one given is not changed."""
    made = with_short_check_names(manifest)
    nodes = {
        unique_id: {**node, "description": _description(node), "columns": _shown_columns(node, lineage)}
        if node["resource_type"] in {"model", "seed"}
        else node
        for unique_id, node in made["nodes"].items()
    }
    return {**made, "nodes": nodes}


def _shown_columns(node: Mapping[str, Any], lineage: Lineage) -> dict[str, Any]:
    """The columns with their types, and in words with what they are made of: the UI draws no lineage of columns."""
    relation = relation_of(node)
    types, made_of = model_column_types().get(relation, {}), lineage.get(relation, {})
    return {
        name: {
            **column,
            "data_type": types.get(name),
            "description": f"{column['description']} {_describe_parents(made_of.get(name, []))}".strip(),
        }
        for name, column in node["columns"].items()
    }


def _describe_parents(parents: Sequence[tuple[str, str]]) -> str:
    names = ", ".join(f"`{relation}.{column}`" for relation, column in parents[:SHOWN_PARENTS])
    more = f" and {len(parents) - SHOWN_PARENTS} more" if len(parents) > SHOWN_PARENTS else ""
    return f"From {names}{more}." if names else ""


def _description(node: Mapping[str, Any]) -> str:
    """What the yml says; before it, where that does not say what a row is, the first sentence of the SQL's comment."""
    described: str = node["description"]
    comment = leading_comment(node["raw_code"])
    if not comment or re.search(r"\brows?\b", described):
        return described
    return f"{comment.partition('. ')[0].rstrip('.')}. {described}"
