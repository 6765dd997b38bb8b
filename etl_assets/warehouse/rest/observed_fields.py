"""The ledger of what a service's records hold: the fields, their JSON types, and the values of codes, with dates.

Only records that a load has just written are looked at, and of very many only the first ones. Whether a field that
none of these has is still filled at all is asked of the table itself: of the row that had it when that was last asked,
and only where that has lost it, or there is none, of the others.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.dates import Span
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.documents import in_window
from etl_assets.warehouse.rest.job_tables import JobTable
from etl_assets.warehouse.rest.tables import DocumentTable

MAX_RECORDS_FOR_FIELDS, MAX_RECORDS_FOR_VALUES = 1_000, 50_000
"""Of the records that a transaction has written, how many are looked at for their fields, and for their codes."""
MAX_FIELDS, MAX_VALUES = 1_000, 100
"""Fields of a table with their types, and values of a field, that are remembered; more are neither."""
MAX_DEPTH, MAX_ELEMENTS = 8, 20
"""Of a record, how deep it is looked into, and at how many elements of a list."""
MAX_SEARCHES = 100
"""Fields that a load searches a table for."""
NULL = "null"
"""The JSON type of what is not filled."""
WITHHELD = "(withheld)"
"""Stands for a value that does not read as a code: it may be anything, and somebody's name."""
_WORD, _PHRASE = re.compile(r"[A-Za-z]\w{0,39}", re.ASCII), re.compile(r"[\w .,:;/&()+-]{1,40}")
"""What reads as a code: where records tell of people one word alone, which is neither a name nor a number as a rule."""


@dataclass(frozen=True, kw_only=True)
class ObservedTable:
    """The records of one instance in a staging table, as SQL over `existing`."""

    relation: Relation
    instance: str
    document: str
    """The column with the record."""
    is_personal: bool
    """Whether records tell of people."""
    batch: UUID
    current: sql.Composable
    """The condition that a row is of this instance, and there."""
    row_id: str | None = None
    """The column that numbers the rows, of a table whose rows stay the same ones."""

    @property
    def name(self) -> list[str]:
        """What the ledger knows it by."""
        return [str(self.relation), self.instance]


@dataclass(frozen=True, kw_only=True)
class ObservedField:
    """A field with one JSON type, as the ledger has it."""

    instance: str
    path: str
    json_type: str
    first_seen_at: datetime
    last_seen_at: datetime
    first_batch: UUID
    gone_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class ObservedValue:
    """A value of a code, as the ledger has it."""

    instance: str
    path: str
    value: str
    first_seen_at: datetime
    first_batch: UUID


def observed_job_rows(target: JobTable, instance: str, *, is_personal: bool) -> ObservedTable:
    """The records of a job's table at one instance."""
    return ObservedTable(
        relation=target.relation,
        instance=instance,
        document="data",
        is_personal=is_personal,
        batch=target.batch,
        current=target.statement("existing.source_instance_id = {instance} and existing.vanished_at is null"),
        row_id="id",
    )


def observed_documents(target: DocumentTable, batch: UUID, *, is_personal: bool) -> ObservedTable:
    """The records of a document table."""
    return ObservedTable(
        relation=target.relation,
        instance=target.instance,
        document="raw_data",
        is_personal=is_personal,
        batch=batch,
        current=target.statement("{instance} and {latest} and deleted_at is null and vanished_at is null"),
    )


def sighting_of(
    document: sql.Composable, written: sql.Composable, codes: Mapping[str, Sequence[str]]
) -> sql.Composable:
    """The SQL of what is to be remembered of records, as one value: their fields, and the values of the codes.

    Args:
        document: A record, as `written` has it.
        written: FROM and WHERE: the records that a transaction writes, or has written.
        codes: The paths of codes, with the values that each is declared to have; of others none is looked at.
    """
    paths = list(codes)
    fields = _FIELDS.format(
        document=document,
        written=written,
        records=sql.Literal(MAX_RECORDS_FOR_FIELDS),
        depth=sql.Literal(MAX_DEPTH),
        elements=sql.Literal(MAX_ELEMENTS),
        most=sql.Literal(MAX_FIELDS),
    )
    values = _VALUES.format(
        document=document,
        written=written,
        records=sql.Literal(MAX_RECORDS_FOR_VALUES),
        paths=sql.Literal(paths),
        json_paths=sql.Literal([f"${_json_path(path)}" for path in paths]),
        most=sql.Literal(MAX_VALUES),
    )
    return sql.SQL("jsonb_build_array(({}), ({}))").format(fields, values if codes else sql.NULL)


