"""The report of the warehouse as assets, written every day and every week."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import dagster as dg

from etl_assets.declare.source import Source
from etl_assets.orchestration.groups import REPORT_LAYER, SOURCE_TAG
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.report.content import report_scope
from etl_assets.report.period import Kind
from etl_assets.sources import SOURCES
from etl_assets.warehouse.alerts import Member

CLOCK: dict[Kind, str] = {"daily": "15 6 * * *", "weekly": "30 6 * * 1"}
"""When each kind is written; the weekly one on Mondays, of the week that is over."""

WRITTEN_WITHIN: dict[Kind, timedelta] = {"daily": timedelta(hours=26), "weekly": timedelta(days=7, hours=2)}
"""How old the last one may be: after that it is missed."""


def report_asset(sources: Sequence[Source], kind: Kind) -> dg.AssetsDefinition:
    """The asset that writes a report of a code location's sources, and takes the day's samples."""
    scope = report_scope(sources, SOURCES)

    @dg.asset(
        key=_key(sources, kind),
        group_name=f"{scope}_reports",
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=WRITTEN_WITHIN[kind]),
        owners=sorted({source.owner for source in sources}),
        kinds={"html"},
        tags={"layer": REPORT_LAYER, SOURCE_TAG: scope},
        description=f"The {kind} report of the warehouse: health, checks, open issues, freshness, volumes, performance,"
        " errors, capacity, success metrics and compliance, as one HTML page in the report folder (ETL_REPORT_DIR).",
    )
    def report(warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        from etl_assets.report.build import build_report  # matplotlib takes most of a second

        built = build_report(warehouse.settings(), sources, kind, scope=scope)
        return dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(built.path), "verdict": built.verdict, "bytes": built.bytes}
        )

    return report


def report_schedule(sources: Sequence[Source], kind: Kind) -> dg.ScheduleDefinition:
    """When it is written."""
    return dg.ScheduleDefinition(
        name=f"report_{kind}",
        target=dg.AssetSelection.assets(_key(sources, kind)),
        cron_schedule=CLOCK[kind],
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Write the {kind} report of the warehouse.",
    )


def missed_reports(
    sources: Sequence[Source], last_written: Callable[[Kind, str], datetime], now: datetime
) -> list[Member]:
    """The reports of a code location that were not written when they should have been, for the alerts.

    `last_written` gives the moment of the last one of a kind and scope; or, where there is none, of the first batch.
    """
    scope = report_scope(sources, SOURCES)
    return [
        Member(relation="", rule=f"{kind} report", why=f"none was written since {last:%Y-%m-%d %H:%M} UTC", since=last)
        for kind, within in WRITTEN_WITHIN.items()
        if now - (last := last_written(kind, scope)) > within
    ]


def _key(sources: Sequence[Source], kind: Kind) -> dg.AssetKey:
    """Its key, told apart from that of another code location's sources."""
    return dg.AssetKey(["report", report_scope(sources, SOURCES), kind])
