"""Checksums of the key ranges of a MySQL table: one that changes as soon as any row of the range does."""

from collections.abc import Iterator, Sequence

from etl_assets.declare.database_reader import Fingerprint, RowRange, SourceColumn, SourceTable
from etl_assets.readers.database.mysql_connection import MysqlConnection
from etl_assets.readers.database.mysql_lines import quote_mysql
from etl_assets.readers.database.mysql_ranges import from_where, nth_key, split_into_strides, stride_rows
from etl_assets.readers.database.mysql_types import MysqlType


def read_fingerprints(
    connection: MysqlConnection, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None
) -> Iterator[Fingerprint]:
    """The checksums of all key ranges, see `DatabaseReader`; of large rows in several short statements."""
    select = f"select count(*), coalesce(sum({_row_hash(table.columns)}), 0)"
    stride = stride_rows(table)

    def of_range(after: int | None, upto: int | None) -> Fingerprint:
        whole = RowRange(after=after, upto=upto)
        # A sum, for without a key rows may be alike; and so it can be taken in parts.
        parts = (
            split_into_strides(connection, table, whole, stride)
            if table.has_integer_key and stride < batch_size
            else (whole,)
        )
        found = [connection.row(select + from_where(table, part)) for part in parts]
        rows, checksum = (sum(int(row[place] or 0) for row in found) for place in (0, 1))
        return Fingerprint(after=after, upto=upto, rows=rows, checksum=str(checksum))

    if not table.has_integer_key:
        yield of_range(None, None)
        return
    for upto in bounds:
        yield of_range(after, upto)
        after = upto
    while (bound := nth_key(connection, table, RowRange(after=after), batch_size)) is not None:
        yield of_range(after, bound)
        after = bound
    yield of_range(after, None)


def _row_hash(columns: Sequence[SourceColumn]) -> str:
    """A number of 60 bits that differs where rows differ.

    It is of the row with its key and the lengths of its texts, and not a CRC: those of two rows that swap their values
    may cancel each other out.
    """
    parts = ", ".join(part for column in columns for part in _hash_parts(column))
    return f"cast(conv(left(md5(concat_ws('\\t', {parts})), 15), 16, 10) as unsigned)"


def _hash_parts(column: SourceColumn) -> tuple[str, ...]:
    kind, name = MysqlType.parse(column.type), quote_mysql(column.name)
    if kind.is_long:
        # Itself it might make a row longer than the source can.
        return (f"ifnull(md5({name}), 'N')",)
    if kind.is_bytes or column.staging_type == "text":
        value = f"cast({name} as binary)"
        return f"ifnull(length({name}), 'N')", f"ifnull({value}, '')"
    value = f"({name} + 0)" if kind.name == "bit" else f"({name} + 0e0)" if kind.name == "float" else name
    return (f"ifnull({value}, 'N')" if column.nullable else value,)
