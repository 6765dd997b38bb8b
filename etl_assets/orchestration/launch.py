"""Start Dagster's runs and services from the terminal, in the home folder of this installation."""

import logging
import os
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.files.landing import ScanResult
from etl_assets.loading.load import LoadOptions
from etl_assets.orchestration.asset_keys import asset_key, staging_keys
from etl_assets.orchestration.checks import check_keys
from etl_assets.orchestration.instance_file import write_instance_file
from etl_assets.orchestration.kinds import kind_of
from etl_assets.orchestration.layers import LAYER_TAG, assets_of_layer
from etl_assets.orchestration.models.dbt_assets import MODE_TAG
from etl_assets.orchestration.models.dbt_project import TARGET
from etl_assets.orchestration.orphaned_runs import SESSION_TAG, fail_orphaned_runs
from etl_assets.orchestration.partitions import tags_of, today, whole_periods
from etl_assets.orchestration.services import serve_until_stopped
from etl_assets.orchestration.staging_assets import load_config
from etl_assets.orchestration.staleness import failed_keys, stale_in
from etl_assets.settings import Settings, export_environment
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import abandon_dead_batches
from etl_assets.warehouse.sessions import open_session

_QUIET_LOGGER = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SETTLE_FACTOR = 3
"""How many times the quiet time a person waits for a file to be complete, who starts a run by hand."""


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run, and of one more that built what the failure of the first had kept from it."""

    span: Span
    run_ids: tuple[str, ...]
    success: bool
    errors: tuple[str, ...]


def dagster_environment(settings: Settings) -> dict[str, str]:
    """The environment variables of Dagster's processes besides our own settings; no secret is among them."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    write_instance_file(settings, home)
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    return {
        "DAGSTER_HOME": str(home),
        "ETL_HOME": str(settings.home),
        "DAGSTER_EVENT_BATCH_SIZE": "100",  # a year's partitions in one run: 3 s instead of 19
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
    }


def scan_files(settings: Settings, source: Source, *, retry_failed: bool = False) -> ScanResult:
    """Look for deliveries now, as the sensor does by itself; wait a little for files that just came."""
    scan = kind_of(source).scan
    if scan is None:
        return ScanResult()
    settle_seconds = SETTLE_FACTOR * settings.file_quiet_seconds
    with connect(settings, autocommit=True) as connection:
        return scan(settings, source, connection, settle_seconds=settle_seconds, retry_failed=retry_failed)


def requested_span(source: Source, *, first: date | None, last: date | None, period: str | None) -> Span:
    """The span that a person asks for by dates, or by billing periods such as 2026_01 or 2026_01..2026_26.

    Raises:
        EtlError: The source has no billing periods, or none of that name; or the two ends are turned round.
    """
    if period and (first or last):
        raise EtlError("Say --period, or --from and --to, and not both.")
    if period:
        if source.calendar is None:
            raise EtlError(f"{source.name} has no billing periods; say --from and --to.")
        begin, dots, end = period.partition("..")
        if dots and not (begin and end):
            raise EtlError(f"--period {period}: say both ends, as in 2026_01..2026_05, or one period alone.")
        span = Span(source.calendar.named(begin).first, source.calendar.named(end or begin).last)
        if span.first > span.last:
            raise EtlError(f"--period {period}: {end} is before {begin}; turn them round.")
        return span
    span = Span(first or last or today(), last or first or today())
    if span.first > span.last:
        raise EtlError(f"--from {span.first} --to {span.last}: the first date is after the last one; turn them round.")
    return whole_periods(source, span)


