"""Commands for the personal data that sources hold."""

import argparse

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.errors import EtlError
from etl_assets.loading.database.pseudonyms import pseudonym_key, rotate
from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect


def rotate_key(options: argparse.Namespace) -> None:
    """Make all pseudonyms of a source anew with the key that is set now; models follow with the next run.

    Raises:
        EtlError: The source has no pseudonyms, or the key is that which they were made with.
    """
    source, settings = options.source, read_settings()
    if not source.database.pseudonymised:
        raise EtlError(f"{source.name} has no pseudonyms.")
    key = pseudonym_key(settings, source)
    with connect(settings) as connection:
        number = rotate(connection, source, key, by=options.by, why=options.why)
    print(f"{number:,} pseudonyms were made anew. Models have the old ones until: etl run {source.name} --rebuild")


def add_privacy_commands(commands: Commands) -> None:
    """The commands of this room."""
    made = command(commands, "rotate", rotate_key)
    made.add_argument("source", type=source_named)
    made.add_argument("--by", required=True, help="who has set another key")
    made.add_argument("--why", required=True, help="the reason, for those who come after")
