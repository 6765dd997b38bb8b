"""The quality rules a source can declare of a row by itself; `rules_between` has those that look at other rows too.

Each is one SELECT of what breaks it. The SELECT reads `looked_at`: the rows of the rule's table in the slice that is
looked at, with `row_key` (the table's key as text) and `row_slice` (its schedule date) beside the table's own columns.
It gives one row a finding: row_key, field, value, message, row_slice. A person can run it in psql, where `looked_at`
is the table itself.

Where a rule takes an SQL expression or a message, it is our own declaration: not quoted, and a percent sign in SQL is
written twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import timedelta

from etl_assets.declare.rule_sql import is_column, literal, message_sql, select_findings

SEVERITIES = ("error", "warning")
LOOKED_AT = "looked_at"
"""What a rule's SELECT calls the rows of its own table."""
EXCEPTION_TYPES = ("InvalidValue", "MissingValue", "InvalidSequence", "Overlap", "OutOfRange")


@dataclass(frozen=True, kw_only=True)
class ReadPast:
    """Which rows wait: those that were last changed after other tables were last read."""

    read_until: str
    """How far the tables were read, as an aggregate of `etl.extraction`."""
    relations: Sequence[str]
    """The tables, each `schema.table`."""
    stamps: Mapping[str, str]
    """The columns that say when a row was last changed, by table; a row's last change is the latest of them."""

    @property
    def bound(self) -> str:
        """The SQL expression of the moment that rows were last changed before; without end where none was read so."""
        names = ", ".join(map(literal, self.relations))
        return (
            f"coalesce(\n        (select {self.read_until} from etl.extraction where relation in ({names})),\n"
            "        'infinity'\n    )"
        )

    def condition(self, last_change: str) -> str:
        """The SQL condition that a row does not wait, of the expression of its last change."""
        return f"{last_change} < {self.bound}"


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
    exception_type: str = "InvalidValue"
    """What kind of finding it is to those who work on the list; each kind of rule has its own."""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"{self.name}: severity {self.severity!r} is none of {', '.join(SEVERITIES)}")
        if self.exception_type not in EXCEPTION_TYPES:
            raise ValueError(f"{self.name}: {self.exception_type!r} is none of {', '.join(EXCEPTION_TYPES)}")
        wrong = [name for name in self.reads if not is_column(name)]
        if wrong:
            raise ValueError(f"{self.name}: {wrong} cannot be names of columns")

    @property
    def reads(self) -> Sequence[str]:
        """The columns of its table that it names."""
        return ()

    def breaking_rows(self) -> str:
        """The SELECT, with `%(name)s` for what `values` holds."""
        raise NotImplementedError

    @property
    def values(self) -> Mapping[str, object]:
        """The values of the SELECT's parameters."""
        return {}

    @property
    def is_row_by_row(self) -> bool:
        """Whether what is found of a row has nothing to do with the other rows of its table."""
        return False

    @property
    def read_past(self) -> ReadPast | None:
        """Which rows are left alone until other tables were read further; None where none are."""
        return None


@dataclass(frozen=True, kw_only=True)
class ColumnRule(Rule):
    """What every rule of one column has."""

    column: str
    field: str | None = None
    """What findings call the column, where people know it by another name than staging's."""
    where: str | None = None
    """The rows that it is asked of, as an SQL condition; all of them where left out."""
    message: str | None = None
    """What a finding says in place of the kind's usual words. Columns and other SQL expressions stand in braces."""

    @property
    def reads(self) -> Sequence[str]:
        """The column it names."""
        return [self.column]

    @property
    def is_row_by_row(self) -> bool:
        """So are most."""
        return True

    def findings(
        self,
        *broken: str,
        message: str,
        value: str | None = None,
        relation: str = "looked_at",
        null: str = "?",
    ) -> str:
        """The SELECT of the rows that the rule is asked of and that all conditions in `broken` hold of.

        Args:
            broken: SQL conditions.
            message: The kind's usual words, as an SQL expression.
            value: The SQL expression of the value found; the column's own where left out.
            relation: What stands after `from`.
            null: What a null looks like in the rule's own message.
        """
        asked = [f"({self.where})"] if self.where else []
        return select_findings(
            field=self.field or self.column,
            value=value or f"{self.column}::text",
            message=message_sql(self.message, null) if self.message else message,
            conditions=[*asked, *broken],
            relation=relation,
        )


@dataclass(frozen=True, kw_only=True)
class Required(Rule):
    """Not null: none of `columns` is null or blank; zero is a value. One finding a row and column."""

    columns: Sequence[str]
    exception_type: str = "MissingValue"

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return self.columns

    @property
    def is_row_by_row(self) -> bool:
        """It is."""
        return True

    def breaking_rows(self) -> str:
        """One branch a column."""
        return "\nunion all\n".join(
            select_findings(
                field=column,
                value="null",
                message=literal(f"{column} is missing"),
                conditions=[f"coalesce(trim({column}::text), '') = ''"],
            )
            for column in self.columns
        )


@dataclass(frozen=True, kw_only=True)
class InOrder(Rule):
    """Sequence: in each pair the first moment is not after the second; a null passes. One finding a row and pair."""

    pairs: Sequence[tuple[str, str]]
    exception_type: str = "InvalidSequence"

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [column for pair in self.pairs for column in pair]

    @property
    def is_row_by_row(self) -> bool:
        """It is."""
        return True

    def breaking_rows(self) -> str:
        """One branch a pair."""
        return "\nunion all\n".join(
            select_findings(
                field=f"{earlier} > {later}",
                value=f"{earlier}::text || ' > ' || {later}::text",
                message=literal(f"{earlier} is after {later}"),
                conditions=[f"{earlier} > {later}"],
            )
            for earlier, later in self.pairs
        )


