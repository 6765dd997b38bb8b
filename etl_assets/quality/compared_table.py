"""One of two tables that are compared: the same queries, run in either database in the same SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import ColumnSum
from etl_assets.warehouse.database.old_target import TableSchema

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
class ComparedTable:
    """One of the two tables, reduced to the common columns, in our names and types."""

    connection: psycopg.Connection
    table: TableSchema
    columns: Mapping[str, sql.Composable]
    types: Mapping[str, str]

    @property
    def rows(self) -> sql.Composed:
        """The SELECT of the rows."""
        lines = [sql.SQL("{} as {}").format(value, sql.Identifier(name)) for name, value in self.columns.items()]
        return sql.SQL("select {} from {}").format(sql.SQL(", ").join(lines), self.table.identifier)

    def measure(self, name: str) -> sql.Composed:
        """The number that stands for a value in sums and row checksums."""
        measure = _MEASURES.get(self.types[name], "trim_scale({0}::numeric)")
        return sql.SQL(f"({measure})").format(sql.Identifier(name))

    @property
    def row_sum(self) -> sql.Composed:
        """The checksum of a row: two rows share it only where all their values are the same."""
        row = sql.SQL("row({})").format(sql.SQL(", ").join(self.measure(name) for name in self.columns))
        return sql.SQL("('x' || left(md5({}::text), 15))::bit(60)::bigint").format(row)

    def query(self, query: str, **parts: sql.Composable) -> list[tuple[Any, ...]]:
        """Run a query over the rows, which it calls `converted`."""
        statement = sql.SQL("with converted as ({rows}) " + query).format(rows=self.rows, **parts)
        return self.connection.execute(statement).fetchall()


def column_sums(table: ComparedTable) -> tuple[int, dict[str, ColumnSum]]:
    """The row count, and the sum of each column."""
    aggregates: list[sql.Composable] = [sql.SQL("count(*)")]
    for name in table.columns:
        aggregates += [
            sql.SQL("count({})").format(sql.Identifier(name)),
            sql.SQL("sum({})").format(table.measure(name)),
        ]
    ((rows, *found),) = table.query("select {aggregates} from converted", aggregates=sql.SQL(", ").join(aggregates))
    return rows, {
        name: ColumnSum(values=found[2 * index], total=Decimal(found[2 * index + 1] or 0))
        for index, name in enumerate(table.columns)
    }


def differing_ranges(old: ComparedTable, new: ComparedTable, which: sql.Composable) -> list[Decimal | None]:
    """The key ranges whose checksums differ, in order."""
    query = "select {which}, count(*), sum({sum}) from converted group by 1"
    of_old, of_new = (
        {bucket: (rows, total) for bucket, rows, total in table.query(query, which=which, sum=table.row_sum)}
        for table in (old, new)
    )
    differing = [bucket for bucket in {*of_old, *of_new} if of_old.get(bucket) != of_new.get(bucket)]
    return sorted(differing, key=lambda bucket: (bucket is not None, bucket))
