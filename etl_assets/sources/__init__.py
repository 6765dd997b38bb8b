"""The systems we load. A new one is added to this tuple, and nowhere else."""

from etl_assets.declare.source import check_names
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
