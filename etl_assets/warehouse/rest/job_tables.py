"""Job staging: tables that configured jobs fill, in the columns and with the indexes that their readers know.

A row is a record as it is now: `data`, whose it is (`source_instance_id`, as text in `source_id`), which job and run
wrote it, and when. Beside these stand the columns of the key: a record without `id`, or one whose id several parents
share, is told apart by them, and not by the index over `data ->> 'id'`. What a job no longer gives is marked in
`vanished_at`; nothing is deleted here, so that an emptied table is no news of deletions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.document_reader import Document, Key
from etl_assets.declare.rest import INSTANCE_ID, RestTable
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Column
from etl_assets.warehouse.catalog import BATCH_COLUMN
from etl_assets.warehouse.connection import PERSONAL_READER
from etl_assets.warehouse.merge import MergeCounts, changes_query, distinct, equal, merge
from etl_assets.warehouse.relation import Relation, column_list
from etl_assets.warehouse.rest.binary import copy_documents
from etl_assets.warehouse.rest.job_ledger import JobRun
from etl_assets.warehouse.rest.tables import document_keys
from etl_assets.warehouse.tables import READERS, Index, TableLayout, ensure_tables

PARENT_KEY = "parent_key"
KEY_SEPARATOR = "|"
"""Between the values of a parent's key."""
STANDARD_COLUMNS = {
    "id": "serial primary key",
    "data": "jsonb not null",
    "source_id": "varchar(255) not null",
    INSTANCE_ID: "integer not null",
    "etl_job_id": "integer not null",
    "etl_run_id": "integer not null",
    "loaded_at": "timestamptz not null default now()",
    "created_at": "timestamptz not null default now()",
    "updated_at": "timestamptz not null default now()",
    PARENT_KEY: "text",
    "vanished_at": "timestamptz",
    BATCH_COLUMN: "uuid not null",
}
"""What every row has besides its key. `loaded_at` is when the record was written as it stands, `updated_at` when
anything about the row was, `parent_key` under which row of the parent table it was given."""


def job_layout(table: RestTable) -> TableLayout:
    """One row a record, with the indexes of the standard by its names."""
    keys = document_keys(table)
    name = table.name.removeprefix("dim_").removesuffix("_staging")
    has_own_id = [field.path for field in table.key_fields] == ["id"]
    return TableLayout(
        columns=keys,
        bookkeeping=STANDARD_COLUMNS,
        key=(),
        indexes=[
            Index(name=f"{table.name}_key", columns=[INSTANCE_ID, *(column.name for column in keys)], unique=True),
            # Unique where the record's own id is the whole of the key, and else it would refuse what is there.
            Index(
                name=f"idx_{name}_instance_entity",
                columns=[INSTANCE_ID],
                expression="(data ->> 'id')",
                unique=has_own_id,
            ),
            Index(name=f"idx_{name}_source_id", columns=["source_id"]),
            Index(name=f"idx_{name}_data_gin", columns=["data"], method="gin"),
            Index(columns=[INSTANCE_ID, "etl_job_id", PARENT_KEY]),
        ],
        comment=table.unoffered,
        readers=[PERSONAL_READER] if table.personal_document else READERS,
    )


def create_job_tables(connection: psycopg.Connection, source: Source) -> None:
    """Have the tables of a source's jobs be there: who selects from one finds it, and why it is empty."""
    names = sorted({job.table for job in source.jobs})
    ensure_tables(connection, source.schema, {name: job_layout(source.rest_table(name)) for name in names})


@dataclass(frozen=True, kw_only=True)
class JobTable:
    """The part of a job's staging table that one run of the job is about, and the SQL of its loads."""

    relation: Relation
    keys: Sequence[Column]
    run: JobRun
    batch: UUID

    @property
    def key_names(self) -> list[str]:
        """The columns of the key, without the instance."""
        return [column.name for column in self.keys]

    def statement(self, text: str, **more: sql.Composable) -> sql.Composed:
        """SQL with these filled in, and what more is given.

        {target}; {keys}; {same}, of `existing` and `incoming` of one key; {mine}, of rows in `existing` that this job
        wrote at this instance; {instance}; {batch}.
        """
        return sql.SQL(text).format(
            target=self.relation.identifier,
            keys=column_list(self.key_names),
            same=self._same(),
            mine=sql.SQL("existing.source_instance_id = {} and existing.etl_job_id = {}").format(
                sql.Literal(self.run.instance_id), sql.Literal(self.run.job_id)
            ),
            instance=sql.Literal(self.run.instance_id),
            batch=sql.Literal(self.batch),
            **more,
        )

    def _same(self) -> sql.Composable:
        keys = equal(*([sql.Identifier(of, name) for name in self.key_names] for of in ("existing", "incoming")))
        return sql.SQL("existing.source_instance_id = {} and {}").format(sql.Literal(self.run.instance_id), keys)

    @property
    def incoming(self) -> sql.Composable:
        """The staged records, each key once: the last."""
        return self.statement(
            "(select distinct on ({keys}) parent_key, {keys}, data"
            " from pg_temp.etl_job_rows order by {keys}, etl_seq desc) as incoming"
        )

    @property
    def inserts(self) -> dict[str, sql.Composable]:
        """Column -> what a new row gets, of `incoming`."""
        return {
            **{name: sql.Identifier("incoming", name) for name in self.key_names},
            **self.written,
            "source_id": sql.Literal(str(self.run.instance_id)),
            INSTANCE_ID: sql.Literal(self.run.instance_id),
        }

    @property
    def written(self) -> dict[str, sql.Composable]:
        """Column -> what a row gets whenever its record is written, of `incoming`."""
        return {
            "data": sql.Identifier("incoming", "data"),
            PARENT_KEY: sql.SQL("nullif(incoming.parent_key, '')"),
            "etl_job_id": sql.Literal(self.run.job_id),
            "etl_run_id": sql.Literal(self.run.run_id),
            BATCH_COLUMN: sql.Literal(self.batch),
        }


