"""Staging tables that are typed like a source's own: how they are made, and how they come to hold a new column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg import sql

from etl_assets.spec.database import Piece
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.tables import short_type

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

    def within(self, piece: Piece) -> sql.Composable:
        """The condition that a row of `held` is of the piece."""
        conditions: list[sql.Composable] = []
        if piece.after is not None:
            conditions.append(sql.SQL("held.{} > {}").format(sql.Identifier(self.keys[0]), sql.Literal(piece.after)))
        if piece.upto is not None:
            conditions.append(sql.SQL("held.{} <= {}").format(sql.Identifier(self.keys[0]), sql.Literal(piece.upto)))
        if piece.stamp is not None:
            stamp = sql.Identifier("held", piece.stamp.lower())
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


def add_columns(connection: psycopg.Connection, target: Target, names: Sequence[str]) -> None:
    """Add columns that the table lacks; they are null until the rows are read again."""
    for name in names:
        connection.execute(
            target.statement(
                "alter table {target} add column {column} {kind}",
                column=sql.Identifier(name),
                kind=sql.SQL(target.columns[name]),
            )
        )
