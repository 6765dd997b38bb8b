"""The command that shows how all is: what the warehouse holds, what goes on, and the health of each table."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.cli.runs import report
from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.quality.health import STATES, Health, table_health
from etl_assets.settings import read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse.connection import Connection, connect
from etl_assets.warehouse.under_way import LoadUnderWay, loads_under_way, running_batches

CLEAR = "\x1b[2J\x1b[H"
SECONDS = 2.0
"""Between two looks of those who watch."""


def status(options: argparse.Namespace) -> bool:
    """Show what the warehouse holds, how its last checks went, what goes on, and the health of each table.

    Returns whether none has failed, is late or degraded.
    """
    sources = [*options.source, *options.named] or list(SOURCES)
    if options.watch:
        return _watch(sources, options.importance, options.looks)
    if options.importance is None:
        report(sources, [])
    with connect(read_settings()) as connection:
        connection.execute("reset role")
        return _show(connection, sources, options.importance, {})


def _watch(sources: Sequence[Source], importance: str | None, looks: int | None) -> bool:
    """Show what goes on and what is wrong, again and again until Ctrl-C, or for so many looks."""
    is_well, done = True, 0
    before: dict[str, tuple[float, int]] = {}
    with connect(read_settings(), role=None, autocommit=True) as connection:
        try:
            while looks is None or done < looks:
                if done:
                    time.sleep(SECONDS)
                print(CLEAR * sys.stdout.isatty() + f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
                is_well = _show(connection, sources, importance, before)
                done += 1
        except KeyboardInterrupt:
            pass
    return is_well


def _show(
    connection: Connection, sources: Sequence[Source], importance: str | None, before: dict[str, tuple[float, int]]
) -> bool:
    wanted = _relations(sources, importance)
    names = {source.name for source in sources}
    loads = [each for each in loads_under_way(connection) if each.source in names]
    for load in loads:
        if wanted is None or load.relation in wanted:
            print(_line(load, before))
    for source, kind, since in running_batches(connection):
        if source in names and not any(load.source == source for load in loads):
            print(f"running  {source}: {kind}, since {since:%H:%M:%S} UTC")
    found = [
        health
        for source in sources
        for health in table_health(connection, source)
        if wanted is None or health.relation in wanted
    ]
    return _show_health(found)


def _show_health(found: Sequence[Health]) -> bool:
    counted = Counter(health.state for health in found)
    print("Health: " + ", ".join(f"{counted[state]:,} {state}" for state in reversed(STATES)) + ".")
    ill = [health for health in found if health.since]
    for health in ill:
        print(f"{health.state:8} since {health.since:%Y-%m-%d %H:%M} UTC  {health.relation}: {health.why}")
        print(f"         {health.command}")
    return not ill


def _line(load: LoadUnderWay, before: dict[str, tuple[float, int]]) -> str:
    """What is being loaded, for how long, and how fast its rows come since the last look."""
    now, seconds = time.monotonic(), (datetime.now(UTC) - load.started_at).total_seconds()
    key = f"{load.relation}/{load.instance}"
    then, rows = before.get(key, (now, load.rows_arrived))
    before[key] = now, load.rows_arrived
    speed = f", {max(load.rows_arrived - rows, 0) / (now - then):,.0f} rows/s" if now > then else ""
    arrived = f", {load.rows_arrived:,} rows so far{speed}" if load.rows_arrived else ""
    return f"loading  {load.relation} {load.instance}".rstrip() + f": for {seconds:,.0f} s{arrived}"


def _relations(sources: Sequence[Source], importance: str | None) -> set[str] | None:
    """The staging tables of an importance; None where none is named.

    Raises:
        EtlError: None of these sources has a table of that importance.
    """
    if importance is None:
        return None
    found = {
        f"{source.schema}.{table.name}"
        for source in sources
        for table in source.tables
        if table.tags.get("importance") == importance
    }
    if not found:
        raise EtlError(f"None of these sources has tables that are {importance}: databases alone have classes.")
    return found


def add_status_command(commands: Commands) -> None:
    """The command of this room."""
    made = command(commands, "status", status)
    made.add_argument("source", nargs="*", type=source_named)
    made.add_argument("--source", dest="named", action="append", default=[], type=source_named, metavar="SOURCE")
    made.add_argument("--importance", choices=IMPORTANCES, help="a database's tables of this class alone")
    made.add_argument("--watch", action="store_true", help="what runs and what is wrong, again every two seconds")
    made.add_argument("--looks", type=int, metavar="N", help="with --watch: look so many times, and end")
