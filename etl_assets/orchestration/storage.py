"""Dagster's records in PostgreSQL, over connections that are kept. Named by dagster.yaml; see docs/decisions."""

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from dagster_postgres.utils import pg_url_from_config

# What the webserver asks for itself at its start: one connection is held, and more are made at need.
KEPT: Mapping[str, int] = {"statement_timeout": 0, "pool_recycle": 1800, "max_overflow": 20}


class KeptEventLogStorage(PostgresEventLogStorage):
    """dagster-postgres's own event log, which otherwise opens two connections an event."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "KeptEventLogStorage":
        """The storage that dagster.yaml describes, in the words of dagster-postgres."""
        storage = cls(postgres_url=pg_url_from_config(config_value), inst_data=inst_data)
        storage.optimize_for_webserver(**KEPT)
        return storage


class KeptRunStorage(PostgresRunStorage):
    """dagster-postgres's own run storage, which otherwise opens a connection a question."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "KeptRunStorage":
        """The storage that dagster.yaml describes, in the words of dagster-postgres."""
        storage = cls(postgres_url=pg_url_from_config(config_value), inst_data=inst_data)
        storage.optimize_for_webserver(**KEPT)
        return storage
