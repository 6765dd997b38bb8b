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


def attack(options: argparse.Namespace) -> None:
    """Attack the published marts of a source as their readers may: which hidden numbers follow from what is shown.

    Raises:
        EtlError: Some do, or nothing was published yet.
    """
    from etl_assets.quality.linked_marts import describe_cell
    from etl_assets.quality.publication import attack_primary, attack_published, publication_of  # a solver: 0.1 s

    source, settings = options.source, read_settings()
    publication = publication_of(source)
    if options.primary_only:
        found = attack_primary(settings, source)
    else:
        found = attack_published(settings, source, against=options.against)
    for each in found:
        named = ", ".join(f"{name} {value}" for name, value in describe_cell(publication, each.cell).items())
        print(f"{each.cell.table:40} {each.low:6,}  {named}")
    if found:
        raise EtlError(f"{len(found):,} hidden cells are told by what is shown.")
    print("0 hidden cells are told by what is shown.")


def add_privacy_commands(commands: Commands) -> None:
    """The commands of this room."""
    made = command(commands, "rotate", rotate_key)
    made.add_argument("source", type=source_named)
    made.add_argument("--by", required=True, help="who has set another key")
    made.add_argument("--why", required=True, help="the reason, for those who come after")
    made = command(commands, "attack", attack)
    made.add_argument("source", type=source_named)
    made.add_argument(
        "--against", type=int, metavar="RELEASE", help="what a reader kept; the release before by default"
    )
    made.add_argument(
        "--primary-only",
        action="store_true",
        help="what would follow if small cells alone were hidden, and nothing beside them",
    )
