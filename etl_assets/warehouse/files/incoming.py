"""The rows of one file on their way: temporary tables of the session, typed, and the reasons of what does not fit.

`incoming` holds what PostgreSQL could read. What it could not is skipped by the COPY, which tells the line only; those
rows come a second time as text into `suspect`, where every column says for itself what is wrong with it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from etl_assets.warehouse.copy import Copied, copy_in, copy_line
from etl_assets.warehouse.relation import Relation

INCOMING = Relation("pg_temp", "etl_incoming")
SUSPECT = Relation("pg_temp", "etl_suspect")
_OUT_OF_RANGE = ("22003", "22008")


@dataclass(frozen=True)
class Source:
    """Where a column of the target takes its values from: a column of `incoming`, or a constant."""

    column: str
    type: str
    field: str | None = None
    constant: str | None = None
    default: str | None = None
    """Stands in for a null of `field`."""

    def of(self, alias: str) -> sql.Composable:
        """The value in a row of `incoming` that goes by this name."""
        kind = sql.SQL(self.type)
        if self.field is None:
            return sql.SQL("{}::{}").format(sql.Literal(self.constant), kind)
        field = sql.Identifier(alias, self.field)
        if self.default is None:
            return field
        return sql.SQL("coalesce({}, {}::{})").format(field, sql.Literal(self.default), kind)


@dataclass(frozen=True)
class Delivery:
    """What a file's rows are written with, and the columns they fill."""

    target: Relation
    sources: tuple[Source, ...]
    """Every column that is loaded; those without field and constant become null."""
    keys: tuple[str, ...]
    slice_by: str
    feed: str
    file_name: str
    batch_id: UUID
    loaded_at: datetime

    def source(self, column: str) -> Source:
        """Of one column."""
        return next(source for source in self.sources if source.column == column)

    def key_of(self, alias: str) -> list[sql.Composable]:
        """The key in a row of `incoming`."""
        return [self.source(key).of(alias) for key in self.keys]


@dataclass(frozen=True)
class Wrong:
    """A value of a suspect that cannot be stored."""

    line: int
    at: int | None
    """Which field; None where each by itself is right, and PostgreSQL refused the row all the same."""
    value: str | None
    """None where it is missing and must not be."""
    out_of_range: bool
    raw: str


@contextmanager
def reading_as(connection: psycopg.Connection, *, date_order: str, time_zone: str) -> Iterator[None]:
    """Read dates in this order and zone, and tell of skipped rows, in the `with` block."""
    wanted = {"datestyle": f"ISO, {date_order}", "timezone": time_zone, "client_min_messages": "notice"}
    before = {name: connection.execute("select current_setting(%s)", [name]).fetchone() for name in wanted}
    for name, value in wanted.items():
        connection.execute("select set_config(%s, %s, true)", [name, value])
    try:
        yield
    finally:
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            for name, row in before.items():
                connection.execute("select set_config(%s, %s, true)", [name, row[0] if row else ""])


def copy_incoming(
    connection: psycopg.Connection, fields: Sequence[tuple[str, str]], blocks: Iterable[bytes], *, delimiter: str
) -> Copied:
    """Fill `incoming` with what PostgreSQL can read.

    Args:
        connection: Open, with its transaction begun.
        fields: Name and type of each, in the order of the stream.
        blocks: CSV lines; empty fields are null.
        delimiter: Between the fields.

    Returns:
        How many rows it holds, and the lines of the stream that it does not.
    """
    drop(connection)
    names = [sql.Identifier(name) for name, _ in fields]
    connection.execute(
        sql.SQL(
            "create temporary table {} (ordinal bigint generated always as identity (cache 1000), {}) on commit drop"
        ).format(
            sql.Identifier(INCOMING.name),
            sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in fields),
        )
    )
    statement = sql.SQL(
        "copy {} ({}) from stdin (format csv, delimiter {}, force_null ({}), on_error ignore, log_verbosity verbose)"
    )
    listed = sql.SQL(", ").join(names)
    return copy_in(connection, statement.format(INCOMING.identifier, listed, sql.Literal(delimiter), listed), blocks)


def drop(connection: psycopg.Connection) -> None:
    """Remove the temporary tables of an earlier file."""
    for name in (INCOMING.name, SUSPECT.name, "etl_matched"):
        if connection.execute("select to_regclass(%s)", [f"pg_temp.{name}"]).fetchone() != (None,):
            connection.execute(sql.SQL("drop table {}").format(sql.Identifier("pg_temp", name)))


