"""Staging tables that are typed like a source's own: how they are made, and how they come to hold a new column."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.declare.database import Piece
from etl_assets.errors import TransientError
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.tables import short_type

PATIENCE = "5s"
"""How long a new column waits for those who read the table; those who come after it wait too."""
BATCH_COLUMN = "etl_batch_id"
"""The last column of every copy: the batch that wrote the row."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A table that there is in staging."""

    columns: Mapping[str, str]
    """Column -> type, in order; without the batch's."""
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A table of staging, as the source's columns make it."""

    relation: Relation
    columns: Mapping[str, str]
    """Column -> type, in the order in which rows arrive."""
    keys: tuple[str, ...]
    keep_deleted: bool = False
    append_only: bool = False
    """Whether a row that is held is never overwritten."""
    fresh: Collection[str] = ()
    """Columns that rows are given for the first time: a null there says nothing."""
    happens_on: str | None = None
    """The column whose dates say what must be built again."""
    batch: UUID = field(default=UUID(int=0))
    """Whose work it is."""

    def statement(self, text: str, **more: sql.Composable) -> sql.Composed:
        """SQL with these filled in, and what more is given.

        {target}; {columns}; {keys}, {held_keys} and {said_keys}; {same}, which holds of `held` and `said` where their
        keys are equal; {was} and {becomes}, the date of `held` and of `said`; {batch}.
        """
        return sql.SQL(text).format(
            target=self.relation.identifier,
            columns=listed(self.columns),
            keys=listed(self.keys),
            held_keys=listed(self.keys, of="held"),
            said_keys=listed(self.keys, of="said"),
            same=sql.SQL(" and ").join(
                sql.SQL("{} = {}").format(sql.Identifier("held", key), sql.Identifier("said", key)) for key in self.keys
            ),
            was=self._date("held"),
            becomes=self._date("said"),
            batch=sql.Literal(self.batch),
            **more,
        )

    @property
    def values(self) -> list[str]:
        """The columns that are no part of the key."""
        return [name for name in self.columns if name not in self.keys]

    def within(self, piece: Piece, of: str = "held") -> sql.Composable:
        """The condition that a row of a relation is of the piece."""
        conditions: list[sql.Composable] = []
        for mark, bound in ((">", piece.after), ("<=", piece.upto)):
            if bound is not None:
                key = sql.Identifier(of, self.keys[0])
                conditions.append(sql.SQL("{} {} {}").format(key, sql.SQL(mark), sql.Literal(bound)))
        if piece.keys is not None:
            conditions.append(
                sql.SQL("{} = any({})").format(sql.Identifier(of, self.keys[0]), sql.Literal(list(piece.keys)))
            )
        if piece.stamp is not None:
            stamp = sql.Identifier(of, piece.stamp.lower())
            # A stamp without a zone is compared with the clock of UTC, as the source does it.
            kind = sql.SQL(self.columns[piece.stamp.lower()])
            for mark, moment in ((">=", piece.since), ("<", piece.until)):
                if moment is not None:
                    conditions.append(
                        sql.SQL("{} {} {}::timestamptz::{}").format(stamp, sql.SQL(mark), sql.Literal(moment), kind)
                    )
        return sql.SQL(" and ").join(conditions) if conditions else sql.SQL("true")

    def _date(self, of: str) -> sql.Composable:
        if self.happens_on is None or self.happens_on not in self.columns:
            return sql.SQL("null::date")
        return sql.SQL("{}::date").format(sql.Identifier(of, self.happens_on))


