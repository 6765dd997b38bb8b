"""The contract of database readers: how tables are described, and how rows, checksums and sums are read."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from etl_assets.declare.staging_names import column_names

INTEGER_TYPES = ("smallint", "integer", "bigint")
UNKNOWN = ""
"""The checksum of a range of which nobody knows what it comes to: it counts as changed."""


@dataclass(frozen=True, kw_only=True)
class SourceColumn:
    """A column of a source table, and its type in staging."""

    name: str
    """As the source spells it."""
    type: str
    """In the source's words: `bigint(20) unsigned`."""
    staging_type: str
    """The PostgreSQL type that holds every value the column can have."""
    nullable: bool = True
    on_update_timestamp: bool = False
    """Whether the database itself writes the moment of each change into it (MySQL: ON UPDATE CURRENT_TIMESTAMP)."""
    renamed: str = ""
    """Its name in staging, where that is not its own in lower case: see `staging_names`."""
    is_redacted: bool = False
    """Whether it is free text that is redacted on its way, so that staging never has it as the source has."""

    @property
    def staging_name(self) -> str:
        """Its name in staging."""
        return self.renamed or self.name.lower()


def with_staging_names(columns: Sequence[SourceColumn]) -> tuple[SourceColumn, ...]:
    """All columns of a table, with the names that they have in staging."""
    names = column_names(column.name for column in columns)
    return tuple(replace(column, renamed=names[column.name]) for column in columns)


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """A source table, as the database's own catalogue describes it."""

    name: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...] = ()
    """The columns of its primary key, as the source spells them; none where it has no such key."""
    rows: int = 0
    """As the catalogue says; an estimate on some engines."""
    size_bytes: int = 0
    indexes: tuple[tuple[str, ...], ...] = ()
    renamed: str = ""
    """Its name in staging, where that is not its own in lower case: see `staging_names`."""
    is_partitioned: bool = False
    """Whether its rows lie in other tables, which are read with it."""
    part_of: str = ""
    """The table that its rows are read with."""
    has_row_headers: bool = False
    """Whether the headers of its rows can be read, which say of each when it was written and where it lies."""
    erased: tuple["ErasedRows", ...] = field(default=(), repr=False)
    """Rows that stay out of whatever is read of it, counted or summed up: those that any of these describes."""
    expired: "ExpiredRows | None" = None
    """Rows that stay out likewise, for they are too old."""

    @property
    def staging_name(self) -> str:
        """Its name in staging."""
        return self.renamed or self.name.lower()

    @property
    def staging_keys(self) -> tuple[str, ...]:
        """The key's columns in staging."""
        names = {column.name: column.staging_name for column in self.columns}
        return tuple(names.get(name, name.lower()) for name in self.key)

    @property
    def has_integer_key(self) -> bool:
        """Whether its key is one whole number: it can then be read in ranges of the key."""
        kinds = {column.name: column.staging_type for column in self.columns}
        return len(self.key) == 1 and kinds[self.key[0]] in INTEGER_TYPES

    @property
    def compared(self) -> "SourceTable":
        """The table without the columns that staging does not have as the source has them."""
        if not any(column.is_redacted for column in self.columns):
            return self
        return replace(self, columns=tuple(column for column in self.columns if not column.is_redacted))

    def without(self, names: Collection[str]) -> "SourceTable":
        """The table without the columns that have these names in staging, case-insensitively."""
        hidden = {name.lower() for name in names}
        return replace(self, columns=tuple(column for column in self.columns if column.staging_name not in hidden))


@dataclass(frozen=True, kw_only=True)
class ErasedRows:
    """Rows of persons who were erased: those in which a column holds one of these keys, or that of such a row."""

    column: SourceColumn
    keys: tuple[str, ...] = field(default=(), repr=False)
    """As staging writes them."""
    parent: SourceTable | None = None
    """A table with erased rows of its own, whose key the column holds."""
    kind: "GenericKey | None" = None
    """Where the column holds keys of several tables: which rows it holds these in."""


@dataclass(frozen=True, kw_only=True)
class GenericKey:
    """Rows in which `column` holds the key of a row of `table` in which `name` is `value`."""

    column: SourceColumn
    table: SourceTable
    name: SourceColumn
    value: str


@dataclass(frozen=True, kw_only=True)
class ExpiredRows:
    """Rows of so long ago that they are not held any more."""

    column: SourceColumn
    """The date or the moment of what a row says."""
    before: datetime
    """With a time zone; a row without a date is not old."""


@dataclass(frozen=True, kw_only=True)
class RowRange:
    """A filter on rows, most often a range of keys; conditions are ANDed, none means all rows."""

    after: int | None = None
    """Rows whose key is greater."""
    upto: int | None = None
    """Rows whose key is not greater."""
    keys: tuple[int, ...] | None = None
    """Rows of these keys alone."""
    cursor_column: str | None = None
    """The timestamp column that `since` and `until` apply to, as the source spells it."""
    since: datetime | None = None
    """Rows whose cursor is at this moment or later; with a time zone."""
    until: datetime | None = None
    """Rows whose cursor is before this moment; with a time zone."""
    chunks: tuple[int, ...] | None = None
    """Rows that lie in these chunks of the table's pages, see `HeaderDigests`: staging knows nothing of them."""