def run_span(
    settings: Settings,
    code_location: dg.Definitions,
    source: Source,
    span: Span,
    *,
    tables: Collection[str] = (),
    models: bool = True,
    build: str = "changed",
    layer: str | None = None,
    loads: bool = True,
    options: LoadOptions = LoadOptions(),  # noqa: B008 (it is frozen)
) -> RunOutcome:
    """Run a span of schedule dates of a source in this process, from staging to marts.

    Args:
        settings: The installation.
        code_location: What is declared.
        source: Whose dates.
        span: Which dates.
        tables: Only these staging tables; all of them where none is named.
        models: Build what is downstream as well.
        build: Which models: `changed`, or `asked` for all of them.
        layer: The one layer that is run, of those that the source declares.
        loads: Load the staging tables; else what is built on them is built as they are.
        options: How the staging tables are loaded.
    """
    export_environment(dagster_environment(settings))
    with _quiet(settings), dg.DagsterInstance.get() as instance, open_session(settings) as session:
        with connect(settings, autocommit=True) as connection:
            abandon_dead_batches(connection)
            fail_orphaned_runs(instance, connection)
        job = code_location.resolve_job_def(source.name)
        staging, loaded = staging_keys(source), tables or [table.name for table in source.tables]
        chosen = ({asset_key(source, name) for name in tables} or staging) if loads else set()
        built = set(job.asset_layer.executable_asset_keys) - staging if models else set()
        tags = {**tags_of(source, span), SESSION_TAG: session, MODE_TAG: build}
        if layer:
            graph = code_location.get_repository_def().asset_graph
            keys = assets_of_layer(source, layer).resolve(graph)
            chosen, built, tags = chosen & keys, built & keys, {**tags, LAYER_TAG: layer}
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=sorted(chosen | built),
            tags=tags,
            run_config={
                **load_config(
                    source, [table for table in loaded if asset_key(source, table) in chosen], options.chosen
                ),
                **_QUIET_LOGGER,
            },
        )
        results = [result]
        if not result.success and built:
            results += _build_rest(settings, code_location, source, instance, chosen=chosen, built=built, tags=tags)
        return RunOutcome(
            span,
            tuple(each.run_id for each in results),
            result.success,
            tuple(reason for each in results for reason in _reasons(each)),
        )


def _build_rest(
    settings: Settings,
    code_location: dg.Definitions,
    source: Source,
    instance: dg.DagsterInstance,
    *,
    chosen: AbstractSet[dg.AssetKey],
    built: AbstractSet[dg.AssetKey],
    tags: Mapping[str, str],
) -> list[dg.ExecuteInProcessResult]:
    """Where some of the chosen tables failed, run the models that are not built on them, as the sensor does."""
    graph = code_location.get_repository_def().asset_graph
    with connect(settings, autocommit=True) as connection:
        failed = failed_keys(connection, source) & chosen
    fresh = built - stale_in(graph, built, failed)
    if not failed or not fresh:
        return []
    # The rules of staging stand between it and what is built on it, as ever.
    checks = {*check_keys(source), *(key for key in graph.asset_check_keys if key.asset_key in fresh)}
    rest = code_location.resolve_job_def(source.name).get_subset(asset_selection=fresh, asset_check_selection=checks)
    return [rest.execute_in_process(instance=instance, raise_on_error=False, tags=tags, run_config=_QUIET_LOGGER)]


def serve(settings: Settings, *, host: str, port: int) -> int:
    """Run the UI, its daemon and the code location until they are stopped, and leave none; returns the exit code.

    Raises:
        EtlError: The port is taken; the code cannot be loaded; or something does not go on running.
    """
    export_environment(dagster_environment(settings))
    TARGET.mkdir(exist_ok=True)
    return serve_until_stopped(settings, host=host, port=port)


def _reasons(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause if error and error.cause else error
            yield f"{event.step_key}: {cause.message.strip() if cause else 'failed'}"
        elif event.is_run_failure and event.event_specific_data and not event.job_failure_data.first_step_failure_event:
            yield event.message or "the run failed"


@contextmanager
def _quiet(settings: Settings) -> Iterator[None]:
    """Dagster's and dbt's own words go to a log file; what a person must read, the caller prints."""
    path = settings.home / "logs" / "etl-run.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    # The second warns of each blocking check that was passed over for nothing had changed, and Dagster sets the first.
    for name in ("dagster", "dagster._core.execution.plan.active"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with path.open("a") as log, redirect_stdout(log), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