def remember_sighting(
    connection: psycopg.Connection, table: ObservedTable, codes: Mapping[str, Sequence[str]], sighting: object
) -> None:
    """Remember what was seen of the records that a transaction writes.

    Args:
        connection: With that transaction begun.
        table: Whose records.
        codes: As `sighting_of` was given them.
        sighting: What its SQL came to.
    """
    fields, values = cast("list[list[list[str]] | None]", sighting)
    if fields:
        _remember(connection, _KEEP_FIELDS, table, fields, MAX_FIELDS)
    if values:
        code = _WORD if table.is_personal else _PHRASE
        shown = {(path, value if value in codes[path] or code.fullmatch(value) else WITHHELD) for path, value in values}
        _remember(connection, _KEEP_VALUES, table, sorted(shown), MAX_VALUES)


def observe_documents(
    connection: psycopg.Connection,
    target: DocumentTable,
    table: ObservedTable,
    window: Span | None,
    codes: Mapping[str, Sequence[str]],
) -> None:
    """Look at the documents that this transaction has written, and remember what they hold.

    Args:
        connection: With that transaction begun.
        target: Where they are.
        table: The same, as it is remembered.
        window: The dates of which any may have been written; all where None.
        codes: As `sighting_of` has them.
    """
    written = target.statement(
        "{target} as existing where {instance} and {latest} and {in_window}"
        " and existing.etl_batch_id = {batch} and existing.loaded_at = now()",
        in_window=in_window(window),
        batch=sql.Literal(table.batch),
    )
    document = sql.Identifier("existing", table.document)
    row = connection.execute(sql.SQL("select {}").format(sighting_of(document, written, codes))).fetchone()
    if row:
        remember_sighting(connection, table, codes, row[0])


def find_unfilled(connection: psycopg.Connection, table: ObservedTable) -> None:
    """Note which fields no record has any longer, after a read of all of them.

    Fields that this transaction has seen are filled; a table without records says nothing.

    Args:
        connection: With its transaction begun.
        table: Which.
    """
    parts = {"target": table.relation.identifier, "current": table.current}
    row = connection.execute(
        sql.SQL("select exists (select from {target} as existing where {current})").format(**parts)
    ).fetchone()
    if not (row and row[0]):
        return
    unseen = connection.execute(
        "select path, json_type, witness from etl.observed_field where relation = %s and instance = %s"
        " and json_type <> 'null' and gone_since is null and last_seen_at < now()"
        " order by last_seen_at, path, json_type",
        table.name,
    ).fetchall()
    document = sql.Identifier("existing", table.document)
    row_id = sql.Identifier("existing", table.row_id) if table.row_id else sql.SQL("0")
    searched = 0
    for path, json_type, witness in unseen:
        has_it = sql.SQL("jsonb_path_exists({}, {}, silent => true)").format(
            document, sql.Literal(_filled(path, json_type))
        )
        search = sql.SQL("select {row_id} from {target} as existing where {current} and {has_it}").format(
            row_id=row_id, has_it=has_it, **parts
        )
        if table.row_id and witness is not None:
            by_id = sql.SQL("{} and {} = {}").format(search, row_id, sql.Literal(witness))
            if connection.execute(by_id).fetchone():
                continue
        if searched == MAX_SEARCHES:
            break
        searched += 1
        found = connection.execute(sql.SQL("{} limit 1").format(search)).fetchone()
        connection.execute(
            "update etl.observed_field set witness = %s, gone_since = case when %s then null else now() end"
            " where relation = %s and instance = %s and path = %s and json_type = %s",
            [found[0] if found else None, found is not None, *table.name, path, json_type],
        )


def observed_fields(connection: psycopg.Connection, relation: Relation) -> list[ObservedField]:
    """All that is remembered of the fields of a table, by path."""
    rows = connection.execute(
        "select instance, path, json_type, first_seen_at, last_seen_at, first_batch_id, gone_since"
        " from etl.observed_field where relation = %s order by path, instance, json_type",
        [str(relation)],
    )
    names = list(ObservedField.__dataclass_fields__)
    return [ObservedField(**dict(zip(names, row, strict=True))) for row in rows]


def observed_values(connection: psycopg.Connection, relation: Relation) -> list[ObservedValue]:
    """All that is remembered of the codes of a table, by path."""
    rows = connection.execute(
        "select instance, path, value, first_seen_at, first_batch_id"
        " from etl.observed_value where relation = %s order by path, instance, value",
        [str(relation)],
    )
    names = list(ObservedValue.__dataclass_fields__)
    return [ObservedValue(**dict(zip(names, row, strict=True))) for row in rows]


