"""A run of models: plan it, build it by dbt, and enter into the ledger what came of it. Dagster has no part in it."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.orchestration.build_plan import BuildPlan, plan_build, plan_tests, source_builds
from etl_assets.orchestration.dbt_build import BuildRequest, NodeResult, run_dbt
from etl_assets.orchestration.dbt_project import source_manifest
from etl_assets.orchestration.dbt_tests import described_tests
from etl_assets.orchestration.model_builds import ModelBuild, node_name
from etl_assets.orchestration.partitions import local_day, with_local_day
from etl_assets.quality.dbt_tests import open_rules, record_tests
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import Batch, full_build_differences, record_failed_build, record_view

DIFFERENCE = "full_build_agrees"
"""The rule that a full build finds nothing to change in what was built as it changed."""


def build_models(
    settings: Settings,
    batch: Batch,
    source: Source,
    *,
    mode: str,
    selected: Collection[str] | None = None,
    tests: Collection[str] = (),
    span: Span | None = None,
) -> tuple[BuildPlan, list[NodeResult]]:
    """Build the models that something has happened to, or all of them, and run the tests that this calls for.

    Args:
        settings: Which warehouse.
        batch: Whose work it is.
        source: Whose models.
        mode: `changed`, `asked` or `full`; see `BuildRequest`.
        selected: The relations that may be built; all where none is named.
        tests: dbt's ids of the tests that may be run.
        span: The dates that are asked for.

    Returns:
        The plan, and what became of each model and test; nothing of either where nothing was to be done.
    """
    builds, now = source_builds(source.name), datetime.now(UTC)
    chosen = builds.keys() if selected is None else selected
    as_of = local_day(settings, source, now)
    plan = plan_build(batch.connection, builds, chosen, as_of=as_of, force=mode != "changed")
    looked_at = {name: source_manifest(source.name)["tests"][name] for name in tests}
    failing = open_rules(batch.connection, source.name) if plan.chosen else set()
    planned = plan_tests(
        plan,
        looked_at,
        failing={name for name in tests if node_name(name) in failing},
        run_all=mode != "changed" or not chosen,
    )
    if not plan.chosen and not planned:
        return plan, []
    request = BuildRequest(
        source=source.name,
        models={build.unique_id for build in plan.chosen},
        tests=planned,
        mode=mode,
        as_of=as_of,
        span=with_local_day(span, as_of, now),
    )
    results = run_dbt(settings, batch, request)
    _record_builds(batch, plan.chosen, results)
    nodes = source_manifest(source.name)["manifest"]["nodes"]
    found = [each for each in results if each.kind == "test" and each.status != "skipped" and not each.is_current]
    record_tests(batch, source.name, [*described_tests(nodes, found), *_differences(batch)])
    return plan, results


def _record_builds(batch: Batch, chosen: Collection[ModelBuild], results: Collection[NodeResult]) -> None:
    """Enter into the ledger what was built; tables and seeds that could be have told it themselves."""
    found = {result.unique_id: result for result in results}
    for build in chosen:
        result = found.get(build.unique_id)
        if result is None or result.status == "skipped":
            continue
        if result.status != "success":
            record_failed_build(batch, build.relation, status=result.status, seconds=result.seconds)
        elif build.kind == "view":
            record_view(batch, build.relation, build.code, seconds=result.seconds)


def _differences(batch: Batch) -> list[Mapping[str, Any]]:
    return [
        {
            "relation": relation,
            "rule": DIFFERENCE,
            "why": "A build of everything changes nothing of what was built as it changed.",
            "severity": "warning",
            "status": "warn",
            "failures": rows,
            "message": f"a full build changed {rows} rows that were thought to be up to date",
        }
        for relation, rows in full_build_differences(batch).items()
    ]
