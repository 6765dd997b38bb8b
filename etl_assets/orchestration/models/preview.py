"""A preview of models: those whose code differs from what was built, and what follows, are built beside production.

They are built in schemas of their own, upon copies of the tables as they are, as a deployment would; what they read
besides is production's. Nothing goes into the ledger.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.orchestration.models.build_plan import source_builds
from etl_assets.orchestration.models.dbt_build import BuildRequest, run_dbt
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.dbt_results import NodeResult
from etl_assets.orchestration.models.dbt_tests import described_tests
from etl_assets.orchestration.models.model_builds import ModelBuild, node_name
from etl_assets.orchestration.partitions import local_day
from etl_assets.quality.issues import count_issues
from etl_assets.quality.preview_comparison import ModelDifference, PreviewedModel, compare_preview
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import ModelState, missing_relations, model_states, newest_changes
from etl_assets.warehouse.preview import copy_table, models_given_up, preview_schemas, require_previewer
from etl_assets.warehouse.relation import Relation

_PERSON = re.compile(
    r"patient|person|subject|guarantor|member|contact|lead|user|employee|provider|professional|surgeon|staff|name|mail"
    r"|phone",
)
"""What a column is called that may say who somebody is."""
_ROW_WRITTEN = ("etl_batch_id", "updated_at")
_OWN_COLUMNS = {
    "list_partitioned": {*_ROW_WRITTEN, "created_at"},
    "scd2": {*_ROW_WRITTEN, "created_at", "surrogate_key", "valid_from", "valid_to", "is_current"},
}
"""What materializations add to the columns of their models."""


@dataclass(frozen=True, kw_only=True)
class FailedTest:
    """A test that fails on what a preview has built."""

    relation: str
    rule: str
    why: str
    severity: str
    failures: int
    fails_now: bool
    """It stands failed in production, too."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a deployment of the models as they are written would change."""

    changed: frozenset[str]
    """The relations whose code is another one than was built last."""
    following: frozenset[str]
    """Those that are built on these, and those that were asked for."""
    differences: Sequence[ModelDifference] = ()
    """Of each model that was built, in the order of building."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why a model could not be built."""
    not_reached: frozenset[str] = frozenset()
    """Those that are built on one that failed."""
    failed_tests: Sequence[FailedTest] = ()
    given_up: Sequence[str] = ()
    """Relations in the warehouse that no model is any more; a deployment leaves them as they are."""
    newer_rows: frozenset[str] = frozenset()
    """Tables with rows that production was not built of yet, or that came meanwhile: differences may be of these."""

    @property
    def differs(self) -> bool:
        """Whether a deployment would change anything that was compared."""
        return (
            bool(self.failed)
            or any(each.differs for each in self.differences)
            or any(not test.fails_now for test in self.failed_tests)
        )


def preview_models(settings: Settings, source: Source, named: Collection[str] = ()) -> Preview:
    """Build what would be another model, and what follows from it, in schemas of a preview; compare; drop them.

    Args:
        settings: Which warehouse.
        source: Whose models.
        named: Models that are built though their code is as it was; by name, or as relations.

    Raises:
        EtlError: There is no such model, a migration waits, another preview is under way, or dbt itself failed.
    """
    builds = source_builds(source.name)
    asked = {_relation_named(builds, name) for name in named}
    with connect(settings, autocommit=True) as ledger:
        require_previewer(ledger)
        states = model_states(ledger, builds)
        missing = missing_relations(ledger, builds)
        given_up = models_given_up(ledger, builds)
        changed = {
            name
            for name, build in builds.items()
            if name in missing or name not in states or states[name].code_version != build.code
        }
        selected = _with_descendants(builds, changed | asked)
        inputs = {name for each in selected for name in builds[each].inputs} - selected
        before = newest_changes(ledger, inputs)
        if not selected:
            return Preview(changed=frozenset(), following=frozenset(), given_up=given_up)
        built = _build(settings, source, [builds[name] for name in _in_order(builds, selected)])
        after = newest_changes(ledger, inputs)
        stands_open = {each.rule for each in count_issues(ledger, source.name)}
    return Preview(
        changed=frozenset(changed),
        following=frozenset(selected - changed),
        differences=built.differences,
        failed=built.failed,
        not_reached=frozenset(selected) - built.failed.keys() - {each.relation for each in built.differences},
        failed_tests=_failed_tests(source, built.tests, stands_open),
        given_up=given_up,
        newer_rows=frozenset(_newer_rows(builds, selected, states, before, after)),
    )


@dataclass(frozen=True)
class _Built:
    differences: list[ModelDifference]
    failed: dict[str, str]
    tests: list[NodeResult]


