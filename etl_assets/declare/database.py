"""What a database says of its tables, and how a reader is asked for their rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

WHOLE_NUMBERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True, kw_only=True)
class SourceColumn:
    """One column of a table of the source, and what it becomes in staging."""

    name: str
    """As the source spells it. In staging it is lower case, so that SQL written for the source runs unquoted."""
    type: str
    """In the source's words: `bigint(20) unsigned`."""
    staging_type: str
    """The PostgreSQL type that holds every value the column can have."""
    nullable: bool = True
    moves: bool = False
    """Whether the database itself writes the moment of each change into it."""

    @property
    def staging_name(self) -> str:
        """Its name in staging."""
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """One table of the source, as its catalogue describes it."""

    name: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...] = ()
    """The columns of its primary key, as the source spells them; none where it has no such key."""
    rows: int = 0
    """As the catalogue says; an estimate on some engines."""
    size_bytes: int = 0
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def staging_keys(self) -> tuple[str, ...]:
        """The key's columns in staging."""
        return tuple(name.lower() for name in self.key)

    @property
    def ranged(self) -> bool:
        """Whether it can be read range by range: its key is one whole number."""
        kinds = {column.name: column.staging_type for column in self.columns}
        return len(self.key) == 1 and kinds[self.key[0]] in WHOLE_NUMBERS

    def without(self, names: Collection[str]) -> "SourceTable":
        """The table as if it lacked the columns of these names, in any case."""
        hidden = {name.lower() for name in names}
        kept = tuple(column for column in self.columns if column.staging_name not in hidden)
        return SourceTable(
            name=self.name, columns=kept, key=self.key, rows=self.rows, size_bytes=self.size_bytes, indexes=self.indexes
        )


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some rows of a table: those that every condition given here holds of; all rows where none is given."""

    after: int | None = None
    """Rows whose key is greater."""
    upto: int | None = None
    """Rows whose key is not greater."""
    keys: tuple[int, ...] | None = None
    """Rows of these keys alone."""
    stamp: str | None = None
    """The column that `since` and `until` are said of, as the source spells it."""
    since: datetime | None = None
    """Rows stamped at this moment or later; with a time zone."""
    until: datetime | None = None
    """Rows stamped before this moment; with a time zone."""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What the rows of a range of keys come to, computed at the source: equal where no row differs."""

    after: int | None
    upto: int | None
    rows: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class ColumnSum:
    """What the values of a column come to, the same in every database that holds the same values.

    The total is: of whole and decimal numbers and of booleans (1 and 0) their sum; of floating ones the sum of
    floor(value * 10000 + 0.5); of dates and moments the seconds since 2000-01-01 (UTC); of intervals their seconds; of
    text and bytes the first 8 hexadecimal digits of the MD5 of their bytes (text in UTF-8), read as a number. Floating
    numbers of 9e14 and more count 0, for their ten-thousandths are noise.
    """

    values: int
    """Values that are not null."""
    total: Decimal


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What a piece of a table comes to, column by column; by the columns' names in staging."""

    rows: int
    columns: Mapping[str, ColumnSum]
    turned: Mapping[str, int] = field(default_factory=dict)
    """Values that PostgreSQL cannot hold, and that were turned by a documented rule, by `column: rule`."""


class DatabaseReader(Protocol):
    """One connection to a source's database. For one thread at a time; short reads, each of one batch of rows.

    What its methods raise: TransientError where the source cannot be reached, went away or was busy; EtlError where it
    refuses. No message holds a secret or a value of a row.
    """

    def describe(self, names: Collection[str] | None = None) -> dict[str, SourceTable]:
        """The tables of these names that there are, or all of them, in a handful of round trips."""

    def now(self) -> datetime:
        """The source's clock, cut to the second, with a time zone."""

    def count(self, table: SourceTable) -> int:
        """How many rows there are."""

    def read(self, table: SourceTable, piece: Piece, *, batch_size: int, without_nul: bool = False) -> Iterator[bytes]:
        """The rows of a piece, in blocks of COPY's text format of bounded size, the columns in the table's order.

        A table that is `ranged` is read in the order of its key, `batch_size` rows a statement; another in one go, and
        so may be one that is wanted whole and has no more rows than that. In one go there is no order.

        Args:
            table: Which, with the columns that are wanted.
            piece: Which rows.
            batch_size: Rows of one statement.
            without_nul: Leave out the NUL characters of texts, which PostgreSQL cannot hold, and look at dates more
                closely; for when PostgreSQL has refused what was read without.
        """

    def keys(self, table: SourceTable, piece: Piece, *, batch_size: int) -> Iterator[bytes]:
        """The keys of the rows of a piece, likewise; for tables that are `ranged`."""

    def fingerprints(
        self, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None = None
    ) -> Iterator[Fingerprint]:
        """The fingerprints of all ranges of a table, in the order of the key; together they cover it.

        Args:
            table: One that is `ranged` is divided at the bounds, and beyond the last bound into ranges of `batch_size`
                rows, of which the last has no upper bound. Another is one range without bounds.
            bounds: The upper bounds of the ranges known so far, in order.
            batch_size: Rows of a new range.
            after: Leave out the rows up to this key; it is below the bounds.
        """

    def sums(self, table: SourceTable, piece: Piece, *, at_once: bool = False) -> Sums:
        """What the rows of a piece come to.

        Args:
            table: Which.
            piece: Which rows.
            at_once: Ask in one statement, which is faster, though whoever writes the table may have to wait for it.
        """

    def as_staged(self, table: SourceTable, piece: Piece) -> Piece:
        """The piece as it is said of the copy in staging.

        A stamp without a zone shows what the source's own clock on the wall does; of the copy its moments are given as
        what that clock shows at them, as if it were UTC. Every other piece is the same on both sides.
        """

    def close(self) -> None:
        """End the connection."""
