"""Results of dbt tests through their life: failed, resolved, passed, failed again."""

import pytest

from etl_assets.quality.dbt_tests import record_tests
from etl_assets.quality.issues import list_issues, resolve_issue
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch

TEST = {
    "relation": "clinic.fact_visits", "rule": "not_null_day", "why": "A visit has a day.", "severity": "error",
    "status": "fail", "failures": 3, "message": "Got 3 results (100 % of them), configured to fail if != 0",
}  # fmt: skip


@pytest.fixture
def warehouse(settings):
    with connect(settings, autocommit=True) as connection:
        yield connection


@pytest.fixture
def record(settings):
    with open_batch(settings, "clinic", "build") as batch:
        yield lambda **outcome: record_tests(batch, "clinic", [{**TEST, **outcome}])


def issues(warehouse) -> list[tuple[str, str, str, str]]:
    return [
        (issue.status, issue.key, issue.field, issue.message)
        for issue in list_issues(warehouse, "clinic", status=None, most=10)
    ]


@pytest.mark.parametrize("status", ["fail", "warn", "error"])
def test_a_test_that_failed_is_one_issue_however_often_it_fails(warehouse, record, status) -> None:
    record(status=status)
    record(status=status)
    assert issues(warehouse) == [("open", "(table)", "", TEST["message"])]
    assert warehouse.execute("select passed, rows_broken from etl.quality_result").fetchall() == [(False, 3)] * 2


def test_a_test_that_passes_closes_its_issue_and_failing_again_reopens_it(warehouse, record) -> None:
    record()
    record(status="pass", failures=0, message=None)
    assert [status for status, *_ in issues(warehouse)] == ["closed"]
    record(message=None)
    assert issues(warehouse) == [("open", "(table)", "", "the test failed")]
    assert warehouse.execute("select closed_at from etl.quality_issue").fetchall() == [(None,)]


def test_a_resolved_test_stays_resolved_while_as_many_rows_fail_it(warehouse, record) -> None:
    record()
    (issue,) = list_issues(warehouse, "clinic", most=10)
    resolve_issue(warehouse, issue.id, by="Dr. Ito", notes="as it was")
    record()
    assert [status for status, *_ in issues(warehouse)] == ["resolved"]
    record(failures=4)
    assert [status for status, *_ in issues(warehouse)] == ["open"]
    assert warehouse.execute("select value from etl.quality_issue").fetchall() == [("4",)]
