"""Vectorized block scanner: finds fields and lines of a whole block with numpy, and which lines can be passed through.

A line is *well formed* when its quotes are closed on it and it has as many fields as the header. A well-formed line
is *clean* when in addition every field can go to PostgreSQL as it is: trimmed, no word for null, plain
(`values.is_plain`). What is not clean is parsed line by line (`records.py`), with the same outcome but slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.readers.files.headers import Layout
from etl_assets.readers.files.values import MAX_KEY_BYTES, SliceDateParser

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Octets = npt.NDArray[np.uint8]

NEWLINE, QUOTE = 10, 34
DASH, COLON, DOT, BLANK, AM_PM, T_MARK, OTHER = (1 << bit for bit in range(7))
_TEMPORAL = {"date", "timestamp", "timestamptz"}
_FORBIDDEN = {
    "date": OTHER,
    "timestamp": OTHER,
    "timestamptz": OTHER,
    "time": OTHER | DASH | T_MARK,
    "integer": OTHER | COLON | DOT | BLANK | AM_PM | T_MARK,
    "bigint": OTHER | COLON | DOT | BLANK | AM_PM | T_MARK,
    "numeric": OTHER | COLON | BLANK | AM_PM | T_MARK,
}


@dataclass(frozen=True)
class BlockLines:
    """Byte offsets of the lines and fields of one block."""

    starts: Ints
    ends: Ints
    """Where each line's LF is."""
    well_formed: Bools
    fields: Ints
    """Of each well-formed line, where each field ends: one row a line."""

    def restricted_to(self, well_formed: Bools) -> "BlockLines":
        """The same with fewer well-formed lines; lines at the end may be left out."""
        count = len(well_formed)
        still = well_formed & self.well_formed[:count]
        fields = self.fields[: int(self.well_formed[:count].sum())][still[self.well_formed[:count]]]
        return BlockLines(self.starts[:count], self.ends[:count], still, fields)


def split_block(block: bytes, delimiter: int, width: int) -> BlockLines:
    """Find the lines and field boundaries of a block.

    Args:
        block: UTF-8 with LF after each line.
        delimiter: The byte between fields.
        width: Fields that a well-formed line has.
    """
    octets: Octets = np.frombuffer(block, np.uint8)
    marks = (octets == NEWLINE) | (octets == delimiter)
    quoted = b'"' in block
    if quoted:
        marks |= octets == QUOTE
    at = np.flatnonzero(marks)
    kinds = octets[at]
    broken: Bools | None = None
    if quoted:
        at, kinds, broken = _outside_quotes(octets, at, kinds, delimiter)
    last = np.flatnonzero(kinds == NEWLINE)
    ends = at[last]
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    counts = np.diff(last, prepend=-1)
    well_formed = (counts == width) & (ends > starts)
    if broken is not None:
        well_formed &= ~broken
    kept = at if well_formed.all() else at[np.repeat(well_formed, counts)]
    return BlockLines(starts, ends, well_formed, kept.reshape(-1, width))


def _outside_quotes(octets: Octets, at: Ints, kinds: Octets, delimiter: int) -> tuple[Ints, Octets, Bools]:
    """Drop delimiters inside quotes; also returns the lines whose quotes are not well formed."""
    is_quote = kinds == QUOTE
    is_end = kinds == NEWLINE
    opened = np.cumsum(is_quote)
    last = np.flatnonzero(is_end)
    before = np.concatenate(([0], opened[last][:-1]))
    line = np.cumsum(is_end) - is_end
    inside = ((opened - before[line]) & 1).astype(bool)
    broken = ((opened[last] - before) & 1).astype(bool)
    quotes = at[is_quote]
    opening = inside[is_quote]
    neighbour = octets[np.where(opening, quotes - 1, quotes + 1)]
    ill = (neighbour != delimiter) & (neighbour != NEWLINE) & (neighbour != QUOTE)
    broken[line[is_quote][ill]] = True
    kept = ~is_quote & ~(inside & (kinds == delimiter))
    return at[kept], kinds[kept], broken