def create_job_staging(connection: psycopg.Connection, target: JobTable) -> None:
    """Create the temporary table that records are staged in, in place of an earlier one."""
    columns = [sql.SQL("{} {},").format(sql.Identifier(key.name), sql.SQL(key.type)) for key in target.keys]
    connection.execute("drop table if exists pg_temp.etl_job_rows")
    connection.execute(
        sql.SQL(
            "create temporary table etl_job_rows (etl_seq bigint generated always as identity, parent_key text, {}"
            " data jsonb) on commit preserve rows"
        ).format(sql.SQL(" ").join(columns))
    )


def copy_records(
    connection: psycopg.Connection, target: JobTable, records: Sequence[Document], parents: Sequence[str]
) -> dict[int, str]:
    """Copy records into the temporary table.

    Args:
        connection: Its transaction, if one is begun, goes on.
        target: Where they are to go.
        records: The records.
        parents: The row of the parent table that each was given for; empty texts where the job has no parents.

    Returns:
        Those that PostgreSQL could not read, by their position, with its reason; the others are in.
    """
    statement = sql.SQL("copy pg_temp.etl_job_rows ({}) from stdin").format(
        column_list([PARENT_KEY, *target.key_names, "data"])
    )
    types = [column.type for column in target.keys]
    return copy_documents(connection, statement, records, types, parents=parents, with_date=False)


def merge_records(connection: psycopg.Connection, target: JobTable, noted: sql.Composable = sql.NULL) -> MergeCounts:
    """Upsert the staged records; what is the same already is not written.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Where to.
        noted: What is asked of those that are written besides, `changes.data` among them.
    """
    incoming = {name: sql.Identifier("incoming", name) for name in (PARENT_KEY, *target.key_names, "data")}
    same_key = target.statement("{same}")
    return merge(
        connection,
        sql.SQL("changes as incoming"),
        into=target.relation,
        same_key=same_key,
        updates={
            **target.written,
            "loaded_at": sql.SQL("now()"),
            "updated_at": sql.SQL("now()"),
            "vanished_at": sql.NULL,
        },
        inserts=target.inserts,
        differs=sql.SQL("not incoming.etl_is_new"),
        is_new=sql.SQL("incoming.etl_is_new"),
        changes=changes_query(
            target.incoming,
            into=target.relation,
            same_key=same_key,
            never_null="loaded_at",
            differs=distinct(
                [sql.Identifier("existing", name) for name in ("data", "vanished_at")],
                [incoming["data"], sql.SQL("null::timestamptz")],
            ),
            columns=incoming,
        ),
        noted=noted,
    )


def count_held(connection: psycopg.Connection, target: JobTable, parents: Sequence[str]) -> tuple[int, int]:
    """Count the rows that these parents' answers are about, and those of them that were not staged.

    Args:
        connection: With the records in the temporary table.
        target: The staging table.
        parents: The keys of the parents that answered; none for a job without parents.
    """
    row = connection.execute(
        target.statement(
            # A join: `not exists` within a count would go through the temporary table for each row.
            "select count(*), count(*) filter (where incoming.is_there is null) from {target} as existing"
            " left join (select distinct {keys}, true as is_there from pg_temp.etl_job_rows) as incoming on {same}"
            " where {mine} and existing.vanished_at is null and {of_parents}",
            of_parents=_of_parents(parents),
        ),
        {"parents": list(parents)},
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def mark_vanished(
    connection: psycopg.Connection, target: JobTable, parents: Sequence[str], rejected: Collection[Key]
) -> int:
    """Mark what these parents' answers no longer have as vanished; returns how many rows. A rejected record is there.

    Args:
        connection: With its transaction begun and the records in the temporary table.
        target: The staging table.
        parents: As `count_held` has them.
        rejected: Keys of records that came and cannot be kept.
    """
    kept = sorted({KEY_SEPARATOR.join(map(str, key)) for key in rejected})
    shown = sql.SQL("concat_ws('|', {})").format(column_list(target.key_names, of="existing"))
    return connection.execute(
        target.statement(
            "update {target} as existing set vanished_at = now(), updated_at = now(), etl_batch_id = {batch}"
            " where {mine} and vanished_at is null and {of_parents} and {not_rejected} and not exists ("
            " select from pg_temp.etl_job_rows as incoming where {same})",
            of_parents=_of_parents(parents),
            not_rejected=sql.SQL("{} <> all(%(kept)s)").format(shown) if kept else sql.SQL("true"),
        ),
        {"parents": list(parents), "kept": kept},
    ).rowcount


def _of_parents(parents: Sequence[str]) -> sql.SQL:
    return sql.SQL("parent_key = any(%(parents)s)" if parents else "parent_key is null")
