"""The declared tables of a source become Dagster assets; the work is `loading`'s.

Tables loaded alike share one op, so that a source of many tables costs a run one step and not one process each.
Any subset of them can still be picked in the UI or on the command line.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from etl_assets.loading.load import LoadReport, load_span
from etl_assets.orchestration.partitions import schedule_dates, span_of
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.spec.source import Source
from etl_assets.spec.table import Table
from etl_assets.warehouse.ledger import open_batch

SHOWN_SLICES = 60


class LoadConfig(dg.Config):
    """How a staging run goes about it."""

    again: bool = True
    """Read the files again that are loaded and in force; a sensor's run takes only those that wait."""


def asset_key(source: Source, table: str) -> dg.AssetKey:
    """A staging table's key is its name in the warehouse."""
    return dg.AssetKey([source.schema, table])


def staging_assets(source: Source) -> dg.AssetsDefinition:
    """One asset a table, all of them in one op."""
    tables = {asset_key(source, table.name): table for table in source.tables}

    @dg.multi_asset(
        name=f"load_{source.name}",
        specs=[_spec(source, key, table) for key, table in tables.items()],
        can_subset=True,
        pool=source.name,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def load(
        context: dg.AssetExecutionContext, config: LoadConfig, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        settings = warehouse.settings()
        span = span_of(context.run.tags)
        if span is None:
            raise dg.Failure(f"{source.name} is loaded by schedule date; the run names none.", allow_retries=False)
        names = [tables[key].name for key in context.selected_asset_keys]
        with open_batch(settings, source.name, "load", run_id=context.run.run_id) as batch:
            reports = load_span(settings, source, names, (span.first, span.last), batch, again=config.again)
        for key in sorted(context.selected_asset_keys):
            report = reports[tables[key].name]
            for reason in report.refused.values():
                context.log.warning(reason)
            yield dg.MaterializeResult(asset_key=key, metadata={**_metadata(report), "etl_batch_id": str(batch.id)})

    return load


def _spec(source: Source, key: dg.AssetKey, table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description=table.description,
        group_name=source.name,
        owners=[source.owner],
        kinds={"postgres", "csv"},
        tags={"layer": "staging"},
        partitions_def=schedule_dates(table.load),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=source.fresh_within),
        metadata={
            "dagster/table_name": f"{source.schema}.{table.name}",
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(column.name, column.type) for column in table.columns]
            ),
            "key": ", ".join(table.keys),
        },
    )


def _metadata(report: LoadReport) -> dict[str, Any]:
    slices = sorted(report.rows_by_slice.items())
    return {
        **vars(report.counts),
        "rows_changed": report.counts.changed,
        "files": report.files[:SHOWN_SLICES],
        "files_loaded": len(report.files),
        "files_refused": report.refused,
        "seconds": round(report.seconds, 2),
        "rows_by_date": dg.MetadataValue.table(
            [dg.TableRecord({"date": day.isoformat(), "rows": rows}) for day, rows in slices[-SHOWN_SLICES:]],
            schema=dg.TableSchema(columns=[dg.TableColumn("date", "string"), dg.TableColumn("rows", "int")]),
        ),
    }
