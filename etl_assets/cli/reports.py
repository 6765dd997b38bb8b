"""The command that writes a report."""

import argparse
from pathlib import Path

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.cli.runs import migrate_quietly
from etl_assets.report.content import report_scope
from etl_assets.settings import read_settings
from etl_assets.sources import SOURCES, chosen_sources


def write_report(options: argparse.Namespace) -> None:
    """Write a report as one HTML page: health, checks, freshness, volumes, capacity, success metrics, compliance.

    It goes into the report folder, or where --out says.
    """
    from etl_assets.report.build import build_report  # matplotlib takes most of a second

    settings = read_settings()
    sources = options.source or chosen_sources(settings.sources)
    migrate_quietly(settings)
    built = build_report(
        settings,
        sources,
        "weekly" if options.weekly else "daily",
        scope=report_scope(sources, SOURCES),
        out=options.out.resolve() if options.out else None,
    )
    print(f"{built.verdict}\n{built.path}")


def add_report_command(commands: Commands) -> None:
    """The command `report`."""
    made = command(commands, "report", write_report)
    made.add_argument(
        "--source", action="append", type=source_named, metavar="NAME", help="of this source alone; may be said again"
    )
    made.add_argument("--weekly", action="store_true", help="count the last 7 days, and trends of 8 weeks")
    made.add_argument("--out", type=Path, metavar="FILE", help="write it there, and not into the report folder")
