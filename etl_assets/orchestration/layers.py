"""Layers that run alone: which assets each has, and that what lies below one is there before it is built."""

from collections.abc import Collection, Iterable

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.orchestration.groups import SOURCE_TAG, model_layer
from etl_assets.orchestration.models.build_plan import source_builds
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.model_builds import relation_of
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.ledger import loaded_ever, missing_relations
from etl_assets.warehouse.table_failures import failed_builds, table_failures

LAYER_TAG = "etl/layer"
"""The run tag with the name of the one layer that is run."""
MOST_NAMED = 5


def assets_of_layer(source: Source, layer: str) -> dg.AssetSelection:
    """The assets of one of the layers that a source says can be run alone."""
    found: dg.AssetSelection = dg.AssetSelection.assets()
    for name in source.layers[layer]:
        found |= dg.AssetSelection.tag("layer", name) & dg.AssetSelection.tag(SOURCE_TAG, source.name)
    return found


def require_lower_layers(connection: Connection, source: Source, layer: str, relations: Collection[str]) -> None:
    """Raise where what a layer is built on was never there, or failed: it would be built of nothing, or of yesterday.

    Args:
        connection: As the loader.
        source: Whose layer.
        layer: Its name.
        relations: What is built.

    Raises:
        EtlError: It names what is missing, and the layer to run first.
    """
    builds = source_builds(source.name)
    lower = {parent for name in relations if name in builds for parent in builds[name].parents} - set(relations)
    staging = {name for name in lower if name.startswith(f"{source.schema}.")}
    models = lower - staging
    reasons = [f"{name} was never built" for name in sorted(missing_relations(connection, models))]
    reasons += [f"{name} failed when it was built last" for name in sorted(failed_builds(connection, models))]
    if staging and not loaded_ever(connection, staging):
        # Of single tables there may be none: a version of the source may lack them.
        reasons.append(f"nothing was ever loaded into {source.schema}")
    failed = {failure.relation for failure in table_failures(connection, source.name)} & staging
    reasons += [f"{name} could not be loaded" for name in sorted(failed)]
    if reasons:
        named = "; ".join(reasons[:MOST_NAMED]) + ("; ..." if len(reasons) > MOST_NAMED else "")
        below = _lowest(source, models if any("built" in reason for reason in reasons) else staging)
        raise EtlError(f"{source.name}: the layer {layer} was not built. {named}. Run first: {below}")


def _lowest(source: Source, relations: Iterable[str]) -> str:
    """The command for the lowest of the layers that relations are in."""
    nodes = source_manifest(source.name)["manifest"]["nodes"].values()
    kinds = {
        relation_of(node): model_layer(node["fqn"]) for node in nodes if node["resource_type"] in {"model", "seed"}
    }
    found = {kinds.get(relation, "staging") for relation in relations}
    name = next(name for name, kinds_of in source.layers.items() if not found.isdisjoint(kinds_of))
    return f"etl run {source.name} --layer {name}"
