"""Checksums of the key ranges of a MySQL table: one that changes as soon as any row of the range does."""

from collections.abc import Iterator, Sequence

from etl_assets.declare.database_reader import UNKNOWN, Fingerprint, RowRange, SourceColumn, SourceTable
from etl_assets.readers.database.mysql_connection import MysqlConnection
from etl_assets.readers.database.mysql_lines import quote_mysql
from etl_assets.readers.database.mysql_ranges import from_where, nth_key, split_into_strides, stride_rows
from etl_assets.readers.database.mysql_types import MysqlType

DIGEST_BYTES = 32
"""The length of an MD5 in hexadecimal digits."""
_NO_HASH = 10**40
"""Added for a row whose hash could not be computed; all that can add up is less."""


def read_fingerprints(
    connection: MysqlConnection, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None
) -> Iterator[Fingerprint]:
    """The checksums of all key ranges, see `DatabaseReader`; of large rows in several short statements."""
    of_row = _row_hash(table.columns, connection.max_packet_bytes)
    select = f"select count(*), coalesce(sum(ifnull({of_row}, {_NO_HASH})), 0)"
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
        return Fingerprint(
            after=after, upto=upto, rows=rows, checksum=str(checksum) if checksum < _NO_HASH else UNKNOWN
        )

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


def _row_hash(columns: Sequence[SourceColumn], max_packet_bytes: int) -> str:
    """A number of 60 bits that differs where rows differ; null where the row is longer than the source can make it.

    It is of the row with its key and the lengths of its texts, and not a CRC: those of two rows that swap their values
    may cancel each other out.
    """
    sizes = [MysqlType.parse(column.type).max_copy_bytes for column in columns]
    is_short = sum(sizes) < max_packet_bytes
    parts = ", ".join(part for column in columns for part in _hash_parts(column, is_short=is_short))
    return f"cast(conv(left(md5(concat_ws('\\t', {parts})), 15), 16, 10) as unsigned)"


def _hash_parts(column: SourceColumn, *, is_short: bool) -> tuple[str, ...]:
    """What a column adds to its row's hash: itself, or its own hash where the row might be too long."""
    kind, name = MysqlType.parse(column.type), quote_mysql(column.name)
    is_text = kind.is_bytes or kind.is_text
    if kind.is_long or (not is_short and is_text and kind.max_copy_bytes > DIGEST_BYTES):
        return (f"ifnull(md5({name}), 'N')",)
    if kind.is_bytes or column.staging_type == "text":
        value = f"cast({name} as binary)"
        return f"ifnull(length({name}), 'N')", f"ifnull({value}, '')"
    value = f"({name} + 0)" if kind.name == "bit" else f"({name} + 0e0)" if kind.name == "float" else name
    return (f"ifnull({value}, 'N')" if column.nullable else value,)