@dataclass(frozen=True, kw_only=True)
class MinutesBetween(Rule):
    """Duration: from `start` to `end` it takes `low` to `high` minutes, both included.

    A null or a negative span passes (see `InOrder`).
    """

    start: str
    end: str
    low: int
    high: int
    zone: str = "time_zone"
    """The column that names the zone of both wall clocks, so that the night the clocks change counts right."""
    exception_type: str = "OutOfRange"

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [self.start, self.end, self.zone]

    @property
    def is_row_by_row(self) -> bool:
        """It is."""
        return True

    def breaking_rows(self) -> str:
        """The rows outside [low, high]."""
        taken = f"({self.end} at time zone {self.zone}) - ({self.start} at time zone {self.zone})"
        minutes = f"extract(epoch from {taken}) / 60"
        return select_findings(
            field=f"{self.start}..{self.end}",
            value=f"round({minutes})::text",
            message=f"'takes ' || round({minutes}) || ' minutes; %(low)s to %(high)s are usual'",
            conditions=[f"{minutes} not between %(low)s and %(high)s", f"{self.end} >= {self.start}"],
        )

    @property
    def values(self) -> Mapping[str, object]:
        """The bounds."""
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class DateWithin(ColumnRule):
    """Range of dates: `column` lies from `first` (ISO) to `ahead` after today, both included; a null passes."""

    first: str
    ahead: timedelta
    exception_type: str = "OutOfRange"

    def breaking_rows(self) -> str:
        """The rows outside."""
        return self.findings(
            f"({self.column} < %(first)s::date or {self.column} > current_date + %(ahead)s::int)",
            message=f"'{self.column} lies outside ' || %(first)s || ' to ' || current_date + %(ahead)s::int",
        )

    @property
    def values(self) -> Mapping[str, object]:
        """The bounds."""
        return {"first": self.first, "ahead": self.ahead.days}


@dataclass(frozen=True, kw_only=True)
class OneOf(ColumnRule):
    """Accepted values: `column`, text or a whole number, is one of `known`; a null passes unless it is `required`."""

    known: Sequence[str] | Sequence[int]
    required: bool = False
    """Whether a null is found too."""

    def breaking_rows(self) -> str:
        """The rows with another value."""
        unknown = f"{self.column} <> all(%(known)s)"
        return self.findings(
            f"({self.column} is null or {unknown})" if self.required else unknown,
            message=f"'{self.column} ' || coalesce({self.column}::text, 'null')"
            " || ' is none of ' || array_to_string(%(known)s::text[], ', ')",
            null="null",
        )

    @property
    def values(self) -> Mapping[str, object]:
        """Those that are known."""
        return {"known": list(self.known)}


@dataclass(frozen=True, kw_only=True)
class RowCheck(ColumnRule):
    """CHECK constraint: the SQL condition `holds` is true of each row by itself. Null passes, as it does in SQL.

    A finding is told under `column`, the one of the condition's columns to look at first. What is a threshold stands as
    `%(name)s` in the condition and in the message's braces, so that it can be set.
    """

    holds: str
    value: str | None = None
    """The SQL expression of the value found, of type text; the column's own where left out."""
    parameters: Mapping[str, object] = dataclass_field(default_factory=dict)

    def breaking_rows(self) -> str:
        """The rows of which it is false."""
        return self.findings(f"not ({self.holds})", message=literal(f"{self.holds} does not hold"), value=self.value)

    @property
    def values(self) -> Mapping[str, object]:
        """Its parameters."""
        return self.parameters


@dataclass(frozen=True, kw_only=True)
class Finds(Rule):
    """What no other kind can say: the SELECT itself, written out, with its own parameters."""

    query: str
    parameters: Mapping[str, object] = dataclass_field(default_factory=dict)

    def breaking_rows(self) -> str:
        """The query as it was written."""
        return self.query

    @property
    def values(self) -> Mapping[str, object]:
        """Its parameters."""
        return self.parameters


@dataclass(frozen=True, kw_only=True)
class FilesTakenIn(Rule):
    """Completeness of deliveries: every file for the table could be loaded, and replaced each date it speaks of.

    One finding a file, or a file and date. `strays` adds the files that no feed takes: nobody can say whose they are.
    """

    source: str
    strays: bool = False
    by_slice: bool = False

    def breaking_rows(self) -> str:
        """The file names whose last delivery was refused, and the dates of which a file brings far too few rows."""
        return """select
    file_name as row_key,
    'file' as field,
    null as value,
    notes as message,
    null::date as row_slice
from (
    select distinct on (file_name) *
    from etl.source_file
    where source = %(source)s
    order by file_name, file_id desc
) as last_delivery
where status = 'failed' and (table_name = %(table)s or %(strays)s and table_name is null)
union all
select
    file.file_name,
    'rows of ' || covered.slice,
    covered.rows_read || ' of ' || covered.rows_held,
    file.file_name || ' brings ' || covered.rows_read || ' of the ' || covered.rows_held || ' rows held for '
    || covered.slice || ': it does not speak of all of that day, which was left as it was; its rows wait. If the others'
    || ' are gone: etl run ' || %(source)s || ' --from ' || covered.slice || ' --to ' || covered.slice
    || ' --accept-shrink',
    covered.slice
from etl.file_slice as covered
inner join etl.source_file as file on file.file_id = covered.file_id
where covered.rows_held is not null and file.source = %(source)s and file.table_name = %(table)s"""

    @property
    def values(self) -> Mapping[str, object]:
        """Whose files."""
        return {"source": self.source, "table": self.table, "strays": self.strays}
