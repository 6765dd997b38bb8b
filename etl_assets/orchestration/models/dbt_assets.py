"""dbt models as Dagster assets, their tests as asset checks; dbt is not called where nothing changed."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.orchestration.asset_keys import relation_key, relation_name, staging_keys
from etl_assets.orchestration.groups import SOURCE_TAG, model_group, model_layer
from etl_assets.orchestration.layers import LAYER_TAG, require_lower_layers
from etl_assets.orchestration.models.build_plan import source_builds
from etl_assets.orchestration.models.dagster_dbt_alone import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    dbt_assets,
)
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.dbt_results import NodeResult
from etl_assets.orchestration.models.drawings import with_drawing
from etl_assets.orchestration.models.model_builds import ModelBuild, node_name, relation_of
from etl_assets.orchestration.models.model_run import ModelRun, build_models
from etl_assets.orchestration.partitions import partitions_of, span_of
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.quality.dbt_tests import BROKEN
from etl_assets.quality.publication import is_published
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import Batch, open_batch

PARTITIONED = {"daily", "periodic"}
"""The tags of models that are built by schedule date or by billing period."""
MODE_TAG = "etl/build"
"""The run tag that says what is built: changed, asked or full; see `BuildRequest`."""
UNIQUE_ID = "dagster_dbt/unique_id"
MOST_NAMED = 10


def has_models(source: Source) -> bool:
    """Whether anything is built on a source's staging tables."""
    return bool(source_builds(source.name))


