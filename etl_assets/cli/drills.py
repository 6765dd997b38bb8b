"""Commands that rehearse what goes wrong, in installations of their own."""

import argparse

from etl_assets.cli.arguments import Commands, command


def drill(options: argparse.Namespace) -> bool:
    """Have things go wrong in an installation of its own, and count what arrives at receivers of alerts; minutes.

    Returns whether that were the right messages.
    """
    from etl_assets.drills.alerts import drill_alerts

    del options
    return drill_alerts(print)


def add_drill_commands(commands: Commands) -> None:
    """The command `drill`."""
    made = commands.add_parser("drill", help="Rehearse what goes wrong, in an installation of its own.")
    command(made.add_subparsers(required=True, metavar="WHAT"), "alerts", drill)