class BlockScanner:
    """Classifies the lines of a block as clean or not, and masks the columns that are not sent."""

    def __init__(self, layout: Layout, *, feed: Feed, table: FileTable, dates: SliceDateParser) -> None:
        self._width = layout.width
        self._used = np.array([field.sources[0] for field in layout.fields], dtype=np.intp)
        self._nulls = [word.encode() for word in sorted(feed.null_words) if word]
        self._dates = dates
        self._slice_field = layout.position(table.slice_by)
        self._required = [at for name in table.required_columns if (at := layout.position(name)) is not None]
        marks = {field.sources[0]: field.type for field in layout.fields}
        self._typed = [(at, _FORBIDDEN[kind] | _mark(feed, kind)) for at, kind in marks.items() if kind in _FORBIDDEN]
        self._temporal = [at for at, kind in marks.items() if kind in _TEMPORAL]
        self._times = [at for at, kind in marks.items() if kind == "time"]
        self._always_parsed = [at for at, field in enumerate(layout.fields) if feed.formats.keys() & set(field.columns)]

    def clean(self, block: bytes, lines: BlockLines) -> Bools:
        """Mask of the well-formed lines that are clean."""
        octets: Octets = np.frombuffer(block, np.uint8)
        starts, ends = self.spans(lines)
        unclean: Bools = np.zeros(len(ends), dtype=bool)
        inner, outer = _unquoted(octets, starts[:, self._used], ends[:, self._used], quoted=b'"' in block)
        filled = inner < outer
        first = octets[inner]
        unclean |= (filled & _untrimmed(first, octets[outer - 1])).any(axis=1)
        for word in self._nulls:
            unclean |= self._is_word(octets, word, inner, outer, filled & (first == word[0]))
        for at in (*self._required, *([] if self._slice_field is None else [self._slice_field])):
            unclean |= ~filled[:, at] | (outer[:, at] - inner[:, at] > MAX_KEY_BYTES)
        for at in self._always_parsed:
            unclean |= filled[:, at]
        if self._typed:
            unclean |= self._not_plain(block, starts, ends)
        if self._slice_field is not None:
            unclean |= self._has_invalid_date(block, inner[:, self._slice_field], outer[:, self._slice_field])
        return ~unclean

    def spans(self, lines: BlockLines) -> tuple[Ints, Ints]:
        """Start and end offset of each field of the well-formed lines."""
        starts = np.empty_like(lines.fields)
        starts[:, 0] = lines.starts[lines.well_formed]
        starts[:, 1:] = lines.fields[:, :-1] + 1
        return starts, lines.fields

    def slice_spellings(self, block: bytes, lines: BlockLines) -> tuple[set[bytes], Bools]:
        """Distinct spellings of the slice date, and a mask of the well-formed lines that must be parsed to see it.

        What is no date as it stands must be parsed: it may be a footer.
        """
        if self._slice_field is None or not len(lines.fields):
            return set(), np.ones(len(lines.fields), dtype=bool)
        octets: Octets = np.frombuffer(block, np.uint8)
        at = int(self._used[self._slice_field])
        ends = lines.fields[:, at]
        starts = lines.fields[:, at - 1] + 1 if at else lines.starts[lines.well_formed]
        inner, outer = _unquoted(octets, starts, ends, quoted=b'"' in block)
        unclean: Bools = (inner >= outer) | _untrimmed(octets[inner], octets[outer - 1])
        unclean[~unclean] = self._has_invalid_date(block, inner[~unclean], outer[~unclean])
        return self._spellings(block, inner[~unclean], outer[~unclean]), unclean

    def without_unused(self, block: bytes, lines: BlockLines) -> Bools | None:
        """Mask of the bytes of a block to send; None where all of its headers are used.

        Only the bytes of well-formed lines mean something.
        """
        if len(self._used) == self._width:
            return None
        starts, ends = self.spans(lines)
        change = np.zeros(len(block) + 1, dtype=np.int8)
        before = -1
        for at in map(int, self._used):
            if at > before + 1:
                _drop(change, starts[:, before + 1], starts[:, at])
            before = at
        if before < self._width - 1:
            _drop(change, ends[:, before], ends[:, -1])
        kept: Bools = np.cumsum(change[:-1], dtype=np.int8) == 0
        return kept

    def _is_word(self, octets: Octets, word: bytes, inner: Ints, outer: Ints, likely: Bools) -> Bools:
        likely = likely & (outer - inner == len(word))
        if not likely.any():
            return np.zeros(len(likely), dtype=bool)
        where = np.nonzero(likely)
        starts = inner[where]
        same = np.ones(len(starts), dtype=bool)
        for at, octet in enumerate(word):
            same &= octets[starts + at] == octet
        unclean = np.zeros(len(likely), dtype=bool)
        unclean[where[0][same]] = True
        return unclean

    def _not_plain(self, block: bytes, starts: Ints, ends: Ints) -> Bools:
        """Mask of the lines with a character that the type of its field does not expect."""
        classes: Octets = np.frombuffer(bytearray(block.translate(_CLASSES)), np.uint8)
        classes[ends.ravel()] = 0
        if b"-" in block:
            for at in self._temporal:
                self._clear_date_hyphens(block, classes, starts[:, at], ends[:, at])
        marks = np.bitwise_or.reduceat(classes, starts.ravel()).reshape(starts.shape)
        unclean: Bools = np.zeros(len(starts), dtype=bool)
        for at, forbidden in self._typed:
            unclean |= (marks[:, at] & forbidden) != 0
        for at in self._temporal:
            seen = marks[:, at]
            unclean |= (seen & DASH) != 0
            unclean |= (seen & (T_MARK | AM_PM)) == (T_MARK | AM_PM)
        for at in (*self._temporal, *self._times):
            unclean |= (marks[:, at] & (DOT | AM_PM)) == (DOT | AM_PM)
        return unclean

    def _clear_date_hyphens(self, block: bytes, classes: Octets, starts: Ints, ends: Ints) -> None:
        """Clear the hyphens of a date; those that are left belong to a UTC offset."""
        octets: Octets = np.frombuffer(block, np.uint8)
        starts = starts + (octets[starts] == QUOTE)
        undecided = np.ones(len(starts), dtype=bool)
        for first, second in ((4, 7), (2, 5)):
            found = undecided & (starts + second < ends)
            if found.any():
                where = np.where(found, starts, starts[found][0])
                found &= (octets[where + first] == 45) & (octets[where + second] == 45)  # noqa: PLR2004 (a hyphen)
                classes[starts[found] + first] = 0
                classes[starts[found] + second] = 0
                undecided &= ~found
            if not undecided.any():
                return

    def _has_invalid_date(self, block: bytes, inner: Ints, outer: Ints) -> Bools:
        """Mask of the lines whose slice date is invalid."""
        bad = {spelling for spelling in self._spellings(block, inner, outer) if self._dates(spelling) is None}
        if not bad:
            return np.zeros(len(inner), dtype=bool)
        pairs = zip(inner.tolist(), outer.tolist(), strict=True)
        return np.array([block[start:end] in bad for start, end in pairs], dtype=bool)

    @staticmethod
    def _spellings(block: bytes, inner: Ints, outer: Ints) -> set[bytes]:
        return {block[start:end] for start, end in zip(inner.tolist(), outer.tolist(), strict=True)}


