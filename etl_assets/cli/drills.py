"""Commands that rehearse what goes wrong, in installations of their own."""

import argparse
from functools import partial

from etl_assets.cli.arguments import Commands, command


def drill(options: argparse.Namespace) -> bool:
    """Have things go wrong in an installation of its own, and count what arrives at receivers of alerts; minutes.

    Returns whether that were the right messages.
    """
    from etl_assets.drills.alerts import drill_alerts

    del options
    return drill_alerts(print)


def drill_of_recovery(options: argparse.Namespace) -> bool:
    """Kill processes of `etl dev` in the middle of runs, and say how soon all was well by itself; ten minutes.

    Returns whether nothing was lost, nothing doubled, and nothing left running.
    """
    from etl_assets.drills.recovery import drill_recovery

    del options
    return drill_recovery(partial(print, flush=True))


def add_drill_commands(commands: Commands) -> None:
    """The command `drill`."""
    made = commands.add_parser("drill", help="Rehearse what goes wrong, in an installation of its own.")
    drills = made.add_subparsers(required=True, metavar="WHAT")
    command(drills, "alerts", drill)
    command(drills, "recovery", drill_of_recovery)
