"""Look at a whole block of lines at once: where its fields end, and which lines need no second look.

A line is *sound* when its quotes are well formed and closed on it and it has as many fields as the header. A sound
line is *clean* when in addition every field can go to PostgreSQL as it is: trimmed, no word for null, plain
(`values.is_plain`). What is not clean is taken apart one by one (`records.py`), with the same outcome but slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from etl_assets.declare.files import Feed
from etl_assets.declare.tables import Table
from etl_assets.readers.files.headers import Layout
from etl_assets.readers.files.values import LONGEST_KEY, DateReader

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Octets = npt.NDArray[np.uint8]

NEWLINE, QUOTE = 10, 34
DASH, COLON, DOT, GAP, HALF, TEE, OTHER = (1 << bit for bit in range(7))
_TEMPORAL = {"date", "timestamp", "timestamptz"}
_FORBIDDEN = {
    "date": OTHER,
    "timestamp": OTHER,
    "timestamptz": OTHER,
    "time": OTHER | DASH | TEE,
    "integer": OTHER | COLON | DOT | GAP | HALF | TEE,
    "bigint": OTHER | COLON | DOT | GAP | HALF | TEE,
    "numeric": OTHER | COLON | GAP | HALF | TEE,
}


@dataclass(frozen=True)
class Lines:
    """The lines of one block."""

    starts: Ints
    ends: Ints
    """Where each line's LF is."""
    sound: Bools
    fields: Ints
    """Of each sound line, where each field ends: one row a line."""

    def only(self, sound: Bools) -> "Lines":
        """The same with fewer sound lines; lines at the end may be left out."""
        count = len(sound)
        still = sound & self.sound[:count]
        fields = self.fields[: int(self.sound[:count].sum())][still[self.sound[:count]]]
        return Lines(self.starts[:count], self.ends[:count], still, fields)