def record_of(connection: psycopg.Connection, copied: Copied, skipped: Sequence[int]) -> Callable[[int], int]:
    """What turns an ordinal of `incoming` to the number of its record in the stream, from 0.

    Since PostgreSQL 18 skipped rows use up ordinals; before, they did not.

    Args:
        connection: The one with the table.
        copied: What the COPY said.
        skipped: The records that it skipped.
    """
    row = connection.execute(sql.SQL("select coalesce(max(ordinal), 0) from {}").format(INCOMING.identifier)).fetchone()
    if row is None or row[0] > copied.rows or not skipped:
        return lambda ordinal: ordinal - 1
    return lambda ordinal: _nth_kept(ordinal - 1, sorted(skipped))


def _nth_kept(record: int, skipped: Sequence[int]) -> int:
    for gone in skipped:
        if gone > record:
            break
        record += 1
    return record


def copy_suspects(
    connection: psycopg.Connection, width: int, rows: Iterable[tuple[int, Sequence[int], str, Sequence[str | None]]]
) -> None:
    """Fill `suspect`.

    Args:
        connection: Open, with its transaction begun.
        width: How many values a row has.
        rows: Of each its line, the numbers of the values that are known to be wrong, its raw text, and the values.
    """
    listed = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(f"f{at}")) for at in range(width))
    connection.execute(
        sql.SQL("create temporary table {} (line bigint, refused int[], raw text, {}) on commit drop").format(
            sql.Identifier(SUSPECT.name), listed
        )
    )
    lines = (
        copy_line([str(line), "{" + ",".join(map(str, refused)) + "}", raw, *values])
        for line, refused, raw, values in rows
    )
    copy_in(connection, sql.SQL("copy {} from stdin").format(SUSPECT.identifier), lines)


def wrong_values(
    connection: psycopg.Connection, fields: Sequence[tuple[str, str]], needed: Sequence[int], *, limit: int
) -> list[Wrong]:
    """What is wrong with the suspects, column by column, by line."""
    checks = [
        sql.SQL("({at}, {field}, {missing}, {invalid}, {code})").format(
            at=sql.Literal(at),
            field=sql.Identifier("suspect", f"f{at}"),
            missing=sql.SQL("{} is null").format(sql.Identifier("suspect", f"f{at}"))
            if at in needed
            else sql.SQL("false"),
            invalid=_invalid("suspect", at, kind),
            code=sql.SQL("(pg_input_error_info({}, {})).sql_error_code").format(
                sql.Identifier("suspect", f"f{at}"), sql.Literal(kind)
            ),
        )
        for at, (_, kind) in enumerate(fields)
        if kind != "text" or at in needed
    ]
    rows = connection.execute(
        sql.SQL("""
            select
                suspect.line,
                field.at,
                field.value,
                case when field.invalid then field.code end,
                suspect.raw
            from {} as suspect
            left join lateral (values {}) as field (at, value, missing, invalid, code)
                on field.missing or field.invalid
            order by suspect.line, field.at
            limit {}
        """).format(SUSPECT.identifier, sql.SQL(", ").join(checks), sql.Literal(limit))
    )
    return [Wrong(line, at, value, code in _OUT_OF_RANGE, raw) for line, at, value, code, raw in rows]


def _invalid(alias: str, at: int, kind: str) -> sql.Composed:
    field = sql.Identifier(alias, f"f{at}")
    return sql.SQL(
        "({field} is not null and ({at} = any ({refused}) or not pg_input_is_valid({field}, {kind})))"
    ).format(field=field, at=sql.Literal(at), refused=sql.Identifier(alias, "refused"), kind=sql.Literal(kind))


def readable_key(delivery: Delivery, fields: Sequence[tuple[str, str]]) -> tuple[sql.Composed, list[sql.Composable]]:
    """Whether a suspect's key can be read, and the key."""
    names = [name for name, _ in fields]
    readable: list[sql.Composable] = [sql.SQL("true")]
    key: list[sql.Composable] = []
    for source in map(delivery.source, delivery.keys):
        if source.field is None:
            key.append(source.of("suspect"))
            continue
        at = names.index(source.field)
        field = sql.Identifier("suspect", f"f{at}")
        readable.append(sql.SQL("{} is not null and not {}").format(field, _invalid("suspect", at, source.type)))
        key.append(sql.SQL("{}::{}").format(field, sql.SQL(source.type)))
    return sql.SQL(" and ").join(readable), key


def unreadable_keys(connection: psycopg.Connection, delivery: Delivery, fields: Sequence[tuple[str, str]]) -> int:
    """How many suspects have a key that cannot be read."""
    readable, _ = readable_key(delivery, fields)
    return int(
        one(
            connection,
            sql.SQL("select count(*) from {} as suspect where not ({})").format(SUSPECT.identifier, readable),
        )[0]
    )


def one(connection: psycopg.Connection, statement: sql.Composable, values: object = None) -> TupleRow:
    """The only row of a query."""
    row = connection.execute(statement, values).fetchone()  # type: ignore[call-overload]
    if row is None:
        raise psycopg.ProgrammingError("the query has no row")
    return row  # type: ignore[no-any-return]
