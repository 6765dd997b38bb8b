"""Stale models: those built on tables whose last load failed. They are left out of a build, and the others are not."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.orchestration.asset_keys import asset_key, relation_name, staging_keys
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.table_failures import table_failures

MAX_SHOWN = 20


def failed_keys(connection: Connection, source: Source) -> set[dg.AssetKey]:
    """The asset keys of the source's tables whose last load failed."""
    failed = {failure.relation.removeprefix(f"{source.schema}.") for failure in table_failures(connection, source.name)}
    return {asset_key(source, name) for name in failed} & staging_keys(source)


def dependents(
    parents: Mapping[dg.AssetKey, AbstractSet[dg.AssetKey]], failed: Collection[dg.AssetKey]
) -> set[dg.AssetKey]:
    """The models that are built on these tables, on what is built on them, and so on.

    Args:
        parents: Of each model, what it is built on.
        failed: The tables.
    """
    found: set[dg.AssetKey] = set()
    reached = set(failed)
    while reached:
        reached = {key for key, above in parents.items() if key not in found and not reached.isdisjoint(above)}
        found |= reached
    return found


def stale_in(graph: Any, models: Collection[dg.AssetKey], failed: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
    """Those of the models that are stale, by the code location's asset graph."""
    return dependents({key: graph.get(key).parent_keys for key in models}, failed)


def name_stale(stale: Collection[dg.AssetKey]) -> str:
    """The names of stale models, for a message; of many the first ones."""
    names = sorted(map(relation_name, stale))
    return ", ".join(names[:MAX_SHOWN]) + (f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else "")
