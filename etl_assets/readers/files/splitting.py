"""Cut blocks of lines into records: most are one line, some have line ends inside of quotes, some are broken.

A quote that is never closed must not swallow the file: it is believed to go on over the next lines only if it is
closed properly within `LONGEST_RECORD`, at the end of a record of the right width. Otherwise its line stands alone.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etl_assets.readers.files import scan

LONGEST_RECORD = 1 << 18
"""Bytes within which a quote must be closed."""

_LONGEST_FIELD = 1 << 24
"""As long as a line may be; the csv module's own limit is 128 KB, for the whole process."""


@dataclass(frozen=True)
class Doubtful:
    """A record that must be taken apart: where it is in its block, and its line in the file."""

    start: int
    end: int
    """The byte after its last."""
    line: int


@dataclass(frozen=True)
class Piece:
    """Whole records."""

    block: bytes
    lines: scan.Lines
    numbers: scan.Ints
    """Each line's number in the file."""
    doubtful: list[Doubtful]
    """The records that are no sound line, blank lines left out; ascending."""
    folded: bool
    """Whether a record of it has line ends inside."""

    def apart(self, which: scan.Bools) -> list[Doubtful]:
        """Some of its lines, to be taken apart too."""
        starts, ends, numbers = (
            each[which].tolist() for each in (self.lines.starts, self.lines.ends + 1, self.numbers)
        )
        return [Doubtful(*each) for each in zip(starts, ends, numbers, strict=True)]


class UnsplittableError(ValueError):
    """A line that is no record of the right form."""


def fields_of(text: str, delimiter: str) -> list[str]:
    """The fields of one record.

    Raises:
        UnsplittableError: Its quotes are not well formed.
    """
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        if "end of data" in str(error):
            raise UnsplittableError("a quote is opened and never closed") from None
        raise UnsplittableError("a quote inside of a quoted field is not doubled") from None


def pieces(
    blocks: Iterator[tuple[bytes, bool]], *, first_line: int, delimiter: str, width: int, rows_numbered: bool
) -> Iterator[Piece]:
    """Cut blocks into records.

    Args:
        blocks: Whole lines, and whether bytes in them were damaged.
        first_line: The number of the first line.
        delimiter: One ASCII character.
        width: Fields of a record.
        rows_numbered: Count records instead of lines.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    byte = delimiter.encode()[0]
    carried, carried_damage = b"", False
    following = next(blocks, None)
    while following is not None:
        (block, damaged), following = following, next(blocks, None)
        block, damaged = carried + block, damaged or carried_damage
        lines = scan.find_lines(block, byte, width)
        if damaged or b"\0" in block:
            lines = lines.only(_undamaged(block, lines))
        doubtful, sound, extra = _records(block, lines, delimiter, width, last=following is None)
        cut = len(sound)
        carried, carried_damage = b"", False
        if cut < len(lines.starts):
            at = int(lines.starts[cut])
            block, carried, carried_damage = block[:at], block[at:], damaged
        numbers = np.arange(first_line, first_line + cut)
        if rows_numbered:
            numbers -= np.cumsum(extra)
        first_line += cut - (int(extra.sum()) if rows_numbered else 0)
        if cut:
            records = [Doubtful(start, end, int(numbers[at])) for at, start, end in doubtful]
            yield Piece(block, lines.only(sound), numbers, records, bool(extra.any()))


def lines_at(
    blocks: Iterator[tuple[bytes, bool]], wanted: scan.Ints, *, first_line: int
) -> Iterator[tuple[bytes, int]]:
    """Some lines, ascending, and their numbers. Quick, and right where no record has line ends inside."""
    for block, _ in blocks:
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == scan.NEWLINE)
        first, after = np.searchsorted(wanted, (first_line, first_line + len(ends)))
        for number in wanted[first:after].tolist():
            at = number - first_line
            yield block[int(ends[at - 1]) + 1 if at else 0 : int(ends[at]) + 1], number
        first_line += len(ends)


def _undamaged(block: bytes, lines: scan.Lines) -> scan.Bools:
    """Lines without a NUL, and without an escaped byte (`lines.py`): ED and then A0 to BF, which no UTF-8 holds."""
    octets: scan.Octets = np.frombuffer(block, np.uint8)
    bad = octets == 0
    bad[:-1] |= (octets[:-1] == 0xED) & (octets[1:] >= 0xA0)  # noqa: PLR2004
    sound = np.ones(len(lines.ends), dtype=bool)
    sound[np.searchsorted(lines.ends, np.flatnonzero(bad))] = False
    return sound


def _records(
    block: bytes, lines: scan.Lines, delimiter: str, width: int, *, last: bool
) -> tuple[list[tuple[int, int, int]], scan.Bools, scan.Ints]:
    """The records that are no sound line.

    Returns:
        Of each its first line in the block and its bytes; which lines are sound after all, cut off before a record that
        goes on in the next block; and for each line 1 if it goes on a record begun before it.
    """
    found: list[tuple[int, int, int]] = []
    sound = lines.sound.copy()
    extra = np.zeros(len(sound), dtype=np.int64)
    after = 0
    for at in np.flatnonzero(~lines.sound).tolist():
        start, end = int(lines.starts[at]), int(lines.ends[at])
        if at < after or start == end:
            continue
        if b'"' in block[start:end]:
            whole = _record_end(block, start, ord(delimiter))
            if whole is None and not last and len(block) - start < LONGEST_RECORD:
                return found, sound[:at], extra[:at]
            if whole and whole > end + 1 and _is_record(block[start:whole], delimiter, width):
                after = int(np.searchsorted(lines.ends, whole - 1)) + 1
                sound[at:after] = False
                extra[at + 1 : after] = 1
                end = whole - 1
        found.append((at, start, end + 1))
    return found, sound, extra


def _is_record(record: bytes, delimiter: str, width: int) -> bool:
    try:
        return len(fields_of(record.decode("utf-8", "surrogatepass"), delimiter)) == width
    except UnsplittableError:
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
            if at < 0 or at > start + LONGEST_RECORD:
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
