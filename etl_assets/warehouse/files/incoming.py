"""Temporary staging of one file: a typed table that is filled by COPY, and the validation of rows that it skipped.

`incoming` holds what PostgreSQL could parse. What it could not is skipped by the COPY, which tells the line only; those
rows come a second time as text into `reject_candidate`, where every column says for itself what is wrong with it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from etl_assets.warehouse.copy import CopyResult, copy_in, copy_line
from etl_assets.warehouse.relation import Relation

INCOMING = Relation("pg_temp", "etl_incoming")
REJECT_CANDIDATES = Relation("pg_temp", "etl_reject_candidate")
_OUT_OF_RANGE = ("22003", "22008")


@dataclass(frozen=True)
class ColumnSource:
    """Column mapping of one target column: a field of `incoming`, or a constant."""

    column: str
    type: str
    field: str | None = None
    constant: str | None = None
    default: str | None = None
    """Stands in for a null of `field`."""
    fallbacks: "tuple[ColumnSource, ...]" = ()
    """Further columns, of type text, that stand in for a null, in this order; if there are any, an empty text does
    for all of them."""

    def expression(self, alias: str, names: Mapping[str, str] | None = None) -> sql.Composable:
        """The SQL expression of the value, in a row of `incoming` with this alias.

        `names` says how the fields are called where it is a row of something else.
        """
        if self.fallbacks:
            own = replace(self, fallbacks=())
            values = [
                sql.SQL("nullif(btrim({}), '')").format(source.expression(alias, names))
                for source in (own, *self.fallbacks)
            ]
            return sql.SQL("coalesce({}, '')").format(sql.SQL(", ").join(values))
        kind = sql.SQL(self.type)
        if self.field is None:
            return sql.SQL("{}::{}").format(sql.Literal(self.constant), kind)
        field = sql.Identifier(alias, names[self.field] if names else self.field)
        if self.default is None:
            return field
        return sql.SQL("coalesce({}, {}::{})").format(field, sql.Literal(self.default), kind)


@dataclass(frozen=True)
class IncomingFile:
    """Target, column mapping and metadata (feed, file name, batch, load time) of the file that is loaded."""

    target: Relation
    sources: tuple[ColumnSource, ...]
    """Every column that is loaded; those without field and constant become null."""
    keys: tuple[str, ...]
    slice_by: str
    feed: str
    file_name: str
    batch_id: UUID
    loaded_at: datetime

    def source(self, column: str) -> ColumnSource:
        """The mapping of one column."""
        return next(source for source in self.sources if source.column == column)

    def key_expressions(self, alias: str) -> list[sql.Composable]:
        """The SQL expressions of the key, in a row of `incoming` with this alias."""
        return [self.source(key).expression(alias) for key in self.keys]


@dataclass(frozen=True)
class InvalidValue:
    """A value of a reject candidate that cannot be stored: invalid for its type, out of range, or missing."""

    line: int
    at: int | None
    """Which field; None where each by itself is right, and PostgreSQL refused the row all the same."""
    value: str | None
    """None where it is missing and must not be."""
    out_of_range: bool
    raw: str


def apply_date_settings(connection: psycopg.Connection, *, date_order: str, time_zone: str) -> None:
    """Set DateStyle, time zone and notices of skipped rows until the transaction ends."""
    wanted = {"datestyle": f"ISO, {date_order}", "timezone": time_zone, "client_min_messages": "notice"}
    for name, value in wanted.items():
        connection.execute("select set_config(%s, %s, true)", [name, value])


@contextmanager
def date_settings(connection: psycopg.Connection, *, date_order: str, time_zone: str) -> Iterator[None]:
    """As `apply_date_settings`, for the `with` block; restored afterwards."""
    names = ("datestyle", "timezone", "client_min_messages")
    before = {name: connection.execute("select current_setting(%s)", [name]).fetchone() for name in names}
    apply_date_settings(connection, date_order=date_order, time_zone=time_zone)
    try:
        yield
    finally:
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            for name, row in before.items():
                connection.execute("select set_config(%s, %s, true)", [name, row[0] if row else ""])


def copy_incoming(
    connection: psycopg.Connection, fields: Sequence[tuple[str, str]], blocks: Iterable[bytes], *, delimiter: str
) -> CopyResult:
    """Create `incoming` and COPY into it, skipping the rows that PostgreSQL cannot parse.

    Args:
        connection: Open, with its transaction begun.
        fields: Name and type of each, in the order of the stream.
        blocks: CSV lines; empty fields are null.
        delimiter: Between the fields.

    Returns:
        How many rows it holds, and the lines of the stream that it does not.
    """
    drop_temporary_tables(connection)
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


def drop_temporary_tables(connection: psycopg.Connection) -> None:
    """Drop the temporary tables of an earlier file."""
    for name in (INCOMING.name, REJECT_CANDIDATES.name, "etl_matched"):
        if connection.execute("select to_regclass(%s)", [f"pg_temp.{name}"]).fetchone() != (None,):
            connection.execute(sql.SQL("drop table {}").format(sql.Identifier("pg_temp", name)))


def ordinal_to_record(
    connection: psycopg.Connection, copied: CopyResult, skipped: Sequence[int]
) -> Callable[[int], int]:
    """A function that maps an ordinal of `incoming` to the number of its record in the stream, from 0.

    Since PostgreSQL 18 skipped rows use up ordinals; before, they did not.

    Args:
        connection: The one with the table.
        copied: What the COPY said.
        skipped: The records that it skipped.
    """
    row = connection.execute(sql.SQL("select coalesce(max(ordinal), 0) from {}").format(INCOMING.identifier)).fetchone()
    if row is None or row[0] > copied.rows or not skipped:
        return lambda ordinal: ordinal - 1
    kept_before = [gone - at for at, gone in enumerate(sorted(skipped))]
    return lambda ordinal: ordinal - 1 + bisect_right(kept_before, ordinal - 1)


def copy_reject_candidates(
    connection: psycopg.Connection, width: int, rows: Iterable[tuple[int, Sequence[int], str, Sequence[str | None]]]
) -> None:
    """Create `reject_candidate` and COPY the candidates into it, as text.

    Args:
        connection: Open, with its transaction begun.
        width: How many values a row has.
        rows: Of each its line, the indexes of the values known to be invalid, its raw text, and the values.
    """
    listed = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(f"f{at}")) for at in range(width))
    connection.execute(
        sql.SQL("create temporary table {} (line bigint, invalid_fields int[], raw text, {}) on commit drop").format(
            sql.Identifier(REJECT_CANDIDATES.name), listed
        )
    )
    lines = (
        copy_line([str(line), "{" + ",".join(map(str, invalid_fields)) + "}", raw, *values])
        for line, invalid_fields, raw, values in rows
    )
    copy_in(connection, sql.SQL("copy {} from stdin").format(REJECT_CANDIDATES.identifier), lines)


def invalid_values(
    connection: psycopg.Connection, fields: Sequence[tuple[str, str]], needed: Sequence[int], *, limit: int
) -> list[InvalidValue]:
    """Validate the first `limit` reject candidates column by column, with `pg_input_error_info`; by line."""
    checks = [
        sql.SQL("({at}, {field}, {missing}, {invalid}, {code})").format(
            at=sql.Literal(at),
            field=sql.Identifier("candidate", f"f{at}"),
            missing=sql.SQL("{} is null").format(sql.Identifier("candidate", f"f{at}"))
            if at in needed
            else sql.SQL("false"),
            invalid=_invalid("candidate", at, kind),
            code=sql.SQL("(pg_input_error_info({}, {})).sql_error_code").format(
                sql.Identifier("candidate", f"f{at}"), sql.Literal(kind)
            ),
        )
        for at, (_, kind) in enumerate(fields)
    ]
    rows = connection.execute(
        sql.SQL("""
            select
                candidate.line,
                field.at,
                field.value,
                case when field.invalid then field.code end,
                candidate.raw
            from (select * from {} order by line limit {}) as candidate
            left join lateral (values {}) as field (at, value, missing, invalid, code)
                on field.missing or field.invalid
            order by candidate.line, field.at
        """).format(REJECT_CANDIDATES.identifier, sql.Literal(limit), sql.SQL(", ").join(checks))
    )
    return [InvalidValue(line, at, value, code in _OUT_OF_RANGE, raw) for line, at, value, code, raw in rows]


def _invalid(alias: str, at: int, kind: str) -> sql.Composed:
    field = sql.Identifier(alias, f"f{at}")
    return sql.SQL(
        "({field} is not null and ({at} = any ({invalid_fields}) or not pg_input_is_valid({field}, {kind})))"
    ).format(
        field=field, at=sql.Literal(at), invalid_fields=sql.Identifier(alias, "invalid_fields"), kind=sql.Literal(kind)
    )


def readable_key(file: IncomingFile, fields: Sequence[tuple[str, str]]) -> tuple[sql.Composed, list[sql.Composable]]:
    """SQL condition of whether the key of a reject candidate can be parsed, and the key's expressions."""
    positions = {name: at for at, (name, _) in enumerate(fields)}
    names = {name: f"f{at}" for name, at in positions.items()}
    readable: list[sql.Composable] = [sql.SQL("true")]
    key: list[sql.Composable] = []
    for source in map(file.source, file.keys):
        if source.field is None or source.fallbacks:
            key.append(source.expression("candidate", names))
            continue
        field = sql.Identifier("candidate", names[source.field])
        invalid = _invalid("candidate", positions[source.field], source.type)
        readable.append(sql.SQL("{} is not null and not {}").format(field, invalid))
        key.append(sql.SQL("{}::{}").format(field, sql.SQL(source.type)))
    return sql.SQL(" and ").join(readable), key


def count_unreadable_keys(connection: psycopg.Connection, file: IncomingFile, fields: Sequence[tuple[str, str]]) -> int:
    """Count the reject candidates whose key cannot be parsed."""
    readable, _ = readable_key(file, fields)
    return int(
        fetch_row(
            connection,
            sql.SQL("select count(*) from {} as candidate where not ({})").format(
                REJECT_CANDIDATES.identifier, readable
            ),
        )[0]
    )


def fetch_row(connection: psycopg.Connection, statement: sql.Composable, values: object = None) -> TupleRow:
    """Fetch the only row of a query."""
    row = connection.execute(statement, values).fetchone()  # type: ignore[call-overload]
    if row is None:
        raise psycopg.ProgrammingError("the query has no row")
    return row  # type: ignore[no-any-return]