def _remember(
    connection: psycopg.Connection,
    statement: sql.SQL,
    table: ObservedTable,
    found: Sequence[Sequence[str]],
    most: int,
) -> None:
    paths, words = [each[0] for each in found], [each[1] for each in found]
    relation, instance = table.name
    connection.execute(
        statement,
        {
            "relation": relation, "instance": instance, "batch": table.batch, "paths": paths, "words": words,
            "most": most,
        },
    )  # fmt: skip


def _json_path(path: str) -> str:
    """A path as SQL's JSON paths have it, behind `$` or `@`."""
    steps = [step for name in path.split(".") for step in re.split(r"(\[\])", name) if step]
    words = {"[]": "[*]", "*": ".*"}
    return "".join(words.get(step) or f'."{step}"' for step in steps)


def _filled(path: str, json_type: str) -> str:
    """The JSON path of records that have a field with that type, and something in it."""
    at = f"@{_json_path(path)}"
    something = {"string": f' && {at} != ""', "array": f" && {at}.size() > 0"}.get(json_type, "")
    return f'$ ? ({at}.type() == "{json_type}"{something})'


# Names that are no words may be data: keys of a map.
_FIELDS = sql.SQL(r"""
    with recursive sample as materialized (
        select {document} as document from {written} limit {records}
    ),

    node (path, value, depth) as (
        select '', document, 0 from sample
        union all
        select child.path, child.value, node.depth + 1
        from node
        cross join lateral (
            select
                case when node.path = '' then '' else node.path || '.' end
                || case when key ~ '^[@$]?[A-Za-z_][\w-]{{0,62}}$' then key else '*' end as path,
                value
            from jsonb_each(case when jsonb_typeof(node.value) = 'object' then node.value else '{{}}' end)
            union all
            (
                select node.path || '[]', value
                from jsonb_array_elements(case when jsonb_typeof(node.value) = 'array' then node.value else '[]' end)
                limit {elements}
            )
        ) as child
        where node.depth < {depth} and jsonb_typeof(node.value) in ('object', 'array')
    ),

    field as (
        select distinct path, case when value in ('""', '[]') then 'null' else jsonb_typeof(value) end as json_type
        from node
        where path <> ''
        order by path, json_type
        limit {most}
    )

    select jsonb_agg(jsonb_build_array(path, json_type)) from field
""")
_VALUES = sql.SQL("""
    select jsonb_agg(jsonb_build_array(path, value))
    from (
        select path, value, row_number() over (partition by path order by value) as place
        from (
            select distinct code.path, left(found.value #>> '{{}}', 200) as value
            from (select {document} as document from {written} limit {records}) as sample
            cross join unnest({paths}::text[], {json_paths}::jsonpath[]) as code (path, json_path)
            cross join lateral jsonb_path_query(sample.document, code.json_path, silent => true) as found (value)
            where jsonb_typeof(found.value) = 'string' and found.value <> '""'
        ) as said
    ) as placed
    where place <= {most}
""")
_KEEP_FIELDS = sql.SQL("""
    insert into etl.observed_field as held (relation, instance, path, json_type, first_batch_id)
    select %(relation)s, %(instance)s, path, word, %(batch)s
    from (
        select
            found.*,
            known.path is not null as is_known,
            row_number() over (partition by known.path is null order by found.path, found.word)
            + (select count(*) from etl.observed_field where relation = %(relation)s and instance = %(instance)s)
                as place
        from unnest(%(paths)s::text[], %(words)s::text[]) as found (path, word)
        left join etl.observed_field as known
            on
                known.relation = %(relation)s
                and known.instance = %(instance)s
                and known.path = found.path
                and known.json_type = found.word
    ) as placed
    where is_known or place <= %(most)s
    on conflict (relation, instance, path, json_type) do update set last_seen_at = now(), gone_since = null
""")
_KEEP_VALUES = sql.SQL("""
    insert into etl.observed_value as held (relation, instance, path, value, first_batch_id)
    select %(relation)s, %(instance)s, path, word, %(batch)s
    from (
        select
            found.*,
            known.path is not null as is_known,
            row_number() over (partition by found.path, known.path is null order by found.word)
            + (
                select count(*)
                from etl.observed_value as other
                where other.relation = %(relation)s and other.instance = %(instance)s and other.path = found.path
            ) as place
        from unnest(%(paths)s::text[], %(words)s::text[]) as found (path, word)
        left join etl.observed_value as known
            on
                known.relation = %(relation)s
                and known.instance = %(instance)s
                and known.path = found.path
                and known.value = found.word
    ) as placed
    where is_known or place <= %(most)s
    on conflict (relation, instance, path, value) do update set last_seen_at = now()
""")
