"""What all histories share: their seeds, and the builds, as something changes and of everything.

`ETL_HISTORIES=100` runs so many of each kind, and `ETL_HISTORIES_FROM` says with which seed they begin.
"""

import os

from etl_assets.declare.source import Source
from etl_assets.orchestration.model_run import build_models
from etl_assets.settings import Settings
from etl_assets.warehouse.ledger import open_batch

_FIRST = int(os.environ.get("ETL_HISTORIES_FROM", "1"))
SEEDS = range(_FIRST, _FIRST + int(os.environ.get("ETL_HISTORIES", "2")))


def build(settings: Settings, source: Source) -> set[str]:
    """Build what has changed; returns the relations of which rows were written."""
    return _build(settings, source, "changed")


def build_all(settings: Settings, source: Source) -> set[str]:
    """Build everything, whole; returns the relations of which rows were written all the same."""
    return _build(settings, source, "full")


def _build(settings: Settings, source: Source, mode: str) -> set[str]:
    with open_batch(settings, source.name, "build") as batch:
        _, results = build_models(settings, batch, source, mode=mode)
    failed = {each.unique_id: each.message for each in results if each.status not in {"success", "pass"}}
    assert not failed, failed
    return {each.unique_id.split(".")[2] for each in results if each.rows_changed and each.kind == "model"}
