"""The quality rules a source can declare. Each is one SELECT of what breaks it.

The SELECT reads `looked_at`: the rows of the rule's table in the slice that is looked at, with `row_key` (the
table's key as text) and `row_slice` (its schedule date) beside the table's own columns. It gives one row a finding:
row_key, field, value, message, row_slice. A person can run it in psql, where `looked_at` is the table itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")
SEVERITIES = ("error", "warning")
EXCEPTION_TYPES = ("InvalidValue", "MissingValue", "InvalidSequence", "Overlap", "OutOfRange")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every rule has. `why` has no default: a rule that nobody can justify is not added."""

    table: str
    name: str
    why: str
    severity: str = "error"
    blocks_above: float | None = None
    """The share of broken rows over which nothing is built on the table; never where left out."""
    by_slice: bool = True
    """Whether the slices just loaded are enough to look at; else the whole table is."""
    exception_type: ClassVar[str] = "InvalidValue"

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"{self.name}: severity {self.severity!r} is none of {', '.join(SEVERITIES)}")
        wrong = [name for name in self.reads if not _NAME.match(name)]
        if wrong:
            raise ValueError(f"{self.name}: {wrong} cannot be names of columns")

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return ()

    def breaking_rows(self) -> str:
        """The SELECT, with `%(name)s` for what `values` holds."""
        raise NotImplementedError

    @property
    def values(self) -> Mapping[str, object]:
        """The values of the SELECT's parameters."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Required(Rule):
    """None of `columns` is null or blank. One finding a row and column."""

    columns: Sequence[str]
    exception_type: ClassVar[str] = "MissingValue"

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return self.columns

    def breaking_rows(self) -> str:
        """One branch a column."""
        return " union all ".join(
            f"select row_key, '{column}' as field, null as value, '{column} is missing' as message, row_slice"
            f" from looked_at where coalesce(trim({column}::text), '') = ''"
            for column in self.columns
        )


@dataclass(frozen=True, kw_only=True)
class InOrder(Rule):
    """In each pair the first moment is not after the second; a null passes. One finding a row and pair."""

    pairs: Sequence[tuple[str, str]]
    exception_type: ClassVar[str] = "InvalidSequence"

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [column for pair in self.pairs for column in pair]

    def breaking_rows(self) -> str:
        """One branch a pair."""
        return " union all ".join(
            f"select row_key, '{earlier} > {later}' as field, {earlier}::text || ' > ' || {later}::text as value,"
            f" '{earlier} is after {later}' as message, row_slice from looked_at where {earlier} > {later}"
            for earlier, later in self.pairs
        )


@dataclass(frozen=True, kw_only=True)
class MinutesBetween(Rule):
    """From `start` to `end` it takes `low` to `high` minutes; a null or a negative span passes (see `InOrder`)."""

    start: str
    end: str
    low: int
    high: int
    zone: str = "time_zone"
    """The column that names the zone of both wall clocks, so that the night the clocks change counts right."""
    exception_type: ClassVar[str] = "OutOfRange"

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [self.start, self.end, self.zone]

    def breaking_rows(self) -> str:
        """The rows outside [low, high]."""
        taken = f"({self.end} at time zone {self.zone}) - ({self.start} at time zone {self.zone})"
        minutes = f"extract(epoch from {taken}) / 60"
        return (
            f"select row_key, '{self.start}..{self.end}' as field, round({minutes})::text as value,"
            f" 'takes ' || round({minutes}) || ' minutes; %(low)s to %(high)s are usual' as message, row_slice"
            f" from looked_at where {minutes} not between %(low)s and %(high)s and {self.end} >= {self.start}"
        )

    @property
    def values(self) -> Mapping[str, object]:
        """The bounds."""
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class DateWithin(Rule):
    """A date lies from `first` (ISO) to `ahead` after today."""

    column: str
    first: str
    ahead: timedelta
    exception_type: ClassVar[str] = "OutOfRange"

    @property
    def reads(self) -> Sequence[str]:
        """The column it names."""
        return [self.column]

    def breaking_rows(self) -> str:
        """The rows outside."""
        return (
            f"select row_key, '{self.column}' as field, {self.column}::text as value,"
            f" '{self.column} lies outside ' || %(first)s || ' to ' || current_date + %(ahead)s::int as message,"
            f" row_slice from looked_at"
            f" where {self.column} < %(first)s::date or {self.column} > current_date + %(ahead)s::int"
        )

    @property
    def values(self) -> Mapping[str, object]:
        """The bounds."""
        return {"first": self.first, "ahead": self.ahead.days}


@dataclass(frozen=True, kw_only=True)
class OneOf(Rule):
    """`column` is one of `known`; a null passes (see `Required`)."""

    column: str
    known: Sequence[str]

    @property
    def reads(self) -> Sequence[str]:
        """The column it names."""
        return [self.column]

    def breaking_rows(self) -> str:
        """The rows with another value."""
        return (
            f"select row_key, '{self.column}' as field, {self.column} as value, '{self.column} ' || {self.column}"
            f" || ' is none of ' || array_to_string(%(known)s::text[], ', ') as message, row_slice"
            f" from looked_at where {self.column} <> all(%(known)s)"
        )

    @property
    def values(self) -> Mapping[str, object]:
        """Those that are known."""
        return {"known": list(self.known)}


@dataclass(frozen=True, kw_only=True)
class RefersTo(Rule):
    """`column` is the `key` of a row of another table of the warehouse, `schema.table`; a null passes."""

    column: str
    relation: str
    key: str = "id"
    severity: str = "warning"

    def __post_init__(self) -> None:
        super().__post_init__()
        schema, _, name = self.relation.partition(".")
        if not (_NAME.match(schema) and _NAME.match(name) and _NAME.match(self.key)):
            raise ValueError(f"{self.name}: {self.relation}.{self.key} cannot be the name of a column")

    @property
    def reads(self) -> Sequence[str]:
        """The column it names."""
        return [self.column]

    def breaking_rows(self) -> str:
        """The rows that refer to nothing."""
        return (
            f"select row_key, '{self.column}' as field, {self.column}::text as value, '{self.column} ' || {self.column}"
            f" || ' is not in {self.relation}' as message, row_slice from looked_at where {self.column} is not null"
            f" and not exists (select from {self.relation} as other where other.{self.key} = looked_at.{self.column})"
        )


@dataclass(frozen=True, kw_only=True)
class Finds(Rule):
    """What no other kind can say: the SELECT itself, written out, with its own parameters."""

    query: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    kind: str = "InvalidValue"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in EXCEPTION_TYPES:
            raise ValueError(f"{self.name}: {self.kind!r} is none of {', '.join(EXCEPTION_TYPES)}")

    def breaking_rows(self) -> str:
        """The query as it was written."""
        return self.query

    @property
    def values(self) -> Mapping[str, object]:
        """Its parameters."""
        return self.parameters


@dataclass(frozen=True, kw_only=True)
class FilesTakenIn(Rule):
    """Every file that was delivered for the table could be taken in. One finding a file.

    `strays` adds the files that no feed takes: nobody can say whose they are.
    """

    source: str
    strays: bool = False
    by_slice: bool = False

    def breaking_rows(self) -> str:
        """The file names whose last delivery was refused."""
        return (
            "select file_name as row_key, 'file' as field, null as value, notes as message, null::date as row_slice"
            " from (select distinct on (file_name) * from etl.source_file where source = %(source)s"
            " order by file_name, file_id desc) as last_delivery"
            " where status = 'failed' and (table_name = %(table)s or %(strays)s and table_name is null)"
        )

    @property
    def values(self) -> Mapping[str, object]:
        """Whose files."""
        return {"source": self.source, "table": self.table, "strays": self.strays}
