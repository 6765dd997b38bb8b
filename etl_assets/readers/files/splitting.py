"""Split blocks of lines into chunks of whole records: one line each, multiline (quoted newlines), or malformed.

A quote that is never closed must not swallow the file: it is believed to go on over the next lines only if it is
closed properly within `MAX_RECORD_BYTES`, at the end of a record of the right width. Otherwise its line stands alone.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etl_assets.readers.files import scan

MAX_RECORD_BYTES = 1 << 18
"""Bytes within which a quote must be closed."""

_MAX_FIELD_BYTES = 1 << 24
"""As long as a line may be; the csv module's own limit is 128 KB, for the whole process."""


@dataclass(frozen=True)
class NeedsParsing:
    """A record that must be parsed in Python: its byte range in the block, and its line in the file."""

    start: int
    end: int
    """The byte after its last."""
    line: int


@dataclass(frozen=True)
class Chunk:
    """A block that ends at the end of a record, with what must be parsed of it."""

    block: bytes
    lines: scan.BlockLines
    numbers: scan.Ints
    """Each line's number in the file."""
    needs_parsing: list[NeedsParsing]
    """The records that are no well-formed line, blank lines left out; ascending."""
    multiline: bool
    """Whether any record has embedded newlines."""

    def select(self, which: scan.Bools) -> list[NeedsParsing]:
        """Select some of its lines by mask, to be parsed too."""
        starts, ends, numbers = (
            each[which].tolist() for each in (self.lines.starts, self.lines.ends + 1, self.numbers)
        )
        return [NeedsParsing(*each) for each in zip(starts, ends, numbers, strict=True)]


class MalformedRecordError(ValueError):
    """A line whose quotes are not well formed."""


def split_fields(text: str, delimiter: str) -> list[str]:
    """Split one record into its fields.

    Raises:
        UnsplittableError: Its quotes are not well formed.
    """
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        if "end of data" in str(error):
            raise MalformedRecordError("a quote is opened and never closed") from None
        raise MalformedRecordError("a quote inside of a quoted field is not doubled") from None


def chunks(
    blocks: Iterator[tuple[bytes, bool]], *, first_line: int, delimiter: str, width: int, rows_numbered: bool
) -> Iterator[Chunk]:
    """Split blocks into chunks of whole records.

    Args:
        blocks: Whole lines, and whether bytes in them were damaged.
        first_line: The number of the first line.
        delimiter: One ASCII character.
        width: Fields of a record.
        rows_numbered: Count records instead of lines.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD_BYTES))
    byte = delimiter.encode()[0]
    carried, carried_damage = b"", False
    following = next(blocks, None)
    while following is not None:
        (block, damaged), following = following, next(blocks, None)
        block, damaged = carried + block, damaged or carried_damage
        lines = scan.split_block(block, byte, width)
        if damaged or b"\0" in block:
            lines = lines.restricted_to(_decodable(block, lines))
        needs_parsing, well_formed, extra = _find_records(block, lines, delimiter, width, last=following is None)
        cut = len(well_formed)
        carried, carried_damage = b"", False
        if cut < len(lines.starts):
            at = int(lines.starts[cut])
            block, carried, carried_damage = block[:at], block[at:], damaged
        numbers = np.arange(first_line, first_line + cut)
        if rows_numbered:
            numbers -= np.cumsum(extra)
        first_line += cut - (int(extra.sum()) if rows_numbered else 0)
        if cut:
            records = [NeedsParsing(start, end, int(numbers[at])) for at, start, end in needs_parsing]
            yield Chunk(block, lines.restricted_to(well_formed), numbers, records, bool(extra.any()))


def lines_at(
    blocks: Iterator[tuple[bytes, bool]], wanted: scan.Ints, *, first_line: int
) -> Iterator[tuple[bytes, int]]:
    """Yield the lines with these numbers, ascending. Fast, and right where no record has embedded newlines."""
    for block, _ in blocks:
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == scan.NEWLINE)
        first, after = np.searchsorted(wanted, (first_line, first_line + len(ends)))
        for number in wanted[first:after].tolist():
            at = number - first_line
            yield block[int(ends[at - 1]) + 1 if at else 0 : int(ends[at]) + 1], number
        first_line += len(ends)


def _decodable(block: bytes, lines: scan.BlockLines) -> scan.Bools:
    """Mask of lines without NUL or escaped byte (`lines.py`): ED and then A0 to BF, which no UTF-8 holds."""
    octets: scan.Octets = np.frombuffer(block, np.uint8)
    bad = octets == 0
    bad[:-1] |= (octets[:-1] == 0xED) & (octets[1:] >= 0xA0)  # noqa: PLR2004
    well_formed = np.ones(len(lines.ends), dtype=bool)
    well_formed[np.searchsorted(lines.ends, np.flatnonzero(bad))] = False
    return well_formed


def _find_records(
    block: bytes, lines: scan.BlockLines, delimiter: str, width: int, *, last: bool
) -> tuple[list[tuple[int, int, int]], scan.Bools, scan.Ints]:
    """Find the records that are no well-formed line: multiline or malformed ones.

    Returns:
        Of each its first line in the block and its byte range; which lines are well formed after all, cut off before a
        record that goes on in the next block; and for each line 1 if it continues a record begun before it.
    """
    found: list[tuple[int, int, int]] = []
    well_formed = lines.well_formed.copy()
    extra = np.zeros(len(well_formed), dtype=np.int64)
    after = 0
    for at in np.flatnonzero(~lines.well_formed).tolist():
        start, end = int(lines.starts[at]), int(lines.ends[at])
        if at < after or start == end:
            continue
        if b'"' in block[start:end]:
            whole = _record_end(block, start, ord(delimiter))
            if whole is None and not last and len(block) - start < MAX_RECORD_BYTES:
                return found, well_formed[:at], extra[:at]
            if whole and whole > end + 1 and _is_record(block[start:whole], delimiter, width):
                after = int(np.searchsorted(lines.ends, whole - 1)) + 1
                well_formed[at:after] = False
                extra[at + 1 : after] = 1
                end = whole - 1
        found.append((at, start, end + 1))
    return found, well_formed, extra


def _is_record(record: bytes, delimiter: str, width: int) -> bool:
    try:
        return len(split_fields(record.decode("utf-8", "surrogatepass"), delimiter)) == width
    except MalformedRecordError:
        return False


def _record_end(block: bytes, start: int, delimiter: int) -> int | None:
    """The byte after a record's LF; 0 where its quotes are ill formed, None where it is not at its end yet."""
    at = start
    ends_field = (delimiter, scan.NEWLINE)
    while True:
        while block[at] == 32:  # noqa: PLR2004 (a space, which may stand before a quote)
            at += 1
        if block[at] == scan.QUOTE:
            at = block.find(b'"', at + 1)
            while at >= 0 and block[at + 1] == scan.QUOTE:
                at = block.find(b'"', at + 2)
            if at < 0 or at > start + MAX_RECORD_BYTES:
                return None if at < 0 else 0
            at += 1
            if block[at] not in ends_field:
                return 0
        else:
            newline = block.find(b"\n", at)
            separator = block.find(delimiter, at, newline)
            at = newline if separator < 0 else separator
        if block[at] == scan.NEWLINE:
            return at + 1
        at += 1
