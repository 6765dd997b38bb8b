"""One of two tables that are compared: the same queries, run in either database in the same SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import Sums
from etl_assets.declare.measures import ROW_CHECKSUM, comparable_sql, parse_sums, sums_by_columns, sums_sql
from etl_assets.warehouse.database.old_target import TableSchema


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

    def comparable(self, name: str) -> sql.Composed:
        """A value in the form in which rows are compared: what a sum leaves out, such as NaN, counts here."""
        return sql.SQL(comparable_sql(self.types[name])).format(sql.Identifier(name))

    @property
    def row_checksum(self) -> sql.Composed:
        """The checksum of a row: two rows share it only where all their values are the same."""
        row = sql.SQL("row({})").format(sql.SQL(", ").join(self.comparable(name) for name in self.columns))
        # The two databases may have different encodings.
        return sql.SQL(ROW_CHECKSUM).format(sql.SQL("convert_to({}::text, 'UTF8')").format(row))

    def query(self, query: str, **parts: sql.Composable) -> list[tuple[Any, ...]]:
        """Run a query over the rows, which it calls `converted`."""
        statement = sql.SQL("with converted as ({rows}) " + query).format(rows=self.rows, **parts)
        return self.connection.execute(statement).fetchall()


def column_sums(table: ComparedTable) -> Sums:
    """The row count, and the sum of each column."""

    def query(names: Sequence[str]) -> Sums:
        select_list = sql.SQL(sums_sql([table.types[name] for name in names])).format(*map(sql.Identifier, names))
        return parse_sums(names, table.query("select {sums} from converted", sums=select_list))

    return sums_by_columns(list(table.columns), query)


def differing_ranges(old: ComparedTable, new: ComparedTable, which: sql.Composable) -> list[Decimal | None]:
    """The key ranges whose checksums differ, in order."""
    query = "select {which}, count(*), sum({checksum}) from converted group by 1"
    of_old, of_new = (
        {bucket: (rows, total) for bucket, rows, total in table.query(query, which=which, checksum=table.row_checksum)}
        for table in (old, new)
    )
    differing = [bucket for bucket in {*of_old, *of_new} if of_old.get(bucket) != of_new.get(bucket)]
    return sorted(differing, key=lambda bucket: (bucket is not None, bucket))
