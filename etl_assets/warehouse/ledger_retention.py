"""Retention of the ledger: loads and builds that changed nothing, and results of checks, are forgotten after a time."""

from typing import LiteralString

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
    return sum(_forget(connection, statement, days) for statement in (_LOADS, _BUILDS, _RESULTS))


def _forget(connection: psycopg.Connection, statement: LiteralString, days: float) -> int:
    deleted = 0
    while part := connection.execute(statement, {"days": days, "most": _AT_ONCE}).rowcount:
        deleted += part
    return deleted


# A batch may have loaded a table in parts, which are summed up: they stay or go together.
_LOADS = """
    delete from etl.table_load where load_id in (
        select load_id
        from etl.table_load as load
        where
            loaded_at < now() - make_interval(secs => %(days)s * 86400)
            and rows_inserted + rows_updated + rows_deleted + rows_vanished + rows_rejected = 0
            and file_id is null
            and exists (
                select from etl.table_load as later
                where
                    later.relation = load.relation and later.instance = load.instance
                    and later.loaded_at > load.loaded_at and later.batch_id <> load.batch_id
            )
            and (not is_news or exists (
                select from etl.table_load as later
                where later.relation = load.relation and later.loaded_at > load.loaded_at and later.is_news
            ))
        limit %(most)s
    )
"""
_BUILDS = """
    delete from etl.model_build where build_id in (
        select build_id
        from etl.model_build as build
        where
            built_at < now() - make_interval(secs => %(days)s * 86400)
            and status = 'success' and rows_changed = 0
            and exists (
                select from etl.model_build as later
                where later.relation = build.relation and later.built_at > build.built_at
            )
        limit %(most)s
    )
"""
_RESULTS = """
    delete from etl.quality_result where result_id in (
        select result_id
        from etl.quality_result as result
        where
            checked_at < now() - make_interval(secs => %(days)s * 86400)
            and exists (
                select from etl.quality_result as later
                where
                    later.relation = result.relation and later.rule = result.rule
                    and later.checked_at > result.checked_at
            )
        limit %(most)s
    )
"""
