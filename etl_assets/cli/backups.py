"""Commands for the day when the warehouse is lost: a back-up, and its restore into empty databases."""

import argparse
from pathlib import Path

from etl_assets.cli.arguments import Commands, command
from etl_assets.settings import PROJECT, read_settings
from etl_assets.warehouse.backup import back_up, describe_backup, restore_databases


def make_backup(options: argparse.Namespace) -> None:
    """Dump the warehouse, Dagster's records and the tombstones into a new folder, which holds data of persons."""
    made = back_up(read_settings(), options.folder)
    for name, value in describe_backup(made).items():
        print(f"{name:18} {value}")
    print(f"{options.folder}: back-up made. Not in it: settings and secrets, the landing folder, reports, logs.")


def restore_backup(options: argparse.Namespace) -> None:
    """Restore a back-up into empty databases; nothing that is there is ever replaced."""
    known = [path.name for path in (PROJECT / "sql" / "migrations").glob("*.sql")]
    for note in restore_databases(read_settings(), options.folder, known_migrations=known):
        print(f"Note: {note}")
    print("Restored. Now: etl migrate; etl prove SOURCE; etl run all; and only then the daemon.")


def add_backup_commands(commands: Commands) -> None:
    """The commands of this room."""
    for name, act in (("backup", make_backup), ("restore", restore_backup)):
        made = command(commands, name, act)
        made.add_argument("folder", type=Path, metavar="FOLDER")
