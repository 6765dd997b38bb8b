"""Which part of a source's table is loaded: its columns, and the rows that are not too old."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.database_reader import ExpiredRows, SourceTable
from etl_assets.declare.privacy import FREE_TEXT
from etl_assets.declare.source import Source
from etl_assets.declare.staging_names import MAX_COLUMNS
from etl_assets.errors import EtlError

REDACTED = "redacted"
"""What ETL_<SOURCE>_FREE_TEXT says where columns of free text are to be loaded."""


def is_free_text_asked_for(source: Source, given: Mapping[str, str]) -> bool:
    """Whether columns of free text are to be loaded; raises an EtlError where a setting says that in other words."""
    text = given.get(FREE_TEXT)
    if text not in {None, REDACTED}:
        raise EtlError(
            f"ETL_{source.name}_{FREE_TEXT}".upper() + f" is {text!r}; {REDACTED!r} was expected, or nothing: free text"
            " is loaded in no other way."
        )
    return text is not None


def as_asked(table: CopiedTable, *, with_free_text: bool) -> CopiedTable:
    """The table as it is declared, with its free text where that is asked for."""
    if table.classes is None or not with_free_text:
        return table
    return replace(table, classes=replace(table.classes, with_free_text=True))


def expired_rows(source: Source, table: CopiedTable, found: SourceTable) -> ExpiredRows | None:
    """The rows that are not held any more, of a table whose rows are held for a time."""
    if table.keep_for is None:
        return None
    column = next((each for each in found.columns if each.staging_name == table.event_date), None)
    if column is None:
        raise EtlError(
            f"{source.schema}.{table.name}: {source.title} has no column {table.event_date} any more, by which its rows"
            " are too old to be held. Nothing of it was loaded."
        )
    today = datetime.combine(datetime.now(UTC).date(), time.min, tzinfo=UTC)
    return ExpiredRows(column=column, before=today - table.keep_for)


def loaded_part(source: Source, table: CopiedTable, found: SourceTable) -> SourceTable:
    """The source's table with the columns that are loaded, and with a key only where rows are matched by it."""
    hidden = [each.staging_name for each in found.columns if table.leaves_out(each.staging_name, spelled=each.name)]
    loaded = found.without(hidden)
    if table.classes and (redacted := table.classes.redacted):
        columns = tuple(replace(each, is_redacted=each.staging_name in redacted) for each in loaded.columns)
        loaded = replace(loaded, columns=columns)
    if len(loaded.columns) > MAX_COLUMNS:
        raise EtlError(
            f"{source.schema}.{table.name}: it has {len(loaded.columns):,} columns, and PostgreSQL has room for"
            f" {MAX_COLUMNS:,}. Nothing of it was loaded. Say in etl_assets/sources/{source.name}/tables.py which of"
            " them are never_load."
        )
    return loaded if table.keys else replace(loaded, key=())
