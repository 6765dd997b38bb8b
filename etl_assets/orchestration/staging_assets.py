"""Staging tables as Dagster assets; the work is `loading`'s.

Tables loaded alike share one op, so that a source of many tables costs a run one step and not one process each.
Any subset of them can still be picked in the UI or on the command line. A database's tables are one op for each class
of importance, the critical ones first.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import Field

from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table
from etl_assets.errors import EtlError, OutsideHours, TransientError
from etl_assets.loading.load import LoadOptions, LoadRequest
from etl_assets.loading.report import LoadReport
from etl_assets.loading.workers import load_tables
from etl_assets.orchestration.asset_keys import asset_key, calendar_keys
from etl_assets.orchestration.groups import SOURCE_TAG, model_group, staging_group
from etl_assets.orchestration.kinds import kind_of
from etl_assets.orchestration.partitions import partitions_of, recent_span, span_of
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.retries import no_retry_on_permanent_error
from etl_assets.orchestration.staleness import dependents, name_stale
from etl_assets.orchestration.standing_results import let_results_stand
from etl_assets.orchestration.table_checks import check_results, check_specs, results_as_before
from etl_assets.warehouse.ledger import Batch, open_batch
from etl_assets.warehouse.results import LatestResult, latest_results
from etl_assets.warehouse.table_failures import record_load_outcomes

SHOWN_SLICES = 60
SHOWN_ABSENT = 10


class LoadConfig(dg.Config):
    """How a staging run goes about it: `LoadOptions`, as the launchpad shows them."""

    reload: bool = True
    """Load the files again that are loaded and in force; a sensor's run takes only those that wait."""
    accept_shrink: bool = False
    """Believe a service's list, or a database's table, that is far shorter than what is held of it."""
    full_compare: bool = False
    """Compare every row of a database's tables, and not only what is stamped as changed."""
    any_hour: bool = False
    """Read a source at a time of day at which it is not to be read."""
    only_failed: bool = False
    """Ask a service for those parents' rows alone whose last request failed."""
    jobs: list[int] = Field(default_factory=list)
    """The configured jobs of a service that are run; all that are switched on where none is named."""
    instances: list[str] = Field(default_factory=list)
    """The tenants of a service that are read; all of them where none is named."""


def load_config(source: Source, tables: Collection[str], config: Mapping[str, object]) -> dict[str, Any]:
    """The run configuration that says a `LoadConfig` to the ops of these tables."""
    wanted = [
        name for name, shared in kind_of(source).ops(source).items() if any(table.name in tables for table in shared)
    ]
    return {"ops": {name: {"config": dict(config)} for name in wanted}}


def staging_assets(source: Source, models: dg.AssetsDefinition | None) -> list[dg.AssetsDefinition]:
    """Build the assets of a source's staging tables; those of an op can be subset.

    Args:
        source: Whose tables.
        models: What is built on them, if anything: a database that lacks a table which these read is of no use.
    """
    ops, parents = kind_of(source).ops(source), models.asset_deps if models else {}
    return [
        _assets_of(source, name, tables, parents, with_calendar=place == 0, priority=len(ops) - place)
        for place, (name, tables) in enumerate(ops.items())
    ]


