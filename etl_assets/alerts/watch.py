"""What the clock shows, and no batch ends with: tables that are late, loads that hang, channels that are silent."""

from collections.abc import Collection
from datetime import datetime, timedelta

import psycopg

from etl_assets.declare.source import Source
from etl_assets.declare.tables import LONGEST_LOAD
from etl_assets.quality.health import table_health
from etl_assets.warehouse.alerts import Member, watch
from etl_assets.warehouse.outbox import silent_channels
from etl_assets.warehouse.table_failures import stale_relations
from etl_assets.warehouse.under_way import LoadUnderWay, loads_under_way

PLATFORM = "platform"


def watch_loads(connection: psycopg.Connection, sources: Collection[Source], now: datetime) -> None:
    """Open and end alerts of loads that go on for longer than their table allows.

    Args:
        connection: In autocommit mode.
        sources: Whose.
        now: The moment.
    """
    declared = {source.name: source for source in sources}
    found: dict[str, dict[tuple[str, str], Member]] = {name: {} for name in declared}
    for each in loads_under_way(connection):
        if each.source in found and now - each.started_at > _allowed(declared[each.source], each.relation):
            found[each.source][each.relation, each.instance] = Member(
                relation=each.relation, rule=each.instance, why=_why_hanging(each, now), since=each.started_at
            )
    with connection.transaction():
        watch(connection, "hanging", {name: members.values() for name, members in found.items()})


def watch_freshness(connection: psycopg.Connection, sources: Collection[Source]) -> None:
    """Open and end alerts of tables and models that are late; not of what waits for something that failed.

    Args:
        connection: In autocommit mode.
        sources: Whose.
    """
    late = {
        source.name: [health for health in table_health(connection, source) if health.state == "late"]
        for source in sources
    }
    muted = stale_relations(connection) if any(late.values()) else set()
    found = {
        name: [
            Member(relation=each.relation, why=each.why, since=each.since)
            for each in healths
            if each.since and each.relation not in muted
        ]
        for name, healths in late.items()
    }
    with connection.transaction():
        watch(connection, "late", found)


def watch_platform(connection: psycopg.Connection, found: Collection[Member], now: datetime) -> None:
    """Open and end alerts of what runs all this: what Dagster says is wrong, and channels that take no message.

    Args:
        connection: In autocommit mode.
        found: What is wrong by Dagster's records, each with a `rule` that says what.
        now: The moment.
    """
    silent = [
        Member(relation="", rule=f"channel {name}", why=f"it has not taken a message: {error}", since=since)
        for name, (since, error) in silent_channels(connection, now).items()
    ]
    with connection.transaction():
        watch(connection, "platform", {PLATFORM: [*found, *silent]})


def _allowed(source: Source, relation: str) -> timedelta:
    limits = (table.longest_load for table in source.tables if f"{source.schema}.{table.name}" == relation)
    return next(limits, LONGEST_LOAD)


def _why_hanging(load: LoadUnderWay, now: datetime) -> str:
    minutes = (now - load.started_at).total_seconds() / 60
    run = f", in run {load.run_id}" if load.run_id else ""
    return f"it is being loaded for {minutes:.0f} minutes{run}"
