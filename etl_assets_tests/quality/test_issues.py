"""Issues through what people say of them: acknowledged, resolved, and found again."""

from datetime import date

import pytest

from etl_assets.cli import main
from etl_assets.declare.rules import Finds
from etl_assets.errors import EtlError
from etl_assets.quality.dbt_tests import record_tests
from etl_assets.quality.issues import (
    Issue,
    acknowledge_issue,
    acknowledge_rule,
    count_issues,
    list_issues,
    resolve_issue,
)
from etl_assets.warehouse.alerts import latest_alerts
from etl_assets.warehouse.connection import Connection, connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.quality.conftest import Ward

LONG = Finds(
    table="visit",
    name="Long",
    query="select row_key, 'hours' as field, (ended - begun)::text as value, 'long' as message, row_slice"
    " from looked_at where ended - begun > interval '2 hours'",
    why="Nobody stays for so long.",
    blocks_above=0.1,
)
DAY = date(2026, 3, 2)
KNOWN = {"by": "Ada", "why": "the clinic mends it on Monday"}


def states(connection: Connection, status: str | None = None) -> dict[str, str]:
    return {issue.key: issue.state for issue in list_issues(connection, "ward", status=status, most=10)}


def only(connection: Connection) -> Issue:
    (issue,) = list_issues(connection, "ward", status=None, most=10)
    return issue


def test_what_is_acknowledged_is_open_and_counts_and_blocks_and_is_not_new(ward: Ward) -> None:
    for number in (1, 2, 3):
        ward.visit(number, DAY, hours=3)
    assert ward.run(LONG).open == 3
    acknowledge_issue(ward.connection, list_issues(ward.connection, "ward", most=1)[0].id, **KNOWN)
    result = ward.run(LONG)
    assert (result.open, result.passed, result.blocks) == (3, False, True)
    assert states(ward.connection) == {"1": "acknowledged", "2": "open", "3": "open"}
    assert states(ward.connection, "open") == {"1": "acknowledged", "2": "open", "3": "open"}
    assert states(ward.connection, "new") == {"2": "open", "3": "open"}
    assert states(ward.connection, "acknowledged") == {"1": "acknowledged"}
    counts = {
        status: [(each.findings, each.acknowledged) for each in count_issues(ward.connection, "ward", status=status)]
        for status in ("open", "new", "acknowledged", None)
    }
    assert counts == {"open": [(3, 1)], "new": [(2, 0)], "acknowledged": [(1, 1)], None: [(3, 1)]}
    # Its value may become another one: it is open all the while, and known.
    ward.visit(1, DAY, hours=5)
    ward.run(LONG)
    assert states(ward.connection, "acknowledged") == {"1": "acknowledged"}


def test_a_rule_s_issues_are_acknowledged_together_and_later_ones_are_new(ward: Ward) -> None:
    ward.visit(1, DAY, hours=3)
    ward.visit(2, DAY, hours=3)
    ward.run(LONG)
    assert acknowledge_rule(ward.connection, "ward", "Long", **KNOWN) == 2
    ward.visit(3, DAY, hours=3)
    ward.run(LONG)
    assert states(ward.connection) == {"1": "acknowledged", "2": "acknowledged", "3": "open"}
    assert acknowledge_rule(ward.connection, "ward", "Long", by="Bo", why="this one too") == 1
    assert [issue.acknowledged_by for issue in list_issues(ward.connection, "ward", most=10)] == ["Ada", "Ada", "Bo"]
    for source, rule in (("ward", "Long"), ("twin", "Long"), ("ward", "Short")):
        with pytest.raises(EtlError, match=f"{source} has no new issue of a rule {rule}"):
            acknowledge_rule(ward.connection, source, rule, **KNOWN)


def test_what_is_found_again_is_open_again_says_how_often_and_is_news(ward: Ward) -> None:
    ward.visit(1, DAY, hours=3)
    ward.run(LONG)
    acknowledge_issue(ward.connection, only(ward.connection).id, **KNOWN)
    resolve_issue(ward.connection, only(ward.connection).id, by="Bo", notes="it was so")
    ward.run(LONG)
    assert (only(ward.connection).state, only(ward.connection).times_reopened) == ("resolved", 0)
    ward.visit(1, DAY, hours=4)  # another value than the one that it was resolved with
    ward.run(LONG)
    issue = only(ward.connection)
    assert (issue.state, issue.times_reopened, issue.acknowledged_by) == ("open", 1, None)
    assert (issue.resolved_by, issue.resolution_notes) == ("Bo", "it was so")  # who has thought it settled
    assert issue.reopened_at is not None
    assert issue.reopened_at > issue.first_seen_at
    acknowledge_issue(ward.connection, issue.id, **KNOWN)
    ward.visit(1, DAY, hours=1)
    ward.run(LONG)
    assert only(ward.connection).state == "closed"
    ward.visit(1, DAY, hours=4)
    ward.run(LONG)
    ward.run(LONG)
    issue = only(ward.connection)
    assert (issue.state, issue.times_reopened, issue.acknowledged_by) == ("open", 2, None)


