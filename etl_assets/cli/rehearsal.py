"""The command that rehearses a night of faults, in an installation of its own."""

import argparse

from etl_assets.cli.arguments import Commands, command
from etl_assets.errors import EtlError


def rehearse_night(options: argparse.Namespace) -> None:
    """Play a night of faults on stand-ins of the sources, in an installation of its own, and compare after each.

    Raises:
        EtlError: A row was lost or doubled, or a fault was not told.
    """
    from etl_assets.drills.rehearsal.rehearsal import rehearse

    if not rehearse(print, short=options.short, seed=options.seed):
        raise EtlError("The rehearsal failed: see the lines above whose numbers are not 0, or that say NOT.")


def add_rehearse_command(commands: Commands) -> None:
    """The command `rehearse`."""
    made = command(commands, "rehearse", rehearse_night)
    made.add_argument("--short", action="store_true", help="four faults of two sources, without models: a minute")
    made.add_argument("--seed", type=int, default=1, help="another one has other things change at the sources")
