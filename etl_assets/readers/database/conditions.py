"""WHERE conditions of a row range that are the same in every SQL dialect, and how a range is split."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from etl_assets.declare.database_reader import INTEGER_TYPES, RowRange, SourceColumn, SourceTable


def range_key(table: SourceTable) -> str:
    """The integer key column by which a table is read range by range.

    Raises:
        ValueError: It has no such key.
    """
    if not table.has_integer_key:
        raise ValueError(f"{table.name} has no key of one whole number")
    return table.key[0]


def find_column(table: SourceTable, name: str) -> SourceColumn:
    """The column of that name, as the source spells it or, case-insensitively, as staging does.

    Raises:
        KeyError: There is none.
    """
    columns = {column.staging_name: column for column in table.columns}
    columns |= {column.name: column for column in table.columns}
    if found := columns.get(name) or columns.get(name.lower()):
        return found
    raise KeyError(f"{table.name} has no column {name!r}")


def key_conditions(table: SourceTable, row_range: RowRange, quote: Callable[[str], str]) -> list[str]:
    """The conditions of a row range on the key.

    Args:
        table: Whose range it is; with an integer key, where the range has such a condition.
        row_range: The range.
        quote: Quotes an identifier.
    """
    if (row_range.after, row_range.upto, row_range.keys) == (None, None, None):
        return []
    key, conditions = quote(range_key(table)), []
    if row_range.after is not None:
        conditions.append(f"{key} > {int(row_range.after)}")
    if row_range.upto is not None:
        conditions.append(f"{key} <= {int(row_range.upto)}")
    if row_range.keys is not None:
        # No key is null: of no keys there are no rows.
        conditions.append(f"{key} in ({', '.join(map(str, map(int, row_range.keys))) or 'null'})")
    return conditions


def cursor_conditions(row_range: RowRange, moment: Callable[[datetime], str], name: str) -> list[str]:
    """The conditions of a row range on the cursor column.

    Args:
        row_range: Whose `cursor_column` is given where one of its moments is.
        moment: Writes a moment, brought to UTC, as the source's SQL has it.
        name: The cursor column, as an identifier.
    """
    conditions = []
    if row_range.since is not None:
        conditions.append(f"{name} >= {moment(row_range.since.astimezone(UTC))}")
    if row_range.until is not None:
        conditions.append(f"{name} < {moment(row_range.until.astimezone(UTC))}")
    return conditions


def left_out_conditions(
    table: SourceTable,
    *,
    quote: Callable[[str], str],
    literal: Callable[[str], str],
    name: Callable[[SourceTable], str],
    moment: Callable[[SourceColumn, datetime], str],
) -> list[str]:
    """The conditions that keep out rows of persons who were erased, and rows that are too old; none where all are read.

    Args:
        table: Whose rows.
        quote: Quotes an identifier.
        literal: Quotes a text.
        name: The name of a table, as a statement has it.
        moment: Writes a moment, brought to UTC, to compare a column with.
    """
    conditions = []
    if is_erased := _is_erased(table, quote, literal, name):
        conditions.append(f"({is_erased}) is not true")
    if expired := table.expired:
        before = moment(expired.column, expired.before.astimezone(UTC))
        conditions.append(f"({quote(expired.column.name)} < {before}) is not true")
    return conditions


def _is_erased(
    table: SourceTable, quote: Callable[[str], str], literal: Callable[[str], str], name: Callable[[SourceTable], str]
) -> str:
    conditions = []
    for each in table.erased:
        column, of_erased = quote(each.column.name), []
        if each.keys:
            is_number = each.column.staging_type in INTEGER_TYPES
            keys = (str(int(key)) if is_number else literal(key) for key in each.keys)
            of_erased.append(f"{column} in ({', '.join(keys)})")
        if each.parent is not None:
            where = _is_erased(each.parent, quote, literal, name)
            of_erased.append(f"{column} in (select {quote(each.parent.key[0])} from {name(each.parent)} where {where})")
        condition = " or ".join(of_erased)
        if kind := each.kind:
            rows = f"{name(kind.table)} where {quote(kind.name.name)} = {literal(kind.value)}"
            of_kind = f"{quote(kind.column.name)} in (select {quote(kind.table.key[0])} from {rows})"
            condition = f"(({condition}) and {of_kind})"
        conditions.append(condition)
    return " or ".join(conditions)


def with_staging_cursor(table: SourceTable, row_range: RowRange) -> RowRange:
    """The range with the name that its cursor column has in staging."""
    if row_range.cursor_column is None:
        return row_range
    return replace(row_range, cursor_column=find_column(table, row_range.cursor_column).staging_name)


def split_keys(row_range: RowRange, size: int) -> Iterator[RowRange]:
    """Split a row range that lists its keys into ranges of `size` distinct keys, in order; any other stays as it is."""
    if row_range.keys is None:
        yield row_range
        return
    ordered = sorted(set(row_range.keys))
    for start in range(0, len(ordered), size):
        yield replace(row_range, keys=tuple(ordered[start : start + size]))


def split_chunks(row_range: RowRange) -> Iterator[RowRange]:
    """Split a row range that lists chunks into ranges of one each; any other stays as it is."""
    if row_range.chunks is None:
        yield row_range
        return
    for chunk in row_range.chunks:
        yield replace(row_range, chunks=(chunk,))


def is_indexed(table: SourceTable, name: str) -> bool:
    """Whether an index of the source has this as its leading column."""
    return any(index[0].lower() == name.lower() for index in table.indexes if index)
