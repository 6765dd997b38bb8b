"""Proof of completeness: which keys the loads have left in a staging table, and whether it has them still.

Triggers count rows in and out by key, in sixteen buckets: their number, their hashes by exclusive or and, of keys of
whole numbers, the keys themselves by exclusive or (an invertible Bloom filter; Goodrich and Mitzenmacher, 2011). The
sums cost what is written and not what there is. Where a bucket lacks one key, what differs is that key. A write by
somebody else than a load is counted like any other, and noted besides, with who did it; what got round the triggers,
the sums show.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation, lock_relation

COUNTING_TRIGGER = "etl_count_deleted"
"""One of those that are made together: where it is, a table is counted."""


@dataclass(frozen=True, kw_only=True)
class WriteByHand:
    """Rows of a staging table that somebody else than a load put in or deleted, and that are so still."""

    operation: str
    """insert, delete or truncate."""
    rows: int
    keys: Sequence[str]
    """Those that are not settled, of the first 1,000."""
    done_by: str
    application: str
    done_at: datetime


@dataclass(frozen=True, kw_only=True)
class UncountedKeys:
    """Keys of a table that nobody was seen to put in or to delete."""

    rows: int
    """Positive where rows are missing."""
    key: str | None
    """The key, where it is one that can be told."""


@dataclass(frozen=True, kw_only=True)
class NewestLoad:
    """The newest load of a table, or of a tenant's part of it: what the source said, and what came of it."""

    instance: str
    loaded_at: datetime
    source_said: dict[str, object]
    rows_read: int
    rows_rejected: int
    rows_held: int | None
    refused_for: Sequence[str]
    """The columns that rows were refused for, those five that come most often; a reason would show a value."""


@dataclass(frozen=True, kw_only=True)
class TableProof:
    """What proves a staging table complete, or that it is not."""

    loads: Sequence[NewestLoad]
    """None where it was never loaded."""
    is_counted: bool
    """Whether its rows are counted in and out; else there is nothing to compare with."""
    writes_by_hand: Sequence[WriteByHand]
    uncounted_keys: Sequence[UncountedKeys]


def prove_table(connection: psycopg.Connection, relation: Relation) -> TableProof:
    """Compare the keys that a staging table has with those that were counted in and out; it reads them all.

    Args:
        connection: As the loader, in autocommit mode.
        relation: The table, which need not exist.
    """
    loads = _newest_loads(connection, relation)
    counted = bool(loads) and _is_counted(connection, relation)
    return TableProof(
        loads=loads,
        is_counted=counted,
        writes_by_hand=_writes_by_hand(connection, relation) if counted else (),
        uncounted_keys=_uncounted_keys(connection, relation) if counted else (),
    )


def count_rows_of(
    connection: psycopg.Connection,
    relation: Relation,
    keys: Sequence[str],
    *,
    by: str | None = None,
    why: str | None = None,
) -> None:
    """Count the rows of a staging table in and out from now on; nothing is done where that is so.

    Args:
        connection: As the loader, with its transaction begun and the relation locked.
        relation: The table. What it holds already is read once.
        keys: The columns by which a row is told; none where the table has no key.
        by: Who has it counted anew, if somebody does.
        why: For which reason.
    """
    connection.execute(
        "select etl.count_rows_of(%s, %s, %s, %s)", [relation.identifier.as_string(connection), list(keys), by, why]
    )


def recount(connection: psycopg.Connection, relation: Relation, *, by: str, why: str) -> None:
    """Accept a staging table as it is: what it holds now is what was counted, and no write by hand is open."""
    with connection.transaction():
        lock_relation(connection, relation)
        keys = connection.execute(
            "select key_columns from etl.counted_table where relation = %s", [str(relation)]
        ).fetchone()
        stop_counting(connection, relation)
        count_rows_of(connection, relation, keys[0] if keys else [], by=by, why=why)
        connection.execute(
            "select etl.settle_write(write_id, %s, %s) from etl.write_by_hand where relation = %s",
            [by, why, str(relation)],
        )


def fold_key_digests(connection: psycopg.Connection) -> None:
    """Add up the lines of the digests, of which each statement adds some; what was settled long ago is forgotten."""
    connection.execute("select etl.fold_key_digests()")


def stop_counting(connection: psycopg.Connection, relation: Relation) -> None:
    """Count no longer, until `count_rows_of` begins anew. Nothing where it was not done."""
    for what in ("inserted", "deleted", "truncated"):
        trigger = sql.Identifier(f"etl_count_{what}")
        connection.execute(sql.SQL("drop trigger if exists {} on {}").format(trigger, relation.identifier))


