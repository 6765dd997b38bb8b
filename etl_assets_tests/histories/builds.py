"""What all histories share: their seeds, and the builds, as something changes and of everything.

`ETL_HISTORIES=100` runs so many of each kind, and `ETL_HISTORIES_FROM` says with which seed they begin.
"""

import os
from random import Random

from etl_assets.declare.source import Source
from etl_assets.orchestration.models.model_run import build_models
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import open_batch

_FIRST = int(os.environ.get("ETL_HISTORIES_FROM", "1"))
SEEDS = range(_FIRST, _FIRST + int(os.environ.get("ETL_HISTORIES", "1")))


def build_at_random(settings: Settings, source: Source, random: Random) -> None:
    """Go on after a load: build what has changed; or not, as where the run was killed; or hold it to a full build."""
    drawn = random.random()
    if drawn > 0.2:
        build(settings, source)
    # Not at the end alone: what a build has missed, one of everything mends, for whatever reason it is made.
    if drawn > 0.6:
        _check_full_build(settings, source)


def check_builds(settings: Settings, source: Source) -> None:
    """Build what has changed; then a full build has nothing to write, and what is built as it changes nothing to do."""
    build(settings, source)
    _check_full_build(settings, source)
    written = build(settings, source)
    assert not written, f"nothing has changed, and these were written: {sorted(written)}"


def build(settings: Settings, source: Source) -> set[str]:
    """Build what has changed; returns the relations of which rows were written."""
    return _build(settings, source, "changed")


def build_all(settings: Settings, source: Source) -> set[str]:
    """Build everything, whole; returns the relations of which rows were written all the same."""
    return _build(settings, source, "full")


def _check_full_build(settings: Settings, source: Source) -> None:
    written = build_all(settings, source)
    assert not written, f"a full build writes what the build of what changed has missed: {sorted(written)}"


def _build(settings: Settings, source: Source, mode: str) -> set[str]:
    with open_batch(settings, source.name, "build") as batch:
        results = build_models(settings, batch, source, mode=mode).results
    failed = {each.unique_id: each.message for each in results if each.status not in {"success", "pass"}}
    assert not failed, failed
    return {each.unique_id.split(".")[2] for each in results if each.rows_changed and each.kind == "model"}
