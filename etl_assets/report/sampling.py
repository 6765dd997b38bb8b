"""The day's samples, which trends and forecasts of later reports are made of."""

from collections.abc import Iterator, Sequence

import psycopg

from etl_assets.report.capacity import CONNECTIONS, SERVER_BYTES, ServerLoad
from etl_assets.report.checks import Checks
from etl_assets.report.period import ReportPeriod
from etl_assets.report.state import SourceState
from etl_assets.warehouse.samples import Sample, record_samples

FINDINGS = "open_findings"
STAGING_BYTES, STAGING_RECORDS = "staging_bytes", "staging_records"


def take_samples(
    connection: psycopg.Connection,
    states: Sequence[SourceState],
    checks: Checks,
    server: ServerLoad,
    period: ReportPeriod,
) -> None:
    """Record how things are today, in place of an earlier sample of the day.

    Args:
        connection: As the loader.
        states: The sources, as they are.
        checks: How theirs stand.
        server: What it holds.
        period: Its day is today.
    """
    record_samples(connection, period.today, _samples(states, checks, server))


def _samples(states: Sequence[SourceState], checks: Checks, server: ServerLoad) -> Iterator[Sample]:
    yield Sample(measure=SERVER_BYTES, value=server.bytes)
    yield Sample(measure=CONNECTIONS, value=server.connections)
    for state in states:
        labels = {"source": state.source.name}
        yield Sample(measure=STAGING_BYTES, labels=labels, value=state.size)
        yield Sample(measure=STAGING_RECORDS, labels=labels, value=state.records)
        for name, number in state.counts.items():
            yield Sample(measure="tables", labels={**labels, "state": name}, value=number)
        for severity in ("error", "warning"):
            rules = checks.findings.get(state.source.name, ())
            found = sum(rule.findings for rule in rules if rule.severity == severity)
            yield Sample(measure=FINDINGS, labels={**labels, "severity": severity}, value=found)
