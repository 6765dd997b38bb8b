"""The sensor that sends alerts, watches what no run ends with, and lets the world know that it does so itself."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from etl_assets.alerts.dispatch import Sent, send_alerts
from etl_assets.alerts.heartbeat import beat
from etl_assets.alerts.watch import watch_freshness, watch_loads, watch_platform
from etl_assets.declare.source import Source
from etl_assets.orchestration.dagster_faults import dagster_faults, is_alive, retry_is_pending
from etl_assets.orchestration.reports import missed_reports
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.warehouse.alerts import Change, changes_since
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.reports import last_written
from etl_assets.warehouse.under_way import runs_with_batches

SECONDS = 14
FRESHNESS_MINUTES = 5
"""How often the tables that are late are looked for: that asks for each table's last load."""
MOST_SHOWN = 200
"""Changes of health that one look shows in the UI; the next goes on."""


def alert_sensor(sources: Sequence[Source]) -> dg.SensorDefinition:
    """Sends what is due, every quarter of a minute; starts no runs."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches what goes wrong, sends alerts, and shows changes of health at their assets.",
    )
    def look(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        settings, now = warehouse.settings(), datetime.now(UTC)
        last = datetime.fromisoformat(context.cursor) if context.cursor else now
        with connect(settings, autocommit=True) as connection:
            watch_loads(connection, sources, now)
            if context.cursor is None or _minutes(last) != _minutes(now):
                watch_freshness(connection, sources)
            faults = dagster_faults(context.instance, now, with_batches=partial(runs_with_batches, connection))
            missed = missed_reports(sources, partial(last_written, connection), now)
            watch_platform(connection, [*faults, *missed], now)
            sent = send_alerts(
                settings,
                sources,
                connection,
                now,
                retry_is_pending=lambda run: retry_is_pending(context.instance, run),
            )
            is_beating = is_alive(context.instance) and beat(settings, connection, now)
            changes = changes_since(connection, last, most=MOST_SHOWN)
        # What is shown next time begins where this ends; the clock is the warehouse's.
        cursor = changes[-1].moment if len(changes) == MOST_SHOWN else max([now, *(each.moment for each in changes)])
        return dg.SensorResult(
            skip_reason=_summary(sent, is_beating=is_beating),
            cursor=cursor.isoformat(),
            asset_events=list(_shown(context, changes)),
        )

    return look


def _minutes(moment: datetime) -> int:
    return int(moment.timestamp() / timedelta(minutes=FRESHNESS_MINUTES).total_seconds())


def _summary(sent: Sent, *, is_beating: bool) -> str:
    heartbeat = "; the heartbeat was sent" * is_beating
    return f"{sent.sent} messages sent, {sent.failed} not taken{heartbeat}."


def _shown(context: dg.SensorEvaluationContext, changes: Collection[Change]) -> Iterator[dg.AssetObservation]:
    """Changes of health as observations of their assets, which the UI shows there."""
    if not changes or context.repository_def is None:
        return
    graph = context.repository_def.asset_graph
    keys = {_relation(graph.get(key).metadata): key for key in graph.get_all_asset_keys()}
    for change in changes:
        if key := keys.get(change.relation):
            state = "healthy again" if change.ended_at else change.kind
            yield dg.AssetObservation(
                asset_key=key,
                description=f"{state}: {change.rule or change.why}",
                metadata={"health": state, "since": dg.MetadataValue.timestamp(change.since), "why": change.why},
            )


def _relation(metadata: Mapping[str, Any]) -> str:
    """Schema and name of an asset's table; of a model dbt says the database in front."""
    return ".".join(str(metadata.get("dagster/table_name", "")).split(".")[-2:])
