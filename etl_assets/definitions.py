"""The code location: what Dagster loads. Nothing is connected here, only declared; every source in the same lines."""

import dagster as dg

from etl_assets.orchestration.checks import rule_checks
from etl_assets.orchestration.dbt_assets import model_assets
from etl_assets.orchestration.housekeeping import housekeeping
from etl_assets.orchestration.jobs import source_job
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.schedules import load_schedules, nightly_housekeeping, nightly_rebuild
from etl_assets.orchestration.sensors import work_sensor
from etl_assets.orchestration.staging_assets import staging_assets
from etl_assets.sources import SOURCES

MODELS = [(source, model_assets(source)) for source in SOURCES]

defs = dg.Definitions(
    assets=[assets for source, models in MODELS for assets in (*staging_assets(source, models), models)],
    asset_checks=[rule_checks(source) for source in SOURCES],
    jobs=[*map(source_job, SOURCES), housekeeping],
    schedules=[
        *map(nightly_rebuild, SOURCES),
        *(reading for source in SOURCES for reading in load_schedules(source)),
        nightly_housekeeping,
    ],
    sensors=[*map(work_sensor, SOURCES)],
    resources={"warehouse": WarehouseResource()},
    executor=dg.in_process_executor,  # one run is one process: a killed one leaves no child that still writes
)
