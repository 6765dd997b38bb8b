"""Asset checks of what a load found when it verified a table against its source."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg

from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.orchestration.asset_keys import relation_name
from etl_assets.warehouse.results import LatestResult


def check_specs(key: dg.AssetKey, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """The checks of a table, of which its kind says the names and what each says."""
    return [dg.AssetCheckSpec(name, asset=key, description=description) for name, description in checks.items()]


def check_results(
    key: dg.AssetKey,
    checks: Mapping[str, str],
    report: LoadReport,
    before: Mapping[tuple[str, str], LatestResult],
    selected: Collection[dg.AssetCheckKey],
) -> tuple[list[dg.AssetCheckResult], list[dg.AssetCheckKey]]:
    """What a load found, and the checks whose result of an earlier load stands.

    A check that passes again of a table of which nothing has changed tells nothing new.

    Args:
        key: The table's.
        checks: Its checks, as `check_specs` has them.
        report: What was loaded of it.
        before: The latest results before this load, by relation and check.
        selected: The checks that the run is to tell of.
    """
    found = {check.name: check for check in report.checks}
    new, standing = [], []
    for name in checks:
        check_key, earlier = dg.AssetCheckKey(key, name), before.get((str(report.relation), name))
        if check_key not in selected:
            continue
        is_repeated = earlier and earlier.passed and not report.counts.changed
        if name in found and not (is_repeated and found[name].passed):
            new.append(_result(key, found[name]))
        elif earlier:
            standing.append(check_key)
    return new, standing


def results_as_before(
    standing: Collection[dg.AssetCheckKey], before: Mapping[tuple[str, str], LatestResult]
) -> Iterator[dg.AssetCheckResult]:
    """The results of earlier loads that stand, of checks of which Dagster has none."""
    for key in sorted(standing, key=str):
        yield _result(key.asset_key, _as_before(key.name, before[relation_name(key.asset_key), key.name]))


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
