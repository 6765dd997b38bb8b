"""What the clock starts."""

import dagster as dg

from etl_assets.loading.intake import first_and_last
from etl_assets.orchestration.housekeeping import housekeeping
from etl_assets.orchestration.jobs import models_of
from etl_assets.orchestration.partitions import Span
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.spec.source import Source
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.file_ledger import reach


def reconciliation(source: Source) -> dg.ScheduleDefinition:
    """Builds every date once a night: a dimension's history that changed late reaches the facts of other dates."""

    @dg.schedule(
        name=f"{source.name}_reconciliation",
        target=models_of(source),
        cron_schedule="30 2 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{source.title}: build all dates again; only what differs is written.",
    )
    def tick(warehouse: WarehouseResource) -> dg.RunRequest | dg.SkipReason:
        with connect(warehouse.settings(), autocommit=True) as connection:
            dates = reach(connection, source.name, *first_and_last(source, source.tables[0].name))
        if dates is None:
            return dg.SkipReason(f"Nothing of {source.title.lower()} has been loaded yet.")
        return dg.RunRequest(tags=Span(*dates).tags)

    return tick


nightly_housekeeping = dg.ScheduleDefinition(
    name="nightly_housekeeping",
    job=housekeeping,
    cron_schedule="15 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
