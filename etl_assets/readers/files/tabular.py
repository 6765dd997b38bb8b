"""Convert Parquet and Excel to CSV lines, so that all formats go through one parser.

A row becomes a CSV record in UTF-8 with its values in one spelling: ISO dates and times (with their offset where they
have one), whole numbers without a decimal point, `true` and `false`.
"""

import csv
import io
import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from etl_assets.errors import FileRefused

BATCH_ROWS = 2_000


def table_blocks(path: Path, kind: str, sheet: str | None) -> Iterator[tuple[bytes, bool]]:
    """Read a Parquet file or an Excel sheet as CSV lines.

    The names of Parquet's columns come first, as a header line. Empty rows of a sheet are empty lines.

    Args:
        path: The file.
        kind: `parquet` or `excel`.
        sheet: Which sheet; the first where None.

    Yields:
        Whole lines of CSV in UTF-8, and False: nothing in them is damaged.

    Raises:
        FileRefused: It is damaged, or has no sheet of this name.
    """
    try:
        yield from _parquet_blocks(path) if kind == "parquet" else _excel_blocks(path, sheet)
    except (FileRefused, OSError):
        raise
    except Exception as error:
        raise FileRefused(f"it cannot be read as {kind}: {error}") from error


def _parquet_blocks(path: Path) -> Iterator[tuple[bytes, bool]]:
    import pyarrow as pa  # half a second, which text files need not wait
    import pyarrow.parquet as pq
    from pyarrow import csv as arrow_csv

    with pq.ParquetFile(path) as file:
        yield _csv_line(file.schema_arrow.names), False
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            texts = pa.Table.from_arrays([_column_texts(column) for column in batch.columns], names=batch.schema.names)
            written = pa.BufferOutputStream()
            arrow_csv.write_csv(texts, written, arrow_csv.WriteOptions(include_header=False))
            block = written.getvalue().to_pybytes()
            if block:
                yield block, False


def _column_texts(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_floating(kind):
        values = (None if value is None or math.isnan(value) else _value_text(value) for value in column.to_pylist())
        return pa.array(values, pa.string())
    if pa.types.is_timestamp(kind):
        column = pc.cast(column, pa.timestamp("us", tz=kind.tz), safe=False)
        return pc.cast(column, pa.string())
    tests = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_duration)
    if any(test(kind) for test in tests):
        return pa.array([None if value is None else _value_text(value) for value in column.to_pylist()], pa.string())
    return pc.cast(column, pa.string())


def _excel_blocks(path: Path, sheet: str | None) -> Iterator[tuple[bytes, bool]]:
    from openpyxl import load_workbook  # a quarter of a second, which text files need not wait

    book = load_workbook(path, read_only=True, data_only=True)
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise FileRefused(f"it has no sheet {sheet!r}; its sheets are {', '.join(map(repr, book.sheetnames))}")
        page = book[sheet] if sheet is not None else book.worksheets[0]
        page.reset_dimensions()
        rows = page.iter_rows(values_only=True)
        width = 0
        while batch := [_row_texts(row) for row in islice(rows, BATCH_ROWS)]:
            # The header is among the first rows; cells beyond them all are a fault of their row.
            width = width or max(map(len, batch))
            lines = (_csv_line(texts + [""] * (width - len(texts))) if texts else b"\n" for texts in batch)
            yield b"".join(lines), False
    finally:
        book.close()


def _row_texts(row: tuple[object, ...]) -> list[str]:
    """The cells of a row as text, without the empty ones at its end."""
    texts = [_value_text(value) for value in row]
    while texts and not texts[-1]:
        texts.pop()
    return texts


def row_as_json(headers: tuple[str, ...], fields: list[str]) -> str:
    """A row as a JSON object of header -> value."""
    return json.dumps(dict(zip(headers, fields, strict=True)), ensure_ascii=False)


def _csv_line(texts: list[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(texts)
    return written.getvalue().encode("utf-8", "surrogatepass")


def _value_text(value: object) -> str:
    """The canonical text of a value."""
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case float():
            text = str(int(value)) if value.is_integer() else repr(value)
        case datetime():
            text = value.isoformat(" ")
        case timedelta():
            text = _duration_text(value)
        case bytes():
            text = value.hex()
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False, default=_value_text)
        case _:
            text = str(value)
    return text


def _duration_text(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    sign = "-" if seconds < 0 else ""
    return f"{sign}{abs(seconds) // 3600:02}:{abs(seconds) // 60 % 60:02}:{abs(seconds) % 60:02}"
