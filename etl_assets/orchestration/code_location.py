"""What Dagster loads of some sources: assets, checks, jobs, schedules, sensors; of every source in the same lines."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.orchestration.alerting import alert_sensor
from etl_assets.orchestration.checks import rule_checks
from etl_assets.orchestration.housekeeping import housekeeping
from etl_assets.orchestration.job_reports import job_report_asset, job_report_schedule
from etl_assets.orchestration.jobs import layer_jobs, source_job
from etl_assets.orchestration.kinds import kind_of
from etl_assets.orchestration.models.dbt_assets import has_models, model_assets
from etl_assets.orchestration.publication import published_marts
from etl_assets.orchestration.reports import CLOCK, report_asset, report_schedule
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.schedules import load_schedules, nightly_housekeeping, nightly_rebuild
from etl_assets.orchestration.sensors import work_sensor
from etl_assets.orchestration.staging_assets import staging_assets

BUILT_WITHIN = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36))
"""Every model is built by the nightly rebuild, and what is missed once is built in the next night."""


def _with_freshness(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Have an asset that says nothing else be stale in the UI when no night has built it.

    Whether its data are late the ledger knows (`quality/health.py`); this says that Dagster's schedules do run.
    """
    return spec if spec.freshness_policy else dg.apply_freshness_policy(spec, BUILT_WITHIN)


def code_location(sources: Sequence[Source]) -> dg.Definitions:
    """The definitions of these sources. Nothing is connected here, only declared."""
    with_models = [source for source in sources if has_models(source)]
    models = {source.name: model_assets(source) for source in with_models}
    with_jobs = [source for source in sources if source.jobs]
    return dg.Definitions(
        assets=dg.map_asset_specs(
            _with_freshness,
            [
                *(assets for source in sources for assets in staging_assets(source, models.get(source.name))),
                *models.values(),
                *(published_marts(source) for source in with_models if source.publication),
                *map(job_report_asset, with_jobs),
                *(report_asset(sources, kind) for kind in CLOCK if sources),
            ],
        ),
        asset_checks=[rule_checks(source) for source in sources],
        jobs=[*map(source_job, sources), *(job for source in sources for job in layer_jobs(source)), housekeeping],
        schedules=[
            *map(nightly_rebuild, with_models),
            *(reading for source in sources for reading in load_schedules(source)),
            *map(job_report_schedule, with_jobs),
            *(report_schedule(sources, kind) for kind in CLOCK if sources),
            nightly_housekeeping,
        ],
        sensors=[
            *(work_sensor(source) for source in sources if source in with_models or kind_of(source).scan),
            alert_sensor(sources),
        ],
        resources={"warehouse": WarehouseResource()},
        executor=dg.in_process_executor,  # one run is one process: a killed one leaves no child that still writes
    )


def definition_errors(sources: Sequence[Source]) -> list[str]:
    """What Dagster or dbt refuses of all that is declared; nothing is connected."""
    try:
        code_location(sources).resolve_all_job_defs()
    except (dg.DagsterError, EtlError, ValueError) as error:
        return [f"the code location cannot be loaded: {type(error).__name__}: {error}"]
    return []
