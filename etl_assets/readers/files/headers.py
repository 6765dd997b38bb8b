"""Header matching: finds the header line of a file, and maps its headers to the columns of its table."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from etl_assets.declare.feeds import Feed
from etl_assets.declare.files import FileTable
from etl_assets.errors import FileRefused
from etl_assets.readers.files.lines import UNCOMPUTED, UNCOMPUTED_TEXT

DELIMITERS = (",", ";", "\t", "|")
HEADER_SEARCH_LINES = 20
"""Lines, blank ones left out, among which the header is searched: some reports have a title above it."""
ZONE_COLUMN = "time_zone"
"""The column that takes the feed's time zone where the file brings none."""


@dataclass(frozen=True)
class FileField:
    """One column of the COPY stream: its type, the headers it is read from, the columns it fills."""

    name: str
    """Its name in the stream: that of the first column it fills."""
    type: str
    sources: tuple[int, ...]
    """Positions of its headers in the file, from 0; several are joined by a space."""
    columns: tuple[str, ...]
    """The columns of the table that take its value."""


@dataclass(frozen=True)
class Layout:
    """The column layout of one file: which headers are read, ignored, missing or withheld."""

    width: int
    """Fields that every record must have."""
    fields: tuple[FileField, ...]
    """In the order of the file."""
    ignored: tuple[str, ...]
    """Headers that nothing names; they are not sent to the warehouse."""
    missing: tuple[str, ...]
    """Columns that no header and no constant fills; they become null."""
    withheld: tuple[str, ...]
    """Headers of columns that must never be loaded."""

    @property
    def one_to_one(self) -> bool:
        """Whether each field is one header of the file, in its order, so that raw bytes can be passed through."""
        sources = [field.sources for field in self.fields]
        return all(len(each) == 1 for each in sources) and len(set(sources)) == len(sources)

    def position(self, column: str) -> int | None:
        """Index of the field that fills a column; None where a constant does, or nothing."""
        return next((at for at, field in enumerate(self.fields) if column in field.columns), None)


@dataclass(frozen=True)
class FoundHeader:
    """The line that is most like the header of a table."""

    names: tuple[str, ...]
    delimiter: str
    records: int
    """Records up to it, itself included."""
    lines: int
    end: int = 0
    """The byte after it."""
    complete: bool = False
    """Whether it has every header that the table needs."""


@lru_cache(maxsize=10_000)
def normalized_header(header: str) -> str:
    """Strip case and punctuation: `Room ID`, `room_id` and `ROOM-ID` are the same header."""
    return re.sub(r"[\W_]+", "", header).casefold()


def expected_headers(feed: Feed, table: FileTable) -> dict[str, tuple[str, ...]]:
    """Column -> the normalized headers it is read from; columns with a constant are left out."""
    return {
        column: tuple(map(normalized_header, feed.columns.get(column, (column,))))
        for column in (*table.names, *(name for name in table.never_load if name not in table.names))
        if column not in feed.constants
    }


def match_headers(headers: Sequence[str], *, feed: Feed, table: FileTable, file: str) -> Layout:
    """Match the headers of a file to the columns of its table.

    Args:
        headers: As the file writes them.
        feed: Says which headers are whose, and which columns are constant.
        table: Its required columns must be found.
        file: Named in the errors.

    Raises:
        FileRefused: A column that every row needs has no header, a needed header comes twice, or the feed names
            columns that the table does not have.
    """
    unknown = {*feed.columns, *feed.constants, *feed.formats} - {*table.names, *table.never_load}
    if unknown:
        raise FileRefused(
            f"{file}: feed {feed.name} names {sorted(unknown)}, and table {table.name} has no such column."
            " Mend the feed."
        )
    expected = expected_headers(feed, table)
    found: dict[str, list[int]] = {}
    for at, header in enumerate(headers):
        found.setdefault(normalized_header(header), []).append(at)
    named = {name for names in expected.values() for name in names}
    repeated = [
        header for header in headers if normalized_header(header) in named and len(found[normalized_header(header)]) > 1
    ]
    if repeated:
        raise FileRefused(
            f"{file}: header {repeated[0]!r} comes {len(found[normalized_header(repeated[0])])} times, and column"
            f" {_columns_of(repeated[0], expected)} is taken from it. Rename the one that is not meant."
        )
    present = {column: names for column, names in expected.items() if all(name in found for name in names)}
    _require_headers(headers, present, feed=feed, table=table, file=file)
    hidden = {name for column in table.never_load if column in expected for name in expected[column]}
    used = {name for column, names in present.items() if column not in table.never_load for name in names} - hidden
    return Layout(
        width=len(headers),
        fields=_file_fields(present, found, table, hidden),
        ignored=tuple(
            header for header in headers if normalized_header(header) not in used | hidden and header.strip()
        ),
        missing=tuple(
            column
            for column in expected
            if column not in present and column not in {ZONE_COLUMN, *table.fallbacks, *table.never_load}
        ),
        withheld=tuple(header for header in headers if normalized_header(header) in hidden),
    )


