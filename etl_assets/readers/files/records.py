"""The records of a text file as lines of a COPY.

What is clean passes as it is (`scan.py`). Everything else is taken apart here: records over several lines, values to be
trimmed or read, lines that are broken. A line that cannot be split is rejected at once; one with a value that cannot
be read is noted as a *suspect*, to be looked at again column by column (`suspects`) when the others have arrived.
"""

import csv
import io
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from etl_assets.declare.files import Feed
from etl_assets.declare.tables import Table
from etl_assets.readers.files.headers import Layout
from etl_assets.readers.files.lines import damage, shown
from etl_assets.readers.files.scan import Bools, Scan, merge_spans
from etl_assets.readers.files.splitting import Doubtful, Piece, UnsplittableError, fields_of, lines_at, pieces
from etl_assets.readers.files.values import BLANKS, DateReader, UnreadableError, reader_of, trimmed

MOST_REJECTS = 100_000
"""Rejects that are kept one by one; the others are only counted."""

Blocks = Iterator[tuple[bytes, bool]]


@dataclass(frozen=True)
class Reject:
    """Why a row, or one column of it, could not be stored."""

    line: int
    """Line of the file, from 1, where the row begins; in Excel the row; in Parquet the row, from 1."""
    column: str | None
    """None where it is the line as such."""
    reason: str
    raw: str
    """What the file says there, or that it is withheld."""


@dataclass(frozen=True)
class Suspect:
    """A row that could be split, and with which something is wrong."""

    line: int
    values: tuple[str | None, ...]
    """One for each field of the layout: as PostgreSQL should read it, or as the file has it where refused."""
    refused: tuple[int, ...]
    """The fields whose value is known to be none of its type."""
    raw: str


@dataclass
class Progress:
    """What was found so far; all of it when the stream is at its end."""

    rows: int = 0
    """Records that are not blank."""
    sent: int = 0
    """Records that went into the stream."""
    unsplit: int = 0
    """Lines that could not be split."""
    rejects: list[Reject] = field(default_factory=list)
    """The first `MOST_REJECTS` of them."""
    suspects: "array[int]" = field(default_factory=lambda: array("q"))
    """Lines of the suspects, ascending."""
    folded: bool = False
    """Whether a record has line ends inside."""
    _sent_from: "array[int]" = field(default_factory=lambda: array("q"))
    _line_from: "array[int]" = field(default_factory=lambda: array("q"))
    _folded: "array[int]" = field(default_factory=lambda: array("q"))
    """For each line end inside of a record: the stream's line that it ends, counted from 1."""

    def note_sent(self, records: int, line: int, *, line_ends_inside: int = 0) -> None:
        """So many records went out, which stand on consecutive lines from this one."""
        if not self._sent_from or line - self._line_from[-1] != self.sent - self._sent_from[-1]:
            self._sent_from.append(self.sent)
            self._line_from.append(line)
        # PostgreSQL does not count them in the first record, before it knows what ends a line.
        if self.sent:
            begin = self.sent + 1 + len(self._folded)
            self._folded.extend(range(begin, begin + line_ends_inside))
        self.sent += records

    def line_of(self, record: int) -> int:
        """The file's line of a record of the stream, counted from 0."""
        at = bisect_right(self._sent_from, record) - 1
        return self._line_from[at] + record - self._sent_from[at]

    def record_at(self, stream_line: int) -> int:
        """The record, counted from 0, that a line of the stream, counted from 1, belongs to."""
        at = bisect_right(self._folded, stream_line - 1)
        return stream_line - 1 - at

    def reject(self, line: int, reason: str, raw: str) -> None:
        """Note a line that cannot be split."""
        self.unsplit += 1
        if len(self.rejects) < MOST_REJECTS:
            self.rejects.append(Reject(line, None, reason, raw))


@dataclass(frozen=True)
class Form:
    """How the records of one file are written."""

    delimiter: str
    encoding: str
    first_line: int
    """Number of the line after the header."""
    rows_numbered: bool = False
    """Whether rows are counted instead of lines."""
    as_raw: Callable[[Sequence[str]], str] | None = None
    """What shows a row that was no text in the file."""


