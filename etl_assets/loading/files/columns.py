"""Column mapping: which field or constant of a file each column is loaded from, and the messages of invalid values.

How a value is parsed is no matter of this module: `readers/files/values.py` does it while the file is read.
"""

from collections.abc import Sequence
from dataclasses import replace

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.declare.tables import Column
from etl_assets.errors import FileRefused
from etl_assets.readers.files.headers import ZONE_COLUMN, Layout
from etl_assets.readers.files.lines import UNCOMPUTED_TEXT
from etl_assets.readers.files.values import ValueParseError, trim_value, value_parser
from etl_assets.warehouse.files.incoming import ColumnSource, InvalidValue

_TYPE_NAMES = {
    "text": "text for a key",
    "boolean": "yes or no",
    "integer": "whole number",
    "bigint": "whole number",
    "numeric": "number",
    "date": "date",
    "time": "time of day",
    "timestamp": "date and time",
    "timestamptz": "date and time",
    "jsonb": "JSON",
}


def column_sources(layout: Layout, feed: Feed, table: FileTable) -> tuple[ColumnSource, ...]:
    """The mapping of each column that is loaded.

    Raises:
        FileRefused: A constant of the feed is no value of its column's type.
    """
    names = {column: field.name for field in layout.fields for column in field.columns}
    sources = {
        column.name: _column_source(column, names.get(column.name), feed)
        for column in table.columns
        if column.name not in table.never_load
    }
    return tuple(
        replace(source, fallbacks=tuple(sources[other] for other in table.fallbacks.get(name, ())))
        for name, source in sources.items()
    )


def _column_source(column: Column, field: str | None, feed: Feed) -> ColumnSource:
    zone = feed.time_zone if column.name == ZONE_COLUMN else None
    if field is not None:
        return ColumnSource(column.name, column.type, field=field, default=zone)
    return ColumnSource(column.name, column.type, constant=_constant(column, feed) or zone)


def _constant(column: Column, feed: Feed) -> str | None:
    value = trim_value(feed.constants.get(column.name, ""), feed.null_words)
    parse = value_parser(feed, column.name, column.type, slices=column.type == "date")
    try:
        return (parse(value) if parse else value) if value else None
    except ValueParseError as error:
        raise FileRefused(
            f"feed {feed.name}: its constant {value!r} for {column.name} is no {_TYPE_NAMES[column.type]}: {error}."
            " Mend the feed."
        ) from None


def invalid_because(kind: str, feed: Feed, *, out_of_range: bool = False) -> str:
    """Why a value is invalid for its type, as a message without the value."""
    words = f"no {_TYPE_NAMES.get(kind, kind)}"
    if out_of_range:
        words = f"out of range for a {_TYPE_NAMES.get(kind, kind)}"
    if kind in {"date", "timestamp", "timestamptz"}:
        words += f" (feed {feed.name} writes dates {feed.date_order})"
    return words


def rejected_because(
    invalid: InvalidValue, fields: Sequence[tuple[str, str]], feed: Feed
) -> tuple[str | None, str, str]:
    """The invalid column, why the row is rejected, and the same with the value."""
    if invalid.at is None:
        return None, "PostgreSQL cannot store it", "PostgreSQL cannot store it"
    name, kind = fields[invalid.at]
    if invalid.value is None:
        missing = f"{name} is missing, and every row needs it"
        return name, missing, missing
    if invalid.value == UNCOMPUTED_TEXT:
        uncomputed = f"{name} is {UNCOMPUTED_TEXT}: have the file opened in Excel and saved, or sent as CSV"
        return name, uncomputed, uncomputed
    words = invalid_because(kind, feed, out_of_range=invalid.out_of_range)
    return name, f"{name} is {words}", f"{name}: {invalid.value!r} is {words}"


def joined_key(keys: Sequence[str]) -> str:
    """The columns of a key as text, as a reject names them."""
    return ", ".join(keys)
