"""Asset selections of a source, and the job that runs all of them."""

from typing import Any

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.orchestration.asset_keys import staging_keys
from etl_assets.orchestration.groups import REPORT_LAYER, SOURCE_TAG
from etl_assets.orchestration.layers import LAYER_TAG, assets_of_layer
from etl_assets.orchestration.models.dbt_assets import MODE_TAG
from etl_assets.orchestration.retries import RETRIES


def everything_of(source: Source) -> dg.AssetSelection:
    """Staging, its checks, and all that is built on it; reports have schedules of their own."""
    return dg.AssetSelection.tag(SOURCE_TAG, source.name) - dg.AssetSelection.tag("layer", REPORT_LAYER)


def models_of(source: Source) -> dg.AssetSelection:
    """All that is built on a source's staging tables."""
    return everything_of(source) - dg.AssetSelection.assets(*staging_keys(source))


def layer_jobs(source: Source) -> list[Any]:
    """A job for each of the layers of a source that can be run alone."""
    return [
        dg.define_asset_job(
            name=f"{source.name}_{layer}",
            selection=assets_of_layer(source, layer),
            description=f"{source.title}: the layer {layer} alone, of what lies below it as it is.",
            tags={**RETRIES, LAYER_TAG: layer, MODE_TAG: "changed"},
        )
        for layer in source.layers
    ]


def source_job(source: Source) -> Any:
    """The job of a source, for people who start one by hand."""
    return dg.define_asset_job(
        name=source.name,
        selection=everything_of(source),
        description=f"{source.title}: load the chosen {'billing periods' if source.calendar else 'schedule dates'},"
        " check them, build the models.",
        tags=RETRIES,
    )
