"""Record parser: turns the records of a text file into lines of a COPY stream.

Clean lines are passed through as raw bytes (`scan.py`). Everything else is parsed here: records over several lines,
values to be trimmed or converted, malformed lines. A line that cannot be split is rejected at once; one with a value
that cannot be parsed is a *reject candidate*, to be read again column by column (`reject_candidates`) when the others
have arrived.
"""

import csv
import io
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.readers.files.footers import is_footer
from etl_assets.readers.files.headers import Layout
from etl_assets.readers.files.lines import UNCOMPUTED, UNCOMPUTED_TEXT, encoding_error, escape_bad_bytes
from etl_assets.readers.files.scan import BlockScanner, Bools, clean_runs
from etl_assets.readers.files.splitting import Chunk, MalformedRecordError, NeedsParsing, chunks, lines_at, split_fields
from etl_assets.readers.files.values import BLANKS, SliceDateParser, ValueParseError, trim_value, value_parser

MAX_RAW_CHARACTERS = 4_000
"""Of the text of a rejected row, as much is kept."""
FOOTER = "it is a footer or an underline, and no row"

Blocks = Iterator[tuple[bytes, bool]]


@dataclass(frozen=True)
class Reject:
    """A rejected row: line, column, reason and raw text."""

    line: int
    """Line of the file, from 1, where the row begins; in Excel the row; in Parquet the row, from 1."""
    column: str | None
    """None where it is the line as such."""
    reason: str
    raw: str
    """What the file says there, or that it is withheld."""
    footer: bool = False
    """Whether it is a line that many programs write below or above the rows."""


@dataclass(frozen=True)
class RejectCandidate:
    """A row that could be split into fields, but has an invalid or missing value."""

    line: int
    values: tuple[str | None, ...]
    """One for each field of the layout: as PostgreSQL should read it, or as the file has it where it is invalid."""
    invalid_fields: tuple[int, ...]
    """Indexes of the fields whose value is known to be invalid for its type."""
    raw: str


@dataclass
class StreamResult:
    """Row counts, rejects and line numbers of a stream; complete when the stream is at its end."""

    kept_rejects: int = 1_000
    """How many of the rejects are kept; the others are counted."""
    rows: int = 0
    """Records that are not blank."""
    sent: int = 0
    """Records that went into the stream."""
    malformed: int = 0
    """Lines that could not be split into fields, and footers."""
    footers: int = 0
    """Lines that are no rows: they say nothing of any key, and are no sign that the file is broken."""
    rejects: list[Reject] = field(default_factory=list)
    """The first of the malformed lines."""
    reject_candidates: "array[int]" = field(default_factory=lambda: array("q"))
    """Line numbers of the reject candidates, ascending."""
    multiline: bool = False
    """Whether any record has embedded newlines."""
    _sent_from: "array[int]" = field(default_factory=lambda: array("q"))
    _line_from: "array[int]" = field(default_factory=lambda: array("q"))
    _embedded_newlines: "array[int]" = field(default_factory=lambda: array("q"))
    """For each line end inside of a record: the stream's line that it ends, counted from 1."""

    def add_sent(self, records: int, line: int, *, line_ends_inside: int = 0) -> None:
        """Count records that were sent, which stand on consecutive lines from this one."""
        if not self._sent_from or line - self._line_from[-1] != self.sent - self._sent_from[-1]:
            self._sent_from.append(self.sent)
            self._line_from.append(line)
        # PostgreSQL does not count them in the first record, before it knows what ends a line.
        if self.sent:
            begin = self.sent + 1 + len(self._embedded_newlines)
            self._embedded_newlines.extend(range(begin, begin + line_ends_inside))
        self.sent += records

    def line_of(self, record: int) -> int:
        """Map a record of the stream, counted from 0, to its line of the file."""
        at = bisect_right(self._sent_from, record) - 1
        return self._line_from[at] + record - self._sent_from[at]

    def record_at(self, stream_line: int) -> int:
        """Map a line of the stream, counted from 1, to its record, counted from 0."""
        at = bisect_right(self._embedded_newlines, stream_line - 1)
        return stream_line - 1 - at

    def reject(self, line: int, reason: str, raw: str, *, footer: bool = False) -> None:
        """Add a line that cannot be split, or is a footer, to the rejects."""
        self.malformed += 1
        self.footers += footer
        if len(self.rejects) < self.kept_rejects:
            self.rejects.append(Reject(line, None, FOOTER if footer else reason, raw, footer))


