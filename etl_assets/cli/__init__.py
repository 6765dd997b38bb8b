"""The `etl` command: what the UI does, from the terminal, and what operating an installation takes besides."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

from etl_assets.cli import (
    alerts,
    backups,
    copies,
    discovery,
    drills,
    emergency,
    erasure,
    explain,
    inventory,
    jobs,
    operating,
    preview,
    privacy,
    proof,
    rehearsal,
    reports,
    rules,
    runs,
    sandboxes,
    status,
    validation,
    workers,
)
from etl_assets.cli.arguments import Parser
from etl_assets.cli.printable import Printable
from etl_assets.errors import EtlError

FAILED, FINDINGS = 1, 2
EXIT_CODES = (
    "Exit codes: 0 all is well; 1 something failed, and stderr says what; 2 it went through, and there are findings of"
    " severity error or differences; 64 the command was not understood."
)


def parser() -> Parser:
    """Every command, with the words it takes."""
    root = Parser(prog="etl", description=__doc__, epilog=EXIT_CODES)
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    runs.add_run_commands(commands)
    status.add_status_command(commands)
    alerts.add_alert_commands(commands)
    jobs.add_job_commands(commands)
    validation.add_validate_command(commands)
    discovery.add_discover_command(commands)
    inventory.add_inventory_command(commands)
    proof.add_prove_command(commands)
    reports.add_report_command(commands)
    explain.add_explain_command(commands)
    copies.add_copy_commands(commands)
    preview.add_preview_command(commands)
    emergency.add_emergency_commands(commands)
    privacy.add_privacy_commands(commands)
    erasure.add_erasure_commands(commands)
    backups.add_backup_commands(commands)
    operating.add_operating_commands(commands)
    rules.add_rule_commands(commands)
    workers.add_worker_command(commands)
    sandboxes.add_sandbox_commands(commands)
    drills.add_drill_commands(commands)
    rehearsal.add_rehearse_command(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code, as `EXIT_CODES` says; an `EtlError` is reported on stderr."""
    with redirect_stdout(Printable(sys.stdout)), redirect_stderr(Printable(sys.stderr)):
        options = parser().parse_args(arguments)
        try:
            is_clean = options.run(options)
        except EtlError as error:
            print(f"etl: {error}", file=sys.stderr)
            return FAILED
    return FINDINGS if is_clean is False else 0
