"""Build a report: read the ledger, write the page, and record that it is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etl_assets.declare.source import Source
from etl_assets.report.content import read_content
from etl_assets.report.files import write_atomically, write_report_file
from etl_assets.report.page import render_page
from etl_assets.report.period import Kind, ReportPeriod
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.reports import record_report


@dataclass(frozen=True, kw_only=True)
class BuiltReport:
    """A report that was written."""

    path: Path
    verdict: str
    tone: str
    """`good`, `warning`, `bad`, or `empty`."""
    bytes: int


def build_report(
    settings: Settings, sources: Sequence[Source], kind: Kind, *, scope: str, out: Path | None = None
) -> BuiltReport:
    """Write a report of some sources, as things are now, and take the day's samples.

    Args:
        settings: Which installation.
        sources: Whose report it is.
        kind: What it counts: a day or a week.
        scope: As `report_scope` says.
        out: Where it is written; left out, it goes into the report folder, is recorded in etl.report, and the oldest
            beyond `KEPT_REPORTS` is deleted.

    Raises:
        TransientError: The warehouse cannot be reached.
    """
    period = ReportPeriod(kind=kind, moment=datetime.now(UTC))
    with connect(settings, autocommit=True) as connection:
        content = read_content(connection, settings, sources, period, scope=scope)
        text = render_page(content)
        if out is not None:
            write_atomically(out, text)
        else:
            out = write_report_file(settings.report_dir, f"{kind}_{scope}", ".html", text, period.moment)
            size = out.stat().st_size
            record_report(connection, kind=kind, scope=scope, built_at=period.moment, path=out, size=size)
    return BuiltReport(path=out, verdict=content.verdict, tone=content.tone, bytes=len(text.encode()))
