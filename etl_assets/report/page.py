"""The page of a report: its sections laid out by the template beside this file, with a chart beside each table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.quality.health import STATES, Health
from etl_assets.report import charts
from etl_assets.report.content import ReportContent
from etl_assets.report.weeks import SuccessMetrics
from etl_assets.report.wording import (
    counted,
    error_without_values,
    format_age,
    format_moment,
    format_seconds,
    format_share,
    format_size,
    format_speed,
)

_HERE = Path(__file__).parent
MOST_UNHEALTHY = 50
MOST_NAMES = 6
"""Tables that are named in one line."""
MOST_RULES = 25
_SECTIONS = (
    ("health", "Health"),
    ("checks", "Checks"),
    ("issues", "Open issues"),
    ("freshness", "Freshness"),
    ("volumes", "Volumes"),
    ("performance", "Performance"),
    ("errors", "Errors"),
    ("capacity", "Capacity"),
    ("success", "Success metrics"),
    ("compliance", "Compliance"),
)
_SEVERITIES = {"failed": charts.RED, "warned": charts.AMBER}


@dataclass(frozen=True, kw_only=True)
class _Unhealthy:
    """Tables that are not healthy, for one reason."""

    state: str
    why: str
    command: str
    since: datetime | None
    """Of the first of them."""
    relations: Sequence[str]
    more: int
    """How many are not named."""


def render_page(content: ReportContent) -> str:
    """The report as one HTML page that needs nothing else: no script, no other file, no address.

    Everything that the ledger says is escaped; the charts are the only markup that is not the template's.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    kind = "Daily" if content.period.kind == "daily" else "Weekly"
    of = "" if content.scope == "all" else f" of {content.scope.replace('__', ', ')}"
    unhealthy = _unhealthy(content)
    rules = [(source, rule) for source, found in content.checks.findings.items() for rule in found]
    rules.sort(key=lambda pair: (pair[1].severity, -pair[1].findings, pair[1].relation, pair[1].rule))
    return environment.get_template(
        "page.html.j2"
    ).render(
        c=content,
        title=f"{kind} report of the warehouse{of}",
        css=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (our own)
        sections=_SECTIONS,
        tiles=list(_tiles(content)),
        unhealthy=unhealthy[:MOST_UNHEALTHY],
        more_unhealthy=max(len(unhealthy) - MOST_UNHEALTHY, 0),
        trend=list(_trend(content)),
        rules=rules[:MOST_RULES],
        more_rules=max(len(rules) - MOST_RULES, 0),
        limits=_time_limits(content),
        outlook=content.capacity.outlook(content.period.today),
        capacity=list(_capacity(content)),
        success=[{"metrics": each, "chart": _weeks_chart(each)} for each in content.success],
        incomplete=[(trail.source, table) for trail in content.compliance.trails for table in trail.incomplete][
            :MOST_UNHEALTHY
        ],
        charts=_charts(content),
        moment=format_moment,
        age=format_age,
        seconds=format_seconds,
        size=format_size,
        speed=format_speed,
        error=error_without_values,
    )


def _unhealthy(content: ReportContent) -> list[_Unhealthy]:
    """What is not healthy, the worst first: a line for all of a source that are so for one reason."""
    found: dict[tuple[str, str, str], list[Health]] = {}
    for state in content.states:
        for health in state.unhealthy:
            why = health.why.removeprefix(f"{health.relation}: ")
            found.setdefault((health.state, why, state.source.name), []).append(health)
    lines = [
        _Unhealthy(
            state=state,
            why=why,
            command=_command_for(state, source, healths),
            since=min((health.since for health in healths if health.since), default=None),
            relations=[health.relation for health in healths[:MOST_NAMES]],
            more=max(len(healths) - MOST_NAMES, 0),
        )
        for (state, why, source), healths in found.items()
    ]
    return sorted(lines, key=lambda line: (STATES.index(line.state), line.relations))


def _command_for(state: str, source: str, healths: Sequence[Health]) -> str:
    """The command that cures all of these."""
    commands = {health.command for health in healths}
    if len(commands) == 1:
        return commands.pop()
    return {"failed": f"etl retry {source}", "late": f"etl run {source}"}.get(
        state, f"etl issues list --source {source}"
    )


def _tiles(content: ReportContent) -> Iterator[tuple[str, str, str]]:
    """The numbers on top: the value, what it is, and how bad it is."""
    counts, totals = content.counts, content.loads.totals
    ill = counts["failed"] + counts["late"] + counts["degraded"]
    yield f"{counts['healthy']:,} of {sum(counts.values()):,}", "tables and models healthy", "bad" if ill else ""
    failed = sum(each.failed for each in content.checks.standing)
    passed = sum(each.passed for each in content.checks.standing)
    warned = sum(each.warned for each in content.checks.standing)
    yield f"{passed:,} of {passed + warned + failed:,}", "checks pass", "bad" if failed else ""
    yield (
        f"{content.checks.open_findings('error'):,}",
        "open errors",
        "bad" * bool(content.checks.open_findings("error")),
    )
    yield f"{content.checks.open_findings('warning'):,}", "open warnings", ""
    yield f"{sum(each.rows_read for each in totals):,}", f"rows read in {content.period.length}", ""
    yield format_size(sum(each.bytes for each in totals)), f"read in {content.period.length}, about", ""
    day = content.capacity.full_on
    yield (f"{day:%d %b %Y}" if day else "-"), "disk full", "warning" if day else ""


