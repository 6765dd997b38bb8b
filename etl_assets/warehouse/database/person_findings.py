"""What rules have found of a person's rows, in the ledger and among the results of checks that Dagster keeps."""

import json
from collections.abc import Collection, Sequence

import psycopg
from psycopg import sql

from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.text_places import is_distinctive

LINES = {"quality_issue": ("key", "value", "message"), "rejected_row": ("record_key", "raw", "reason")}
"""Tables of the ledger with a line a finding, and their columns that may show a value."""
_RESULTS = {"asset_check_executions": "evaluation_event", "event_logs": "event"}


def flat_keys(row_keys: Collection[str]) -> set[str]:
    """Keys as rules write them, of keys as the ledger's copies of rows have them."""
    found = set()
    for row_key in row_keys:
        parts = json.loads(row_key)
        if isinstance(parts, list):
            found.add("|".join(map(str, parts)))
    return found


def findings_of(connection: psycopg.Connection, relation: Relation, keys: Collection[str]) -> list[dict[str, object]]:
    """The findings of these rows."""
    rows = connection.execute(
        "select to_jsonb(issue) from etl.quality_issue as issue where relation = %s and key = any(%s)",
        [str(relation), list(keys)],
    )
    return [row for (row,) in rows]


def delete_findings(connection: psycopg.Connection, relation: Relation, keys: Collection[str]) -> int:
    """Delete the findings of these rows."""
    return connection.execute(
        "delete from etl.quality_issue where relation = %s and key = any(%s)", [str(relation), list(keys)]
    ).rowcount


def delete_lines(connection: psycopg.Connection, table: str, source: str, schema: str, patterns: Sequence[str]) -> int:
    """Delete the lines of one table of `LINES` that show one of these words, of a source or of its staging schema."""
    deleted = 0
    of_source = {
        "quality_issue": "source = %(source)s",
        "rejected_row": "split_part(relation, '.', 1) = %(schema)s",
    }[table]
    for pattern in patterns:
        deleted += connection.execute(
            sql.SQL("delete from {} where " + of_source + " and concat_ws(' ', {}) ~* %(pattern)s").format(
                sql.Identifier("etl", table), sql.SQL(", ").join(map(sql.Identifier, LINES[table]))
            ),
            {"source": source, "schema": schema, "pattern": pattern},
        ).rowcount
    return deleted


def blot_samples(dagster: psycopg.Connection, relation: Relation, keys: Collection[str]) -> int:
    """Blot keys that are too short to be told from other words out of the samples that results of checks show.

    Args:
        dagster: To Dagster's own database.
        relation: The staging table whose checks they are.
        keys: Of its rows.
    """
    short = [key for key in keys if not is_distinctive(key)]
    changed = 0
    for table, column in _RESULTS.items():
        there = dagster.execute("select to_regclass(%s)", [table]).fetchone()
        if not short or not there or there[0] is None:
            continue
        changed += dagster.execute(
            sql.SQL(
                "update {0} set {1} = regexp_replace({1}, %(key)s, '\\1(erased)\\2', 'g')"
                " where asset_key = %(asset)s and {1} ~ %(key)s"
            ).format(sql.Identifier(table), sql.Identifier(column)),
            {
                "asset": json.dumps([relation.schema, relation.name]),
                "key": r'("key": ")(?:' + "|".join(short) + r')(")',
            },
        ).rowcount
    return changed
