"""dbt models as Dagster assets, with their tests as asset checks; one dbt call a run."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliInvocation, DbtCliResource, dbt_assets

from etl_assets.declare.dates import Span
from etl_assets.declare.hours import source_zone
from etl_assets.declare.source import Source
from etl_assets.orchestration.column_lineage import relation_of
from etl_assets.orchestration.column_types import model_column_types
from etl_assets.orchestration.dbt_project import SQL, dbt_project, loaded_manifest, model_lineage, reach_warehouse
from etl_assets.orchestration.dbt_tests import describe_test, leading_comment, with_short_check_names
from etl_assets.orchestration.drawings import drawn
from etl_assets.orchestration.groups import SOURCE_TAG, model_group, model_layer
from etl_assets.orchestration.partitions import partitions_of, span_of
from etl_assets.orchestration.pending import extend_to_changed_dates
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.quality.dbt_tests import record_tests
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import Batch, open_batch, record_build

PARTITIONED = {"daily", "periodic"}
"""The tags of models that are built by schedule date or by billing period."""
FOLDERS = ("models", "seeds")
SHOWN_PARENTS = 4
"""Columns that are named of those which a column is made of."""
WHOLE = "build"
"""The kind of a batch that builds all of a source's models; the ledger tells by it what is still to be built."""


def model_assets(source: Source) -> dg.AssetsDefinition:
    """Build the assets of the models under `models/<source>`, in one op that can be subset."""

    @dbt_assets(
        manifest=_shown_manifest(),
        project=dbt_project(),
        select=" ".join(f"path:{folder}/{source.name}" for folder in FOLDERS if (SQL / folder / source.name).exists()),
        name=f"build_{source.name}",
        dagster_dbt_translator=_Translator(source),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="dbt",
    )
    def build(context: dg.AssetExecutionContext, dbt: DbtCliResource, warehouse: WarehouseResource) -> Iterator[Any]:
        settings = warehouse.settings()
        reach_warehouse(settings)
        whole = context.selected_asset_keys == context.assets_def.keys
        with open_batch(settings, source.name, WHOLE if whole else "build a part", run_id=context.run.run_id) as batch:
            span = span_of(source, context.run.tags)
            if whole and span:
                span = extend_to_changed_dates(batch.connection, source, span)
            now = datetime.now(UTC)
            as_of = local_day(settings, source, now)
            words = ["build", "--vars", json.dumps(_variables(with_local_day(span, as_of, now), batch, as_of))]
            invocation = dbt.cli(words, context=context, raise_on_error=False)
            for event in invocation.stream():
                yield drawn(context, settings, event)
            error, built = invocation.get_error(), _write_down(settings, batch, source, invocation)
            if error and not built:
                raise error  # in the batch: what was not built is behind, and is asked for again
        if error:
            raise error

    return build


@cache
def _shown_manifest() -> dict[str, Any]:
    """The manifest as the UI is to show it: tests with short names, columns with types, models with what a row is."""
    made = with_short_check_names(loaded_manifest())
    nodes = {
        unique_id: {**node, "description": _description(node), "columns": _shown_columns(node)}
        if node["resource_type"] in {"model", "seed"}
        else node
        for unique_id, node in made["nodes"].items()
    }
    return {**made, "nodes": nodes}


def _shown_columns(node: Mapping[str, Any]) -> dict[str, Any]:
    """The columns with their types, and in words with what they are made of: the UI draws no lineage of columns."""
    relation = relation_of(node)
    types, made_of = model_column_types().get(relation, {}), model_lineage().get(relation, {})
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


def local_day(settings: Settings, source: Source, moment: datetime) -> date:
    """The day that it is at a source, by its setting `timezone`: in the evening another one than in UTC.

    Raises:
        EtlError: The setting names no time zone.
    """
    return moment.astimezone(source_zone(settings.of_source(source.name), f"ETL_{source.name}".upper())).date()


def with_local_day(span: Span | None, as_of: date, moment: datetime) -> Span | None:
    """The span of a run; one that has today in it, by UTC, has the source's own day in it too."""
    if span is None or not span.first <= moment.date() <= span.last:
        return span
    return Span(min(span.first, as_of), max(span.last, as_of))


def _variables(span: Span | None, batch: Batch, as_of: date) -> dict[str, str]:
    window = {"start_date": span.first.isoformat(), "end_date": span.last.isoformat()} if span else {}
    # Said, and not asked of a clock by each model: a run may go over midnight.
    return {**window, "etl_batch_id": str(batch.id), "as_of": as_of.isoformat()}


def _write_down(settings: Settings, batch: Batch, source: Source, invocation: DbtCliInvocation) -> bool:
    """Enter into the ledger what dbt built and what its tests found. Returns whether every model was built."""
    path = Path(invocation.target_path) / "run_results.json"
    if not path.exists():
        return False
    nodes = json.loads((path.parent / "manifest.json").read_text())["nodes"]
    results = [
        (nodes[result["unique_id"]], result)
        for result in json.loads(path.read_text())["results"]
        if result["unique_id"] in nodes
    ]
    for node, result in results:
        if node["resource_type"] == "model":
            record_build(
                batch,
                relation_of(node),
                status=result["status"],
                rows_changed=_rows_changed(node, result),
                seconds=result["execution_time"],
            )
    record_tests(batch, source.name, [_as_test(nodes, *each) for each in results if each[0]["resource_type"] == "test"])
    return all(result["status"] == "success" for node, result in results if node["resource_type"] == "model")


def _rows_changed(node: Mapping[str, Any], result: Mapping[str, Any]) -> int | None:
    """Rows that a model wrote or deleted; None for a view, which has none."""
    if node["config"]["materialized"] == "view":
        return None
    changed = result["adapter_response"].get("rows_affected")
    return max(changed, 0) if isinstance(changed, int) else None


def _as_test(nodes: Mapping[str, Any], node: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    tested = nodes.get(node.get("attached_node") or "")
    return {
        "relation": relation_of(tested) if tested else "(several)",
        "rule": node["name"],
        "why": node.get("description") or describe_test(node, nodes),
        "severity": "warning" if node["config"]["severity"].lower() == "warn" else "error",
        "status": result["status"],
        "failures": result["failures"] or 0,
        "message": result["message"],
    }


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
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["alias"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """By source and layer."""
        return model_group(self._source, dbt_resource_props["fqn"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The source's."""
        return [self._source.owner]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """The layer, which is the folder the model lies in."""
        layer = model_layer(dbt_resource_props["fqn"])
        tags = {SOURCE_TAG: self._source.name, **({"layer": layer} if layer else {})}
        return {**super().get_tags(dbt_resource_props), **tags}

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the lineage of its columns, as far as its SQL could be read."""
        columns = model_lineage().get(relation_of(dbt_resource_props))
        metadata = super().get_metadata(dbt_resource_props)
        if not columns:
            return metadata
        parents = {
            name: [dg.TableColumnDep(dg.AssetKey(of.split(".", 1)), column) for of, column in made_of]
            for name, made_of in columns.items()
        }
        return {**metadata, "dagster/column_lineage": dg.TableColumnLineage(parents)}

    def get_partitions_def(self, dbt_resource_props: Mapping[str, Any]) -> dg.PartitionsDefinition | None:
        """Schedule dates or billing periods, for the models that are built by them."""
        if PARTITIONED.isdisjoint(dbt_resource_props.get("tags", ())):
            return None
        return partitions_of(self._source)
