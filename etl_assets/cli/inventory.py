"""The command that lists what staging holds."""

import argparse

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.report.wording import format_moment, format_size
from etl_assets.settings import read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.inventory import InventoryLine, staging_inventory


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
        f"{table.relation!s:58} {records:>13} {format_size(table.size):>9}  {format_moment(table.last_loaded_at):16}"
        f"  {format_moment(table.last_changed_at):16}  {table.why_empty or ''}"
    )


def add_inventory_command(commands: Commands) -> None:
    """The command `inventory`."""
    made = command(commands, "inventory", show_inventory)
    made.add_argument("source", nargs="*", type=source_named)
    made.add_argument("--exact", action="store_true", help="count every row, and do not ask the planner's estimate")