def test_the_issue_of_a_dbt_test_is_acknowledged_and_opened_again_like_any_other(ward: Ward) -> None:
    test = {
        "relation": "ward.fact_visit", "rule": "not_null_day", "why": "A visit has a day.", "severity": "error",
        "status": "fail", "failures": 3, "message": "Got 3 results",
    }  # fmt: skip
    record_tests(ward.batch, "ward", [test])
    acknowledge_rule(ward.connection, "ward", "not_null_day", **KNOWN)
    record_tests(ward.batch, "ward", [{**test, "failures": 4}])
    assert only(ward.connection).state == "acknowledged"
    record_tests(ward.batch, "ward", [{**test, "status": "pass", "failures": 0}])
    record_tests(ward.batch, "ward", [test])
    assert (only(ward.connection).state, only(ward.connection).times_reopened) == ("open", 1)


def test_what_is_acknowledged_opens_no_alert_and_what_is_new_does(settings) -> None:
    test = {
        "relation": "ward.fact_visit", "rule": "known", "why": "A visit has a day.", "severity": "error",
        "status": "fail", "failures": 3, "message": "Got 3 results",
    }  # fmt: skip
    with open_batch(settings, "ward", "build") as batch:
        record_tests(batch, "ward", [test])
        acknowledge_rule(batch.connection, "ward", "known", **KNOWN)
    with open_batch(settings, "ward", "build") as batch:
        record_tests(batch, "ward", [test, {**test, "rule": "new"}])
    with connect(settings) as connection:
        (alert,) = latest_alerts(connection, 10)
    assert [member.rule for member in alert.members] == ["new"]


@pytest.mark.parametrize(("by", "why"), [(" ", "so"), ("Ada", " ")])
def test_an_issue_is_acknowledged_by_somebody_and_for_a_reason(ward: Ward, by: str, why: str) -> None:
    ward.visit(1, DAY, hours=3)
    ward.run(LONG)
    with pytest.raises(EtlError, match="one of the two is empty"):
        acknowledge_issue(ward.connection, only(ward.connection).id, by=by, why=why)
    assert only(ward.connection).state == "open"


def test_what_is_not_open_cannot_be_acknowledged(ward: Ward) -> None:
    ward.visit(1, DAY, hours=3)
    ward.run(LONG)
    issue = only(ward.connection).id
    resolve_issue(ward.connection, issue, by="Bo", notes="it was so")
    with pytest.raises(EtlError, match=f"Issue {issue} is not open: it is resolved by Bo"):
        acknowledge_issue(ward.connection, issue, **KNOWN)
    with pytest.raises(EtlError, match="does not exist"):
        acknowledge_issue(ward.connection, issue + 1, **KNOWN)


def test_the_list_says_what_people_said_of_an_issue(ward: Ward, settings, monkeypatch, capsys) -> None:
    monkeypatch.setenv("ETL_HOME", str(settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", settings.warehouse_url)
    ward.visit(1, DAY, hours=3)
    ward.visit(2, DAY, hours=3)
    ward.run(LONG)
    number = list_issues(ward.connection, "ward", most=1)[0].id
    assert main(["issues", "acknowledge", str(number), "--by", "Ada", "--why", "Monday"]) == 0
    assert main(["issues", "list", "--rule", "Long", "--status", "acknowledged"]) == 0
    shown = capsys.readouterr().out
    assert f"Issue {number} is acknowledged." in shown
    assert "acknowledged by Ada: Monday" in shown
    assert "1 issues" in shown
    assert main(["issues", "list"]) == 0
    assert "1 acknowledged" in capsys.readouterr().out
    resolve_issue(ward.connection, number, by="Bo", notes="it was so")
    ward.visit(1, DAY, hours=4)
    ward.run(LONG)
    assert main(["issues", "list", "--rule", "Long", "--status", "new"]) == 0
    shown = capsys.readouterr().out
    assert "before, resolved by Bo: it was so" in shown
    assert "found again once, the last time on 20" in shown
    assert main(["issues", "acknowledge", str(number), "--rule", "Long", "--by", "Ada", "--why", "Monday"]) == 1
    assert main(["issues", "acknowledge", "--rule", "Long", "--by", "Ada", "--why", "Monday"]) == 1
    assert capsys.readouterr().err.count("Name one issue by its number, or a rule by --rule and --source.") == 2
