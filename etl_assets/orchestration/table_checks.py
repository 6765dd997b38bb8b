"""Asset checks of what a load found when it verified a table against its source."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg

from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.warehouse.results import LatestResult


def check_specs(key: dg.AssetKey, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """The checks of a table, of which its kind says the names and what each says."""
    return [dg.AssetCheckSpec(name, asset=key, description=description) for name, description in checks.items()]


def check_results(
    key: dg.AssetKey,
    checks: Mapping[str, str],
    report: LoadReport,
    standing: Mapping[tuple[str, str], LatestResult],
    selected: Collection[dg.AssetCheckKey],
) -> Iterator[dg.AssetCheckResult]:
    """What a load found; of a table of which nothing was read, what was found before still stands."""
    found = {check.name: check for check in report.checks}
    for name in checks:
        if dg.AssetCheckKey(key, name) not in selected:
            continue
        before = standing.get((str(report.relation), name))
        if name in found:
            yield _result(key, found[name])
        elif before:
            yield _result(key, _as_before(name, before))


def _as_before(name: str, before: LatestResult) -> TableCheck:
    return TableCheck(
        name=name,
        passed=before.passed,
        is_error=before.severity == "error",
        description=f"Nothing has changed since; as it was found at {before.checked_at:%Y-%m-%d %H:%M} UTC.",
        rows_checked=before.rows_checked,
        rows_broken=before.rows_broken,
    )


def _result(key: dg.AssetKey, check: TableCheck) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=check.passed,
        severity=dg.AssetCheckSeverity.ERROR if check.is_error else dg.AssetCheckSeverity.WARN,
        description=check.description,
        metadata=_metadata(check),
    )


def _metadata(check: TableCheck) -> dict[str, Any]:
    return {"rows_checked": check.rows_checked, "rows_broken": check.rows_broken, **check.metadata}
