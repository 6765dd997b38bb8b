"""Asset keys: each asset is called by its relation's name in the warehouse."""

import dagster as dg

from etl_assets.declare.source import Source


def asset_key(source: Source, table: str) -> dg.AssetKey:
    """The asset key of a staging table."""
    return dg.AssetKey([source.schema, table])


def relation_key(relation: str) -> dg.AssetKey:
    """The asset key of a relation, `schema.name`."""
    return dg.AssetKey(relation.split(".", 1))


def relation_name(key: dg.AssetKey) -> str:
    """The name of an asset's relation, `schema.name`."""
    return ".".join(key.path)


def calendar_keys(source: Source) -> list[dg.AssetKey]:
    """The asset key of the billing calendar, where the source has one."""
    return [dg.AssetKey([source.name, "billing_periods"])] if source.calendar else []


def staging_keys(source: Source) -> set[dg.AssetKey]:
    """The asset keys of all that Python fills: the staging tables, and the calendar where there is one."""
    return {asset_key(source, table.name) for table in source.tables} | set(calendar_keys(source))
