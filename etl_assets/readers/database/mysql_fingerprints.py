"""What the rows of ranges of a MySQL table come to: a number that is another as soon as a row is."""

from collections.abc import Iterator, Sequence

from etl_assets.declare.database import Fingerprint, Piece, SourceColumn, SourceTable
from etl_assets.readers.database.mysql_lines import quoted
from etl_assets.readers.database.mysql_link import MysqlLink
from etl_assets.readers.database.mysql_parts import nth_key, source_of, stride_of, strides
from etl_assets.readers.database.mysql_types import MysqlType


def read_fingerprints(
    link: MysqlLink, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None
) -> Iterator[Fingerprint]:
    """The fingerprints of all ranges of a table, as `DatabaseReader` has it; of heavy rows in short statements."""
    wanted = f"select count(*), coalesce(sum({_row_hash(table.columns)}), 0)"
    stride = stride_of(table)

    def of_range(after: int | None, upto: int | None) -> Fingerprint:
        whole = Piece(after=after, upto=upto)
        # A sum, for without a key rows may be alike; and so it can be taken in parts.
        parts = strides(link, table, whole, stride) if table.ranged and stride < batch_size else (whole,)
        found = [link.row(wanted + source_of(table, part)) for part in parts]
        rows, checksum = (sum(int(row[place] or 0) for row in found) for place in (0, 1))
        return Fingerprint(after=after, upto=upto, rows=rows, checksum=str(checksum))

    if not table.ranged:
        yield of_range(None, None)
        return
    for upto in bounds:
        yield of_range(after, upto)
        after = upto
    while (bound := nth_key(link, table, Piece(after=after), batch_size)) is not None:
        yield of_range(after, bound)
        after = bound
    yield of_range(after, None)


def _row_hash(columns: Sequence[SourceColumn]) -> str:
    """A number of 60 bits that differs where rows differ.

    It is of the row with its key and the lengths of its texts, and not a CRC: those of two rows that swap their values
    may cancel each other out.
    """
    parts = ", ".join(part for column in columns for part in _hashed(column))
    return f"cast(conv(left(md5(concat_ws('\\t', {parts})), 15), 16, 10) as unsigned)"


def _hashed(column: SourceColumn) -> tuple[str, ...]:
    kind, name = MysqlType.of(column.type), quoted(column.name)
    if kind.is_long:
        # Itself it might make a row longer than the source can.
        return (f"ifnull(md5({name}), 'N')",)
    if kind.is_bytes or column.staging_type == "text":
        shown = f"cast({name} as binary)"
        return f"ifnull(length({name}), 'N')", f"ifnull({shown}, '')"
    shown = f"({name} + 0)" if kind.name == "bit" else f"({name} + 0e0)" if kind.name == "float" else name
    return (f"ifnull({shown}, 'N')" if column.nullable else shown,)
