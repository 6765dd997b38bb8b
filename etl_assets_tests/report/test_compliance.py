"""Compliance: which audit tables are complete, and whose decisions are shown, without what may be of a person."""

from datetime import UTC, datetime, timedelta

import psycopg

from etl_assets.quality.issues import resolve_issue
from etl_assets.report.compliance import Compliance, compliance
from etl_assets.report.period import ReportPeriod
from etl_assets.settings import Settings
from etl_assets.sources.lacrei_saude import SOURCE as LACREI
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.sources.trialsync import SOURCE as TRIALSYNC
from etl_assets.warehouse.alerts import Member, acknowledge_alert, alerts_since, watch
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.rest.job_ledger import decide, register_jobs
from etl_assets.warehouse.silences import add_silence
from etl_assets.warehouse.table_failures import record_load_outcomes
from etl_assets_tests.report import ledger

SOURCES = (OPEN_DENTAL, LACREI, TRIALSYNC)
AUDIT = [f"open_dental.{table.name}" for table in OPEN_DENTAL.tables if table.details["keep_deleted"]]


def found(settings: Settings) -> Compliance:
    with connect(settings) as connection:
        return compliance(connection, SOURCES, ReportPeriod(kind="daily", moment=datetime.now(UTC)))


def extracted(connection: psycopg.Connection, batch, relation: str, *, held: int, apart: int, in_doubt: bool) -> None:
    connection.execute(
        "insert into etl.extraction"
        " (relation, source, rows_held, rows_apart, read_at, source_columns, in_doubt, batch_id)"
        " values (%s, 'open_dental', %s, %s, now(), '{}', %s, %s)",
        [relation, held, apart, in_doubt, batch.id],
    )


def test_an_audit_table_is_complete_unless_something_speaks_against_it(settings: Settings) -> None:
    good, doubtful, failed, cleared, conflicted, differing = AUDIT[:6]
    with open_batch(settings, "open_dental", "load") as batch:
        for relation in AUDIT[:6]:
            extracted(batch.connection, batch, relation, held=100, apart=7, in_doubt=relation == doubtful)
        record_load_outcomes(batch, failed={failed: "no route to host"}, loaded=[])
        batch.connection.execute(
            "insert into etl.row_refused (relation, row_key, batch_id, said)"
            " values (%s, '1', %s, '{}'), (%s, '2', %s, '{}')",
            [conflicted, batch.id, conflicted, batch.id],
        )
    with connect(settings, role=None) as connection:
        connection.execute(
            "insert into etl.write_by_hand (relation, operation, n, row_keys) values (%s, 'delete', 3, '{1}')",
            [cleared],
        )
    ledger.check(settings, "open_dental", good, "matches_source", passed=True)
    ledger.check(settings, "open_dental", differing, "matches_source", passed=True, days_ago=1)
    ledger.check(settings, "open_dental", differing, "matches_source", passed=False)
    (trail,) = [each for each in found(settings).trails if each.source is OPEN_DENTAL]
    assert {table.relation: table.incomplete_because.split(",")[0] for table in trail.incomplete} == {
        doubtful: "the next load compares every row",
        failed: "its last load failed",
        cleared: "rows were deleted by hand",
        conflicted: "the source has other rows under keys that are held",
        differing: "it differs from its source",
    }
    assert len(trail.tables) == 6
    assert {table.rows_retained for table in trail.tables} == {7}
    assert trail.declared >= len(AUDIT)
    assert found(settings).deleted_by_hand == 3


def test_decisions_are_shown_with_who_made_them_and_without_what_may_be_of_a_person(settings: Settings) -> None:
    with connect(settings) as connection:
        register_jobs(connection, TRIALSYNC.name, TRIALSYNC.jobs)
        decide(connection, TRIALSYNC.name, 17, is_active=False, by="okafor", why="it is billed by the call")
        connection.execute("insert into etl.table_switch values ('open_dental.patient', 'new', now(), 'alvarez')")
        connection.execute(
            "insert into etl.erasure (source, digests, erased_at, erased_by, why, places)"
            " values ('lacrei_saude', '{a}', now(), 'dpo', 'Mary Poppins asked', '{}')"
        )
    with connect(settings, role=None) as connection:
        connection.execute(
            "insert into etl.retention (relation, date_column, before, rows_deleted, done_by, reason)"
            " values ('open_dental.securitylog', 'logdatetime', '2017-01-01', 18204, 'compliance', 'ten years')"
        )
        connection.execute(
            "insert into etl.table_switch values ('open_dental.claim', 'old', now() - interval '91 days', 'long ago')"
        )
    ledger.find(settings, "open_dental", "open_dental.patient", "HasName", severity="warning", findings=3)
    with connect(settings) as connection:
        for (issue,) in connection.execute("select issue_id from etl.quality_issue limit 2").fetchall():
            resolve_issue(connection, issue, by="nurse", notes="Mary Poppins is right as she is")
        silence = add_silence(connection, "open_dental", "open_dental.claim", hours=2, by="ana", why="a restore")
        moment = datetime.now(UTC)
        watch(connection, "late", {"trialsync": [Member(relation="x", why="y", since=moment)]})
        (alert,) = alerts_since(connection, moment)
        acknowledge_alert(connection, alert.alert_id, by="ben", why="at it")
    decisions = found(settings).decisions
    assert {(each.what, each.subject, each.done_by, each.why) for each in decisions} == {
        ("job 17 switched off", "trialsync", "okafor", "it is billed by the call"),
        ("the live view reads the new table", "open_dental.patient", "alvarez", ""),
        ("erasure 1: one person erased", "lacrei_saude", "dpo", ""),
        (
            "retention: 18,204 rows with logdatetime before 2017-01-01 deleted",
            "open_dental.securitylog",
            "compliance",
            "ten years",
        ),
        ("2 findings of HasName resolved", "open_dental.patient", "nurse", ""),
        (f"alerts silenced until {silence.ends_at:%Y-%m-%d %H:%M} UTC", "open_dental.claim", "ana", "a restore"),
        (f"alert {alert.alert_id} acknowledged", "trialsync", "ben", "at it"),
    }
    assert decisions == sorted(decisions, key=lambda each: each.at, reverse=True)
    assert decisions[0].at - datetime.now(UTC) < timedelta(minutes=1)
