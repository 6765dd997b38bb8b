"""The words of a piece that are the same in every SQL."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from etl_assets.declare.database import Piece, SourceColumn, SourceTable


def key_of(table: SourceTable) -> str:
    """The name of the one column by which a table is read range by range.

    Raises:
        ValueError: It is not `ranged`.
    """
    if not table.ranged:
        raise ValueError(f"{table.name} has no key of one whole number")
    return table.key[0]


def column_of(table: SourceTable, name: str) -> SourceColumn:
    """The column of that name, in any case.

    Raises:
        KeyError: There is none.
    """
    for column in table.columns:
        if column.staging_name == name.lower():
            return column
    raise KeyError(f"{table.name} has no column {name!r}")


def keyed(table: SourceTable, piece: Piece, quoted: Callable[[str], str]) -> list[str]:
    """What a piece says of the key.

    Args:
        table: Whose piece it is; `ranged`, where the piece says anything.
        piece: The piece.
        quoted: Writes an identifier.
    """
    if (piece.after, piece.upto, piece.keys) == (None, None, None):
        return []
    key, conditions = quoted(key_of(table)), []
    if piece.after is not None:
        conditions.append(f"{key} > {int(piece.after)}")
    if piece.upto is not None:
        conditions.append(f"{key} <= {int(piece.upto)}")
    if piece.keys is not None:
        # No key is null: of no keys there are no rows.
        conditions.append(f"{key} in ({', '.join(map(str, map(int, piece.keys))) or 'null'})")
    return conditions


def stamped(piece: Piece, moment: Callable[[datetime], str], name: str) -> list[str]:
    """What a piece says of the stamp.

    Args:
        piece: Whose `stamp` is given where one of its moments is.
        moment: Writes a moment, brought to UTC, as the source's SQL has it.
        name: The stamp's column, as an identifier.
    """
    conditions = []
    if piece.since is not None:
        conditions.append(f"{name} >= {moment(piece.since.astimezone(UTC))}")
    if piece.until is not None:
        conditions.append(f"{name} < {moment(piece.until.astimezone(UTC))}")
    return conditions


def total_of(values: Iterable[Decimal]) -> Decimal:
    """Their sum to the last digit; by itself Decimal keeps 28 of them."""
    with localcontext(prec=100):
        return sum(values, Decimal(0))


def by_keys(piece: Piece, size: int) -> Iterator[Piece]:
    """The piece; of one that names its keys so many at a time, in order, each once."""
    if piece.keys is None:
        yield piece
        return
    ordered = sorted(set(piece.keys))
    for start in range(0, len(ordered), size):
        yield replace(piece, keys=tuple(ordered[start : start + size]))


def is_indexed(table: SourceTable, name: str) -> bool:
    """Whether an index of the source begins with the column."""
    return any(index[0].lower() == name.lower() for index in table.indexes if index)
