"""Add a model's drawing to the metadata of its materialisation, where its yml asks for one (`meta.drawing`).

A model that is built by date would hold one drawing a date: a mart is to ask, of another `relation` where need be.
"""

import base64
from functools import cache

import dagster as dg

from etl_assets.orchestration.asset_keys import relation_name
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.model_builds import relation_of
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import TRANSFORMER, connect
from etl_assets.warehouse.relation import Relation, read_columns

MOST_ROWS = 200_000


def with_drawing(settings: Settings, source: str, result: dg.MaterializeResult[None]) -> dg.MaterializeResult[None]:
    """The result as it came or, for a model that is to be drawn, with its drawing."""
    relation = relation_name(result.asset_key) if result.asset_key else ""
    drawing = _drawings(source).get(relation)
    if not drawing:
        return result
    from etl_assets.drawing import columns_of, draw  # matplotlib takes most of a second

    with connect(settings, role=TRANSFORMER) as connection:
        drawn = Relation(*drawing.get("relation", relation).split(".", 1))
        rows = read_columns(connection, drawn, columns_of(drawing), most=MOST_ROWS)
    picture = base64.b64encode(draw(drawing, rows)).decode()
    shown = {"drawing": dg.MetadataValue.md(f"![{drawing['title']}](data:image/png;base64,{picture})")}
    return result._replace(metadata={**(result.metadata or {}), **shown})


@cache
def _drawings(source: str) -> dict[str, dict[str, str]]:
    """What the yml of a source's models asks for, by relation."""
    nodes = source_manifest(source)["manifest"]["nodes"].values()
    return {
        relation_of(node): node["meta"]["drawing"]
        for node in nodes
        if node["resource_type"] == "model" and "drawing" in node.get("meta", {})
    }