def listed(names: Sequence[str] | Mapping[str, str], *, of: str | None = None) -> sql.Composed:
    """The names as identifiers, of a relation where one is given."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)


def held_tables(connection: psycopg.Connection, schema: str) -> dict[str, Held]:
    """All tables of a schema, by name, in one round trip."""
    rows = connection.execute(
        """
        select
            class.relname,
            array_agg(attribute.attname::text order by attribute.attnum),
            array_agg(format_type(attribute.atttypid, attribute.atttypmod) order by attribute.attnum),
            (
                select array_agg(part.attname::text order by array_position(key.indkey::int2[], part.attnum))
                from pg_index as key
                inner join pg_attribute as part on part.attrelid = key.indrelid and part.attnum = any(key.indkey)
                where key.indrelid = class.oid and key.indisprimary
            )
        from pg_class as class
        inner join pg_attribute as attribute
            on attribute.attrelid = class.oid and attribute.attnum > 0 and not attribute.attisdropped
        where class.relnamespace = to_regnamespace(%s) and class.relkind in ('r', 'p')
        group by class.oid
        """,
        [sql.Identifier(schema).as_string(connection)],
    )
    return {
        name: Held(
            columns={
                column: short_type(kind) for column, kind in zip(columns, kinds, strict=True) if column != BATCH_COLUMN
            },
            keys=tuple(keys or ()),
        )
        for name, columns, kinds, keys in rows
    }


def views_on(connection: psycopg.Connection, schema: str) -> dict[tuple[str, str], list[str]]:
    """The views that stand on a schema's tables, in order, by the names of table and column."""
    rows = connection.execute(
        """
        select
            class.relname,
            attribute.attname,
            array_agg(distinct view_space.nspname || '.' || view_class.relname)
        from pg_depend as depends
        inner join pg_rewrite as rule on depends.classid = 'pg_rewrite'::regclass and rule.oid = depends.objid
        inner join pg_class as view_class on view_class.oid = rule.ev_class
        inner join pg_namespace as view_space on view_space.oid = view_class.relnamespace
        inner join pg_class as class
            on depends.refclassid = 'pg_class'::regclass
            and class.oid = depends.refobjid and class.oid <> view_class.oid
        inner join pg_attribute as attribute
            on attribute.attrelid = class.oid and attribute.attnum = depends.refobjsubid and attribute.attnum > 0
        where class.relnamespace = to_regnamespace(%s)
        group by class.relname, attribute.attname
        """,
        [sql.Identifier(schema).as_string(connection)],
    )
    return {(table, column): views for table, column, views in rows}


def create(connection: psycopg.Connection, target: Target) -> None:
    """Make the table, without its key, which is made once the rows are in: `finish`."""
    lines = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in target.columns.items()]
    connection.execute(
        target.statement(
            "create table {target} ({lines}, {batch_column} uuid not null)",
            lines=sql.SQL(", ").join(lines),
            batch_column=sql.Identifier(BATCH_COLUMN),
        )
    )


def finish(connection: psycopg.Connection, target: Target) -> None:
    """Give a new table its key."""
    if target.keys:
        connection.execute(target.statement("alter table {target} add primary key ({keys})"))


def guard(connection: psycopg.Connection, target: Target) -> None:
    """Have the database refuse to delete from a table that outlives its source."""
    connection.execute("select etl.outlive_source(%s)", [target.relation.identifier.as_string(connection)])


def widen(connection: psycopg.Connection, target: Target, held: Held | None) -> None:
    """Give a table the columns it lacks; they are null until the rows are read again.

    It is a transaction of its own, for nobody can read the table meanwhile.

    Raises:
        TransientError: Somebody has been reading it for too long.
    """
    lacking = [name for name in target.columns if name not in held.columns] if held else []
    if not lacking:
        return
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{PATIENCE}'")
            for name in lacking:
                connection.execute(
                    target.statement(
                        "alter table {target} add column if not exists {column} {kind}",
                        column=sql.Identifier(name),
                        kind=sql.SQL(target.columns[name]),
                    )
                )
    except psycopg.errors.LockNotAvailable:
        raise TransientError(
            f"{target.relation}: {', '.join(lacking)} is new at the source, and could not be added, for somebody has"
            f" been reading the table for more than {PATIENCE}. Nothing was done; run it again."
        ) from None
