"""A run of models, in waves: build those that are behind, ask the ledger who is behind now, and test what was written.

Dagster has no part in it. Of a wave nothing is built on another: its models are handed to dbt together, with the tests
of what earlier waves wrote, for which whatever is built on that waits. So nobody comes to a table, or to a test, that
nothing has happened to.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.orchestration.models.build_plan import BuildPlan, plan_build, source_builds
from etl_assets.orchestration.models.dbt_build import BuildRequest, run_dbt
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.dbt_results import NodeResult
from etl_assets.orchestration.models.dbt_tests import described_tests
from etl_assets.orchestration.models.model_builds import ModelBuild, node_name
from etl_assets.orchestration.partitions import local_day, with_local_day
from etl_assets.quality.dbt_tests import open_rules, record_tests
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import Batch, full_build_differences, record_failed_build, record_view

DIFFERENCE = "full_build_agrees"
"""The rule that a full build finds nothing to change in what was built as it changed."""


@dataclass(frozen=True)
class ModelRun:
    """What became of the models, by their relations, and what dbt said of each model and test."""

    behind: frozenset[str]
    """Those that were behind before anything was built."""
    current: frozenset[str]
    """Those that were passed over, for nothing that they read has changed."""
    waiting: frozenset[str]
    """Those that nobody came to, for something that they are built on failed."""
    results: list[NodeResult]


def build_models(
    settings: Settings,
    batch: Batch,
    source: Source,
    *,
    mode: str,
    selected: Collection[str] | None = None,
    tests: Collection[str] = (),
    span: Span | None = None,
) -> ModelRun:
    """Build the models that something has happened to, or all of them, and run the tests that this calls for.

    Args:
        settings: Which warehouse.
        batch: Whose work it is.
        source: Whose models.
        mode: `changed`, `asked` or `full`; see `BuildRequest`.
        selected: The relations that may be built; all where none is named.
        tests: dbt's ids of the tests that may be run.
        span: The dates that are asked for.
    """
    builds, now = source_builds(source.name), datetime.now(UTC)
    chosen = builds.keys() if selected is None else selected
    as_of = local_day(settings, source, now)

    def plan() -> BuildPlan:
        return plan_build(batch.connection, builds, chosen, as_of=as_of, force=mode != "changed")

    def hand_over(models: Collection[ModelBuild], tests: Collection[str]) -> list[NodeResult]:
        if not models and not tests:
            return []
        request = BuildRequest(
            source=source.name,
            models={build.unique_id for build in models},
            tests=tests,
            mode=mode,
            as_of=as_of,
            span=with_local_day(span, as_of, now),
        )
        found = run_dbt(settings, batch, request)
        _record_builds(batch, models, found)
        nodes = source_manifest(source.name)["manifest"]["nodes"]
        ran = [each for each in found if each.kind == "test" and each.status != "skipped"]
        record_tests(batch, source.name, [*described_tests(nodes, ran), *_differences(batch)])
        return found

    first = plan()
    behind = frozenset(build.relation for build in first.behind)
    if mode != "changed" or not chosen:
        return ModelRun(behind, frozenset(), frozenset(), hand_over(first.behind, tests))
    last, done, results = first, set[str](), dict[str, NodeResult]()
    due = _Due(source, tests, open_rules(batch.connection, source.name) if behind else set(), first.changed)
    while True:
        models = [build for build in last.ready if build.relation not in done]
        wanted = due.take(last, gates=bool(models))
        if not models and not wanted:
            break
        found = hand_over(models, wanted)
        results |= {each.unique_id: each for each in found}
        done |= {build.relation for build in models}
        due.note(models, found)
        last = plan()
    waiting = last.touched - done
    return ModelRun(behind, frozenset(chosen) - done - waiting, waiting, list(results.values()))


class _Due:
    """The tests that what has changed calls for, each until it is run."""

    def __init__(self, source: Source, tests: Collection[str], open_rules: Collection[str], changed: set[str]) -> None:
        """Due is first what looks at tables that have changed, and what failed the last time.

        Args:
            source: Whose tests.
            tests: Their ids.
            open_rules: What failed the last time, by name.
            changed: The tables that have changed.
        """
        every = source_manifest(source.name)["tests"]
        self._reads: dict[str, list[str]] = {name: every[name] for name in tests}
        self._due = self._looking_at(changed) | {name for name in tests if node_name(name) in open_rules}
        self._failed: set[str] = set()

    def take(self, plan: BuildPlan, *, gates: bool) -> set[str]:
        """Those due that look at nothing that may still be written; and what has failed, where more is to be built."""
        ready = {name for name in self._due if plan.touched.isdisjoint(self._reads[name])}
        self._due -= ready
        return ready | self._failed if gates else ready

    def note(self, models: Collection[ModelBuild], results: Iterable[NodeResult]) -> None:
        """What a wave wrote is to be tested; what failed in it is run again before anything is built on it."""
        relations = {build.unique_id: build.relation for build in models}
        written: set[str] = set()
        for each in results:
            if each.kind == "test":
                (self._failed.add if each.is_failure else self._failed.discard)(each.unique_id)
            elif each.status == "success" and each.rows_changed != 0:
                written.add(relations[each.unique_id])
        self._due |= self._looking_at(written)

    def _looking_at(self, relations: set[str]) -> set[str]:
        return {name for name, read in self._reads.items() if not relations.isdisjoint(read)}


def _record_builds(batch: Batch, chosen: Collection[ModelBuild], results: Collection[NodeResult]) -> None:
    """Enter into the ledger what was built; tables and seeds that could be have told it themselves."""
    found = {result.unique_id: result for result in results}
    for build in chosen:
        result = found.get(build.unique_id)
        if result is None or result.status == "skipped":
            continue
        if result.status != "success":
            record_failed_build(
                batch, build.relation, status=result.status, error=result.reason, seconds=result.seconds
            )
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
