"""Published marts as Dagster assets: what readers see of the exact ones, once an attack on them finds nothing."""

from collections.abc import Iterator

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.orchestration.asset_keys import relation_key
from etl_assets.orchestration.groups import SOURCE_TAG
from etl_assets.orchestration.models.dbt_assets import MODE_TAG
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.quality.linked_marts import mart_of
from etl_assets.quality.publication import Published, publication_of, publish_marts
from etl_assets.warehouse.ledger import open_batch

CHECK = "nothing_is_disclosed"
"""The check that no hidden cell follows from what is shown. Where it fails, readers keep what was published before."""


def published_keys(source: Source) -> dict[str, dg.AssetKey]:
    """The assets of the published marts, by the names of these."""
    schema = publication_of(source).schema
    return {mart.name: relation_key(f"{schema}.{mart.name}") for mart in publication_of(source).marts}


def published_marts(source: Source) -> dg.AssetsDefinition:
    """The assets of a source's published marts, in one op: they are published together or not at all."""
    publication, keys = publication_of(source), published_keys(source)
    exact = [relation_key(f"{publication.exact_schema}.{mart.name}") for mart in publication.marts]

    @dg.multi_asset(
        name=f"publish_{source.name}",
        specs=[
            dg.AssetSpec(
                key,
                deps=exact,
                skippable=True,
                group_name=f"{source.name}_published",
                owners=[source.owner],
                kinds={"postgres"},
                tags={"layer": "mart", SOURCE_TAG: source.name},
                description=f"The rows of {publication.exact_schema}.{name} as they may be read: what tells of fewer"
                f" than {publication.k} persons is null, and so is what would tell it.",
                metadata={"dagster/table_name": f"{publication.schema}.{name}"},
            )
            for name, key in keys.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=key,
                blocking=True,
                description="An attack by all that is shown of all marts, now and in the release before, finds no"
                " hidden number. Published is what passes alone.",
            )
            for key in keys.values()
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def publish(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        force = context.run.tags.get(MODE_TAG) != "changed"  # by hand it is done as asked
        with open_batch(warehouse.settings(), source.name, "publish", run_id=context.run.run_id) as batch:
            done = publish_marts(warehouse.settings(), batch, source, force=force)
        if done is None:
            context.log.info("Nothing was published, for no mart has changed.")
            for key in keys.values():
                stands = "What is shown was published because it passed, and nothing has changed since."
                yield dg.AssetCheckResult(asset_key=key, check_name=CHECK, passed=True, description=stands)
            return
        for name, key in keys.items():
            if done.written is not None:
                yield dg.MaterializeResult(asset_key=key, metadata={"rows_changed": done.written[name]})
            yield _check_result(name, key, done)
        if done.disclosed:
            raise EtlError(
                f"{len(done.disclosed)} hidden cells follow from what would be shown, so that nothing was published:"
                f" etl attack {source.name}"
            )

    return publish


def _check_result(name: str, key: dg.AssetKey, done: Published) -> dg.AssetCheckResult:
    disclosed = sum(mart_of(each.cell) == name for each in done.disclosed)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CHECK,
        passed=not disclosed,
        metadata={"disclosed": disclosed, "hidden_in_all_marts": done.hidden, "cells_in_all_marts": done.cells},
    )
