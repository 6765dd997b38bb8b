"""An old pipeline's tables: their schema, and casts of their values into our types.

An old target has its own spelling (`"PatNum"`), types (boolean for 0 and 1, double precision for a decimal, a timestamp
without zone for a moment) and columns. Its values are converted by the casts below, both where they are compared with
ours and where a view shows them in their place.

| our type | from | converted |
|---|---|---|
| whole numbers | boolean, numbers, text | true is 1; a value with a fraction, too great or no number is null |
| numeric, double precision, real | boolean, numbers, text | rounded to the type; too great or no number is null |
| boolean | boolean, numbers, text | 0 is false, every other number is true |
| date, timestamp | date, timestamp, timestamptz, text | a moment is read in the old pipeline's zone; no date is null |
| timestamptz | date, timestamp, timestamptz, text | what has no zone is of the old pipeline's zone |
| interval | interval, time, text | as it is |
| time | time, interval, timestamp, text | what the clock shows; an interval over a day is null |
| uuid | uuid, text, bytea | sixteen bytes or any of the spellings that PostgreSQL reads; anything else is null |
| jsonb | jsonb, json, text | as a document; what is none is null |
| text | every type | as PostgreSQL prints it; bytes that are no letters escaped |
| bytea | bytea, text | text by its bytes in UTF-8 |

Every other pair has no cast: the column is null in a view, and is not compared.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import psycopg
from psycopg import sql

from etl_assets.warehouse.catalog import describe_tables, short_type

_ALIKE = {"time with time zone": "time", "character varying": "text", "character": "text"}
"""Types that an old pipeline may have, and that are read like one of ours."""
_WHOLE = {
    "smallint": (-32768, 32767),
    "integer": (-2147483648, 2147483647),
    "bigint": (-9223372036854775808, 9223372036854775807),
}
_NUMBERS = (*_WHOLE, "numeric", "double precision", "real")
_MOMENTS = ("date", "timestamp", "timestamptz")
_WRITTEN = ("interval", "time", "uuid", "jsonb")
"""Types whose values are read from text, where it is one of theirs."""
_OTHER_CASTS = {
    ("time", "interval"): "{0}",
    ("interval", "time"): "case when {0} >= interval '0' and {0} < interval '1 day' then {0}::time end",
    ("timestamp", "time"): "{0}::time",
    ("bytea", "uuid"): "case when length({0}) = 16 then encode({0}, 'hex') end",
    ("bytea", "text"): "encode({0}, 'escape')",
    ("text", "bytea"): "convert_to({0}::text, 'UTF8')",
}
"""The expression by the old type and ours, with {0} for the value."""
_NUMBER = "^\\s*[-+]?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]{1,2})?\\s*$"


@dataclass(frozen=True)
class ColumnSchema:
    """A column of an old table or of ours, with its full type."""

    name: str
    type: str
    """In full, as PostgreSQL writes it: `numeric(20,0)`."""

    @property
    def kind(self) -> str:
        """The type without length, under its short name."""
        bare = self.type.partition("(")[0] + self.type.partition(")")[2]
        return _ALIKE.get(bare, short_type(bare))


@dataclass(frozen=True)
class TableSchema:
    """An old table or one of ours, with its columns."""

    schema: str
    name: str
    columns: Mapping[str, ColumnSchema] = field(default_factory=dict)
    """In their order, by their names in lower case; of two that differ in case alone, the lower one."""

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)


def table_schemas(connection: psycopg.Connection, schema: str) -> dict[str, TableSchema]:
    """The tables and views of a schema by their names in lower case."""
    tables = []
    for name, table in describe_tables(connection, schema, with_views=True).items():
        columns: dict[str, ColumnSchema] = {}
        for column, kind in table.columns.items():
            if column.lower() not in columns or column.islower():
                columns[column.lower()] = ColumnSchema(column, kind)
        tables.append(TableSchema(schema, name, columns))
    return {table.name.lower(): table for table in sorted(tables, key=lambda table: table.name)}


def cast_to_ours(old: ColumnSchema, ours: ColumnSchema, *, zone: str) -> sql.Composable | None:
    """The expression that casts an old column to our type; None where there is no cast.

    Args:
        old: The column of the old table.
        ours: The column of ours.
        zone: The time zone of the old pipeline's timestamps, such as `America/Chicago`.
    """
    value = sql.Identifier(old.name)
    if ours.kind in _NUMBERS:
        converted = _null_out_of_bounds(_as_number(value, old.kind), ours)
    elif ours.kind == "boolean":
        number = _as_number(value, old.kind)
        converted = value if old.kind == "boolean" else number and sql.SQL("({}) <> 0").format(number)
    elif ours.kind in _MOMENTS:
        converted = _as_timestamp(value, old.kind, ours.kind, zone)
    else:
        converted = _as_other(value, old.kind, ours.kind)
    return None if converted is None else sql.SQL("cast({} as {})").format(converted, sql.SQL(ours.type))


def _as_number(value: sql.Composable, old: str) -> sql.Composable | None:
    if old == "boolean":
        return sql.SQL("{}::integer::numeric").format(value)
    if old in {"double precision", "real"}:
        # By way of its text: the cast to numeric keeps fifteen digits of a double's seventeen.
        return sql.SQL("{}::text::numeric").format(value)
    if old == "text":
        return sql.SQL("case when {0} ~ {1} then {0}::numeric end").format(value, sql.Literal(_NUMBER))
    return sql.SQL("{}::numeric").format(value) if old in _NUMBERS else None


def _null_out_of_bounds(number: sql.Composable | None, ours: ColumnSchema) -> sql.Composable | None:
    """The number, or null where it is out of our type's range."""
    if number is None or ours.type in {"numeric", "double precision"}:
        return number
    if ours.kind in _WHOLE:
        low, high = map(sql.Literal, _WHOLE[ours.kind])
        in_bounds = sql.SQL("({0}) between {1} and {2} and ({0}) % 1 = 0").format(number, low, high)
    elif ours.kind == "real":
        in_bounds = sql.SQL("abs({}) < 3e38").format(number)
    else:
        precision, scale = re.findall(r"-?\d+", ours.type)
        in_bounds = sql.SQL("abs(round({}, {})) < {}").format(
            number, sql.Literal(int(scale)), sql.Literal(Decimal(10) ** (int(precision) - int(scale)))
        )
    return sql.SQL("case when {} then {} end").format(in_bounds, number)


def _as_timestamp(value: sql.Composable, old: str, ours: str, zone: str) -> sql.Composable | None:
    if old == "text":
        value = sql.SQL("case when pg_input_is_valid({0}, 'timestamp') then {0}::timestamp end").format(value)
        old = "timestamp"
    if old not in _MOMENTS:
        return None
    if (old == "timestamptz") == (ours == "timestamptz"):
        return value
    return sql.SQL("({})::{} at time zone {}").format(
        value, sql.SQL("timestamptz" if old == "timestamptz" else "timestamp"), sql.Literal(zone)
    )


def _as_other(value: sql.Composable, old: str, ours: str) -> sql.Composable | None:
    """The value in one of the types that have few others beside them; None where there is no cast."""
    form = _OTHER_CASTS.get((old, ours))
    if form is None and ours in {old, "text"}:
        form = "{0}"
    elif form is None and old in {"text", "json"} and ours in _WRITTEN:
        form = "case when pg_input_is_valid({0}::text, {1}) then {0}::text end"
    return None if form is None else sql.SQL(form).format(value, sql.Literal(ours))
