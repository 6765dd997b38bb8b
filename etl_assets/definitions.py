"""The code location: what Dagster loads, of every source there is."""

from etl_assets.orchestration.code_location import code_location
from etl_assets.sources import SOURCES

defs = code_location(SOURCES)
