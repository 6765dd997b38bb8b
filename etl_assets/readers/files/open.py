"""File reader for CSV (plain or gzipped), Parquet and Excel; the format is detected from the first bytes.

`profile_file` finds rows, dates and checksum without a database; `open_file` reads a file for loading, as one COPY
stream.
"""

import csv
import gzip
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.errors import FileRefused, TransientError
from etl_assets.readers.files import tabular
from etl_assets.readers.files.headers import Layout, expected_headers, match_headers, normalized_header
from etl_assets.readers.files.lines import line_blocks
from etl_assets.readers.files.records import Blocks, RecordFormat, RecordParser, Reject, RejectCandidate, StreamResult
from etl_assets.readers.files.values import SliceDateParser

__all__ = ["FileProfile", "FileReader", "Reject", "RejectCandidate", "StreamResult", "open_file", "profile_file"]

DELIMITERS = (",", ";", "\t", "|")
TABULAR = ("parquet", "excel")
HEADER_SEARCH_LINES = 20
"""Lines, blank ones left out, among which the header is searched: some reports have a title above it."""


@dataclass(frozen=True)
class FileProfile:
    """Checksum, row count, slice dates and unmatched headers of a file."""

    checksum: str
    """SHA-256 of its bytes."""
    rows: int
    """Rows after the header; blank lines are none."""
    dates: tuple[date, ...]
    """The dates of `slice_by` that can be read, ascending."""
    ignored: tuple[str, ...] = ()
    """Headers that nothing names."""
    missing: tuple[str, ...] = ()
    """Columns that have neither header nor constant."""


def profile_file(path: Path, feed: Feed, table: FileTable) -> FileProfile:
    """Profile a file without loading it: checksum, rows, the dates it covers.

    Raises:
        FileRefused: It cannot be read at all; the message says what was found and what to do.
        TransientError: It changed while it was read.
    """
    with _naming_file(path), path.open("rb") as raw:
        before = os.fstat(raw.fileno())
        checksum = hashlib.file_digest(raw, "sha256").hexdigest()
        reader = open_file(path, feed=feed, table=table)
        rows, spellings = reader.profile()
        reader.check_unchanged(before)
    found = {day for spelling in spellings if (day := reader.dates(spelling))}
    return FileProfile(checksum, rows, tuple(sorted(found)), reader.layout.ignored, reader.layout.missing)


class FileReader:
    """Reads one file for one load, as a COPY stream and as rows to be rejected."""

    def __init__(self, path: Path, *, feed: Feed, table: FileTable) -> None:
        self.result = StreamResult()
        """Counts, rejects and reject candidates that `stream` found."""
        self._path = path
        self._feed = feed
        self._status = path.stat()
        constant = feed.constants.get(table.slice_by)
        self._constant_day = constant.encode() if constant else None
        self.dates = SliceDateParser.for_feed(feed, table.slice_by)
        kind = _detect_format(path)
        self._format = kind
        blocks = self._blocks()
        first = next(blocks, None)
        if first is None:
            raise FileRefused("it is empty")
        header = _find_header(first, feed, table, DELIMITERS[:1] if kind in TABULAR else None)
        self._skip = header.end
        self._first = (first, blocks)
        self.layout: Layout = match_headers(header.names, feed=feed, table=table, file=path.name)
        """Which header is read into which column."""
        record_format = RecordFormat(header.delimiter, feed.encoding, header.lines + 1)
        if kind in TABULAR:
            number = header.records + (0 if kind == "parquet" else 1)
            as_raw = partial(_as_json, header.names)
            record_format = replace(
                record_format, first_line=number, rows_numbered=True, as_raw=as_raw, encoding="utf-8"
            )
        self.delimiter = record_format.delimiter
        """Of the COPY stream."""
        self._parser = RecordParser(self.layout, record_format, feed=feed, table=table, dates=self.dates)

    def stream(self) -> Iterator[bytes]:
        """Stream the rows as CSV lines for COPY, in the fields of `layout`; empty fields are null.

        Memory does not grow with the file. `result` is complete when the stream has ended.

        Raises:
            FileRefused: The file is damaged further on.
        """
        with _naming_file(self._path):
            yield from self._parser.stream(self._rows(), self.result)

    def reject_candidates(self, lines: Set[int]) -> Iterator[RejectCandidate]:
        """Re-read the rows at these lines; to be called when the stream has ended.

        Raises:
            TransientError: The file changed since it was opened.
        """
        with _naming_file(self._path):
            self.check_unchanged(self._status)
            yield from self._parser.reject_candidates(self._rows(), lines, multiline=self.result.multiline)

    def profile(self) -> tuple[int, set[bytes]]:
        """Row count, and the distinct spellings of the slice dates."""
        rows, spellings = 0, set[bytes]()
        with _naming_file(self._path):
            for count, found in self._parser.profile(self._rows()):
                rows += count
                spellings |= {spelling for spelling in found - spellings if self.dates(spelling)}
        if rows and self._constant_day:
            spellings.add(self._constant_day)
        return rows, spellings

    def check_unchanged(self, before: os.stat_result) -> None:
        """Compare size, mtime and inode with what the file was.

        Raises:
            TransientError: It changed.
        """
        now = self._path.stat()
        if (now.st_size, now.st_mtime_ns, now.st_ino) != (before.st_size, before.st_mtime_ns, before.st_ino):
            raise TransientError(f"{self._path.name}: it changed while it was read; nothing of it was loaded")

    def _blocks(self) -> Blocks:
        if self._format in TABULAR:
            return tabular.table_blocks(self._path, self._format, self._feed.sheet)
        return _text_blocks(self._path, self._feed.encoding, zipped=self._format == "gzip")

    def _rows(self) -> Blocks:
        """The blocks without the header; the first time those that are open already."""
        if self._first:
            (block, damaged), rest = self._first
            self._first = ()  # type: ignore[assignment]
        else:
            rest = self._blocks()
            block, damaged = next(rest)
        return chain([(block[self._skip :], damaged)] if len(block) > self._skip else [], rest)