def _build(settings: Settings, source: Source, models: Sequence[ModelBuild]) -> _Built:
    """Build these models, which are in order, and run the tests that look at them; compare what could be built."""
    ids = {build.unique_id: build.relation for build in models}
    relations = set(ids.values())
    tests = [name for name, read in source_manifest(source.name)["tests"].items() if not relations.isdisjoint(read)]
    as_of = local_day(settings, source, datetime.now(UTC))

    def run(models: Collection[str], tests: Collection[str]) -> list[NodeResult]:
        request = BuildRequest(
            source=source.name, models=models, tests=tests, mode="full", as_of=as_of, previewed=ids.keys()
        )
        return run_dbt(settings, None, request)

    with (
        connect(settings, role=None, autocommit=True) as connection,
        preview_schemas(connection, {name.partition(".")[0] for name in relations}),
    ):
        for build in models:
            if build.kind != "view":
                copy_table(connection, Relation(*build.relation.split(".")))
        done = {each.unique_id: each for each in run(ids.keys(), ())}
        built = {name for name, each in done.items() if each.status == "success"}
        failed = {ids[name]: each.reason for name, each in done.items() if each.is_failure}
        # Each after all models: one that fails keeps nobody from being shown.
        results = run((), tests) if tests and built else []
        nodes = source_manifest(source.name)["manifest"]["nodes"]
        differences = [
            compare_preview(connection, _described(source, nodes[build.unique_id], build.relation))
            for build in models
            if build.unique_id in built
        ]
    return _Built(differences, failed, results)


def _described(source: Source, node: Mapping[str, Any], relation: str) -> PreviewedModel:
    """A model as it is compared: by what rows are known, and what may be shown of it."""
    config, name = node["config"], Relation(*relation.split("."))
    is_dimension = config["materialized"] == "scd2"
    unique, natural = _names(config.get("unique_key")), _names(config.get("natural_key"))
    shown = [*natural, "valid_from"] if is_dimension else unique
    exact = source.publication.exact_schema if source.publication else None
    may_be_shown = name.schema != exact and not any(_may_tell_of_a_person(node, column) for column in shown)
    own = _OWN_COLUMNS.get(config["materialized"], set())
    selected = source_manifest(source.name)["lineage"].get(relation)
    return PreviewedModel(
        relation=name,
        key=["surrogate_key"] if is_dimension else unique,
        shown_key=shown if may_be_shown else [],
        not_compared=[column for column in _ROW_WRITTEN if column in own - set(selected or ())],
        written=None if selected is None else {*selected, *own},
        has_totals="mart" in node["tags"],
    )


def _may_tell_of_a_person(node: Mapping[str, Any], column: str) -> bool:
    described = node["columns"].get(column, {})
    meta = {**described.get("meta", {}), **described.get("config", {}).get("meta", {})}
    return bool(meta.get("personal") or meta.get("subject") or _PERSON.search(column))


def _names(configured: str | Sequence[str] | None) -> list[str]:
    return [configured] if isinstance(configured, str) else list(configured or ())


def _relation_named(builds: Mapping[str, ModelBuild], name: str) -> str:
    found = [
        relation
        for relation, build in builds.items()
        if name in {relation, relation.partition(".")[2], node_name(build.unique_id)}
    ]
    if not found:
        raise EtlError(f"No model is called {name}. There are: {', '.join(sorted(builds))}.")
    return found[0]


def _with_descendants(builds: Mapping[str, ModelBuild], relations: Collection[str]) -> set[str]:
    found = set(relations)
    while more := {name for name, build in builds.items() if name not in found and not found.isdisjoint(build.parents)}:
        found |= more
    return found


def _in_order(builds: Mapping[str, ModelBuild], selected: Collection[str]) -> list[str]:
    graph = {name: sorted(set(builds[name].parents).intersection(selected)) for name in sorted(selected)}
    return list(TopologicalSorter(graph).static_order())


def _newer_rows(
    builds: Mapping[str, ModelBuild],
    selected: Collection[str],
    states: Mapping[str, ModelState],
    before: Mapping[str, int],
    after: Mapping[str, int],
) -> set[str]:
    """The inputs with changes that a selected table was not built of, and those that changed meanwhile."""
    behind = {
        name
        for relation in selected
        if relation in states and builds[relation].kind == "table"
        for name in builds[relation].inputs
        if before.get(name, 0) > states[relation].seen.get(name, 0)
    }
    return behind | {name for name, number in after.items() if number > before[name]}


def _failed_tests(source: Source, results: Collection[NodeResult], stands_open: Collection[str]) -> list[FailedTest]:
    nodes = source_manifest(source.name)["manifest"]["nodes"]
    failed = [each for each in results if each.status in {"fail", "warn", "error"}]
    return [
        FailedTest(
            **{name: test[name] for name in ("relation", "rule", "why", "severity", "failures")},
            fails_now=test["rule"] in stands_open,
        )
        for test in described_tests(nodes, failed)
    ]