def find_lines(block: bytes, delimiter: int, width: int) -> Lines:
    """Cut a block of whole lines into fields.

    Args:
        block: UTF-8 with LF after each line.
        delimiter: The byte between fields.
        width: Fields that a sound line has.
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
    sound = (counts == width) & (ends > starts)
    if broken is not None:
        sound &= ~broken
    kept = at if sound.all() else at[np.repeat(sound, counts)]
    return Lines(starts, ends, sound, kept.reshape(-1, width))


def _outside_quotes(octets: Octets, at: Ints, kinds: Octets, delimiter: int) -> tuple[Ints, Octets, Bools]:
    """The marks that are not inside quotes, and the lines whose quotes are not well formed."""
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


class Scan:
    """Tells the clean lines of a block, and leaves out of them what is not to be sent."""

    def __init__(self, layout: Layout, *, feed: Feed, table: Table, dates: DateReader) -> None:
        self._width = layout.width
        self._used = np.array([field.sources[0] for field in layout.fields], dtype=np.intp)
        self._nulls = [word.encode() for word in feed.nulls if word]
        self._dates = dates
        self._day = layout.position(table.slice_by)
        self._needed = [at for key in table.keys if (at := layout.position(key)) is not None]
        marks = {field.sources[0]: field.type for field in layout.fields}
        self._typed = [(at, _FORBIDDEN[kind] | _mark(feed, kind)) for at, kind in marks.items() if kind in _FORBIDDEN]
        self._temporal = [at for at, kind in marks.items() if kind in _TEMPORAL]
        self._never = [at for at, field in enumerate(layout.fields) if feed.formats.keys() & set(field.columns)]

    def clean(self, block: bytes, lines: Lines) -> Bools:
        """Which of the sound lines are clean."""
        octets: Octets = np.frombuffer(block, np.uint8)
        starts, ends = self.spans(lines)
        odd: Bools = np.zeros(len(ends), dtype=bool)
        inner, outer = _unquoted(octets, starts[:, self._used], ends[:, self._used], quoted=b'"' in block)
        filled = inner < outer
        first = octets[inner]
        odd |= (filled & _untrimmed(first, octets[outer - 1])).any(axis=1)
        for word in self._nulls:
            odd |= self._is_word(octets, word, inner, outer, filled & (first == word[0]))
        for at in (*self._needed, *([] if self._day is None else [self._day])):
            odd |= ~filled[:, at] | (outer[:, at] - inner[:, at] > LONGEST_KEY)
        for at in self._never:
            odd |= filled[:, at]
        if self._typed:
            odd |= self._not_plain(block, starts, ends)
        if self._day is not None:
            odd |= self._undated(block, inner[:, self._day], outer[:, self._day])
        return ~odd

    def spans(self, lines: Lines) -> tuple[Ints, Ints]:
        """Where each field of the sound lines starts and ends."""
        starts = np.empty_like(lines.fields)
        starts[:, 0] = lines.starts[lines.sound]
        starts[:, 1:] = lines.fields[:, :-1] + 1
        return starts, lines.fields

    def days(self, block: bytes, lines: Lines) -> tuple[set[bytes], Bools]:
        """The spellings of the slice date in the sound lines, but for those that must be taken apart to see it."""
        if self._day is None or not len(lines.fields):
            return set(), np.ones(len(lines.fields), dtype=bool)
        octets: Octets = np.frombuffer(block, np.uint8)
        at = int(self._used[self._day])
        ends = lines.fields[:, at]
        starts = lines.fields[:, at - 1] + 1 if at else lines.starts[lines.sound]
        inner, outer = _unquoted(octets, starts, ends, quoted=b'"' in block)
        odd: Bools = (inner >= outer) | _untrimmed(octets[inner], octets[outer - 1])
        return self._spellings(block, inner[~odd], outer[~odd]), odd

    def without_unused(self, block: bytes, lines: Lines) -> Bools | None:
        """Which bytes of a block to send; None where all of its headers are used.

        Only the bytes of sound lines mean something.
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
        odd = np.zeros(len(likely), dtype=bool)
        odd[where[0][same]] = True
        return odd

    def _not_plain(self, block: bytes, starts: Ints, ends: Ints) -> Bools:
        """Lines with a mark that the type of its field does not expect."""
        classes: Octets = np.frombuffer(bytearray(block.translate(_CLASSES)), np.uint8)
        classes[ends.ravel()] = 0
        if b"-" in block:
            for at in self._temporal:
                self._forget_date_marks(block, classes, starts[:, at], ends[:, at])
        marks = np.bitwise_or.reduceat(classes, starts.ravel()).reshape(starts.shape)
        odd: Bools = np.zeros(len(starts), dtype=bool)
        for at, forbidden in self._typed:
            odd |= (marks[:, at] & forbidden) != 0
        for at in self._temporal:
            seen = marks[:, at]
            odd |= (seen & DASH) != 0
            odd |= (seen & (TEE | HALF)) == (TEE | HALF)
        return odd

    def _forget_date_marks(self, block: bytes, classes: Octets, starts: Ints, ends: Ints) -> None:
        """Hyphens of a date say nothing; the others, which are left, belong to an offset."""
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

    def _undated(self, block: bytes, inner: Ints, outer: Ints) -> Bools:
        """Lines whose slice date is none."""
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
    """Which mark each byte is; the quote, which may stand around a field, is none."""
    table = bytearray([OTHER]) * 256
    for characters, mark in (
        (b"0123456789\n\"", 0), (b"-", DASH), (b":", COLON), (b".", DOT), (b" /", GAP), (b"APMapm", HALF), (b"Tt", TEE),
    ):  # fmt: skip
        for character in characters:
            table[character] = mark
    return bytes(table)


_CLASSES = _classes()


def merge_spans(clean: Bools, starts: Ints, ends: Ints) -> Sequence[tuple[int, int, int, int]]:
    """Runs of neighbouring clean lines: first line, line after the last, first byte, byte after the last."""
    edges = np.flatnonzero(np.diff(clean.astype(np.int8), prepend=0, append=0))
    first, after = edges[::2], edges[1::2]
    return list(
        zip(first.tolist(), after.tolist(), starts[first].tolist(), (ends[after - 1] + 1).tolist(), strict=True)
    )
