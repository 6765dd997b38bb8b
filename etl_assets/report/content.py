"""What a report says, read from the ledger: every section's facts, and the verdict above them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from etl_assets.declare.hours import AllowedHours
from etl_assets.declare.source import Source
from etl_assets.report.capacity import Capacity, capacity, measure_disk, server_load
from etl_assets.report.checks import Checks, read_checks
from etl_assets.report.compliance import Compliance, compliance
from etl_assets.report.loads import LoadActivity, load_activity
from etl_assets.report.period import ReportPeriod
from etl_assets.report.sampling import FINDINGS, take_samples
from etl_assets.report.state import SourceState, source_states
from etl_assets.report.weeks import SuccessMetrics, success_metrics
from etl_assets.report.wording import counted
from etl_assets.settings import Settings
from etl_assets.warehouse.reports import reports_by_week
from etl_assets.warehouse.samples import Series, read_samples

FULL_SOON = 30
"""Days ahead of which the verdict warns of a full disk."""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """All that one report says."""

    period: ReportPeriod
    scope: str
    states: Sequence[SourceState]
    checks: Checks
    findings_by_day: Mapping[str, Series]
    """Open findings of these sources by severity."""
    loads: LoadActivity
    capacity: Capacity
    success: Sequence[SuccessMetrics]
    compliance: Compliance
    reports_by_week: Sequence[int]
    """On how many days of each week a daily report of these sources was written."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many tables and models are in each state."""
        counted_states: Counter[str] = Counter()
        for state in self.states:
            counted_states.update(state.counts)
        return counted_states

    @property
    def losses(self) -> list[str]:
        """What may be missing, and why."""
        found = self.compliance
        incomplete = sum(len(trail.incomplete) for trail in found.trails)
        return [
            words
            for number, words in (
                (found.deleted_by_hand, f"{counted(found.deleted_by_hand, 'row')} deleted by hand"),
                (found.refused_files, f"{counted(found.refused_files, 'file')} refused"),
                (found.rejected_rows, f"{counted(found.rejected_rows, 'fault')} of rejected rows unresolved"),
                (incomplete, f"{counted(incomplete, 'audit table')} incomplete"),
            )
            if number
        ]

    @property
    def verdict(self) -> str:
        """How all is, in one sentence."""
        if all(state.is_empty for state in self.states):
            return "Nothing was ever loaded."
        counts = self.counts
        ill = [
            counted(counts[state], "table") + f" {state}" if place == 0 else f"{counts[state]:,} {state}"
            for place, state in enumerate(state for state in ("failed", "late", "degraded") if counts[state])
        ]
        health = ", ".join(ill) if ill else f"all {counted(counts['healthy'], 'table')} healthy"
        lost = ", ".join(self.losses) or "nothing lost"
        return f"{health[0].upper()}{health[1:]}; {lost}." + self._full_soon

    @property
    def tone(self) -> str:
        """How bad it is: `bad`, `warning`, `good`, or `empty` where nothing was ever loaded."""
        if all(state.is_empty for state in self.states):
            return "empty"
        if self.counts["failed"] or self.losses:
            return "bad"
        return "warning" if self.counts["late"] or self.counts["degraded"] or self._full_soon else "good"

    @property
    def _full_soon(self) -> str:
        day = self.capacity.full_on
        days = (day - self.period.today).days if day else FULL_SOON
        return f" The disk is full in {counted(max(days, 0), 'day')}." if days < FULL_SOON else ""


def report_scope(sources: Sequence[Source], declared: Sequence[Source]) -> str:
    """Of which of the declared sources a report is, as its name has it: `all`, or up to three names."""
    names = [source.name for source in sources]
    if set(names) == {source.name for source in declared}:
        return "all"
    return "__".join(names) if len(names) <= 3 else f"{names[0]}__and_{len(names) - 1}_more"  # noqa: PLR2004


def read_content(
    connection: psycopg.Connection, settings: Settings, sources: Sequence[Source], period: ReportPeriod, *, scope: str
) -> ReportContent:
    """Read all that a report says, and take the day's samples.

    Args:
        connection: As the loader.
        settings: The installation's.
        sources: Whose report it is.
        period: Of what time.
        scope: As `report_scope` says.
    """
    states = source_states(connection, sources)
    checks = read_checks(connection, sources, period)
    server = server_load(connection)
    take_samples(connection, states, checks, server, period)
    return ReportContent(
        period=period,
        scope=scope,
        states=states,
        checks=checks,
        findings_by_day=_findings_by_day(connection, sources, period),
        loads=load_activity(connection, states, period),
        capacity=capacity(connection, server, measure_disk(settings, server), period),
        success=[
            success_metrics(connection, state.source, period, hours=_hours(settings, state.source), held=_held(state))
            for state in states
        ],
        compliance=compliance(connection, sources, period),
        reports_by_week=reports_by_week(connection, scope, period.weeks),
    )


def _held(state: SourceState) -> set[str]:
    """The staging tables that are there, or could not be loaded."""
    failed = {health.relation for health in state.health if health.state == "failed"}
    declared = {f"{state.source.schema}.{table.name}" for table in state.source.tables}
    return {str(table.relation) for table in state.tables if table.last_loaded_at} | (failed & declared)


def _hours(settings: Settings, source: Source) -> AllowedHours | None:
    return AllowedHours.parse(settings.of_source(source.name), f"ETL_{source.name}".upper())


def _findings_by_day(
    connection: psycopg.Connection, sources: Sequence[Source], period: ReportPeriod
) -> dict[str, Series]:
    """The open findings of all these sources by severity, of each day that has a sample."""
    names = {source.name for source in sources}
    sums: dict[str, Counter[object]] = {"error": Counter(), "warning": Counter()}
    for labels, series in read_samples(connection, FINDINGS, since=period.days[0]):
        if labels.get("source") in names:
            for day, value in series:
                sums[labels["severity"]][day] += int(value)
    return {severity: sorted((day, float(value)) for day, value in days.items()) for severity, days in sums.items()}  # type: ignore[misc]
