"""The rows of the practice as they stand in its tables; where nobody says anything, what the program writes."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from etl_assets.sandbox.open_dental.schema import Column, Table, tables

Value = int | float | str | date | datetime | timedelta | None
Row = dict[str, Value]

ZONE = ZoneInfo("America/Chicago")
NO_DATE, NO_TIME = date(1, 1, 1), datetime(1, 1, 1)  # noqa: DTZ001 (a moment of the practice's own clock, as all are here)
"""What the vendor writes for none."""


class ZeroDate(date):
    """The date 0000-00-00, which only MySQL can hold; elsewhere it is null."""


ZERO_DATE = ZeroDate(1, 1, 1)

_OF_ENTRY = ("SecDateTEntry", "DateTEntry", "SecDateEntry", "DateEntry")
"""Columns that keep the moment, or the day, at which a row was made; as far as the caller says nothing."""
_MINUS_ONE = {
    "claimproc": ("Percentage", "PercentOverride", "CopayAmt", "PaidOtherIns", "CopayOverride", "AllowedOverride",
                  "DedEst", "DedEstOverride", "InsEstTotalOverride", "PaidOtherInsOverride", "WriteOffEst",
                  "WriteOffEstOverride"),
    "discountplan": ("AnnualMax",),
    "patplan": ("OrthoAutoFeeBilledOverride",),
    "patientnote": ("OrthoMonthsTreatOverride",),
    "benefit": ("Percent", "MonetaryAmt"),
    "insplan": ("PerVisitPatAmount", "PerVisitInsAmount", "OrthoAutoFeeBilled"),
}  # fmt: skip
"""Columns in which -1 says none."""


class Rows:
    """All rows, by table, in the order in which they were made."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {name: [] for name in tables()}
        self._blanks = {name: blank(table) for name, table in tables().items()}
        self._last = dict.fromkeys(tables(), 0)
        self._taken: dict[str, set[int]] = {name: set() for name in tables()}

    def add(self, table: str, at: datetime, **values: Value) -> Row:
        """Add a row that is made at a moment of the practice's clock; its key is the next one, where none is said.

        Raises:
            KeyError: The table has no such column.
        """
        row = dict(self._blanks[table])
        unknown = values.keys() - row.keys()
        if unknown:
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
        for name in _OF_ENTRY:
            if name in row:
                row[name] = at if isinstance(row[name], datetime) else at.date()
        row.update(values)
        declared = tables()[table]
        if declared.key:
            number = row[declared.key] or self._last[table] + 1
            row[declared.key] = number
            self._last[table] = max(self._last[table], int(str(number)))
        self.tables[table].append(row)
        self.touch(table, row, at)
        return row

    def touch(self, table: str, row: Row, at: datetime, **values: Value) -> None:
        """Change a row at a moment of the practice's clock: its stamp moves, where it has one."""
        row.update(values)
        moves = tables()[table].moves
        if moves:
            row[moves] = instant(at)

    def take(self, table: str, row: Row) -> None:
        """Delete a row; it stands in its table until `settle`."""
        self._taken[table].add(id(row))

    def settle(self) -> None:
        """Let what was deleted be gone from the tables."""
        for table, taken in self._taken.items():
            if taken:
                self.tables[table] = [row for row in self.tables[table] if id(row) not in taken]
                taken.clear()

    def number(self, table: str, rows: Iterable[Row]) -> None:
        """Hold these rows alone, numbered in their order: for logs, whose keys follow time."""
        key = tables()[table].key
        kept = list(rows)
        for number, row in enumerate(kept, start=1):
            row[str(key)] = number
        self.tables[table] = kept
        self._last[table] = len(kept)


def blank(table: Table) -> Row:
    """A row of which nothing has been said."""
    row = {column.name: _blank(column) for column in table.columns}
    return row | dict.fromkeys(_MINUS_ONE.get(table.name, ()), -1)


def instant(at: datetime) -> datetime:
    """A moment of the practice's clock, as an instant."""
    return at.replace(tzinfo=ZONE).astimezone(UTC)


def at_hour(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of the practice's clock."""
    return datetime.combine(day, time(hour, minute, second))


def number_of(row: Row, column: str) -> int:
    """A whole number that a row holds."""
    return int(str(row[column]))


def cents_of(row: Row, column: str) -> int:
    """Money that a row holds, in cents."""
    return round(float(str(row[column])) * 100)


def money(cents: int) -> float:
    """Money as the tables hold it."""
    return cents / 100


def _blank(column: Column) -> Value:
    if column.is_text:
        # A text that nobody ever entered is null, a short one is empty: both say nothing.
        return "" if column.width else None
    if column.kind in ("datetime", "timestamp"):
        return NO_TIME
    if column.kind == "date":
        return NO_DATE
    return timedelta() if column.kind == "time" else 0
