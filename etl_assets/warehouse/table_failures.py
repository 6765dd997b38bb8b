"""Tables whose last load failed, and models whose last build did: what is built on them is stale until then."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg

from etl_assets.warehouse.ledger import Batch


@dataclass(frozen=True)
class TableFailure:
    """A table whose last load failed."""

    relation: str
    failed_since: datetime
    """When it failed first since it was last loaded."""
    error: str


def record_load_outcomes(batch: Batch, *, failed: Mapping[str, str], loaded: Collection[str]) -> None:
    """Record which tables a batch could not load, by relation and with the reason, and which it could."""
    with batch.connection.transaction():
        batch.connection.execute("delete from etl.table_failure where relation = any(%s)", [list(loaded)])
        batch.connection.cursor().executemany(
            "insert into etl.table_failure (relation, source, batch_id, error) values (%s, %s, %s, %s)"
            " on conflict (relation) do update set batch_id = excluded.batch_id, error = excluded.error",
            [(relation, batch.source, batch.id, error) for relation, error in sorted(failed.items())],
        )


def table_failures(connection: psycopg.Connection, source: str) -> list[TableFailure]:
    """The tables of a source whose last load failed, by name."""
    rows = connection.execute(
        "select relation, failed_since, error from etl.table_failure where source = %s order by relation", [source]
    )
    return [TableFailure(*row) for row in rows]


def failed_builds(connection: psycopg.Connection, relations: Collection[str]) -> set[str]:
    """Those of these models that failed when they were built last."""
    rows = connection.execute("select relation from etl.model_failure where relation = any(%s)", [list(relations)])
    return {name for (name,) in rows}


def stale_relations(connection: psycopg.Connection) -> set[str]:
    """What failed, and the models that are built on it, at any distance."""
    rows = connection.execute(
        "with recursive stale as (select relation from etl.table_failure union"
        " select relation from etl.model_failure union"
        " select state.relation from etl.model_state as state inner join stale on state.seen ? stale.relation)"
        " select relation from stale"
    )
    return {name for (name,) in rows}
