"""Our names for what a file brings: which field or constant each column takes, and what is said of misfits.

How a value is read is no matter of this module: `readers/files/values.py` does it while the file is read.
"""

from collections.abc import Sequence

from etl_assets.declare.files import Feed
from etl_assets.declare.tables import Column, Table
from etl_assets.errors import FileRefused
from etl_assets.readers.files.headers import ZONE_COLUMN, Layout
from etl_assets.readers.files.values import UnreadableError, reader_of, trimmed
from etl_assets.warehouse.files.incoming import Source, Wrong

_EXPECTED = {
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


def sources_of(layout: Layout, feed: Feed, table: Table) -> tuple[Source, ...]:
    """Where each column that is loaded takes its values from.

    Raises:
        FileRefused: A constant of the feed is no value of its column's type.
    """
    names = {column: field.name for field in layout.fields for column in field.columns}
    return tuple(
        _source(column, names.get(column.name), feed) for column in table.columns if column.name not in table.never_load
    )


def _source(column: Column, field: str | None, feed: Feed) -> Source:
    zone = feed.time_zone if column.name == ZONE_COLUMN else None
    if field is not None:
        return Source(column.name, column.type, field=field, default=zone)
    return Source(column.name, column.type, constant=_constant(column, feed) or zone)


def _constant(column: Column, feed: Feed) -> str | None:
    value = trimmed(feed.constants.get(column.name, ""), feed.nulls)
    read = reader_of(feed, column.name, column.type, slices=column.type == "date")
    try:
        return (read(value) if read else value) if value else None
    except UnreadableError as error:
        raise FileRefused(
            f"feed {feed.name}: its constant {value!r} for {column.name} is no {_EXPECTED[column.type]}: {error}."
            " Mend the feed."
        ) from None


def misfit(kind: str, feed: Feed, *, out_of_range: bool = False) -> str:
    """What a value is not, told without the value."""
    words = f"no {_EXPECTED.get(kind, kind)}"
    if out_of_range:
        words = f"out of range for a {_EXPECTED.get(kind, kind)}"
    if kind in {"date", "timestamp", "timestamptz"}:
        words += f" (feed {feed.name} writes dates {feed.date_order})"
    return words


def reason_of(wrong: Wrong, fields: Sequence[tuple[str, str]], feed: Feed) -> tuple[str | None, str, str]:
    """The column that is wrong, what it is not, and the same with its value."""
    if wrong.at is None:
        return None, "PostgreSQL cannot store it", "PostgreSQL cannot store it"
    name, kind = fields[wrong.at]
    if wrong.value is None:
        missing = f"{name} is missing, and every row needs it"
        return name, missing, missing
    words = misfit(kind, feed, out_of_range=wrong.out_of_range)
    return name, f"{name} is {words}", f"{name}: {wrong.value!r} is {words}"


def key_text(keys: Sequence[str]) -> str:
    """The columns of a key, as a reject names them."""
    return ", ".join(keys)
