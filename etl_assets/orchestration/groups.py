"""Asset groups: the boxes of the UI's graph, by source and layer, so that it reads from left to right.

Staging tables with an importance are a group for each.
"""

from collections.abc import Mapping

from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table

SOURCE_TAG = "source"
"""The tag of every asset with the name of its source: groups are smaller."""
FOLDERS: Mapping[str, str] = {
    "staging": "typed",
    "intermediate": "intermediate",
    "dimensions": "dimensions",
    "facts": "facts",
    "marts": "marts",
}
"""Folder of a dbt model -> what follows the source's name in that of its group."""
LOOKUPS = "lookups"
"""What others refer to and nothing is built for: calendars and seeds."""


def staging_group(source: Source, table: Table) -> str:
    """The group of a staging table."""
    importance = table.tags.get("importance")
    return f"{source.name}_staging" + (f"_{importance}" if importance else "")


def model_group(source: Source, folder: str | None) -> str:
    """The group of a dbt model in this folder of its source, or of a seed."""
    return f"{source.name}_{FOLDERS.get(folder or '', LOOKUPS)}"
