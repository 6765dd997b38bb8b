"""The merge (upsert) of staged rows into a table by its key: write what is new and what differs, and nothing else.

It has two steps. `find_changes` says which staged rows the table lacks or holds otherwise; `merge` writes those. What
only one kind of source does stands between them: a row is refused, or saved as it was before it is overwritten. Nothing
is deleted here: what a row's absence means, each kind of source knows for itself.

In all SQL here `existing` is a row of the table, `incoming` a staged row, and `changed` what is known of a staged row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation

CHANGED = Relation("pg_temp", "etl_changed_rows")
"""The staged rows that are new or differ, as `find_changes` leaves them: `is_new`, and what else was asked for."""
IS_NEW, DIFFERS = sql.SQL("changed.is_new"), sql.SQL("not changed.is_new")
TRUE, FALSE = sql.SQL("true"), sql.SQL("false")


@dataclass(frozen=True)
class MergeCounts:
    """Rows that a merge inserted and updated."""

    inserted: int = 0
    updated: int = 0


def find_changes(
    connection: psycopg.Connection,
    incoming: sql.Composable,
    *,
    into: Relation,
    same_key: sql.Composable,
    never_null: str,
    differs: sql.Composable,
    columns: Mapping[str, sql.Composable],
    within: sql.Composable = TRUE,
) -> int:
    """Find the staged rows that the table lacks or holds otherwise, and list them in `CHANGED`.

    Args:
        connection: Open, with its transaction begun; the list is dropped when that ends, or replaced by the next.
        incoming: The staged rows, with the alias `incoming`: a FROM item with at most one row a key.
        into: The table.
        same_key: The condition that `existing` and `incoming` are of one key.
        never_null: A column of the table that is never null: where it is, there is no such row.
        differs: The condition that they differ; see `distinct`.
        columns: What is listed of each row besides whether it is new: that by which it is found again, at least.
        within: The condition on `incoming` that a row is looked at.

    Returns:
        How many there are.
    """
    connection.execute(sql.SQL("drop table if exists {}").format(CHANGED.identifier))
    return connection.execute(
        sql.SQL(
            "create temporary table {changed} on commit drop as select {columns}, {missing} as is_new"
            " from {incoming} left join {target} as existing on {same_key}"
            " where {within} and ({missing} or {differs})"
        ).format(
            changed=sql.Identifier(CHANGED.name),
            columns=comma_list(
                sql.SQL("{} as {}").format(value, sql.Identifier(name)) for name, value in columns.items()
            ),
            missing=sql.SQL("existing.{} is null").format(sql.Identifier(never_null)),
            incoming=incoming,
            target=into.identifier,
            same_key=same_key,
            within=within,
            differs=differs,
        )
    ).rowcount


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
        differs: The condition on `changed` that a row differs; None where it is known that none does.
        is_new: The condition that a row is new; None where it is known that none is.

    Returns:
        Rows inserted and updated.

    Raises:
        psycopg.errors.UniqueViolation: A key came twice, or was inserted by somebody else meanwhile.
    """
    updated = inserted = 0
    if differs is not None:
        updated = connection.execute(
            sql.SQL(
                "update {target} as existing set {assignments} from {incoming} where {differs} and {same_key}"
            ).format(
                target=into.identifier,
                assignments=comma_list(
                    sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in updates.items()
                ),
                incoming=incoming,
                differs=differs,
                same_key=same_key,
            )
        ).rowcount
    if is_new is not None:
        inserted = connection.execute(
            sql.SQL("insert into {target} ({columns}) select {values} from {incoming} where {is_new}").format(
                target=into.identifier,
                columns=comma_list(map(sql.Identifier, inserts)),
                values=comma_list(inserts.values()),
                incoming=incoming,
                is_new=is_new,
            )
        ).rowcount
    return MergeCounts(inserted, updated)


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
