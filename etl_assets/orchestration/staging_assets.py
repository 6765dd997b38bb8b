"""The declared tables of a source become Dagster assets; the work is `loading`'s.

Tables loaded alike share one op, so that a source of many tables costs a run one step and not one process each.
Any subset of them can still be picked in the UI or on the command line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from etl_assets.errors import EtlError, TransientError
from etl_assets.loading.documents import load_documents
from etl_assets.loading.load import load_span
from etl_assets.loading.report import LoadReport
from etl_assets.orchestration.partitions import Span, partitions_of, recent, span_of
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.settings import Settings
from etl_assets.spec.source import Service, Source
from etl_assets.spec.table import PerFile, Table
from etl_assets.warehouse.ledger import Batch, open_batch

SHOWN_SLICES = 60


class LoadConfig(dg.Config):
    """How a staging run goes about it."""

    again: bool = True
    """Read the files again that are loaded and in force; a sensor's run takes only those that wait."""
    accept_shrink: bool = False
    """Believe a service's list that is far shorter than what is held of it."""


def asset_key(source: Source, table: str) -> dg.AssetKey:
    """A staging table's key is its name in the warehouse."""
    return dg.AssetKey([source.schema, table])


def staging_keys(source: Source) -> set[dg.AssetKey]:
    """The assets that Python fills: the staging tables, and the calendar where there is one."""
    return {asset_key(source, table.name) for table in source.tables} | set(_calendar_key(source))


def staging_assets(source: Source) -> dg.AssetsDefinition:
    """One asset a table, all of them in one op."""
    tables = {asset_key(source, table.name): table for table in source.tables}
    calendar = _calendar_key(source)

    @dg.multi_asset(
        name=f"load_{source.name}",
        specs=[
            *(_spec(source, key, table) for key, table in tables.items()),
            *(_calendar_spec(source, k) for k in calendar),
        ],
        can_subset=True,
        pool=source.name,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def load(
        context: dg.AssetExecutionContext, config: LoadConfig, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        span = span_of(source, context.run.tags)
        chosen = sorted(context.selected_asset_keys - set(calendar))
        if span is None:
            if any(tables[key].has_slices for key in chosen):
                what = "billing period" if source.calendar else "schedule date"
                raise dg.Failure(f"{source.name} is loaded by {what}; the run names none.", allow_retries=False)
            span = recent(source, 1)
        with open_batch(warehouse.settings(), source.name, "load", run_id=context.run.run_id) as batch:
            names = [tables[key].name for key in chosen]
            with _not_again_for_nothing(context):
                reports = _load(warehouse.settings(), source, names, span, batch, config=config)
            for key in chosen:
                report = reports[tables[key].name]
                for reason in [*report.refused.values(), *report.notes]:
                    context.log.warning(reason)
                if report.failure is None:
                    yield dg.MaterializeResult(
                        asset_key=key, metadata={**_metadata(report), "etl_batch_id": str(batch.id)}
                    )
            for key in context.selected_asset_keys & set(calendar):
                yield dg.MaterializeResult(asset_key=key, metadata={"etl_batch_id": str(batch.id)})
            _raise_failures(context, source, reports)

    return load


def _load(
    settings: Settings, source: Source, names: list[str], span: Span, batch: Batch, *, config: LoadConfig
) -> dict[str, LoadReport]:
    dates = (span.first, span.last)
    if isinstance(source.reader, Service):
        return load_documents(settings, source, names, dates, batch, accept_shrink=config.accept_shrink)
    return load_span(settings, source, names, dates, batch, again=config.again)


def _raise_failures(context: dg.AssetExecutionContext, source: Source, reports: dict[str, LoadReport]) -> None:
    """Fail the run for the tables that could not be loaded; it is tried again where that may help."""
    failures = {str(report.relation): report.failure for report in reports.values() if report.failure}
    if not failures:
        return
    told = [f"{name}: {error}" for name, error in failures.items()]
    may_pass = any(isinstance(error, TransientError) for error in failures.values())
    kind = TransientError if may_pass else EtlError
    with _not_again_for_nothing(context):
        raise kind("\n".join([f"{source.name}: {len(failures)} of {len(reports)} tables failed.", *told]))


@contextmanager
def _not_again_for_nothing(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Keep a run from being tried again where that cannot help."""
    try:
        yield
    except TransientError:
        raise
    except EtlError:
        context.instance.add_run_tags(context.run.run_id, {"dagster/max_retries": "0"})
        raise


def _calendar_key(source: Source) -> list[dg.AssetKey]:
    return [dg.AssetKey([source.name, "billing_periods"])] if source.calendar else []


def _calendar_spec(source: Source, key: dg.AssetKey) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description="The billing calendar, from its one definition; the partitions of what is built by period.",
        group_name=source.name,
        owners=[source.owner],
        kinds={"postgres"},
        tags={"layer": "dimension"},
        metadata={"dagster/table_name": f"{source.name}.billing_periods"},
    )


def _spec(source: Source, key: dg.AssetKey, table: Table) -> dg.AssetSpec:
    described = table.columns or table.fields
    return dg.AssetSpec(
        key,
        description=table.description,
        group_name=source.name,
        owners=[source.owner],
        kinds={"postgres", "csv" if isinstance(table.load, PerFile) else "json"},
        tags={"layer": "staging"},
        partitions_def=partitions_of(source) if table.has_slices else None,
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=source.fresh_within),
        metadata={
            "dagster/table_name": f"{source.schema}.{table.name}",
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(column.name, column.type) for column in described]
            ),
            "key": ", ".join(table.keys),
        },
    )


def _metadata(report: LoadReport) -> dict[str, Any]:
    slices = sorted(report.rows_by_slice.items())
    return {
        **vars(report.counts),
        "rows_changed": report.counts.changed,
        **_files(report),
        "seconds": round(report.seconds, 2),
        "rows_by_date": dg.MetadataValue.table(
            [dg.TableRecord({"date": day.isoformat(), "rows": rows}) for day, rows in slices[-SHOWN_SLICES:]],
            schema=dg.TableSchema(columns=[dg.TableColumn("date", "string"), dg.TableColumn("rows", "int")]),
        ),
    }


def _files(report: LoadReport) -> dict[str, Any]:
    if not report.files and not report.refused:
        return {}
    shown = report.files[:SHOWN_SLICES]
    return {"files": shown, "files_loaded": len(report.files), "files_refused": report.refused}