def open_file(path: Path, *, feed: Feed, table: FileTable) -> FileReader:
    """Open a file and find its header.

    Raises:
        FileRefused: It cannot be read at all; the message says what was found and what to do.
    """
    with _naming_file(path):
        return FileReader(path, feed=feed, table=table)


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    records: int
    """Records up to it, itself included."""
    lines: int
    end: int
    """The byte after it."""


def _find_header(first: tuple[bytes, bool], feed: Feed, table: FileTable, delimiters: Sequence[str] | None) -> _Header:
    """Detect header line and delimiter: the line with every required header, or else the most known ones."""
    block, damaged = first
    known = expected_headers(feed, table)
    needed = {name for column in table.required_columns for name in known.get(column, ())}
    named = {name for names in known.values() for name in names}
    delimiters = delimiters or ([feed.delimiter] if feed.delimiter else DELIMITERS)
    head = block[: 1 << 16].decode("utf-8", "surrogateescape" if damaged else "replace")
    best: tuple[tuple[bool, int], _Header] | None = None
    for delimiter in delimiters:
        for header in _header_candidates(head, delimiter):
            found = {normalized_header(name) for name in header.names}
            score = (found >= needed and bool(found & named), len(found & named))
            if best is None or score > best[0]:
                best = (score, header)
            if score[0]:
                break
    if best is None:
        raise FileRefused("it is empty")
    header = best[1]
    _check_encoding(header, feed, damaged=damaged)
    end = 0
    for _ in range(header.lines):
        end = block.index(b"\n", end) + 1
    return replace(header, end=end)


def _header_candidates(head: str, delimiter: str) -> Iterator[_Header]:
    lines = head.split("\n")
    reader = csv.reader(
        (f"{line}\n" for line in lines[: 5 * HEADER_SEARCH_LINES]), delimiter=delimiter, skipinitialspace=True
    )
    seen = 0
    try:
        for number, names in enumerate(reader, start=1):
            if any(name.strip() for name in names):
                yield _Header(tuple(name.strip() for name in names), delimiter, number, reader.line_num, 0)
                seen += 1
            if seen == HEADER_SEARCH_LINES:
                return
    except csv.Error:
        return


def _check_encoding(header: _Header, feed: Feed, *, damaged: bool) -> None:
    text = "".join(header.names)
    if "\0" in text:
        raise FileRefused(
            f"its header has NUL bytes, so it is not {feed.encoding}; it may be utf-16."
            f" Set the encoding of feed {feed.name}."
        )
    if damaged and any("\udc00" <= character <= "\udfff" for character in text):
        raise FileRefused(f"its header is not {feed.encoding}. Set the encoding of feed {feed.name}.")


def _detect_format(path: Path) -> str:
    """Detect the file format from its magic bytes, and check it against the file extension."""
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise FileRefused("it is empty")
    name = path.name.lower()
    if start.startswith(b"\xd0\xcf\x11\xe0") or name.endswith(".xls"):
        raise FileRefused("it is an Excel file of the old kind (.xls), which is not read. Save it as .xlsx or CSV.")
    kinds = {b"\x1f\x8b": "gzip", b"PAR1": "parquet", b"PK\x03\x04": "excel"}
    kind = next((kind for mark, kind in kinds.items() if start.startswith(mark)), "text")
    endings = {".gz": "gzip", ".parquet": "parquet", ".pq": "parquet", ".xlsx": "excel", ".xlsm": "excel"}
    claimed = next((kind for ending, kind in endings.items() if name.endswith(ending)), kind)
    if claimed != kind:
        raise FileRefused(f"its name says {claimed}, but its first bytes are {start!r}. Was it written to its end?")
    return kind


def _text_blocks(path: Path, encoding: str, *, zipped: bool) -> Blocks:
    with path.open("rb", buffering=0) as raw, gzip.open(raw) if zipped else raw as file:
        if zipped:
            start = file.read(4)
            if start == b"PAR1" or start.startswith(b"PK\x03\x04"):
                raise FileRefused("it is a gzipped Parquet or Excel file; these are compressed already. Send it plain.")
            file.seek(0)
        yield from line_blocks(partial(_read_full, file), encoding)


def _read_full(file: gzip.GzipFile | io.FileIO, size: int) -> bytes:
    return file.read(size) or b""


def _as_json(names: tuple[str, ...], fields: Sequence[str]) -> str:
    return tabular.row_as_json(names, list(fields))


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    """Turn read errors into FileRefused, with the name of the file in the message."""
    try:
        yield
    except FileRefused as error:
        if str(error).startswith(f"{path.name}:"):
            raise
        raise FileRefused(f"{path.name}: {error}") from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileRefused(f"{path.name}: it cannot be read: {reason}") from error
