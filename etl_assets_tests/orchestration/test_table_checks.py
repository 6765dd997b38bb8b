"""What the UI shows of a database's table: what this load found, or what stands since an earlier one."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.tables import Full
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.orchestration.kinds.database import table_checks
from etl_assets.orchestration.table_checks import check_results, check_specs, results_as_before
from etl_assets.warehouse.ledger import Counts
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.results import LatestResult

KEY = dg.AssetKey(["clinic", "visitlog"])
TABLE = CopiedTable(name="visitlog", key="num", load=Full(), importance="audit", why="log", retain_deleted=True)
CHECKS = table_checks(TABLE)
SELECTED = {spec.key for spec in check_specs(KEY, CHECKS)}
BEFORE = {
    ("clinic.visitlog", "matches_source"): LatestResult(
        passed=False, severity="error", rows_checked=9, rows_broken=2, checked_at=datetime(2026, 1, 31, 4, tzinfo=UTC)
    ),
    ("clinic.visitlog", "loads_in_time"): LatestResult(
        passed=True, severity="warning", rows_checked=0, rows_broken=0, checked_at=datetime(2026, 1, 31, 4, tzinfo=UTC)
    ),
}


def told(*found: TableCheck, selected=SELECTED, **counts: int) -> tuple[dict[str, dg.AssetCheckResult], set[str]]:
    """What the load tells, by check, and the checks whose earlier result stands."""
    report = LoadReport(Relation("clinic", "visitlog"), counts=Counts(**counts), checks=list(found))
    new, standing = check_results(KEY, CHECKS, report, BEFORE, selected)
    return {each.check_name: each for each in new}, {key.name for key in standing}


def test_an_audit_table_has_a_check_more() -> None:
    assert {key.name for key in SELECTED} == {"matches_source", "loads_in_time", "outlives_source"}


def test_what_was_found_before_stands_where_nothing_was_read() -> None:
    assert told() == ({}, {"matches_source", "loads_in_time"})
    (result,) = results_as_before([dg.AssetCheckKey(KEY, "matches_source")], BEFORE)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.description == "Nothing has changed since; as it was found at 2026-01-31 04:00 UTC."


@pytest.mark.parametrize(
    ("name", "passed", "changed", "is_new"),
    [
        pytest.param("loads_in_time", True, 0, False, id="what passed before passes again"),
        pytest.param("loads_in_time", True, 3, True, id="rows have changed"),
        pytest.param("loads_in_time", False, 0, True, id="it does not pass any more"),
        pytest.param("matches_source", True, 0, True, id="it did not pass before"),
        pytest.param("outlives_source", True, 0, True, id="nobody has looked before"),
    ],
)
def test_a_result_is_told_where_it_tells_something_new(name, passed, changed, is_new) -> None:
    found = TableCheck(name=name, passed=passed, is_error=True, description="as found")
    new, standing = told(found, rows_updated=changed)
    assert {name: result.description for name, result in new.items()} == ({name: "as found"} if is_new else {})
    assert (name in standing) is not is_new


@pytest.mark.parametrize("selected", [set(), {dg.AssetCheckKey(KEY, "outlives_source")}])
def test_only_what_was_asked_for_is_told(selected) -> None:
    assert told(selected=selected) == ({}, set())
