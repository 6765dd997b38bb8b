"""Parquet as CSV lines: the names of its columns as a header, then its rows."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl_assets.readers.files.lines import escape_invalid_utf8
from etl_assets.readers.files.tabular import csv_line, value_text

BATCH_ROWS = 2_000


def parquet_blocks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Read a Parquet file as CSV lines.

    A column of bytes is text, as those that write Parquet without the annotation mean it; what is no UTF-8 in it costs
    its row, as in a text file.

    Yields:
        Whole lines of CSV in UTF-8, and whether bytes were damaged.
    """
    import pyarrow as pa  # half a second, which text files need not wait
    import pyarrow.parquet as pq
    from pyarrow import csv as arrow_csv

    with pq.ParquetFile(path) as file:
        yield csv_line(file.schema_arrow.names), False
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            texts = pa.Table.from_arrays([_column_texts(column) for column in batch.columns], names=batch.schema.names)
            written = pa.BufferOutputStream()
            arrow_csv.write_csv(texts, written, arrow_csv.WriteOptions(include_header=False))
            block = written.getvalue().to_pybytes()
            if block:
                yield escape_invalid_utf8(block)


def _column_texts(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_floating(kind):
        values = (None if value is None or math.isnan(value) else value_text(value) for value in column.to_pylist())
        return pa.array(values, pa.string())
    if pa.types.is_timestamp(kind):
        column = pc.cast(column, pa.timestamp("us", tz=kind.tz), safe=False)
        return pc.cast(column, pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pc.cast(pc.cast(column, pa.large_binary()), pa.large_string(), safe=False)
    if pa.types.is_nested(kind) or pa.types.is_duration(kind) or isinstance(kind, pa.BaseExtensionType):
        return pa.array([None if value is None else _encodable(value) for value in column.to_pylist()], pa.string())
    return pc.cast(column, pa.string())


def _encodable(value: object) -> str:
    """The text of a value, without the escapes that pyarrow would not encode."""
    return value_text(value).encode("utf-8", "backslashreplace").decode()
