"""The `etl` command: what the UI does, from the terminal, and what operating an installation takes besides."""

import argparse
import sys
from collections.abc import Sequence

from etl_assets.cli import copies, operating, runs, sandboxes
from etl_assets.errors import EtlError


def parser() -> argparse.ArgumentParser:
    """Every command, with the words it takes."""
    root = argparse.ArgumentParser(prog="etl", description=__doc__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    runs.add_run_commands(commands)
    copies.add_copy_commands(commands)
    operating.add_operating_commands(commands)
    sandboxes.add_sandbox_commands(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, or 1 where an `EtlError` was reported on stderr."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except EtlError as error:
        print(f"etl: {error}", file=sys.stderr)
        return 1
    return 0
