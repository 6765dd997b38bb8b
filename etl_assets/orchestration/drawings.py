"""Add a model's drawing to the metadata of its materialisation, where its yml asks for one (`meta.drawing`).

A model that is built by date would hold one drawing a date: a mart is to ask, of another `relation` where need be.
"""

import base64
from functools import cache
from typing import Any

import dagster as dg

from etl_assets.drawing import columns_of, draw
from etl_assets.orchestration.dbt_project import loaded_manifest
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import TRANSFORMER, connect
from etl_assets.warehouse.relation import Relation, read_columns

MOST_ROWS = 200_000


def drawn(context: dg.AssetExecutionContext, settings: Settings, event: Any) -> Any:
    """The event as it came or, for a model that is to be drawn, with its drawing."""
    if not isinstance(event, dg.Output | dg.MaterializeResult):
        return event
    key = (
        event.asset_key if isinstance(event, dg.MaterializeResult) else context.asset_key_for_output(event.output_name)
    )
    drawing = _drawings().get(tuple(key.path)) if key else None
    if not key or not drawing:
        return event
    with connect(settings, role=TRANSFORMER) as connection:
        relation = Relation(*drawing.get("relation", ".".join(key.path)).split(".", 1))
        rows = read_columns(connection, relation, columns_of(drawing), most=MOST_ROWS)
    picture = base64.b64encode(draw(drawing, rows)).decode()
    metadata = {"drawing": dg.MetadataValue.md(f"![{drawing['title']}](data:image/png;base64,{picture})")}
    if isinstance(event, dg.MaterializeResult):
        return event._replace(metadata={**(event.metadata or {}), **metadata})
    return event.with_metadata({**event.metadata, **metadata})


@cache
def _drawings() -> dict[tuple[str, ...], dict[str, str]]:
    """What the models' yml asks for, by relation."""
    nodes = loaded_manifest()["nodes"].values()
    return {
        (node["schema"], node["alias"]): node["meta"]["drawing"]
        for node in nodes
        if node["resource_type"] == "model" and "drawing" in node.get("meta", {})
    }
