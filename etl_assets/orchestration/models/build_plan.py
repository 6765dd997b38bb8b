"""The build plan: which models are stale, for something has happened to what they read. The ledger says."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.model_builds import ModelBuild
from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.ledger import ModelState, missing_relations, model_states, newest_changes


@dataclass(frozen=True)
class BuildPlan:
    """Which models of those that may be built are behind."""

    behind: tuple[ModelBuild, ...]
    """Those that something has happened to since they were last built."""
    touched: frozenset[str]
    """The relations of these and of the tables built on them, which may be behind once these are built."""
    seen: Mapping[str, int]
    """Of each table that models are behind of, the last change that all of them were built of."""
    newest: Mapping[str, int]
    """Of each of these tables, the last change that there is."""

    @property
    def changed(self) -> set[str]:
        """Those of these tables that something has happened to since."""
        return {name for name, number in self.seen.items() if self.newest[name] > number}

    @property
    def ready(self) -> list[ModelBuild]:
        """Those that are behind, and built on nothing that may be."""
        return [build for build in self.behind if self.touched.isdisjoint(build.parents)]


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
    seen = _seen([(builds[name], states.get(name)) for name in behind])
    return BuildPlan(
        behind=tuple(builds[name] for name in sorted(behind)),
        touched=frozenset(touched),
        seen=seen,
        newest={name: newest[name] for name in seen},
    )


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
