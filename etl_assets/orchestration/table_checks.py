"""What was found of a table of a database once it was loaded: as asset checks."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg

from etl_assets.declare.tables import Copied, Table
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.warehouse.results import Standing


def check_specs(key: dg.AssetKey, table: Table) -> list[dg.AssetCheckSpec]:
    """The checks of a table; none of one that is no database's."""
    if table.copied is None:
        return []
    return [dg.AssetCheckSpec(name, asset=key, description=why) for name, why in _checks(table.copied).items()]


def check_results(
    key: dg.AssetKey,
    table: Table,
    report: LoadReport,
    standing: Mapping[tuple[str, str], Standing],
    selected: Collection[dg.AssetCheckKey],
) -> Iterator[dg.AssetCheckResult]:
    """What a load found; of a table of which nothing was read, what was found before still stands."""
    found = {check.name: check for check in report.checks}
    for name in _checks(table.copied) if table.copied else ():
        if dg.AssetCheckKey(key, name) not in selected:
            continue
        before = standing.get((str(report.relation), name))
        if name in found:
            yield _result(key, found[name])
        elif before:
            yield _result(key, _as_before(name, before))


def _as_before(name: str, before: Standing) -> TableCheck:
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


def _checks(copied: Copied) -> dict[str, str]:
    limits = copied.monitoring
    found = {
        "matches_source": "Rows and the sums of every column are those of the source."
        f" An error where less than {limits.data_quality_threshold:.0%} of the rows are.",
        "loads_in_time": f"Loading it took no more than {limits.max_extraction_time_minutes} minutes.",
    }
    if copied.keep_deleted:
        found["outlives_source"] = (
            "The source still has every row that is held here, and as it is held. Rows that it purged are kept, and so"
            " is what it overwrote; entries of a log that it says otherwise are refused: an error, when it is new."
        )
    return found