@dataclass(frozen=True)
class RecordFormat:
    """Delimiter, encoding and line numbering of one file."""

    delimiter: str
    encoding: str
    first_line: int
    """Number of the line after the header."""
    rows_numbered: bool = False
    """Whether rows are counted instead of lines."""
    as_raw: Callable[[Sequence[str]], str] | None = None
    """Formats the raw text of a row that was no text in the file."""


class RecordParser:
    """Parses the blocks of one file, in their order, into COPY lines, rejects and reject candidates."""

    def __init__(
        self, layout: Layout, record_format: RecordFormat, *, feed: Feed, table: FileTable, dates: SliceDateParser
    ) -> None:
        self._layout = layout
        self._format = record_format
        self._nulls = feed.null_words
        self._scanner = BlockScanner(layout, feed=feed, table=table, dates=dates)
        self._dates = dates
        self._slice_field = layout.position(table.slice_by)
        needed = set(table.required_columns)
        self._required = [at for at, each in enumerate(layout.fields) if needed & set(each.columns)]
        self._value_parsers = [
            value_parser(feed, each.name, each.type, slices=at == self._slice_field, key=at in self._required)
            for at, each in enumerate(layout.fields)
        ]

    def stream(self, blocks: Blocks, result: StreamResult) -> Iterator[bytes]:
        """Yield COPY lines of everything that can be sent; the rest is recorded in `result`."""
        for chunk in self._chunks(blocks):
            clean = chunk.lines.well_formed.copy()
            if not self._layout.one_to_one:
                clean[:] = False
            elif len(chunk.lines.fields):
                clean[clean] = self._scanner.clean(chunk.block, chunk.lines)
            result.rows += int(clean.sum())
            result.multiline |= chunk.multiline
            kept = self._scanner.without_unused(chunk.block, chunk.lines) if clean.any() else None
            needs_parsing = chunk.needs_parsing + chunk.select(chunk.lines.well_formed & ~clean)
            needs_parsing.sort(key=lambda record: record.start)
            yield from self._in_order(chunk, clean, needs_parsing, kept, result)

    def reject_candidates(self, blocks: Blocks, wanted: Set[int], *, multiline: bool) -> Iterator[RejectCandidate]:
        """Parse the rows at these lines again, value by value; `multiline` as `StreamResult` says of the file."""
        sought = np.array(sorted(wanted), dtype=np.int64)
        if not multiline:
            for line, number in lines_at(blocks, sought, first_line=self._format.first_line):
                yield self._reject_candidate(line.decode("utf-8", "surrogatepass"), number)
            return
        for chunk in self._chunks(blocks):
            here = slice(*np.searchsorted(sought, (chunk.numbers[0], chunk.numbers[-1] + 1)))
            again = chunk.lines.well_formed & np.isin(chunk.numbers, sought[here])
            records = chunk.select(again) + [each for each in chunk.needs_parsing if each.line in wanted]
            for record in sorted(records, key=lambda record: record.start):
                yield self._reject_candidate(_record_text(chunk, record), record.line)

    def profile(self, blocks: Blocks, result: StreamResult) -> Iterator[set[bytes]]:
        """Yield the distinct spellings of slice dates, block by block; `result` counts the rows."""
        single = self._slice_field is not None and len(self._layout.fields[self._slice_field].sources) == 1
        for chunk in self._chunks(blocks):
            unclean = chunk.lines.well_formed.copy()
            spellings: set[bytes] = set()
            if single:
                spellings, unclean[unclean] = self._scanner.slice_spellings(chunk.block, chunk.lines)
            for record in chunk.needs_parsing + chunk.select(unclean):
                text = _record_text(chunk, record)
                fields = self._fields(text, record.line, result)
                if fields and self._slice_field is not None:
                    spelling = self._value(fields, self._slice_field).encode("utf-8", "replace")
                    spellings.add(spelling)
                    if self._dates(spelling) is None and is_footer(fields):
                        result.reject(record.line, FOOTER, self._raw(text, fields), footer=True)
            result.rows += int((chunk.lines.well_formed & ~unclean).sum())
            yield spellings

    def _chunks(self, blocks: Blocks) -> Iterator[Chunk]:
        return chunks(
            blocks,
            first_line=self._format.first_line,
            delimiter=self._format.delimiter,
            width=self._layout.width,
            rows_numbered=self._format.rows_numbered,
        )

    def _in_order(
        self,
        chunk: Chunk,
        clean: Bools,
        needs_parsing: list[NeedsParsing],
        kept: Any,
        result: StreamResult,
    ) -> Iterator[bytes]:
        """Merge runs of clean lines with the parsed records between them, in file order."""
        runs = clean_runs(clean, chunk.lines.starts, chunk.lines.ends)
        if not needs_parsing and kept is None and len(runs) == 1 and clean.all():
            result.add_sent(len(clean), int(chunk.numbers[0]))
            yield chunk.block
            return
        parts: list[bytes] = []
        octets = np.frombuffer(chunk.block, np.uint8)
        waiting = iter(needs_parsing)
        record = next(waiting, None)
        for first, after, start, end in [*runs, (0, 0, len(chunk.block), 0)]:
            while record and record.start < start:
                line = self._line(_record_text(chunk, record), record.line, result)
                if line:
                    parts.append(line)
                record = next(waiting, None)
            if after:
                parts.append(chunk.block[start:end] if kept is None else octets[start:end][kept[start:end]].tobytes())
                result.add_sent(after - first, int(chunk.numbers[first]))
        yield b"".join(parts)

    def _fields(self, text: str, line: int, result: StreamResult) -> list[str] | None:
        """The fields of a record; None where it is blank, or rejected."""
        body = text.removesuffix("\n")
        if not body.strip(BLANKS + self._format.delimiter):
            return None
        result.rows += 1
        footer = False
        reason = encoding_error(body, self._format.encoding)
        if not reason:
            try:
                fields = split_fields(text, self._format.delimiter)
            except MalformedRecordError as error:
                reason = str(error)
            else:
                if len(fields) == self._layout.width:
                    return fields
                reason = f"it has {len(fields)} fields where the header has {self._layout.width}"
                footer = is_footer(fields)
        result.reject(line, reason, self._raw(body, None), footer=footer)
        return None

    def _value(self, fields: Sequence[str], at: int) -> str:
        """The trimmed text of a field of the layout; empty where a part of it is missing."""
        parts = [trim_value(fields[source], self._nulls) for source in self._layout.fields[at].sources]
        return " ".join(parts) if all(parts) else ""

    def _values(self, fields: Sequence[str]) -> tuple[list[str], list[int]]:
        """The values as PostgreSQL should read them, and the indexes of the invalid ones."""
        values, invalid_fields = [], []
        for at, read in enumerate(self._value_parsers):
            value = self._value(fields, at)
            if UNCOMPUTED in value:
                value = UNCOMPUTED_TEXT
                invalid_fields.append(at)
            elif value and read:
                try:
                    value = read(value)
                except ValueParseError:
                    invalid_fields.append(at)
            values.append(value)
        return values, invalid_fields

    def _line(self, text: str, line: int, result: StreamResult) -> bytes | None:
        """A record as a line of the stream; None where it is not sent."""
        fields = self._fields(text, line, result)
        if fields is None:
            return None
        values, invalid_fields = self._values(fields)
        if invalid_fields or not all(values[at] for at in self._required):
            dated = self._slice_field is None or (values[self._slice_field] and self._slice_field not in invalid_fields)
            if not dated and is_footer(fields):
                result.reject(line, FOOTER, self._raw(text.removesuffix("\n"), fields), footer=True)
            else:
                result.reject_candidates.append(line)
            return None
        written = io.StringIO()
        csv.writer(written, delimiter=self._format.delimiter, lineterminator="\n").writerow(values)
        sent = written.getvalue()
        result.add_sent(1, line, line_ends_inside=sent.count("\n") - 1)
        return sent.encode()

    def _reject_candidate(self, text: str, line: int) -> RejectCandidate:
        fields = split_fields(text, self._format.delimiter)
        values, invalid_fields = self._values(fields)
        return RejectCandidate(
            line,
            tuple(value or None for value in values),
            tuple(invalid_fields),
            self._raw(text.removesuffix("\n"), fields),
        )

    def _raw(self, body: str, fields: Sequence[str] | None) -> str:
        if self._layout.withheld:
            return f"(withheld: the file has columns that must not be loaded: {', '.join(self._layout.withheld)})"
        if fields is not None and self._format.as_raw:
            body = self._format.as_raw(fields)
        return escape_bad_bytes(body[:MAX_RAW_CHARACTERS])


def _record_text(chunk: Chunk, record: NeedsParsing) -> str:
    return chunk.block[record.start : record.end].decode("utf-8", "surrogatepass")