def _trend(content: ReportContent) -> Iterator[Mapping[str, object]]:
    """Open findings now and a week ago, by severity."""
    for severity in ("error", "warning"):
        now = content.checks.open_findings(severity)
        earlier = [
            value
            for day, value in content.findings_by_day[severity]
            if (content.period.today - day).days >= 7  # noqa: PLR2004 (a week)
        ]
        before = int(earlier[-1]) if earlier else None
        yield {
            "severity": severity,
            "now": now,
            "before": "-" if before is None else f"{before:,}",
            "change": "-" if before is None else f"{now - before:+,}" if now != before else "0",
        }


def _time_limits(content: ReportContent) -> Mapping[str, object]:
    """How many minutes a load may take, of the tables of which that is said."""
    return {
        f"{state.source.schema}.{table.name}": table.details["max_extraction_time_minutes"]
        for state in content.states
        for table in state.source.tables
        if "max_extraction_time_minutes" in table.details
    }


def _capacity(content: ReportContent) -> Iterator[tuple[str, str]]:
    found, server = content.capacity, content.capacity.server
    if found.disk:
        used = found.disk.total - found.disk.free
        what = "disk used" if found.disk.is_measured else "disk used, of what ETL_WAREHOUSE_DISK_BYTES says"
        yield what, f"{format_size(used)} of {format_size(found.disk.total)} ({format_share(used, found.disk.total)})"
        yield "disk free", format_size(found.disk.free)
    else:
        yield "disk", "not known, set ETL_WAREHOUSE_DISK_BYTES"
    yield "all databases of the server", format_size(server.bytes)
    yield "of them the warehouse", format_size(server.warehouse_bytes)
    growth = found.growth
    yield "growth a day", "too few samples" if growth is None else _signed_size(growth.per_day)
    yield "connections", f"{server.connections:,} of {server.max_connections:,}"
    busy = sum(total.seconds for total in content.loads.totals)
    yield f"time spent loading in {content.period.length}", format_seconds(busy)


def _signed_size(size: float) -> str:
    return f"{'-' if size < 0 else '+'}{format_size(abs(size))}"


def _charts(content: ReportContent) -> Mapping[str, Markup]:
    days, loads = content.period.days, content.loads
    by_day = {each.day: each for each in content.checks.by_day}
    failing = {
        severity: [float(getattr(by_day[day], severity)) if day in by_day else 0.0 for day in days]
        for severity in ("failed", "warned")
    }
    findings = {
        severity: [dict(series).get(day, 0.0) for day in days] for severity, series in content.findings_by_day.items()
    }
    minutes = {source: [seconds / 60 for seconds in values] for source, values in loads.series(days, "seconds").items()}
    ages = {
        state.source.name: (age.total_seconds() / 3600, state.source.fresh_within.total_seconds() / 3600)
        for state in content.states
        if (age := state.age(content.period.moment))
    }
    number = f"{counted(len(days), 'day')}, of {counted(len(content.states), 'source')}"
    return {
        "checks": charts.stacked_bars(
            "checks",
            f"Checks that did not pass by day: {number}",
            days,
            failing,
            unit="checks",
            colours=_SEVERITIES,
            nothing="all passed" if by_day else charts.NOTHING,
        ),
        "findings": charts.stacked_bars(
            "findings",
            f"Open findings by day: {number}",
            days,
            findings,
            unit="findings",
            nothing="none was open" if any(content.findings_by_day.values()) else charts.NOTHING,
            colours={"error": charts.RED, "warning": charts.AMBER},
        ),
        "freshness": charts.limited_bars(
            "freshness", "Hours since the oldest table of each source was loaded", ages, unit="hours"
        ),
        "rows": charts.stacked_bars(
            "rows", f"Rows read by day: {number}", days, loads.series(days, "rows_read"), unit="rows"
        ),
        "bytes": charts.stacked_bars(
            "bytes", f"Bytes read by day: {number}", days, loads.series(days, "bytes"), unit="bytes"
        ),
        "seconds": charts.stacked_bars(
            "seconds", f"Minutes spent loading by day: {number}", days, minutes, unit="minutes"
        ),
        "growth": charts.growth_line(
            "growth",
            f"Bytes of the server by day: {len(content.capacity.sizes)} samples",
            content.capacity.sizes,
            growth=content.capacity.growth,
            unit="bytes",
        ),
        "connections": charts.growth_line(
            "connections",
            f"Connections by day: {len(content.capacity.connections)} samples",
            content.capacity.connections,
            growth=None,
            unit="connections",
            ceiling=content.capacity.server.max_connections,
        ),
    }


def _weeks_chart(metrics: SuccessMetrics) -> Markup | None:
    """Tables loaded in each week by importance; none of a source whose tables have none, or that was never loaded."""
    if not metrics.by_importance or not any(week.loads for week in metrics.weeks):
        return None
    labels = [f"W{week.monday:%V}" for week in metrics.weeks]
    series: dict[str, Sequence[float]] = {
        name: [float(number) for number in metrics.loaded(name)] for name in metrics.by_importance
    }
    return charts.stacked_bars(
        f"weeks-{metrics.source.name}",
        f"Tables of {metrics.source.title} loaded in each of {len(labels)} weeks",
        labels,
        series,
        unit="tables",
        colours=dict(zip(IMPORTANCES, charts.SHADES, strict=False)),
    )
