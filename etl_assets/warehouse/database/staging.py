"""DDL of staging tables that mirror a source's tables: create, add columns, and inspect what exists."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import RowRange
from etl_assets.errors import TransientError
from etl_assets.warehouse.catalog import BATCH_COLUMN, describe_tables
from etl_assets.warehouse.merge import equal
from etl_assets.warehouse.proof import stop_counting
from etl_assets.warehouse.relation import Relation, column_list

LOCK_TIMEOUT = "5s"
"""How long a new column waits for those who read the table; those who come after it wait too."""


@dataclass(frozen=True, kw_only=True)
class ExistingTable:
    """The columns and the key of a table that exists in staging."""

    columns: Mapping[str, str]
    """Column -> type, in order; without the batch's."""
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StagingTable:
    """A staging table that mirrors the source's columns, and composes the SQL of its loads."""

    relation: Relation
    columns: Mapping[str, str]
    """Column -> type, in the order in which rows arrive."""
    keys: tuple[str, ...]
    retain_deleted: bool = False
    append_only: bool = False
    """Whether a row, once loaded, is never overwritten."""
    new_columns: Collection[str] = ()
    """Columns that rows are given for the first time: a null there says nothing."""
    comments: Mapping[str, str] = field(default_factory=dict)
    """What is to be said of columns, of those that are held."""
    event_date: str | None = None
    """The column whose dates say what must be built again."""
    batch: UUID = field(default=UUID(int=0))
    """Whose work it is."""

    def statement(self, text: str, **more: sql.Composable) -> sql.Composed:
        """Compose SQL: fill in these placeholders, and what more is given.

        {target}; {columns}; {keys}, {existing_keys} and {incoming_keys}; {same_key}, the join condition of the aliases
        `existing` and `incoming`; {old_date} and {new_date}, the event date of `existing` and `incoming`; {batch}.
        """
        return sql.SQL(text).format(
            target=self.relation.identifier,
            columns=column_list(self.columns),
            keys=column_list(self.keys),
            existing_keys=column_list(self.keys, of="existing"),
            incoming_keys=column_list(self.keys, of="incoming"),
            same_key=equal(*([sql.Identifier(of, key) for key in self.keys] for of in ("existing", "incoming"))),
            old_date=self._date("existing"),
            new_date=self._date("incoming"),
            batch=sql.Literal(self.batch),
            **more,
        )

    @property
    def values(self) -> list[str]:
        """The columns outside the key."""
        return [name for name in self.columns if name not in self.keys]

    def in_range(self, row_range: RowRange, of: str = "existing") -> sql.Composable:
        """The condition that a row of the alias `of` is in the range, which is one of staging (`as_staged`)."""
        if row_range.chunks is not None:
            raise ValueError(f"{self.relation}: staging does not know in which chunk of the source a row lies")
        conditions: list[sql.Composable] = []
        for mark, bound in ((">", row_range.after), ("<=", row_range.upto)):
            if bound is not None:
                key = sql.Identifier(of, self.keys[0])
                conditions.append(sql.SQL("{} {} {}").format(key, sql.SQL(mark), sql.Literal(bound)))
        if row_range.keys is not None:
            conditions.append(
                sql.SQL("{} = any({})").format(sql.Identifier(of, self.keys[0]), sql.Literal(list(row_range.keys)))
            )
        if row_range.cursor_column is not None:
            cursor_column = sql.Identifier(of, row_range.cursor_column)
            # A timestamp without a zone is compared with the clock of UTC, as the source does it.
            kind = sql.SQL(self.columns[row_range.cursor_column])
            for mark, moment in ((">=", row_range.since), ("<", row_range.until)):
                if moment is not None:
                    conditions.append(
                        sql.SQL("{} {} {}::timestamptz::{}").format(
                            cursor_column, sql.SQL(mark), sql.Literal(moment), kind
                        )
                    )
        return sql.SQL(" and ").join(conditions) if conditions else sql.SQL("true")

    def _date(self, of: str) -> sql.Composable:
        if self.event_date is None or self.event_date not in self.columns:
            return sql.SQL("null::date")
        return sql.SQL("{}::date").format(sql.Identifier(of, self.event_date))


