"""File reader for CSV (plain or gzipped), Parquet and Excel; the format is detected from the first bytes.

`profile_file` finds rows, dates and checksum without a database; `open_file` reads a file for loading, as one COPY
stream.
"""

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
from etl_assets.errors import EtlError, FileRefused, TransientError
from etl_assets.readers.files.excel import Sheet, excel_blocks
from etl_assets.readers.files.formats import TABULAR, detect_format, open_regular
from etl_assets.readers.files.headers import DELIMITERS, Layout, find_header, match_headers
from etl_assets.readers.files.lines import line_blocks
from etl_assets.readers.files.parquet import parquet_blocks
from etl_assets.readers.files.records import Blocks, RecordFormat, RecordParser, Reject, RejectCandidate, StreamResult
from etl_assets.readers.files.sheets import sheets_to_read
from etl_assets.readers.files.tabular import row_as_json
from etl_assets.readers.files.values import SliceDateParser

__all__ = ["FileProfile", "FileReader", "Reject", "RejectCandidate", "StreamResult", "open_file", "profile_file"]

_MAX_REASON = 500
_OF_THE_FILE = (zipfile.BadZipFile, zlib.error, KeyError, SyntaxError)
"""Errors of a workbook that speak of its parts and of XML."""
_PROFILED_REJECTS = 100
"""Malformed lines that a profile looks at for the first that is no footer."""


@dataclass(frozen=True)
class FileProfile:
    """Checksum, row count, slice dates and unmatched headers of a file."""

    checksum: str
    """SHA-256 of its bytes."""
    rows: int
    """Rows after the header; blank lines are none."""
    malformed: int
    """How many of them cannot be split into fields, or are no rows but footers."""
    footers: int
    """How many of these are footers."""
    first_malformed: str | None
    """Line and reason of the first that is malformed and no footer."""
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
    with _naming_file(path), open_regular(path) as raw:
        before = os.fstat(raw.fileno())
        checksum = hashlib.file_digest(raw, "sha256").hexdigest()
        reader = open_file(path, feed=feed, table=table)
        result, spellings = reader.profile()
        reader.check_unchanged(before)
    found = {day for spelling in spellings if (day := reader.dates(spelling))}
    first = next((f"line {each.line}: {each.reason}" for each in result.rejects if not each.footer), None)
    return FileProfile(
        checksum=checksum,
        rows=result.rows,
        malformed=result.malformed,
        footers=result.footers,
        first_malformed=first,
        dates=tuple(sorted(found)),
        ignored=reader.layout.ignored,
        missing=reader.layout.missing,
    )


class FileReader:
    """Reads one file for one load, as a COPY stream and as rows to be rejected."""

    def __init__(self, path: Path, *, feed: Feed, table: FileTable) -> None:
        self.result = StreamResult(kept_rejects=table.load.kept_rejects)
        """Counts, rejects and reject candidates that `stream` found."""
        self._path = path
        self._feed = feed
        self._status = path.stat()
        constant = feed.constants.get(table.slice_by)
        self._constant_day = constant.encode() if constant else None
        self.dates = SliceDateParser.for_feed(feed, table.slice_by)
        kind = detect_format(path)
        self._format = kind
        self._sheets: tuple[Sheet, ...] = sheets_to_read(path, feed, table) if kind == "excel" else ()
        blocks = self._blocks()
        first = next(blocks, None)
        if first is None:
            raise FileRefused("it is empty")
        header = find_header(
            first[0],
            feed=feed,
            table=table,
            delimiters=DELIMITERS[:1] if kind in TABULAR else None,
            damaged=first[1],
        )
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

    def profile(self) -> tuple[StreamResult, set[bytes]]:
        """Row counts, and the distinct spellings of the slice dates."""
        result, spellings = StreamResult(kept_rejects=_PROFILED_REJECTS), set[bytes]()
        with _naming_file(self._path):
            for found in self._parser.profile(self._rows(), result):
                spellings |= {spelling for spelling in found - spellings if self.dates(spelling)}
        if result.rows > result.footers and self._constant_day:
            spellings.add(self._constant_day)
        return result, spellings

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
            return _tabular_blocks(self._path, self._format, self._sheets)
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


def _tabular_blocks(path: Path, kind: str, sheets: Sequence[Sheet]) -> Blocks:
    try:
        yield from parquet_blocks(path) if kind == "parquet" else excel_blocks(path, sheets)
    except (EtlError, OSError):
        raise
    except Exception as error:
        # What openpyxl says of a cell has its value in it.
        speaks = kind == "parquet" or isinstance(error, _OF_THE_FILE)
        reason = str(error)[:_MAX_REASON] if speaks else type(error).__name__
        reason = reason.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
        raise FileRefused(f"it cannot be read as {kind}: {reason}") from error


def _text_blocks(path: Path, encoding: str, *, zipped: bool) -> Blocks:
    with open_regular(path) as raw, gzip.open(raw) if zipped else raw as file:
        if zipped:
            start = file.read(4)
            if start == b"PAR1" or start.startswith(b"PK\x03\x04"):
                raise FileRefused("it is a gzipped Parquet or Excel file; these are compressed already. Send it plain.")
            file.seek(0)
        yield from line_blocks(partial(_read_full, file), encoding)


def _read_full(file: gzip.GzipFile | io.FileIO, size: int) -> bytes:
    return file.read(size) or b""


def _as_json(names: tuple[str, ...], fields: Sequence[str]) -> str:
    return row_as_json(names, fields)


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    """Turn read errors into FileRefused, with the name of the file in the message."""
    try:
        yield
    except FileRefused as error:
        if str(error).startswith(f"{path.name}:"):
            raise
        raise FileRefused(f"{path.name}: {error}") from error
    except EtlError:
        raise
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileRefused(f"{path.name}: it cannot be read: {reason}") from error
    except Exception as error:
        # Of a damaged file a decoder may raise anything; its words may hold a value.
        raise FileRefused(f"{path.name}: it cannot be read: {type(error).__name__}") from error
