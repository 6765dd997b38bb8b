"""The systems we load. A new one is added to this tuple, and nowhere else."""

from collections.abc import Collection

from etl_assets.declare.source import Source, check_names
from etl_assets.errors import EtlError
from etl_assets.sources import gohighlevel, lacrei_saude, open_dental, operating_room, tracktik, trialsync

SOURCES = check_names(
    (
        operating_room.SOURCE,
        tracktik.SOURCE,
        open_dental.SOURCE,
        trialsync.SOURCE,
        gohighlevel.SOURCE,
        lacrei_saude.SOURCE,
    )
)


def chosen_sources(names: Collection[str]) -> tuple[Source, ...]:
    """The sources of these names; all of them where none is named.

    Raises:
        EtlError: There is none of such a name.
    """
    if unknown := sorted(set(names) - {source.name for source in SOURCES}):
        there = ", ".join(source.name for source in SOURCES)
        raise EtlError(f"ETL_SOURCES names {', '.join(unknown)}: no source is called so. There are {there}.")
    return tuple(source for source in SOURCES if not names or source.name in names)
