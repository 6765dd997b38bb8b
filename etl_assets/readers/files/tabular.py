"""Typed values as text: Parquet and Excel become CSV lines, so that all formats go through one parser.

Values come in one spelling: ISO dates and times (with their offset where they have one), whole numbers without a
decimal point, `true` and `false`.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime, timedelta


def csv_line(texts: Sequence[str]) -> bytes:
    """One record of CSV, in UTF-8 or what `lines.py` carries in it."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(texts)
    return written.getvalue().encode("utf-8", "surrogatepass")


def row_as_json(headers: Sequence[str], fields: Sequence[str]) -> str:
    """A row as a JSON object of header -> value."""
    return json.dumps(dict(zip(headers, fields, strict=True)), ensure_ascii=False)


def value_text(value: object) -> str:
    """The canonical text of a value; bytes are text in UTF-8, with each byte that is none escaped as in `lines.py`."""
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
            text = value.decode("utf-8", "surrogateescape")
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False, default=value_text)
        case _:
            text = str(value)
    return text


def _duration_text(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    sign = "-" if seconds < 0 else ""
    return f"{sign}{abs(seconds) // 3600:02}:{abs(seconds) // 60 % 60:02}:{abs(seconds) % 60:02}"