class Records:
    """Takes the blocks of one file, in their order, to pieces."""

    def __init__(self, layout: Layout, form: Form, *, feed: Feed, table: Table, dates: DateReader) -> None:
        self._layout = layout
        self._form = form
        self._nulls = frozenset(feed.nulls)
        self._scan = Scan(layout, feed=feed, table=table, dates=dates)
        self._day = layout.position(table.slice_by)
        needed = {*table.keys, table.slice_by}
        self._needed = [at for at, each in enumerate(layout.fields) if needed & set(each.columns)]
        self._readers = [
            reader_of(feed, each.name, each.type, slices=at == self._day, key=at in self._needed)
            for at, each in enumerate(layout.fields)
        ]

    def stream(self, blocks: Blocks, progress: Progress) -> Iterator[bytes]:
        """COPY lines of everything that can be sent; `progress` is told of the rest."""
        for piece in self._pieces(blocks):
            clean = piece.lines.sound.copy()
            if not self._layout.one_to_one:
                clean[:] = False
            elif len(piece.lines.fields):
                clean[clean] = self._scan.clean(piece.block, piece.lines)
            progress.rows += int(clean.sum())
            progress.folded |= piece.folded
            kept = self._scan.without_unused(piece.block, piece.lines) if clean.any() else None
            doubtful = piece.doubtful + piece.apart(piece.lines.sound & ~clean)
            doubtful.sort(key=lambda record: record.start)
            yield from self._in_order(piece, clean, doubtful, kept, progress)

    def suspects(self, blocks: Blocks, wanted: Set[int], *, folded: bool) -> Iterator[Suspect]:
        """The rows at these lines, value by value; `folded` as `Progress` says of the file."""
        sought = np.array(sorted(wanted), dtype=np.int64)
        if not folded:
            for line, number in lines_at(blocks, sought, first_line=self._form.first_line):
                yield self._suspect(line.decode("utf-8", "surrogatepass"), number)
            return
        for piece in self._pieces(blocks):
            here = slice(*np.searchsorted(sought, (piece.numbers[0], piece.numbers[-1] + 1)))
            again = piece.lines.sound & np.isin(piece.numbers, sought[here])
            records = piece.apart(again) + [each for each in piece.doubtful if each.line in wanted]
            for record in sorted(records, key=lambda record: record.start):
                yield self._suspect(_text(piece, record), record.line)

    def survey(self, blocks: Blocks) -> Iterator[tuple[int, set[bytes]]]:
        """Rows, and the spellings of their slice dates, block by block."""
        single = self._day is not None and len(self._layout.fields[self._day].sources) == 1
        progress = Progress()
        for piece in self._pieces(blocks):
            odd = piece.lines.sound.copy()
            spellings: set[bytes] = set()
            if single:
                spellings, odd[odd] = self._scan.days(piece.block, piece.lines)
            for record in piece.doubtful + piece.apart(odd):
                fields = self._fields(_text(piece, record), record.line, progress)
                if fields and self._day is not None:
                    spellings.add(self._value(fields, self._day).encode())
            yield int((piece.lines.sound & ~odd).sum()), spellings
        yield progress.rows, set()

    def _pieces(self, blocks: Blocks) -> Iterator[Piece]:
        return pieces(
            blocks,
            first_line=self._form.first_line,
            delimiter=self._form.delimiter,
            width=self._layout.width,
            rows_numbered=self._form.rows_numbered,
        )

    def _in_order(
        self,
        piece: Piece,
        clean: Bools,
        doubtful: list[Doubtful],
        kept: Any,
        progress: Progress,
    ) -> Iterator[bytes]:
        """Runs of clean lines and the doubtful records between them."""
        runs = merge_spans(clean, piece.lines.starts, piece.lines.ends)
        if not doubtful and kept is None and len(runs) == 1 and clean.all():
            progress.note_sent(len(clean), int(piece.numbers[0]))
            yield piece.block
            return
        parts: list[bytes] = []
        octets = np.frombuffer(piece.block, np.uint8)
        waiting = iter(doubtful)
        record = next(waiting, None)
        for first, after, start, end in [*runs, (0, 0, len(piece.block), 0)]:
            while record and record.start < start:
                line = self._line(_text(piece, record), record.line, progress)
                if line:
                    parts.append(line)
                record = next(waiting, None)
            if after:
                parts.append(piece.block[start:end] if kept is None else octets[start:end][kept[start:end]].tobytes())
                progress.note_sent(after - first, int(piece.numbers[first]))
        yield b"".join(parts)

    def _fields(self, text: str, line: int, progress: Progress) -> list[str] | None:
        """The fields of a record; None where it is blank, or rejected."""
        body = text.removesuffix("\n")
        if not body.strip(BLANKS + self._form.delimiter):
            return None
        progress.rows += 1
        reason = damage(body, self._form.encoding)
        if not reason:
            try:
                fields = fields_of(text, self._form.delimiter)
            except UnsplittableError as error:
                reason = str(error)
            else:
                if len(fields) == self._layout.width:
                    return fields
                reason = f"it has {len(fields)} fields where the header has {self._layout.width}"
        progress.reject(line, reason, self._raw(body, None))
        return None

    def _value(self, fields: Sequence[str], at: int) -> str:
        """The trimmed text of a field of the layout; empty where a part of it is missing."""
        parts = [trimmed(fields[source], self._nulls) for source in self._layout.fields[at].sources]
        return " ".join(parts) if all(parts) else ""

    def _values(self, fields: Sequence[str]) -> tuple[list[str], list[int]]:
        """The values as PostgreSQL should read them, and those that are none of their type."""
        values, refused = [], []
        for at, read in enumerate(self._readers):
            value = self._value(fields, at)
            if value and read:
                try:
                    value = read(value)
                except UnreadableError:
                    refused.append(at)
            values.append(value)
        return values, refused

    def _line(self, text: str, line: int, progress: Progress) -> bytes | None:
        """A record as a line of the stream; None where it is not sent."""
        fields = self._fields(text, line, progress)
        if fields is None:
            return None
        values, refused = self._values(fields)
        if refused or not all(values[at] for at in self._needed):
            progress.suspects.append(line)
            return None
        written = io.StringIO()
        csv.writer(written, delimiter=self._form.delimiter, lineterminator="\n").writerow(values)
        sent = written.getvalue()
        progress.note_sent(1, line, line_ends_inside=sent.count("\n") - 1)
        return sent.encode()

    def _suspect(self, text: str, line: int) -> Suspect:
        fields = fields_of(text, self._form.delimiter)
        values, refused = self._values(fields)
        return Suspect(
            line, tuple(value or None for value in values), tuple(refused), self._raw(text.removesuffix("\n"), fields)
        )

    def _raw(self, body: str, fields: Sequence[str] | None) -> str:
        if self._layout.withheld:
            return f"(withheld: the file has columns that must not be loaded: {', '.join(self._layout.withheld)})"
        if fields is not None and self._form.as_raw:
            return self._form.as_raw(fields)
        return shown(body)


def _text(piece: Piece, record: Doubtful) -> str:
    return piece.block[record.start : record.end].decode("utf-8", "surrogatepass")