def _columns_of(header: str, expected: dict[str, tuple[str, ...]]) -> str:
    return " and ".join(column for column, names in expected.items() if normalized_header(header) in names)


def _require_headers(
    headers: Sequence[str], present: dict[str, tuple[str, ...]], *, feed: Feed, table: FileTable, file: str
) -> None:
    lacking = [column for column in table.required_columns if column not in present and column not in feed.constants]
    if lacking:
        sought = ", ".join(f"{column} ({' + '.join(feed.columns.get(column, (column,)))})" for column in lacking)
        known = {name for names in expected_headers(feed, table).values() for name in names}
        if any(normalized_header(header) in known for header in headers):
            found = f"The headers found are: {', '.join(map(repr, headers[:60]))}."
        else:  # of a file without a header the first line may be a patient's
            found = f"None of the {len(headers):,} headers found is known; is there no header line?"
        raise FileRefused(
            f"{file}: no header for {sought}, which every row of {table.name} needs. {found}"
            f" Name the right ones in feed {feed.name}, or give the column a constant there."
        )


def _file_fields(
    present: dict[str, tuple[str, ...]], found: dict[str, list[int]], table: FileTable, hidden: set[str]
) -> tuple[FileField, ...]:
    """Columns of one type with the same headers share a field; hidden headers feed nothing."""
    types = {column.name: column.type for column in table.columns}
    columns: dict[tuple[tuple[int, ...], str], list[str]] = {}
    for column, names in present.items():
        if column in types and column not in table.never_load and not hidden.intersection(names):
            sources = tuple(found[name][0] for name in names)
            columns.setdefault((sources, types[column]), []).append(column)
    return tuple(
        FileField(name=filled[0], type=kind, sources=sources, columns=tuple(filled))
        for (sources, kind), filled in sorted(columns.items())
    )


def find_header(
    block: bytes, *, feed: Feed, table: FileTable, delimiters: Sequence[str] | None = None, damaged: bool = False
) -> FoundHeader:
    """Detect header line and delimiter: the line with every required header, or else the most known ones.

    Args:
        block: The first lines of a file, in UTF-8.
        feed: Says which headers are whose, and maybe the delimiter.
        table: Its key and `slice_by` are required.
        delimiters: Those that may be, where the feed has no say.
        damaged: Whether `block` may hold escaped bytes.

    Raises:
        FileRefused: There is no line at all, or the header is of another encoding.
    """
    known = expected_headers(feed, table)
    needed = {name for column in table.required_columns for name in known.get(column, ())}
    named = {name for names in known.values() for name in names}
    delimiters = delimiters or ([feed.delimiter] if feed.delimiter else DELIMITERS)
    head = block[: 1 << 16].decode("utf-8", "surrogateescape" if damaged else "replace")
    best: tuple[tuple[bool, int], FoundHeader] | None = None
    for delimiter in delimiters:
        for candidate in _header_candidates(head, delimiter):
            found = {normalized_header(name) for name in candidate.names}
            score = (found >= needed and bool(found & named), len(found & named))
            header = replace(candidate, complete=score[0])
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


def _header_candidates(head: str, delimiter: str) -> Iterator[FoundHeader]:
    lines = head.split("\n")
    reader = csv.reader(
        (f"{line}\n" for line in lines[: 5 * HEADER_SEARCH_LINES]), delimiter=delimiter, skipinitialspace=True
    )
    seen = 0
    try:
        for number, names in enumerate(reader, start=1):
            if any(name.strip() for name in names):
                yield FoundHeader(tuple(name.strip() for name in names), delimiter, number, reader.line_num)
                seen += 1
            if seen == HEADER_SEARCH_LINES:
                return
    except csv.Error:
        return


def _check_encoding(header: FoundHeader, feed: Feed, *, damaged: bool) -> None:
    text = "".join(header.names)
    if "\0" in text:
        raise FileRefused(
            f"its header has NUL bytes, so it is not {feed.encoding}; it may be utf-16."
            f" Set the encoding of feed {feed.name}."
        )
    if damaged and UNCOMPUTED.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape") in text:
        raise FileRefused(f"its header has {UNCOMPUTED_TEXT}. Have the file opened in Excel and saved.")
    if damaged and any("\udc00" <= character <= "\udfff" for character in text):
        raise FileRefused(f"its header is not {feed.encoding}. Set the encoding of feed {feed.name}.")