@dataclass(frozen=True, kw_only=True)
class HeaderDigest:
    """The headers of a chunk's rows, summed up: the same while none of them was written, deleted or moved."""

    rows: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class HeaderDigests:
    """The header digests of a whole table, by the number of the chunk; of chunks without a row there is none."""

    storage: str
    """Which file of which server the rows lie in, and by which columns: digests of another are of no use."""
    chunks: Mapping[int, HeaderDigest]

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return sum(each.rows for each in self.chunks.values())

    def changed_since(self, known: "HeaderDigests | None") -> list[int]:
        """The chunks that are other than they were, in order, also those that have no row any more."""
        if known is None or known.storage != self.storage:
            return sorted(self.chunks)
        both = known.chunks.keys() | self.chunks.keys()
        return sorted(chunk for chunk in both if known.chunks.get(chunk) != self.chunks.get(chunk))


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A range of keys with its row count and checksum, computed at the source: equal where no row differs."""

    after: int | None
    upto: int | None
    rows: int
    checksum: str
    """`UNKNOWN` where the source could not compute it."""


@dataclass(frozen=True, kw_only=True)
class ColumnSum:
    """The count and the total of a column's values, the same in every database that holds the same values.

    The total is: of whole and decimal numbers and of booleans (1 and 0) their sum; of floating ones the sum of
    floor(value * 10000 + 0.5); of dates and moments the seconds since 2000-01-01 (UTC); of intervals and times of day
    their seconds; of text and bytes the first 8 hexadecimal digits of the MD5 of their bytes (text in UTF-8), read as a
    number; every other type counts as its text. Of a floating number of 9e14 and more, whose ten-thousandths are noise,
    it is the remainder by a prime of what it is written as; those of 1e65 and more count alike. NaN and what is
    infinite count a number each.
    """

    values: int
    """Values that are not null."""
    total: Decimal


@dataclass(frozen=True, kw_only=True)
class Sums:
    """The column sums of a row range; by the columns' names in staging."""

    rows: int
    columns: Mapping[str, ColumnSum]
    converted: Mapping[str, int] = field(default_factory=dict)
    """Values that PostgreSQL cannot hold, and that were converted by a documented rule, by `column: rule`."""


class DatabaseReader(Protocol):
    """One connection to a source's database. For one thread at a time; short reads, each of one batch of rows.

    What its methods raise: TransientError where the source cannot be reached, went away or was busy; EtlError where it
    refuses. No message holds a secret or a value of a row.
    """

    def describe(self, names: Collection[str] | None = None) -> dict[str, SourceTable]:
        """Describe the tables of these names that exist, or all of them, in a handful of round trips.

        Args:
            names: Those that the tables have in staging, or their own in lower case.

        Returns:
            The tables by their names as the source spells them, in order.
        """

    def now(self) -> datetime:
        """The source's clock, cut to the second, with a time zone."""

    def count(self, table: SourceTable) -> int:
        """How many rows there are."""

    def distinct_values(self, table: SourceTable, column: SourceColumn) -> set[str]:
        """The values of a column, each once, as staging writes them; those of all rows, erased ones too."""

    def read(
        self, table: SourceTable, row_range: RowRange, *, batch_size: int, without_nul: bool = False
    ) -> Iterator[bytes]:
        """The rows of a range, in blocks of COPY's text format of bounded size, the columns in the table's order.

        A table with an integer key is read in the order of it, `batch_size` rows a statement; another in one go, and so
        may be one that is wanted whole and has no more rows than that. In one go there is no order. Chunks are a
        statement each.

        Args:
            table: Which, with the columns that are wanted.
            row_range: Which rows.
            batch_size: Rows of one statement.
            without_nul: Leave out the NUL characters of texts, which PostgreSQL cannot hold, and look at dates more
                closely; for when PostgreSQL has refused what was read without.
        """

    def keys(self, table: SourceTable, row_range: RowRange, *, batch_size: int) -> Iterator[bytes]:
        """The keys of the rows of a range, likewise; for tables with an integer key."""

    def header_digests(self, table: SourceTable) -> HeaderDigests:
        """The header digests of a table that has row headers, in statements that are short whatever its size."""

    def snapshot(self, table: SourceTable) -> AbstractContextManager[None]:
        """All that is read of a table that has row headers is of one moment, within the `with` block.

        Digests and chunks raise TransientError in it where somebody is held up by it.
        """

    def fingerprints(
        self, table: SourceTable, bounds: Sequence[int], *, batch_size: int, after: int | None = None
    ) -> Iterator[Fingerprint]:
        """The checksums of all key ranges of a table, in the order of the key; together they cover it.

        Args:
            table: One with an integer key is divided at the bounds, and beyond the last bound into ranges of
                `batch_size` rows, of which the last has no upper bound. Another is one range without bounds.
            bounds: The upper bounds of the ranges known so far, in order.
            batch_size: Rows of a new range.
            after: Leave out the rows up to this key; it is below the bounds.
        """

    def sums(self, table: SourceTable, row_range: RowRange, *, single_statement: bool = False) -> Sums:
        """The count and the column sums of the rows of a range.

        Args:
            table: Which.
            row_range: Which rows.
            single_statement: Ask in one statement, which is faster, though whoever writes the table may have to wait
                for it.
        """

    def as_staged(self, table: SourceTable, row_range: RowRange) -> RowRange:
        """The range as a condition on the copy in staging.

        Its cursor column has the name that it has there. A timestamp without a zone is in the source's local time: the
        copy is compared with what that clock shows at the range's moments, as if it were UTC.
        """

    def close(self) -> None:
        """End the connection."""
