"""The build plan: which models something has happened to since they were last built. The ledger says."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from etl_assets.orchestration.dbt_project import source_manifest
from etl_assets.orchestration.model_builds import ModelBuild
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.ledger import ModelState, missing_relations, model_states, newest_changes


@dataclass(frozen=True)
class BuildPlan:
    """What a run hands to dbt, and what it passes over."""

    chosen: tuple[ModelBuild, ...]
    """Models that are behind, and the tables built on them: the ledger decides on those when it is their turn."""
    behind: tuple[str, ...]
    """The relations of those of which it is certain now."""
    current: tuple[str, ...]
    """The relations that are passed over."""
    seen: Mapping[str, int]
    """Of each table that models are behind of, the last change that all of them were built of."""
    newest: Mapping[str, int]
    """Of each of these tables, the last change that there is."""

    @property
    def changed(self) -> set[str]:
        """Those of these tables that something has happened to since."""
        return {name for name, number in self.seen.items() if self.newest[name] > number}


def source_builds(source: str) -> dict[str, ModelBuild]:
    """What each model of a source is built of, by its relation."""
    return {relation: ModelBuild(**build) for relation, build in source_manifest(source)["builds"].items()}


def plan_build(
    connection: Connection,
    builds: Mapping[str, ModelBuild],
    selected: Collection[str],
    *,
    as_of: date,
    force: bool = False,
) -> BuildPlan:
    """Find the models that are behind, and what is built on them.

    Args:
        connection: As the loader.
        builds: What the models of the source are built of.
        selected: The relations that the run may build.
        as_of: The day at the source.
        force: Build all of them.
    """
    states = model_states(connection, selected)
    newest = newest_changes(connection, {each for name in selected for each in builds[name].inputs})
    missing = missing_relations(connection, selected)
    behind = {
        name
        for name in selected
        if force or name in missing or _is_behind(builds[name], states.get(name), newest, as_of)
    }
    touched = set(behind)
    while more := {name for name in selected if name not in touched and not touched.isdisjoint(builds[name].parents)}:
        touched |= more
    # What a view reads may change without the view.
    chosen = {name for name in touched if name in behind or builds[name].kind == "table"}
    seen = _seen([(builds[name], states.get(name)) for name in behind])
    return BuildPlan(
        chosen=tuple(builds[name] for name in sorted(chosen)),
        behind=tuple(sorted(behind)),
        current=tuple(sorted(set(selected) - chosen)),
        seen=seen,
        newest={name: newest[name] for name in seen},
    )


def plan_tests(
    plan: BuildPlan,
    tests: Mapping[str, Collection[str]],
    *,
    failing: Collection[str] = (),
    run_all: bool = False,
) -> dict[str, Collection[str]]:
    """The tests to run, each with the tables of which one must be written for it to be; with none if it always is.

    Args:
        plan: What is built.
        tests: The relations that each test looks at, by its id.
        failing: Those that failed the last time: nothing is built on what they look at before they pass.
        run_all: Run each of them.
    """
    tables = {build.relation for build in plan.chosen if build.kind == "table"}
    certain = plan.changed | {build.relation for build in plan.chosen if build.kind != "table"}
    planned: dict[str, Collection[str]] = {}
    for name, relations in tests.items():
        if run_all or name in failing or not certain.isdisjoint(relations):
            planned[name] = ()
        elif not tables.isdisjoint(relations):
            planned[name] = sorted(tables.intersection(relations))
    return planned


def _seen(models: Iterable[tuple[ModelBuild, ModelState | None]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for build, state in models:
        for name in build.inputs:
            number = state.seen.get(name, 0) if state else 0
            found[name] = min(found.get(name, number), number)
    return found


def _is_behind(build: ModelBuild, state: ModelState | None, newest: Mapping[str, int], as_of: date) -> bool:
    if state is None or state.code_version != build.code:
        return True
    if build.kind != "table":
        return False
    if build.by_day and state.as_of != as_of:
        return True
    return any(newest[name] > state.seen.get(name, 0) for name in build.inputs)
