"""Line numbers of loaded rows: no row of staging keeps its own, so that a file is read again to tell them.

A file that says the same as the one before on other lines changes no row; kept lines would have to be written.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, FileRefused
from etl_assets.loading.files.columns import column_sources
from etl_assets.loading.files.landing import feeds_of, landed_file
from etl_assets.readers.files.open import open_file
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.files.incoming import INCOMING, copy_incoming, date_settings, ordinal_to_record
from etl_assets.warehouse.files.ledger import was_delivered


def find_lines(
    settings: Settings, source: Source, table: FileTable, *, feed: str, file_name: str, row_keys: Collection[str]
) -> dict[str, int]:
    """The lines of a landed file on which rows stand, from 1; in Excel and Parquet the row.

    Args:
        settings: Where the landing folder is.
        source: Whose file it is.
        table: What it is read as.
        feed: How it is written.
        file_name: As the ledger has it.
        row_keys: The keys of rows as issues have them.

    Returns:
        Key -> line, of the keys that the file has.

    Raises:
        EtlError: The file is no longer there, is another one by now, or cannot be read; the message says which.
    """
    path = landed_file(settings.landing(source.name), file_name)
    declared = {each.name: each for each in feeds_of(settings, source)}
    if feed not in declared:
        raise EtlError(f"feed {feed} is no longer declared")
    if not path.is_file():
        raise EtlError("the file is no longer in the landing folder")
    with connect(settings) as connection:
        if not was_delivered(connection, source.name, file_name, size_bytes=path.stat().st_size):
            raise EtlError("the file is not the one that was loaded")
        found = _read_lines(connection, path, declared[feed], table, row_keys)
        connection.rollback()
    return found


def _read_lines(
    connection: psycopg.Connection, path: Path, feed: Feed, table: FileTable, row_keys: Collection[str]
) -> dict[str, int]:
    """Parse the file as its load does, and ask for the keys."""
    reader = open_file(path, feed=feed, table=table)
    sources: Mapping[str, sql.Composable] = {
        each.column: each.expression("incoming") for each in column_sources(reader.layout, feed, table)
    }
    fields = [(each.name, each.type) for each in reader.layout.fields]
    with date_settings(connection, date_order=feed.date_order, time_zone=feed.time_zone):
        try:
            copied = copy_incoming(connection, fields, reader.stream(), delimiter=reader.delimiter)
            skipped = [reader.result.record_at(line) for line in copied.skipped]
            record = ordinal_to_record(connection, copied, skipped)
            # Of a key that comes twice the last row counts.
            rows = connection.execute(
                sql.SQL(
                    "select {key}, max(ordinal) from {incoming} as incoming where {key} = any(%s) group by 1"
                ).format(
                    key=sql.SQL("concat_ws('|', {})").format(
                        sql.SQL(", ").join(sql.SQL("nullif(({})::text, '')").format(sources[key]) for key in table.keys)
                    ),
                    incoming=INCOMING.identifier,
                ),
                [list(row_keys)],
            ).fetchall()
        except psycopg.DataError as error:
            raise FileRefused(f"{path.name}: it cannot be read: {type(error).__name__}") from None
    return {key: reader.result.line_of(record(ordinal)) for key, ordinal in rows}