def _uncounted_keys(connection: psycopg.Connection, relation: Relation) -> list[UncountedKeys]:
    """Where the table's keys are not those that were counted in and out. It reads all keys."""
    differences = connection.execute(
        "select n, hashes, concat_ws('|', variadic numbers::text[]) as key,"
        " hashtextextended(concat_ws('|', variadic numbers::text[]), 0) from etl.digest_differences(%s)"
        " order by n desc, bucket",
        [relation.identifier.as_string(connection)],
    )
    return [
        UncountedKeys(rows=n, key=key if abs(n) == 1 and hash_of_key == hashes else None)
        for n, hashes, key, hash_of_key in differences
    ]


def _writes_by_hand(connection: psycopg.Connection, relation: Relation) -> list[WriteByHand]:
    """The writes by hand whose rows are still missing, or still there; others are settled by the way.

    A truncation, or one of a table without a key, is settled once every tenant that had been loaded was loaded since.
    """
    found: list[WriteByHand] = []
    rows = connection.execute(
        "select write_id, operation, n, row_keys, done_by, application, done_at, not exists ("
        "     select from etl.table_load as before where before.relation = hand.relation and loaded_at < done_at"
        "     and not exists (select from etl.table_load as since where since.relation = hand.relation"
        "         and since.instance = before.instance and since.loaded_at > done_at))"
        " from etl.write_by_hand as hand where relation = %s and settled_at is null order by done_at",
        [str(relation)],
    ).fetchall()
    if not rows:
        return []
    touched = list({key for _, _, _, keys, *_ in rows for key in keys})
    held = connection.execute("select etl.held_keys(%s, %s)", [relation.identifier.as_string(connection), touched])
    held_now = {key for (key,) in held}
    net: Counter[str] = Counter()
    for _, operation, _, keys, *_ in rows:
        net.update(dict.fromkeys(keys, 1 if operation == "insert" else -1))
    for write_id, operation, n, keys, done_by, application, done_at, is_loaded_since in rows:
        is_insert = operation == "insert"
        # What was put in and deleted again by hand is as it was.
        open_keys = [key for key in keys if key and net[key] and (key in held_now) == is_insert == (net[key] > 0)]
        is_settled = not open_keys if any(keys) else is_loaded_since  # nothing tells which rows they were
        if is_settled:
            connection.execute("select etl.settle_write(%s, 'etl', 'it is as it was before')", [write_id])
            continue
        found.append(
            WriteByHand(
                operation=operation,
                rows=len(open_keys) if open_keys and n == len(keys) else n,
                keys=open_keys,
                done_by=done_by,
                application=application,
                done_at=done_at,
            )
        )
    return found


def _is_counted(connection: psycopg.Connection, relation: Relation) -> bool:
    """Whether the rows of the table are counted in and out."""
    row = connection.execute(
        "select exists (select from pg_trigger where tgrelid = to_regclass(%s) and tgname = %s)",
        [relation.identifier.as_string(connection), COUNTING_TRIGGER],
    ).fetchone()
    return bool(row and row[0])


def _newest_loads(connection: psycopg.Connection, relation: Relation) -> list[NewestLoad]:
    """The newest load of each tenant of a table, or the only one: all that its batch did to it."""
    rows = connection.execute(
        "select newest.instance, max(loaded_at), ("
        "     select jsonb_object_agg(key, total) from ("
        "         select key, sum(value::bigint) as total from etl.table_load as part, jsonb_each_text(source_said)"
        "         where part.relation = %(relation)s and part.instance = newest.instance"
        "         and part.batch_id = newest.batch_id group by key) as totals),"
        " sum(rows_read), sum(rows_rejected), (array_agg(rows_held order by load_id desc))[1], array("
        "     select coalesce(column_name, 'the whole record') from etl.rejected_row as reject"
        "     where reject.batch_id = newest.batch_id and reject.relation = %(relation)s"
        "     group by 1 order by count(*) desc, 1 limit 5)"
        " from (select distinct on (instance) instance, batch_id from etl.table_load where relation = %(relation)s"
        "     order by instance, loaded_at desc) as newest"
        " inner join etl.table_load as load on load.relation = %(relation)s and load.instance = newest.instance"
        "     and load.batch_id = newest.batch_id group by newest.instance, newest.batch_id order by newest.instance",
        {"relation": str(relation)},
    ).fetchall()
    return [
        NewestLoad(
            instance=instance,
            loaded_at=loaded_at,
            source_said=stated or {},
            rows_read=int(read),
            rows_rejected=int(rejected),
            rows_held=held,
            refused_for=columns,
        )
        for instance, loaded_at, stated, read, rejected, held, columns in rows
    ]
