"""What the UI shows of a database's table: what this load found, or what stands since an earlier one."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.tables import Full
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.orchestration.kinds.database import table_checks
from etl_assets.orchestration.table_checks import check_results, check_specs
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.results import LatestResult

KEY = dg.AssetKey(["clinic", "visitlog"])
TABLE = CopiedTable(name="visitlog", key="num", load=Full(), importance="audit", why="log", retain_deleted=True)
CHECKS = table_checks(TABLE)
SELECTED = {spec.key for spec in check_specs(KEY, CHECKS)}
BEFORE = {
    ("clinic.visitlog", "matches_source"): LatestResult(
        passed=False, severity="error", rows_checked=9, rows_broken=2, checked_at=datetime(2026, 1, 31, 4, tzinfo=UTC)
    )
}


def shown(*found: TableCheck, selected=SELECTED) -> dict[str, dg.AssetCheckResult]:
    report = LoadReport(Relation("clinic", "visitlog"), checks=list(found))
    return {each.check_name: each for each in check_results(KEY, CHECKS, report, BEFORE, selected)}


def test_an_audit_table_has_a_check_more() -> None:
    assert {key.name for key in SELECTED} == {"matches_source", "loads_in_time", "outlives_source"}


def test_what_was_found_before_stands_where_nothing_was_read() -> None:
    (result,) = shown().values()
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.description == "Nothing has changed since; as it was found at 2026-01-31 04:00 UTC."


def test_what_was_found_now_goes_before_it() -> None:
    found = TableCheck(name="matches_source", passed=True, is_error=True, description="9 rows")
    (result,) = shown(found).values()
    assert (result.passed, result.description) == (True, "9 rows")


@pytest.mark.parametrize("selected", [set(), {dg.AssetCheckKey(KEY, "loads_in_time")}])
def test_only_what_was_asked_for_is_told(selected) -> None:
    assert shown(selected=selected) == {}