def model_assets(source: Source) -> dg.AssetsDefinition:
    """Build the assets of the models under `models/<source>`, in one op that can be subset."""

    @dbt_assets(
        manifest=source_manifest(source.name)["manifest"],
        name=f"build_{source.name}",
        dagster_dbt_translator=_Translator(source),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="dbt",
    )
    def build(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[Any]:
        settings, mode, keys = warehouse.settings(), _mode(context, source), _test_keys(context)
        selected = {relation_name(key) for key in context.selected_asset_keys}
        with open_batch(settings, source.name, "build", run_id=context.run.run_id) as batch:
            if layer := context.run.tags.get(LAYER_TAG):
                require_lower_layers(batch.connection, source, layer, selected)
            done = build_models(
                settings,
                batch,
                source,
                mode=mode,
                selected=selected,
                tests=keys,
                span=span_of(source, context.run.tags),
            )
            if done.current:
                named = ", ".join(sorted(done.current))
                context.log.info(f"Passed over, for nothing that they read has changed: {named}")
            news = [each for each in done.results if _has_news(each, mode)]
            yield from _events(settings, source, keys, news)
            yield from _unpublished(settings, batch, source, selected, {each.unique_id for each in news})
            _raise_failures(done)

    return build


def _mode(context: dg.AssetExecutionContext, source: Source) -> str:
    """What the run's tag says; or else all where models alone were chosen, and what changed where tables are loaded."""
    chosen = context.run.asset_selection
    loads = chosen is None or not staging_keys(source).isdisjoint(chosen)
    return context.run.tags.get(MODE_TAG, "changed" if loads else "asked")


def _test_keys(context: dg.AssetExecutionContext) -> dict[str, dg.AssetCheckKey]:
    """The checks of the run, by dbt's id of their tests."""
    return {
        spec.metadata[UNIQUE_ID]: spec.key
        for spec in context.assets_def.check_specs
        if spec.key in context.selected_asset_check_keys
    }


def _has_news(result: NodeResult, mode: str) -> bool:
    """Whether Dagster is told: of what was looked at and, where nobody asked for it, of tables that were written."""
    if result.is_current or result.status == "skipped":
        return False
    return result.kind == "test" or (result.status == "success" and (mode != "changed" or result.rows_changed != 0))


def _events(
    settings: Settings,
    source: Source,
    keys: Mapping[str, dg.AssetCheckKey],
    results: Collection[NodeResult],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    by_id = {build.unique_id: build for build in source_builds(source.name).values()}
    for result in results:
        if result.kind == "test":
            yield _check_result(keys[result.unique_id], source, result)
        else:
            yield with_drawing(settings, source.name, _materialization(by_id[result.unique_id], result))


def _materialization(build: ModelBuild, result: NodeResult) -> dg.MaterializeResult[None]:
    rows = {} if result.rows_changed is None else {"rows_changed": result.rows_changed}
    return dg.MaterializeResult(
        asset_key=relation_key(build.relation),
        metadata={UNIQUE_ID: build.unique_id, "seconds": round(result.seconds, 2), **rows},
    )


def _unpublished(
    settings: Settings, batch: Batch, source: Source, selected: Collection[str], named: Collection[str]
) -> Iterator[dg.MaterializeResult[None]]:
    """Marts that are to be published, and that Dagster is not told of already: it would pass over their publication."""
    if source.publication is None or is_published(settings, batch.connection, source):
        return
    for relation, build in source_builds(source.name).items():
        is_mart = relation.startswith(f"{source.publication.exact_schema}.")
        if is_mart and relation in selected and build.unique_id not in named:
            yield dg.MaterializeResult(asset_key=relation_key(relation), metadata={UNIQUE_ID: build.unique_id})


def _check_result(key: dg.AssetCheckKey, source: Source, result: NodeResult) -> dg.AssetCheckResult:
    node = source_manifest(source.name)["manifest"]["nodes"][result.unique_id]
    is_warning = node["config"]["severity"].lower() == "warn" or result.status == "warn"
    return dg.AssetCheckResult(
        passed=result.status not in BROKEN,
        asset_key=key.asset_key,
        check_name=key.name,
        severity=dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR,
        metadata={"status": result.status, "failures": result.failures, "seconds": round(result.seconds, 2)},
    )


def _raise_failures(run: ModelRun) -> None:
    """Fail the run for what failed; what was built is built all the same.

    Raises:
        EtlError: A model could not be built, or a test found an error.
    """
    failed = [result for result in run.results if result.is_failure]
    if failed:
        named = [f"{node_name(each.unique_id)}: {each.reason}" for each in failed[:MOST_NAMED]]
        more = [f"and {len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else []
        skipped = sum(result.status == "skipped" for result in run.results) + len(run.waiting)
        raise EtlError(
            "\n".join(
                [f"dbt: {len(failed)} of {len(run.results)} failed, and {skipped} were not run for it.", *named, *more]
            )
        )


class _Translator(DagsterDbtTranslator):
    """Translates a dbt node to asset key, group, owners, tags and partitions."""

    def __init__(self, source: Source) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(
                enable_asset_checks=True, enable_source_tests_as_checks=True, enable_duplicate_source_asset_keys=True
            )
        )
        self._source = source

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The relation's name in the warehouse; that of the staging asset for a source."""
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return relation_key(relation_of(dbt_resource_props))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """By source and layer."""
        return model_group(self._source, dbt_resource_props["fqn"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The source's."""
        return [self._source.owner]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """The layer, which is the folder the model lies in."""
        tags = {SOURCE_TAG: self._source.name, "layer": model_layer(dbt_resource_props["fqn"])}
        return {**super().get_tags(dbt_resource_props), **tags}

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the lineage of its columns, as far as its SQL could be read."""
        columns = source_manifest(self._source.name)["lineage"].get(relation_of(dbt_resource_props))
        metadata = super().get_metadata(dbt_resource_props)
        if not columns:
            return metadata
        parents = {
            name: [dg.TableColumnDep(relation_key(of), column) for of, column in made_of]
            for name, made_of in columns.items()
        }
        return {**metadata, "dagster/column_lineage": dg.TableColumnLineage(parents)}

    def get_partitions_def(self, dbt_resource_props: Mapping[str, Any]) -> dg.PartitionsDefinition | None:
        """Schedule dates or billing periods, for the models that are built by them."""
        if PARTITIONED.isdisjoint(dbt_resource_props.get("tags", ())):
            return None
        return partitions_of(self._source)
