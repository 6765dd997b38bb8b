"""A small table, and files of it."""

import csv
import io
from datetime import date
from pathlib import Path

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable, PerFile
from etl_assets.declare.tables import columns
from etl_assets.readers.files.open import open_file

VISIT = FileTable(
    name="visit",
    key="visit_id",
    load=PerFile(slice_by="visit_date", start=date(2000, 1, 1)),
    columns=columns(
        text="visit_id room_name note",
        date="visit_date",
        timestamp="seen_at",
        time="called",
        integer="minutes",
        numeric="price",
        boolean="is_new",
    ),
    never_load=("ssn",),
)
HEADER = "visit_id,visit_date,room_name,seen_at,minutes"


def feed(**words) -> Feed:
    return Feed(**{"name": "clinic", "table": "visit", "pattern": "*"} | words)


def write(folder: Path, content: str | bytes, name: str = "visits.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(path: Path, **words):
    """The rows by line, and the reader."""
    reader = open_file(path, feed=feed(**words), table=VISIT)
    sent = b"".join(reader.stream()).decode()
    rows = list(csv.reader(io.StringIO(sent, newline=""), delimiter=reader.delimiter))
    names = [field.name for field in reader.layout.fields]
    result = reader.result
    assert result.sent == len(rows)
    return {result.line_of(at): dict(zip(names, row, strict=True)) for at, row in enumerate(rows)}, reader
