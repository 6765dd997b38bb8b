"""The command that lists what staging holds."""

import argparse
from datetime import UTC, datetime

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.settings import read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.inventory import InventoryLine, staging_inventory

UNITS = ("B", "kB", "MB", "GB", "TB")
THOUSAND = 1024


def show_inventory(options: argparse.Namespace) -> None:
    """List the staging tables: records, size with indexes, last load, last change, and why one is empty."""
    schemas = [source.schema for source in options.source or SOURCES]
    tables: list[InventoryLine] = []
    print(f"{'relation':58} {'records':>13} {'size':>9}  {'loaded (UTC)':16}  {'changed (UTC)':16}")
    with connect(read_settings()) as connection:
        for table in staging_inventory(connection, schemas, exact=options.exact):
            tables.append(table)
            print(_line(table).rstrip())
    records, filled = sum(table.records or 0 for table in tables), sum(bool(table.records) for table in tables)
    about = "" if all(table.is_exact for table in tables) else "about "
    size = format_size(sum(table.size for table in tables))
    print(f"{len(tables)} tables, {filled} with data, {about}{records:,} records, {size}.")


def _line(table: InventoryLine) -> str:
    records = "not counted" if table.records is None else f"{'' if table.is_exact else '~'}{table.records:,}"
    return (
        f"{table.relation!s:58} {records:>13} {format_size(table.size):>9}  {_when(table.last_loaded_at):16}"
        f"  {_when(table.last_changed_at):16}  {table.why_empty or ''}"
    )


def _when(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "never"


def format_size(size: float) -> str:
    """Bytes as people read them, such as `806.0 MB`."""
    for unit in UNITS[:-1]:
        if size < THOUSAND:
            return f"{size:,.0f} {unit}" if unit == UNITS[0] else f"{size:,.1f} {unit}"
        size /= THOUSAND
    return f"{size:,.1f} {UNITS[-1]}"


def add_inventory_command(commands: Commands) -> None:
    """The command `inventory`."""
    made = command(commands, "inventory", show_inventory)
    made.add_argument("source", nargs="*", type=source_named)
    made.add_argument("--exact", action="store_true", help="count every row, and do not ask the planner's estimate")
