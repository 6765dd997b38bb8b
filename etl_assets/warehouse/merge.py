"""The merge (upsert) of staged rows into a table by its key: write what is new and what differs, and nothing else.

`changes_query` says which staged rows the table lacks or holds otherwise; `merge` writes those. Where what it says is
kept in a temporary table, there is room between the two for what only one kind of source does: a row is refused, or
saved as it was before it is overwritten. Nothing is deleted here: what a row's absence means, each kind of source knows
for itself.

In all SQL here `existing` is a row of the table, `incoming` a staged row, and `changed` what is known of a staged row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation

IS_NEW, DIFFERS = sql.SQL("changed.etl_is_new"), sql.SQL("not changed.etl_is_new")
TRUE, FALSE = sql.SQL("true"), sql.SQL("false")


@dataclass(frozen=True)
class MergeCounts:
    """Rows that a merge inserted and updated."""

    inserted: int = 0
    updated: int = 0
    noted: object = None
    """What was asked for besides."""


def changes_query(
    incoming: sql.Composable,
    *,
    into: Relation,
    same_key: sql.Composable,
    never_null: str,
    differs: sql.Composable,
    columns: Mapping[str, sql.Composable],
    within: sql.Composable = TRUE,
) -> sql.Composed:
    """The SELECT of the staged rows that the table lacks or holds otherwise, with `etl_is_new` as its last column.

    Args:
        incoming: The staged rows, with the alias `incoming`: a FROM item with at most one row a key.
        into: The table.
        same_key: The condition that `existing` and `incoming` are of one key.
        never_null: A column of the table that is never null: where it is, there is no such row.
        differs: The condition that they differ; see `distinct`.
        columns: What is selected of each row: that by which it is found again, at least.
        within: The condition on `incoming` that a row is looked at.
    """
    return sql.SQL(
        "select {columns}, {missing} as etl_is_new from {incoming} left join {target} as existing on {same_key}"
        " where {within} and ({missing} or {differs})"
    ).format(
        columns=comma_list(sql.SQL("{} as {}").format(value, sql.Identifier(name)) for name, value in columns.items()),
        missing=sql.SQL("existing.{} is null").format(sql.Identifier(never_null)),
        incoming=incoming,
        target=into.identifier,
        same_key=same_key,
        within=within,
        differs=differs,
    )


def merge(
    connection: psycopg.Connection,
    incoming: sql.Composable,
    *,
    into: Relation,
    same_key: sql.Composable,
    updates: Mapping[str, sql.Composable],
    inserts: Mapping[str, sql.Composable],
    differs: sql.Composable | None = DIFFERS,
    is_new: sql.Composable | None = IS_NEW,
    changes: sql.Composable | None = None,
    noted: sql.Composable = sql.NULL,
) -> MergeCounts:
    """Make `into` hold the staged rows: update what differs, insert what is new, leave the others as they are.

    Args:
        connection: Open, with its transaction begun; neither committed nor rolled back here.
        incoming: The staged rows with what is known of each, as a FROM clause: `incoming` joined to `changed`. At most
            one row a key.
        into: The table.
        same_key: The condition that `existing` and `incoming` are of one key, no column of which is null.
        updates: Column -> what a row that differs gets, bookkeeping and all; nothing that is not named is overwritten.
        inserts: Column -> what a new row gets.
        differs: The condition that a row differs from the one held; None where it is known that none does.
        is_new: The condition that no row is held by its key; None where it is known that every key is.
        changes: A `changes_query`, which `incoming` then calls `changes`: for rows that would cost more to keep in a
            table until they are written than to write at once. All is one statement then.
        noted: What is asked of `changes` besides, as an aggregate.

    Returns:
        Rows inserted and updated.

    Raises:
        psycopg.errors.UniqueViolation: A new key came twice, or was inserted by somebody else meanwhile.
    """
    update = sql.SQL("update {} as existing set {} from {} where {} and {}").format(
        into.identifier,
        comma_list(sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in updates.items()),
        incoming,
        differs or FALSE,
        same_key,
    )
    insert = sql.SQL("insert into {} ({}) select {} from {} where {}").format(
        into.identifier,
        comma_list(map(sql.Identifier, inserts)),
        comma_list(inserts.values()),
        incoming,
        is_new or FALSE,
    )
    if changes is None:
        # Each counts what it wrote: to return the rows for counting takes half as long again as to write them.
        updated = connection.execute(update).rowcount if differs else 0
        return MergeCounts(connection.execute(insert).rowcount if is_new else 0, updated)
    row = connection.execute(
        sql.SQL(
            "with changes as ({}), updated as ({}), inserted as ({})"
            " select count(*) filter (where etl_is_new), count(*) filter (where not etl_is_new), {} from changes"
        ).format(changes, update, insert, noted)
    ).fetchone()
    return MergeCounts(*row) if row else MergeCounts()


def equal(left: Iterable[sql.Composable], right: Iterable[sql.Composable]) -> sql.Composable:
    """The condition that these are equal, one by one; true of none at all."""
    pairs = [sql.SQL("{} = {}").format(*pair) for pair in zip(left, right, strict=True)]
    return sql.SQL(" and ").join(pairs) if pairs else TRUE


def distinct(existing: Sequence[sql.Composable], incoming: Sequence[sql.Composable]) -> sql.Composable:
    """The condition that any of these differ, one by one, nulls being equal; false of none at all."""
    if not existing:
        return FALSE
    return sql.SQL("row({}) is distinct from row({})").format(comma_list(existing), comma_list(incoming))


def comma_list(parts: Iterable[sql.Composable]) -> sql.Composed:
    """The parts with commas between."""
    return sql.SQL(", ").join(parts)
