"""The code location: what Dagster loads, of every source there is, or of those that ETL_SOURCES names."""

from etl_assets.orchestration.code_location import code_location
from etl_assets.settings import read_settings
from etl_assets.sources import chosen_sources

defs = code_location(chosen_sources(read_settings().sources))
