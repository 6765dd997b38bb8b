"""Dagster resources: the installation that assets work in."""

import dagster as dg

from etl_assets.settings import Settings, read_settings


class WarehouseResource(dg.ConfigurableResource[None]):
    """The installation that the environment describes, read when a run asks and not before."""

    def settings(self) -> Settings:
        """The settings of this process."""
        return read_settings()
