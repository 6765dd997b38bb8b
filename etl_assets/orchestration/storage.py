"""Dagster's storages in PostgreSQL, where the settings say, with connection pools. Named by dagster.yaml.

These are dagster-postgres's own classes. They are asked for what the webserver asks for itself at its start: without
that, each event opens one or two connections (docs/decisions/0005).
"""

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import dagster_url

# One connection is held, and more are made at need.
KEPT: Mapping[str, int] = {"statement_timeout": 0, "pool_recycle": 1800, "max_overflow": 20}


class _AsSettingsSay:
    """A storage that dagster.yaml need not tell where it is; the embedded server is started where it is down."""

    @classmethod
    def config_type(cls) -> dict[str, object]:
        """Nothing is configured in dagster.yaml."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Any:
        """The storage of this installation."""
        made: Any = cls
        storage = made(postgres_url=dagster_url(read_settings()), inst_data=inst_data, **config_value)
        storage.optimize_for_webserver(**KEPT)
        return storage


class KeptRunStorage(_AsSettingsSay, PostgresRunStorage):
    """Runs, their tags, and the daemon's heartbeats."""


class KeptEventLogStorage(_AsSettingsSay, PostgresEventLogStorage):
    """Events of runs and assets."""


class KeptScheduleStorage(_AsSettingsSay, PostgresScheduleStorage):
    """Ticks of schedules and sensors."""
