"""One side of a comparison of two tables: the same questions, put to either database in the same words."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from etl_assets.declare.database import ColumnSum
from etl_assets.warehouse.database.old_target import HeldTable

_TEXT = "('x' || left(md5({0}), 8))::bit(32)::bigint::numeric"
_MEASURES = {
    "boolean": "{0}::integer::numeric",
    "real": "floor({0}::float8 * 10000 + 0.5)::numeric",
    "double precision": "floor({0} * 10000 + 0.5)::numeric",
    "date": "extract(epoch from {0}) - 946684800",
    "timestamp": "extract(epoch from {0}) - 946684800",
    "timestamptz": "extract(epoch from {0}) - 946684800",
    "interval": "extract(epoch from {0})",
    "text": _TEXT.replace("md5({0})", "md5(convert_to({0}, 'UTF8'))"),
    "bytea": _TEXT,
}


@dataclass(frozen=True)
class Side:
    """One of the two: the rows of its table with the columns that both have, in our names and types."""

    connection: psycopg.Connection
    table: HeldTable
    shown: Mapping[str, sql.Composable]
    kinds: Mapping[str, str]

    @property
    def rows(self) -> sql.Composed:
        """The SELECT of the rows."""
        lines = [sql.SQL("{} as {}").format(value, sql.Identifier(name)) for name, value in self.shown.items()]
        return sql.SQL("select {} from {}").format(sql.SQL(", ").join(lines), self.table.identifier)

    def measure(self, name: str) -> sql.Composed:
        """What a value of a column counts as."""
        measure = _MEASURES.get(self.kinds[name], "trim_scale({0}::numeric)")
        return sql.SQL(f"({measure})").format(sql.Identifier(name))

    @property
    def row_sum(self) -> sql.Composed:
        """A number that two rows share only where all their values are the same."""
        row = sql.SQL("row({})").format(sql.SQL(", ").join(self.measure(name) for name in self.shown))
        return sql.SQL("('x' || left(md5({}::text), 15))::bit(60)::bigint").format(row)

    def ask(self, query: str, **parts: sql.Composable) -> list[tuple[Any, ...]]:
        """The answer to a query over the rows, which it calls `turned`."""
        statement = sql.SQL("with turned as ({rows}) " + query).format(rows=self.rows, **parts)
        return self.connection.execute(statement).fetchall()


def sums(side: Side) -> tuple[int, dict[str, ColumnSum]]:
    """How many rows there are, and what each column of them comes to."""
    words: list[sql.Composable] = [sql.SQL("count(*)")]
    for name in side.shown:
        words += [sql.SQL("count({})").format(sql.Identifier(name)), sql.SQL("sum({})").format(side.measure(name))]
    ((rows, *found),) = side.ask("select {words} from turned", words=sql.SQL(", ").join(words))
    return rows, {
        name: ColumnSum(values=found[2 * place], total=Decimal(found[2 * place + 1] or 0))
        for place, name in enumerate(side.shown)
    }


def ranges_apart(old: Side, new: Side, which: sql.Composable) -> list[Decimal | None]:
    """The ranges of keys that come to something else, in order."""
    query = "select {which}, count(*), sum({sum}) from turned group by 1"
    of_old, of_new = (
        {place: (rows, total) for place, rows, total in side.ask(query, which=which, sum=side.row_sum)}
        for side in (old, new)
    )
    apart = [place for place in {*of_old, *of_new} if of_old.get(place) != of_new.get(place)]
    return sorted(apart, key=lambda place: (place is not None, place))
