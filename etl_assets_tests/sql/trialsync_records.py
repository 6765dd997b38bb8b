"""TrialSync's records put into staging as a load would, each saying only what its test is about."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from etl_assets.sources.trialsync import SOURCE

LONG_AGO = "2025-01-01T00:00:00Z"
NORTH, SOUTH = 1, 2


def put(
    warehouse: psycopg.Connection,
    table: str,
    *records: Mapping[str, Any],
    at: str = LONG_AGO,
    instance: int = NORTH,
    **parents: object,
) -> None:
    """Upsert records as a load does that sees them at that moment.

    Args:
        warehouse: Where to.
        table: Such as `studies`.
        *records: As the service gives them.
        at: When they come.
        instance: Whose they are.
        **parents: The columns of the key that the request gave, such as the study.
    """
    declared = SOURCE.rest_table(f"dim_{table}_staging")
    for record in records:
        keys = {
            field.name: parents[field.name] if field.name in parents else _at(record, field.path)
            for field in declared.key_fields
        }
        values = {
            **keys,
            "data": Jsonb(record),
            "source_id": str(instance),
            "source_instance_id": instance,
            "etl_job_id": 1,
            "etl_run_id": 1,
            "loaded_at": at,
            "vanished_at": None,
            "etl_batch_id": UUID(int=7),
        }
        warehouse.execute(
            sql.SQL(
                "insert into {} ({}) values ({}) on conflict (source_instance_id, {}) do update"
                " set data = excluded.data, loaded_at = excluded.loaded_at, vanished_at = null"
            ).format(
                _relation(table),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join([sql.Placeholder()] * len(values)),
                sql.SQL(", ").join(map(sql.Identifier, keys)),
            ),
            list(values.values()),
        )


def vanish(warehouse: psycopg.Connection, table: str, key: int, *, at: str) -> None:
    """Mark a record as a load does whose list lacks it."""
    warehouse.execute(
        sql.SQL("update {} set vanished_at = %s where entity_id = %s").format(_relation(table)), [at, key]
    )


def take(warehouse: psycopg.Connection, table: str, key: int) -> None:
    """Take a record out of staging, as somebody does at the database; no load deletes one."""
    warehouse.execute(sql.SQL("delete from {} where entity_id = %s").format(_relation(table)), [key])


def _relation(table: str) -> sql.Identifier:
    return sql.Identifier("trialsync_staging", f"dim_{table}_staging")


def _at(record: Mapping[str, Any], path: str) -> object:
    found: Any = record
    for step in path.split("."):
        found = found[step]
    return found
