"""Which sheets of a workbook are read: those that the feed names, or else the one that has the header."""

from pathlib import Path

from etl_assets.declare.feeds import ALL_SHEETS, Feed
from etl_assets.declare.files import FileTable
from etl_assets.errors import FileRefused
from etl_assets.readers.files.excel import Sheet, sheet_heads
from etl_assets.readers.files.headers import FoundHeader, find_header, normalized_header


def sheets_to_read(path: Path, feed: Feed, table: FileTable) -> tuple[Sheet, ...]:
    """The sheets to read, in their order; the first one where none has the header.

    Raises:
        FileRefused: Several have it and the feed does not say which is meant, or all are to be read and differ in it.
    """
    if feed.sheet not in {None, ALL_SHEETS}:
        return (Sheet(str(feed.sheet)),)
    heads = sheet_heads(path)
    found = {
        name: header
        for name, head in heads.items()
        if head.strip() and (header := find_header(head, feed=feed, table=table, delimiters=[","])).complete
    }
    if not found:
        return (Sheet(next((name for name, head in heads.items() if head.strip()), next(iter(heads)))),)
    if len(found) > 1 and feed.sheet is None:
        raise FileRefused(
            f"its sheets {', '.join(map(repr, found))} all have the header of {table.name}. Say in feed {feed.name}"
            f" which one is meant (sheet: {next(iter(found))!r}), or that all are (sheet: {ALL_SHEETS!r})."
        )
    first = next(iter(found))
    for name, header in found.items():
        if _letters(header) != _letters(found[first]):
            raise FileRefused(f"its sheets {first!r} and {name!r} have different headers, or in another order.")
    return tuple(Sheet(name, skipped_rows=0 if name == first else header.records) for name, header in found.items())


def _letters(header: FoundHeader) -> list[str]:
    names = [normalized_header(name) for name in header.names]
    while names and not names[-1]:
        names.pop()
    return names
