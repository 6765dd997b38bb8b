"""Retention of the ledger: loads and builds that changed nothing, and results of checks, are forgotten after a time."""

from dataclasses import dataclass

import psycopg

_AT_ONCE = 50_000
"""Rows that one statement deletes: nobody waits long for its locks."""


def forget_quiet_history(connection: psycopg.Connection, days: float) -> int:
    """Delete from the ledger what is older than `days` and says that nothing happened; returns how many rows.

    A load stays that wrote or marked a row or read a file, and so do the last one of a tenant's table and the last that
    was news; a build that wrote a row or failed, and the last one of a model; the last result of a check.

    Args:
        connection: As the loader, in autocommit mode: each statement deletes a part and is a transaction.
        days: Age from which on it is forgotten.
    """
    return sum(_forget(connection, table, days) for table in _TABLES)


@dataclass(frozen=True)
class _Table:
    """A table of the ledger, and which of its rows may go, `old`, once they are old enough."""

    name: str
    key: str
    moment: str
    condition: str


# A batch may have loaded a table in parts, which are summed up: they stay or go together.
_TABLES = (
    _Table(
        name="table_load",
        key="load_id",
        moment="loaded_at",
        condition="""
            rows_inserted + rows_updated + rows_deleted + rows_vanished + rows_rejected = 0
            and file_id is null
            and exists (
                select from etl.table_load as later
                where
                    later.relation = old.relation and later.instance = old.instance
                    and later.loaded_at > old.loaded_at and later.batch_id <> old.batch_id
            )
            and (not is_news or exists (
                select from etl.table_load as later
                where later.relation = old.relation and later.loaded_at > old.loaded_at and later.is_news
            ))
        """,
    ),
    _Table(
        name="model_build",
        key="build_id",
        moment="built_at",
        condition="""
            status = 'success' and rows_changed = 0
            and exists (
                select from etl.model_build as later
                where later.relation = old.relation and later.built_at > old.built_at
            )
        """,
    ),
    _Table(
        name="quality_result",
        key="result_id",
        moment="checked_at",
        condition="""
            exists (
                select from etl.quality_result as later
                where later.relation = old.relation and later.rule = old.rule and later.checked_at > old.checked_at
            )
        """,
    ),
)


def _forget(connection: psycopg.Connection, table: _Table, days: float) -> int:
    statement = (
        f"delete from etl.{table.name} where {table.key} in ("
        f" select {table.key} from etl.{table.name} as old"
        f" where {table.moment} < now() - make_interval(secs => %(days)s * 86400) and {table.condition}"
        " limit %(most)s)"
    )
    deleted, part = 0, _AT_ONCE
    while part == _AT_ONCE:
        part = connection.execute(statement, {"days": days, "most": _AT_ONCE}).rowcount
        deleted += part
    return deleted
