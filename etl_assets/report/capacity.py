"""Capacity: the disk, connections, what takes the room, how it grows, and the day when it is full."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg

from etl_assets.report.growth import LEAST_SAMPLES, Growth, fit_growth
from etl_assets.report.period import ReportPeriod
from etl_assets.report.wording import counted
from etl_assets.settings import Settings
from etl_assets.warehouse.samples import Series, read_samples

SERVER_BYTES, CONNECTIONS = "server_bytes", "server_connections"
"""The measures of etl.daily_sample that this is made of."""
MOST_SCHEMAS = 12


@dataclass(frozen=True, kw_only=True)
class Disk:
    """The room that the warehouse has."""

    total: int
    """In bytes."""
    free: int
    is_measured: bool
    """Whether the disk was asked; else a setting says its size."""


@dataclass(frozen=True, kw_only=True)
class ServerLoad:
    """What the server holds and serves now."""

    bytes: int
    """Of all its databases, Dagster's among them; write-ahead logs are not counted."""
    warehouse_bytes: int
    connections: int
    """Without the one that asks."""
    max_connections: int
    schemas: Sequence[tuple[str, int]]
    """The largest schemas of the warehouse, with the bytes of their tables and indexes."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What is to be said of capacity."""

    server: ServerLoad
    disk: Disk | None
    """None where nobody knows."""
    sizes: Series
    """Bytes of the server by day."""
    connections: Series
    growth: Growth | None
    """None where there are too few samples."""

    @property
    def full_on(self) -> date | None:
        """The day on which the disk is full; None where it is not known, or far."""
        return self.growth.reaches(self.disk.free) if self.growth and self.disk else None

    def outlook(self, today: date) -> str:
        """When the disk is full, in a sentence; or why that is not known."""
        if self.disk is None:
            return "When the disk is full is not known: set ETL_WAREHOUSE_DISK_BYTES to its size in bytes."
        if self.growth is None:
            return (
                "When the disk is full is not known yet: there are samples of"
                f" {counted(len(self.sizes), 'day')}, and it takes {LEAST_SAMPLES}. Each day's report takes one."
            )
        if self.growth.per_day <= 0:
            return "The warehouse does not grow."
        day = self.full_on
        if day is None:
            return "The disk is not full within ten years."
        return f"The disk is full on {day:%Y-%m-%d}, in {counted(max((day - today).days, 0), 'day')}, if it goes on so."


def server_load(connection: psycopg.Connection) -> ServerLoad:
    """What the server holds and serves now, as any role."""
    row = connection.execute(_SERVER).fetchone()
    schemas = connection.execute(_SCHEMAS, [MOST_SCHEMAS]).fetchall()
    total, warehouse, connections, most = row or (0, 0, 0, 0)
    return ServerLoad(
        bytes=total,
        warehouse_bytes=warehouse,
        connections=connections,
        max_connections=most,
        schemas=schemas,
    )


def measure_disk(settings: Settings, server: ServerLoad) -> Disk | None:
    """The disk of the embedded warehouse, which is this machine's; of another what ETL_WAREHOUSE_DISK_BYTES says."""
    if settings.warehouse_disk_bytes:
        total = int(settings.warehouse_disk_bytes)
        return Disk(total=total, free=max(total - server.bytes, 0), is_measured=False)
    folder: Path = settings.home / "postgres"
    if not settings.embedded or not folder.is_dir():
        return None
    usage = shutil.disk_usage(folder)
    return Disk(total=usage.total, free=usage.free, is_measured=True)


def capacity(connection: psycopg.Connection, server: ServerLoad, disk: Disk | None, period: ReportPeriod) -> Capacity:
    """Read how the server has grown; samples of today are to be taken before.

    Args:
        connection: As a role that may read the ledger.
        server: As it is now.
        disk: What room there is.
        period: The days of the trends.
    """
    series = {
        measure: next((found for _, found in read_samples(connection, measure, since=period.days[0])), [])
        for measure in (SERVER_BYTES, CONNECTIONS)
    }
    return Capacity(
        server=server,
        disk=disk,
        sizes=series[SERVER_BYTES],
        connections=series[CONNECTIONS],
        growth=fit_growth(series[SERVER_BYTES], period.today),
    )


_SERVER = """
    select
        (
            select sum(pg_database_size(oid))::bigint
            from pg_database
            where datallowconn and has_database_privilege(oid, 'connect')
        ),
        pg_database_size(current_database()),
        (select sum(numbackends)::integer - 1 from pg_stat_database),
        current_setting('max_connections')::integer
"""
_SCHEMAS = """
    select
        space.nspname,
        sum(pg_total_relation_size(class.oid))::bigint as bytes
    from pg_class as class
    inner join pg_namespace as space on space.oid = class.relnamespace
    where
        class.relkind in ('r', 'm')
        and class.relpersistence = 'p'
        and space.nspname not in ('pg_catalog', 'information_schema')
        and space.nspname not like 'pg\\_%%'
    group by space.nspname
    having sum(pg_total_relation_size(class.oid)) > 0
    order by bytes desc
    limit %s
"""