def existing_tables(connection: psycopg.Connection, schema: str) -> dict[str, ExistingTable]:
    """All tables of a schema, by name, in one round trip."""
    return {
        name: ExistingTable(
            columns={column: kind for column, kind in table.short_types.items() if column != BATCH_COLUMN},
            keys=table.keys,
        )
        for name, table in describe_tables(connection, schema).items()
    }


def create_table(connection: psycopg.Connection, target: StagingTable) -> None:
    """Create the table without its primary key, which is faster to add once the rows are in: `add_primary_key`."""
    lines = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in target.columns.items()]
    connection.execute(
        target.statement(
            "create table {target} ({lines}, {batch_column} uuid not null)",
            lines=sql.SQL(", ").join(lines),
            batch_column=sql.Identifier(BATCH_COLUMN),
        )
    )


def comment_on_columns(connection: psycopg.Connection, target: StagingTable) -> None:
    """Have the comments of columns be as declared; what is said already is not written again."""
    if not target.comments:
        return
    rows = connection.execute(
        "select attname, col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        [target.relation.identifier.as_string(connection)],
    ).fetchall()
    for name, held in rows:
        if name in target.comments and target.comments[name] != held:
            connection.execute(
                target.statement(
                    "comment on column {target}.{column} is {comment}",
                    column=sql.Identifier(name),
                    comment=sql.Literal(target.comments[name]),
                )
            )


def add_primary_key(connection: psycopg.Connection, target: StagingTable) -> None:
    """Add the primary key to a new table."""
    if target.keys:
        connection.execute(target.statement("alter table {target} add primary key ({keys})"))


def give_to_keeper(connection: psycopg.Connection, target: StagingTable) -> None:
    """Give a table that outlives its source to the role that keeps it: the loader may only insert and update then."""
    if not is_keepers(connection, target):
        stop_counting(connection, target.relation)  # a trigger is nothing that it may take over
    connection.execute("select etl.outlive_source(%s)", [target.relation.identifier.as_string(connection)])


def is_keepers(connection: psycopg.Connection, target: StagingTable) -> bool:
    """Whether the table belongs to the role that keeps what outlives its source."""
    row = connection.execute(
        "select relowner = 'etl_keeper'::regrole from pg_class where oid = %s::regclass",
        [target.relation.identifier.as_string(connection)],
    ).fetchone()
    return bool(row and row[0])


def add_columns(connection: psycopg.Connection, target: StagingTable, existing: ExistingTable | None) -> None:
    """Add the columns that a table lacks; they are null until the rows are read again.

    It is a transaction of its own, for nobody can read the table meanwhile.

    Raises:
        TransientError: Somebody has been reading it for too long.
    """
    lacking = [name for name in target.columns if name not in existing.columns] if existing else []
    if not lacking:
        return
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            if target.retain_deleted:
                give_to_keeper(connection, target)
            for name in lacking:
                _add_column(connection, target, name)
    except psycopg.errors.LockNotAvailable:
        raise TransientError(
            f"{target.relation}: {', '.join(lacking)} is new at the source, and could not be added, for somebody has"
            f" been reading the table for more than {LOCK_TIMEOUT}. Nothing was done; run it again."
        ) from None


def _add_column(connection: psycopg.Connection, target: StagingTable, name: str) -> None:
    kind = target.columns[name]
    if target.retain_deleted:
        table = target.relation.identifier.as_string(connection)
        connection.execute("select etl.add_retained_column(%s, %s, %s)", [table, name, kind])
        return
    connection.execute(
        target.statement(
            "alter table {target} add column if not exists {column} {kind}",
            column=sql.Identifier(name),
            kind=sql.SQL(kind),
        )
    )
