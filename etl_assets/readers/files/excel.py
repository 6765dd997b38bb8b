"""Excel workbooks: the rows of a sheet as CSV lines, with what its cells show.

Two things do not come by themselves. A formula may have no stored value (a program wrote the workbook, and Excel never
saved it): such a cell is not empty, and its row must not look as if it were. And a number may be shown with leading
zeros by its format: for an identifier they are part of it.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from etl_assets.errors import FileRefused
from etl_assets.readers.files.lines import UNCOMPUTED
from etl_assets.readers.files.tabular import csv_line, value_text

BATCH_ROWS = 2_000
HEAD_ROWS = 100
"""Rows of each sheet among which its header is searched."""
MAX_SHEET_ROWS = 1 << 20
"""As many as Excel has; a damaged file may claim a row far below."""

_ZEROS_AND_MARKS = re.compile(r'0|"[^"]*"|\\.|[-/:() ]')
_MIN_ZEROS = 2

Blocks = Iterator[tuple[bytes, bool]]


@dataclass(frozen=True)
class Sheet:
    """One sheet that is read."""

    name: str
    skipped_rows: int = 0
    """How many of its first rows are left out: the header, where an earlier sheet has said it already."""


def sheet_heads(path: Path) -> dict[str, bytes]:
    """The first rows of each sheet by its name, as CSV lines.

    Raises:
        FileRefused: There is no sheet.
    """
    heads: dict[str, bytes] = {}
    with _workbook(path) as book:
        for page in book.worksheets:
            page.reset_dimensions()
            rows = _next_rows(map(_row_texts, page.iter_rows()), HEAD_ROWS)
            heads[page.title] = _lines(rows, max(map(len, rows), default=0))
    if not heads:
        raise FileRefused("it has no sheet with cells")
    return heads


def excel_blocks(path: Path, sheets: Sequence[Sheet]) -> Blocks:
    """The rows of some sheets, one sheet after the other.

    Empty rows are empty lines, and so are those that are left out: a row's number is that of its line, counted on from
    sheet to sheet.

    Yields:
        Whole lines of CSV in UTF-8, and whether there may be an `UNCOMPUTED` among them.

    Raises:
        FileRefused: A sheet is not there, or has more rows than a sheet can have.
    """
    width = 0
    with _workbook(path) as book:
        for sheet in sheets:
            if sheet.name not in book.sheetnames:
                raise FileRefused(
                    f"it has no sheet {sheet.name!r}; its sheets are {', '.join(map(repr, book.sheetnames))}"
                )
            with closing(_FormulaCells(path, sheet.name)) as formulas:
                rows = _sheet_rows(book[sheet.name], formulas)
                if sheet.skipped_rows:
                    _next_rows(rows, sheet.skipped_rows)
                    yield b"\n" * sheet.skipped_rows, False
                while batch := _next_rows(rows, BATCH_ROWS):
                    # The header is among the first rows; cells beyond them all are a fault of their row.
                    width = width or max(map(len, batch))
                    yield _lines(batch, width), any(UNCOMPUTED in texts for texts in batch)


class _FormulaCells:
    """Which cells of a sheet are formulas; the workbook is opened again for it where somebody asks."""

    def __init__(self, path: Path, sheet: str) -> None:
        self._path = path
        self._sheet = sheet
        self._stack = ExitStack()
        self._rows: Iterator[tuple[int, Any]] | None = None

    def in_row(self, number: int) -> set[int]:
        """Columns of a row, from 0; rows are asked for in ascending order."""
        if self._rows is None:
            page = self._stack.enter_context(_workbook(self._path, formulas=True))[self._sheet]
            page.reset_dimensions()
            self._rows = enumerate(page.iter_rows(), start=1)
        row = next((row for at, row in self._rows if at == number), ())
        return {at for at, cell in enumerate(row) if cell.data_type == "f"}

    def close(self) -> None:
        """Close the workbook, if it was opened."""
        self._stack.close()


@contextmanager
def _workbook(path: Path, *, formulas: bool = False) -> Iterator[Any]:
    from openpyxl import load_workbook  # a quarter of a second, which text files need not wait

    book = _quietly(lambda: load_workbook(path, read_only=True, data_only=not formulas))
    try:
        yield book
    finally:
        book.close()


def _quietly(read: Callable[[], Any]) -> Any:
    """Read without openpyxl's warnings: they are of styles and extensions, which nobody asks for here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read()


def _next_rows(rows: Iterator[list[str]], number: int) -> list[list[str]]:
    batch: list[list[str]] = _quietly(lambda: list(islice(rows, number)))
    return batch


def _sheet_rows(page: Any, formulas: _FormulaCells) -> Iterator[list[str]]:
    page.reset_dimensions()
    for number, row in enumerate(page.iter_rows(), start=1):
        if number > MAX_SHEET_ROWS:
            raise FileRefused(f"sheet {page.title!r} has a cell below row {MAX_SHEET_ROWS:,}, which no sheet has")
        # A formula that came to an empty text is of type `str`; a cell without a row is not in the file.
        empty = {
            at for at, cell in enumerate(row) if cell.value is None and cell.data_type != "str" and hasattr(cell, "row")
        }
        yield _row_texts(row, empty & formulas.in_row(number) if empty else empty)


def _row_texts(row: Sequence[Any], uncomputed: Set[int] = frozenset()) -> list[str]:
    """The cells of a row as text, without the empty ones at its end."""
    texts = [UNCOMPUTED if at in uncomputed else _cell_text(cell) for at, cell in enumerate(row)]
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _cell_text(cell: Any) -> str:
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value == value // 1:
        pieces = _zero_format(cell.number_format)
        if pieces:
            return _zero_filled(int(value), pieces)
    return value_text(value)


@lru_cache(maxsize=10_000)
def _zero_format(number_format: str) -> tuple[str, ...]:
    """The pieces of a format that shows leading zeros (`00000`, `000-00-0000`, `"A"0000`); none of any other."""
    positive = number_format.partition(";")[0]
    pieces = tuple(_ZEROS_AND_MARKS.findall(positive))
    if "".join(pieces) != positive or pieces.count("0") < _MIN_ZEROS:
        return ()
    return pieces


def _zero_filled(number: int, pieces: tuple[str, ...]) -> str:
    """The number as the format shows it: digits from the right, the first place takes all that are left over."""
    digits = str(number).zfill(pieces.count("0"))
    text, first = "", pieces.index("0")
    for at in range(len(pieces) - 1, -1, -1):
        piece = pieces[at]
        if piece != "0":
            text = piece.strip('"').removeprefix("\\") + text
        elif at == first:
            text = digits + text
        else:
            text, digits = digits[-1] + text, digits[:-1]
    return text


def _lines(rows: Sequence[list[str]], width: int) -> bytes:
    return b"".join(csv_line(texts + [""] * (width - len(texts))) if texts else b"\n" for texts in rows)
