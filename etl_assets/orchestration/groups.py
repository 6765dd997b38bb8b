"""Asset groups: the boxes of the UI's graph, by source and layer, so that it reads from left to right.

Staging tables with an importance are a group for each.
"""

from collections.abc import Mapping, Sequence

from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table

SOURCE_TAG = "source"
"""The tag of every asset with the name of its source: groups are smaller."""
REPORT_LAYER = "report"
"""The layer of what is written for people to read, and nothing is built on."""
FOLDERS: Mapping[str, tuple[str, str]] = {
    "staging": ("typed", "typed"),
    "intermediate": ("intermediate", "intermediate"),
    "dimensions": ("dimension", "dimensions"),
    "facts": ("fact", "facts"),
    "marts": ("mart", "marts"),
}
"""Folder of a dbt model -> its layer, and what follows the source's name in that of its group."""
LOOKUP_LAYER = "lookup"
LOOKUPS = "lookups"
"""What others refer to and nothing is built for: calendars and seeds."""


def staging_group(source: Source, table: Table) -> str:
    """The group of a staging table."""
    importance = table.tags.get("importance")
    return f"{source.name}_staging" + (f"_{importance}" if importance else "")


def model_group(source: Source, path: Sequence[str]) -> str:
    """The group of a dbt model, by the folders that it lies in, or of a seed."""
    return f"{source.name}_{next((FOLDERS[folder][1] for folder in path if folder in FOLDERS), LOOKUPS)}"


def model_layer(path: Sequence[str]) -> str:
    """The layer of a dbt model, by the folders that it lies in; `lookup` of a seed."""
    return next((FOLDERS[folder][0] for folder in path if folder in FOLDERS), LOOKUP_LAYER)
