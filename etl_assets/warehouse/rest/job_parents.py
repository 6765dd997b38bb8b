"""The rows of a job's parent table: which are to be asked for, in which order, and what is left of those that are gone.

A round asks for every parent once. One that was broken off, or ended by the budget, is gone on with by the next run. A
parent that changed since it was asked is due again whatever the round, and comes first; then those that were asked
longest ago.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.declare.document_reader import Key
from etl_assets.declare.tables import Column
from etl_assets.warehouse.relation import Relation, column_list
from etl_assets.warehouse.rest.job_ledger import JobOfInstance
from etl_assets.warehouse.rest.job_tables import KEY_SEPARATOR, JobTable

_CHANGED = "parent.loaded_at > request.asked_at"
_DUE = (
    f"(request.asked_at is null or {_CHANGED} or round.round_started_at is null or round.round_ended_at is not null"
    " or request.asked_at < round.round_started_at)"
)
_FAILED = f"(request.failures > 0 or (round.round_ended_at is null and {_DUE}))"
_IN_ORDER = f"coalesce({_CHANGED}, true) desc, request.asked_at nulls first"
_PARENTS = (
    " from {parent} as parent"
    " left join etl.job_state as round on round.source = {source} and round.job_id = {job}"
    " and round.instance_id = {instance}"
    " left join etl.parent_request as request on request.source = {source} and request.job_id = {job}"
    " and request.instance_id = {instance} and request.parent_key = {key}"
    " where parent.source_instance_id = {instance} and parent.vanished_at is null and {due}"
)


@dataclass(frozen=True)
class ParentTable:
    """The table whose rows a job asks for, one by one."""

    relation: Relation
    keys: Sequence[Column]

    @property
    def names(self) -> list[str]:
        """The columns of its key."""
        return [column.name for column in self.keys]

    @property
    def key(self) -> sql.Composable:
        """The key of `parent` as one text."""
        return sql.SQL("concat_ws({}, {})").format(sql.Literal(KEY_SEPARATOR), column_list(self.names, of="parent"))


def list_due_parents(
    connection: psycopg.Connection, parent: ParentTable, run: JobOfInstance, *, only_failed: bool, most: int | None
) -> int:
    """Write the parents that are to be asked into the temporary table `etl_due_parents`, in their order.

    Args:
        connection: Of the session that will ask.
        parent: The parent table.
        run: The job and the instance.
        only_failed: Those alone whose last request failed, and what is left of a round that was broken off.
        most: How many at most.

    Returns:
        How many there are.
    """
    connection.execute("drop table if exists pg_temp.etl_due_parents")
    return connection.execute(
        _statement(
            "create temporary table etl_due_parents as select row_number() over (order by {order}, {keys}) as place,"
            " {key} as parent_key, {keys}" + _PARENTS + " order by place limit {most}",
            parent,
            run,
            due=sql.SQL(_FAILED if only_failed else _DUE),
            most=sql.Literal(most),
        )
    ).rowcount


def due_parents(connection: psycopg.Connection, parent: ParentTable, *, first: int, last: int) -> list[tuple[str, Key]]:
    """The parents from one place of `etl_due_parents` to another, both included: the key as one text, and as it is."""
    rows = connection.execute(
        sql.SQL(
            "select parent_key, {} from pg_temp.etl_due_parents where place between {} and {} order by place"
        ).format(column_list(parent.names), sql.Literal(first), sql.Literal(last))
    )
    return [(key, tuple(values)) for key, *values in rows]


def count_due(
    connection: psycopg.Connection, jobs: Sequence[tuple[JobOfInstance, ParentTable]], *, most: int | None = None
) -> Mapping[int, int]:
    """Count the parents that jobs of one instance would ask for: of all together `most`, those that come first.

    Returns:
        Parents by job; a job without any is left out.
    """
    if not jobs:
        return {}
    due = [
        _statement(
            "select {job} as job_id, {order_changed} as is_known, request.asked_at" + _PARENTS,
            parent,
            run,
            due=sql.SQL(_DUE),
            order_changed=sql.SQL(f"not coalesce({_CHANGED}, true)"),
        )
        for run, parent in jobs
    ]
    rows = connection.execute(
        sql.SQL(
            "select job_id, count(*) from (select job_id from ({}) as due"
            " order by is_known, asked_at nulls first limit {}) as chosen group by job_id"
        ).format(sql.SQL(" union all ").join(due), sql.Literal(most))
    )
    return dict(rows.fetchall())


def mark_orphans(connection: psycopg.Connection, target: JobTable, parent: ParentTable) -> int:
    """Mark rows as vanished whose parent has vanished; returns how many."""
    return connection.execute(
        target.statement(
            "update {target} as existing set vanished_at = now(), updated_at = now(), etl_batch_id = {batch}"
            " where {mine} and vanished_at is null and exists ("
            " select from {parent} as parent where parent.source_instance_id = {instance}"
            " and parent.vanished_at is not null and {parent_key} = existing.parent_key)",
            parent=parent.relation.identifier,
            parent_key=parent.key,
        )
    ).rowcount


def _statement(text: str, parent: ParentTable, run: JobOfInstance, **more: sql.Composable) -> sql.Composed:
    return sql.SQL(text).format(
        parent=parent.relation.identifier,
        keys=column_list(parent.names, of="parent"),
        key=parent.key,
        order=sql.SQL(_IN_ORDER),
        source=sql.Literal(run.source),
        job=sql.Literal(run.job_id),
        instance=sql.Literal(run.instance_id),
        **more,
    )
