"""Origins of a fact's rows: the rows of staging that each was built from, who loaded them, and the rules they break."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.explanation import FactOrigins, StagingOrigin
from etl_assets.declare.source import Source
from etl_assets.quality.explanation import ContributingRow, declared_sql, identifier_of
from etl_assets.quality.run import WITHHELD
from etl_assets.warehouse.catalog import BATCH_COLUMN, column_types
from etl_assets.warehouse.relation import Relation

_OF_FILES = ("feed", "file_name")


@dataclass(frozen=True, kw_only=True)
class StagingRow:
    """One row of staging that a fact's row was built from."""

    fact: int
    """Which of the fact's rows, from 0."""
    table: str
    """`schema.table`."""
    row_key: str
    """Its key as text, by which issues know it."""
    key: Mapping[str, object]
    batch_id: UUID
    loaded_at: datetime | None
    """When the batch that wrote it began."""
    feed: str | None = None
    file_name: str | None = None
    more: int = 0
    """How many further rows of the table the fact's row has that are not given; of its last one alone."""


@dataclass(frozen=True)
class BrokenRule:
    """An open issue of a row."""

    issue_id: int
    severity: str
    rule: str
    field: str


def find_origins(
    connection: psycopg.Connection,
    sources: Iterable[Source],
    fact: FactOrigins,
    rows: Sequence[ContributingRow],
    *,
    most: int,
) -> list[StagingRow]:
    """The rows of staging behind a fact's rows, up to `most` of a table for each.

    Args:
        connection: As the transformer, who reads staging and models.
        sources: Those that may have the staging tables.
        fact: What names its rows, and where they come from.
        rows: Rows of it.
        most: How many of a table are given for one row of the fact.
    """
    if not rows:
        return []
    types = column_types(connection, Relation(*fact.relation.split(".", 1)))
    found: list[StagingRow] = []
    for origin in fact.origins:
        schema, _, name = origin.table.partition(".")
        declared = [
            (source, table)
            for source in sources
            if source.schema == schema
            for table in source.tables
            if table.name == name
        ]
        columns = column_types(connection, Relation(*origin.table.split(".", 1)))
        if not declared or not columns:  # of another version of the source
            continue
        source, table = declared[0]
        keys = source.row_key(table)
        of_files = [column for column in _OF_FILES if column in columns]
        statement = _statement(fact, origin, types, keys=keys, provenance=of_files, most=most)
        for row in connection.execute(
            statement, {f"key_{at}": [_text(each.key[key]) for each in rows] for at, key in enumerate(fact.key)}
        ):
            number, row_key, batch_id, loaded_at, number_of_table, *rest = row
            shown = [WITHHELD if key in table.personal else value for key, value in zip(keys, rest, strict=False)]
            place = sum(each.fact == number - 1 and each.table == origin.table for each in found) + 1
            found.append(
                StagingRow(
                    fact=number - 1,
                    table=origin.table,
                    row_key=row_key,
                    key=dict(zip(keys, shown, strict=True)),
                    batch_id=batch_id,
                    loaded_at=loaded_at,
                    more=max(number_of_table - most, 0) if place == most else 0,
                    **dict(zip(of_files, rest[len(keys) :], strict=True)),
                )
            )
    return found


def broken_rules(connection: psycopg.Connection, rows: Iterable[StagingRow]) -> dict[tuple[str, str], list[BrokenRule]]:
    """The open issues of rows of staging, by table and key."""
    wanted = sorted({(row.table, row.row_key) for row in rows})
    found: dict[tuple[str, str], list[BrokenRule]] = {}
    for table, key, *issue in connection.execute(
        "select relation, key, issue_id, severity, rule, field from etl.quality_issue"
        " inner join unnest(%s::text[], %s::text[]) as wanted (relation, key) using (relation, key)"
        " where status = 'open' order by severity, issue_id",
        [[table for table, _ in wanted], [key for _, key in wanted]],
    ):
        found.setdefault((table, key), []).append(BrokenRule(*issue))
    return found


def count_rejected(connection: psycopg.Connection, tables: Iterable[str]) -> dict[str, int]:
    """How many faults of rows that could not be loaded nobody has dealt with yet, by table that has any."""
    rows = connection.execute(
        "select relation, count(*) from etl.rejected_row where status = 'new' and relation = any(%s) group by relation",
        [sorted(set(tables))],
    )
    return {table: int(number) for table, number in rows}


def _statement(
    fact: FactOrigins,
    origin: StagingOrigin,
    types: Mapping[str, str],
    *,
    keys: Sequence[str],
    provenance: Sequence[str],
    most: int,
) -> sql.Composed:
    wanted = sql.SQL(", ").join(sql.SQL("%({})s::text[]").format(sql.SQL(f"key_{at}")) for at in range(len(fact.key)))
    same = sql.SQL(" and ").join(
        sql.SQL("fact.{} is not distinct from wanted.{}::{}").format(
            sql.Identifier(key),
            sql.Identifier(f"key_{at}"),
            sql.SQL(types[key]),
        )
        for at, key in enumerate(fact.key)
    )
    through = (
        sql.SQL("inner join {} as through on {}").format(
            identifier_of(origin.through), declared_sql(origin.through_where)
        )
        if origin.through
        else sql.SQL("")
    )
    matched = [
        sql.SQL("staging.{} = {}").format(sql.Identifier(column), declared_sql(expression))
        for column, expression in origin.match.items()
    ]
    listed = sql.SQL(", ").join(sql.Identifier("staging", name) for name in [*keys, *provenance])
    names = sql.SQL(", ").join(sql.Identifier("found", name) for name in [*keys, *provenance])
    row_key = sql.SQL("concat_ws('|', {})").format(
        sql.SQL(", ").join(sql.SQL("nullif(staging.{}::text, '')").format(sql.Identifier(key)) for key in keys)
    )
    return sql.SQL("""
        with found as (
            select distinct wanted.number, {row_key} as row_key, staging.{batch} as batch_id, {listed}
            from unnest({wanted}) with ordinality as wanted ({names_of_keys}, number)
            inner join {fact} as fact on {same}
            {through}
            inner join {staging} as staging on {matched}
        ),
        placed as (
            select
                *,
                row_number() over (partition by number order by row_key) as place,
                count(*) over (partition by number) as of_table
            from found
        )
        select found.number, found.row_key, found.batch_id, batch.started_at, found.of_table, {names}
        from placed as found
        left join etl.batch as batch on found.batch_id = batch.batch_id
        where found.place <= {most}
        order by found.number, found.place
    """).format(
        row_key=row_key,
        batch=sql.Identifier(BATCH_COLUMN),
        listed=listed,
        wanted=wanted,
        names_of_keys=sql.SQL(", ").join(sql.Identifier(f"key_{at}") for at in range(len(fact.key))),
        fact=identifier_of(fact.relation),
        same=same,
        through=through,
        staging=identifier_of(origin.table),
        matched=sql.SQL(" and ").join([*matched, sql.SQL("({})").format(declared_sql(origin.where))]),
        names=names,
        most=sql.Literal(most),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
