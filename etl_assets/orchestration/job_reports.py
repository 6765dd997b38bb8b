"""The report on a service's jobs as an asset: every four hours a file in the report folder."""

from datetime import UTC, datetime

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.orchestration.groups import REPORT_LAYER, SOURCE_TAG
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.quality.job_report import job_report
from etl_assets.report.files import write_report_file
from etl_assets.warehouse.connection import connect


def job_report_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that writes the report of a source with configured jobs. It belongs to no load of the source."""

    @dg.asset(
        key=[source.name, "job_report"],
        group_name=f"{source.name}_reports",
        owners=[source.owner],
        kinds={"markdown"},
        tags={"layer": REPORT_LAYER, SOURCE_TAG: source.name},
        description=f"What failed, is not offered or waits of the jobs of {source.title}, as a file in the report"
        " folder (ETL_REPORT_DIR). One file a report.",
    )
    def report(warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        settings, moment = warehouse.settings(), datetime.now(UTC)
        with connect(settings, autocommit=True) as connection:
            text = job_report(connection, source.name, moment)
        path = write_report_file(settings.report_dir / source.name, "jobs", ".md", text, moment)
        return dg.MaterializeResult(metadata={"path": str(path), "report": dg.MetadataValue.md(text)})

    return report


def job_report_schedule(source: Source) -> dg.ScheduleDefinition:
    """Every four hours."""
    return dg.ScheduleDefinition(
        name=f"{source.name}_job_report",
        target=dg.AssetSelection.assets(dg.AssetKey([source.name, "job_report"])),
        cron_schedule="0 */4 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.title}: write the report on its jobs.",
    )