def _unquoted(octets: Octets, starts: Ints, ends: Ints, *, quoted: bool) -> tuple[Ints, Ints]:
    if not quoted:
        return starts, ends
    wrapped = (octets[starts] == QUOTE) & (starts < ends)
    return starts + wrapped, ends - wrapped


def _untrimmed(first: Octets, last: Octets) -> Bools:
    """Whether a field may begin or end with a blank: a control character, a space or a no-break space (C2 A0)."""
    blank: Bools = (first <= 32) | (first == 0xC2) | (last <= 32) | (last == 0xA0)  # noqa: PLR2004
    return blank


def _drop(change: npt.NDArray[np.int8], starts: Ints, ends: Ints) -> None:
    change[starts] += 1
    change[ends] -= 1


def _mark(feed: Feed, kind: str) -> int:
    return DOT if kind == "numeric" and feed.decimal == "," else 0


def _classes() -> bytes:
    """Lookup table of byte -> character class; the quote, which may stand around a field, has none."""
    table = bytearray([OTHER]) * 256
    for characters, mark in (
        (b"0123456789\n\"", 0), (b"-", DASH), (b":", COLON), (b".", DOT), (b" /", BLANK), (b"APMapm", AM_PM),
        (b"Tt", T_MARK),
    ):  # fmt: skip
        for character in characters:
            table[character] = mark
    return bytes(table)


_CLASSES = _classes()


def clean_runs(clean: Bools, starts: Ints, ends: Ints) -> Sequence[tuple[int, int, int, int]]:
    """Runs of consecutive clean lines: first line, line after the last, first byte, byte after the last."""
    edges = np.flatnonzero(np.diff(clean.astype(np.int8), prepend=0, append=0))
    first, after = edges[::2], edges[1::2]
    return list(
        zip(first.tolist(), after.tolist(), starts[first].tolist(), (ends[after - 1] + 1).tolist(), strict=True)
    )
