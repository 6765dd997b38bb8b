"""Commands that rehearse what goes wrong, in installations of their own."""

import argparse
from functools import partial

from etl_assets.cli.arguments import Commands, command


def alert_drill(options: argparse.Namespace) -> bool:
    """Have things go wrong in an installation of its own, and count what arrives at receivers of alerts; minutes.

    Returns whether that were the right messages.
    """
    from etl_assets.drills.alerts import drill_alerts

    del options
    return drill_alerts(partial(print, flush=True))


def retry_drill(options: argparse.Namespace) -> bool:
    """Have 7 of 10,000 parents, 3 of some 500 files and 2 of 440 tables fail, and retry; minutes.

    Returns whether exactly these were taken again.
    """
    from etl_assets.drills.retry import drill_retry

    del options
    return drill_retry(partial(print, flush=True))


def recovery_drill(options: argparse.Namespace) -> bool:
    """Kill processes of `etl dev` in the middle of runs, and say how soon all was well by itself; a quarter of an hour.

    Returns whether nothing was lost, nothing doubled, and nothing left running.
    """
    from etl_assets.drills.recovery import drill_recovery

    del options
    return drill_recovery(partial(print, flush=True))


def add_drill_commands(commands: Commands) -> None:
    """The command `drill`."""
    made = commands.add_parser("drill", help="Rehearse what goes wrong, in an installation of its own.")
    drills = made.add_subparsers(required=True, metavar="WHAT")
    command(drills, "alerts", alert_drill)
    command(drills, "retry", retry_drill)
    command(drills, "recovery", recovery_drill)