def _assets_of(
    source: Source,
    name: str,
    shared: Sequence[Table],
    parents: Mapping[dg.AssetKey, AbstractSet[dg.AssetKey]],
    *,
    with_calendar: bool,
    priority: int,
) -> dg.AssetsDefinition:
    needed = set().union(*parents.values())
    kind, tables = kind_of(source), {asset_key(source, table.name): table for table in shared}
    checks = [spec for key, table in tables.items() for spec in check_specs(key, kind.checks(table))]
    calendar = calendar_keys(source) if with_calendar else []

    @dg.multi_asset(
        name=name,
        specs=[
            *(_spec(source, key, table) for key, table in tables.items()),
            *(_calendar_spec(source, k) for k in calendar),
        ],
        check_specs=checks,
        can_subset=True,
        pool=source.name,
        op_tags={"dagster/priority": str(priority)},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def load(
        context: dg.AssetExecutionContext, config: LoadConfig, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        span = span_of(source, context.run.tags)
        chosen = sorted(context.selected_asset_keys - set(calendar))
        if span is None:
            if any(tables[key].partition_column for key in chosen):
                what = "billing period" if source.calendar else "schedule date"
                raise dg.Failure(f"{source.name} is loaded by {what}; the run names none.", allow_retries=False)
            span = recent_span(source, 1)
        with open_batch(warehouse.settings(), source.name, "load", run_id=context.run.run_id) as batch:
            request = LoadRequest(
                settings=warehouse.settings(),
                source=source,
                tables=[tables[key].name for key in chosen],
                span=span,
                batch=batch,
                options=LoadOptions(**dict(config)),
            )
            relations = [f"{source.schema}.{name}" for name in request.tables]
            before = latest_results(batch.connection, relations if checks else [], {spec.name for spec in checks})
            standing: list[dg.AssetCheckKey] = []
            with no_retry_on_permanent_error(context), _record_if_all_fail(batch, relations):
                reports = load_tables(kind.strategy(request), request)
            for key in chosen:
                report = reports[tables[key].name]
                if report.is_absent and key in needed and not tables[key].is_optional:
                    report.failure = EtlError(f"{source.title} does not have the table, and models are built on it.")
                for reason in [*report.refused.values(), *report.notes]:
                    context.log.warning(reason)
                # What is built on a table waits for it, also where this version of the source does not have it.
                if report.failure is None and (key in needed or not report.is_absent):
                    yield dg.MaterializeResult(
                        asset_key=key, metadata={**_metadata(report), "etl_batch_id": str(batch.id)}
                    )
                    new, as_before = check_results(
                        key, kind.checks(tables[key]), report, before, context.selected_asset_check_keys
                    )
                    standing += as_before
                    yield from new
            yield from _let_stand(context, standing, before)
            if absent := [report.relation.name for report in reports.values() if report.is_absent]:
                shown = ", ".join(absent[:SHOWN_ABSENT]) + (", ..." if len(absent) > SHOWN_ABSENT else "")
                context.log.info(f"{source.title} does not have {len(absent)} of the tables: {shown}")
            for key in context.selected_asset_keys & set(calendar):
                yield dg.MaterializeResult(asset_key=key, metadata={"etl_batch_id": str(batch.id)})
            record_load_outcomes(
                batch,
                failed={
                    str(report.relation): str(report.failure)
                    for report in reports.values()
                    if report.failure and not report.is_postponed
                },
                loaded=[str(report.relation) for report in reports.values() if not report.failure],
            )
            failed = [key for key in chosen if reports[tables[key].name].failure]
            _raise_failures(context, source, reports, stale=dependents(parents, failed))

    return load


@contextmanager
def _record_if_all_fail(batch: Batch, relations: Collection[str]) -> Iterator[None]:
    """Record of each table that it could not be loaded where the source lets nobody in, or does not answer at all."""
    try:
        yield
    except EtlError as error:
        record_load_outcomes(batch, failed=dict.fromkeys(relations, str(error)), loaded=[])
        raise


def _let_stand(
    context: dg.AssetExecutionContext,
    standing: Collection[dg.AssetCheckKey],
    before: Mapping[tuple[str, str], LatestResult],
) -> Iterator[dg.AssetCheckResult]:
    """Let the results of checks stand; only those that Dagster does not have are told again."""
    if standing:
        yield from results_as_before(let_results_stand(context.instance, standing), before)
        context.log.info(f"{len(standing)} checks stand as they were, for nothing has changed in their tables.")


def _raise_failures(
    context: dg.AssetExecutionContext, source: Source, reports: dict[str, LoadReport], *, stale: Collection[dg.AssetKey]
) -> None:
    """Fail the run for the tables that could not be loaded; it is tried again where that may help."""
    failures = {str(report.relation): report.failure for report in reports.values() if report.failure}
    if not failures:
        return
    messages = [f"{name}: {error}" for name, error in failures.items()]
    if stale:
        messages.append(f"Stale until then, and not built: {name_stale(stale)}. What else there is, is built.")
    may_pass = any(isinstance(error, TransientError) for error in failures.values())
    kind: type[EtlError] = TransientError if may_pass else EtlError
    if all(isinstance(error, OutsideHours) for error in failures.values()):
        kind = OutsideHours
    with no_retry_on_permanent_error(context):
        raise kind("\n".join([f"{source.name}: {len(failures)} of {len(reports)} tables failed.", *messages]))


def _calendar_spec(source: Source, key: dg.AssetKey) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description="The billing calendar, from its one definition: one row per billing period. Its periods are the"
        " partitions of what is built by period.",
        group_name=model_group(source, ()),
        owners=[source.owner],
        kinds={"postgres"},
        tags={"layer": "dimension", SOURCE_TAG: source.name},
        metadata={"dagster/table_name": f"{source.name}.billing_periods"},
    )


def _spec(source: Source, key: dg.AssetKey, table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description=f"{table.summary} {table.grain}".strip(),
        group_name=staging_group(source, table),
        owners=[source.owner],
        kinds={"postgres", kind_of(source).icon},
        tags={"layer": "staging", SOURCE_TAG: source.name, **table.tags},
        partitions_def=partitions_of(source) if table.partition_column else None,
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=source.fresh_within),
        metadata={
            "dagster/table_name": f"{source.schema}.{table.name}",
            **(
                {
                    "dagster/column_schema": dg.TableSchema(
                        columns=[dg.TableColumn(column.name, column.type) for column in table.columns_known]
                    )
                }
                if table.columns_known
                else {}
            ),
            "key": ", ".join(source.row_key(table)),
            **table.details,
        },
    )


def _metadata(report: LoadReport) -> dict[str, Any]:
    return {
        **vars(report.counts),
        "rows_changed": report.counts.changed,
        **_files(report),
        "seconds": round(report.seconds, 2),
        **_rows_by_date(report),
    }


def _rows_by_date(report: LoadReport) -> dict[str, Any]:
    if not report.rows_by_slice:
        return {}
    slices = sorted(report.rows_by_slice.items())[-SHOWN_SLICES:]
    return {
        "rows_by_date": dg.MetadataValue.table(
            [dg.TableRecord({"date": day.isoformat(), "rows": rows}) for day, rows in slices],
            schema=dg.TableSchema(columns=[dg.TableColumn("date", "string"), dg.TableColumn("rows", "int")]),
        )
    }


def _files(report: LoadReport) -> dict[str, Any]:
    if not report.files and not report.refused:
        return {}
    shown = report.files[:SHOWN_SLICES]
    return {"files": shown, "files_loaded": len(report.files), "files_refused": report.refused}
