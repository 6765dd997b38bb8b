"""The quality rules that look at a row beside others: those of another table, or the others of its own.

What two tables say together is true of one moment only, and they are not extracted at one moment: `once_read` and
`Settled` leave a row alone until the other table was read far enough. The two know the ledger, so that the rules of a
source need not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etl_assets.declare.rule_sql import is_column, is_relation, message_sql, select_findings
from etl_assets.declare.rules import LOOKED_AT, ColumnRule, ReadPast, Rule


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Watermark: rows are looked at once both tables were read, and fully reconciled, past their last change.

    A row that is deleted at the source is here until the next full reconciliation, so a sum over rows that may have
    been deleted has to wait for that too. A table that has no watermark is taken as read.
    """

    updated_at: str
    """The column that says when a row was last changed; both tables have it. Rows where it is null are never looked
    at."""
    relations: Sequence[str]
    """Both tables, each `schema.table`."""

    def __post_init__(self) -> None:
        wrong = [name for name in self.relations if not is_relation(name)]
        if wrong or not is_column(self.updated_at):
            raise ValueError(f"{[*wrong, self.updated_at]} cannot be names of relations and of their column")

    @property
    def read_past(self) -> ReadPast:
        """The rows that are not looked at yet."""
        return ReadPast(
            read_until="min(least(read_until, swept_at))",
            relations=self.relations,
            stamps=dict.fromkeys(self.relations, self.updated_at),
        )


@dataclass(frozen=True, kw_only=True)
class RefersTo(ColumnRule):
    """Referential integrity: `column` is the `key` of a row of another table of the warehouse.

    A null passes unless the reference is `required`. A source's word for none, such as 0, is left out by `where`.
    """

    relation: str
    """`schema.table`."""
    key: str = "id"
    within: Sequence[str] = ()
    """Further columns that the other row has alike, such as that of the tenant whose ids both have."""
    required: bool = False
    """Whether a null is found too."""
    another: bool = False
    """Whether a row that refers to itself is found too. `relation` is then the rule's own table, as of a hierarchy."""
    once_read: str | None = None
    """The column that says when a row was last changed. A row is then looked at once the other table was read past
    that moment, for what it refers to may have come since; never where it is null."""
    severity: str = "warning"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_other(self.name, self.relation, self.key)

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [self.column, *self.within, *([self.once_read] if self.once_read else [])]

    @property
    def is_row_by_row(self) -> bool:
        """Unless it refers to its own table."""
        return not _is_own(self, self.relation)

    @property
    def read_past(self) -> ReadPast | None:
        """Those changed since the other table was read."""
        if self.once_read is None:
            return None
        return ReadPast(read_until="min(read_until)", relations=[self.relation], stamps={LOOKED_AT: self.once_read})

    def breaking_rows(self) -> str:
        """The rows that refer to nothing."""
        alike = "".join(f" and other.{name} = looked_at.{name}" for name in self.within)
        itself = f" and other.{self.key} <> looked_at.{self.key}" if self.another else ""
        conditions = [
            f"not exists (\n        select from {self.relation} as other\n"
            f"        where other.{self.key} = looked_at.{self.column}{alike}{itself}\n    )"
        ]
        if not self.required:
            conditions.insert(0, f"{self.column} is not null")
        if self.read_past:
            conditions.append(self.read_past.condition(f"looked_at.{self.once_read}"))
        return self.findings(
            *conditions,
            message=f"'{self.column} ' || coalesce({self.column}::text, 'null') || ' is not in {self.relation}'",
        )


@dataclass(frozen=True, kw_only=True)
class _Reconciled(ColumnRule):
    """A rule of rows that agree with those of another table, once both were read far enough."""

    relation: str
    """The other table, `schema.table`."""
    settled: Settled | None = None

    @property
    def is_row_by_row(self) -> bool:
        """Unless the other rows are in the same table."""
        return not _is_own(self, self.relation)

    @property
    def read_past(self) -> ReadPast | None:
        """Those of which one of both tables was not read far enough."""
        return self.settled.read_past if self.settled else None


@dataclass(frozen=True, kw_only=True)
class SameAsParent(_Reconciled):
    """Consistency with the parent: `column` has the value that the row's parent has, `same_as`.

    A null on either side passes, and so does a row that has no parent (see `RefersTo`). In SQL that is given, the row
    is `looked_at` and its parent, a row of `relation`, `parent`.
    """

    foreign_key: str
    """The column that refers to the parent."""
    key: str = "id"
    same_as: str
    """An SQL expression of the parent, such as `parent.paydate`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_other(self.name, self.relation, self.key)

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [self.column, self.foreign_key]

    def breaking_rows(self) -> str:
        """The rows that have another value than their parent."""
        own = f"looked_at.{self.column}"
        conditions = [f"{own} <> {self.same_as}"]
        if self.settled:
            stamp = self.settled.updated_at
            conditions.append(self.settled.read_past.condition(f"greatest(looked_at.{stamp}, parent.{stamp})"))
        return self.findings(
            *conditions,
            value=f"{own}::text",
            message=f"'{self.column} is ' || {own} || ' and the parent has ' || {self.same_as}",
            relation=f"looked_at\ninner join {self.relation} as parent\n"
            f"    on parent.{self.key} = looked_at.{self.foreign_key}",
        )


@dataclass(frozen=True, kw_only=True)
class SumOfDetails(_Reconciled):
    """Reconciliation of header and details: `column` is the sum of `amount` over the row's details.

    Amounts may differ by `tolerance`, itself included. A header without details is to be 0, a detail whose amount is
    null counts as 0, and a header whose amount is null passes. `message` may name `header`, `total` and `details`: the
    two amounts, rounded, and how many details there are. In SQL that is given, the header is `looked_at`;
    details are rows of `relation`.
    """

    key: str
    """The column that details refer to."""
    foreign_key: str
    """The details' column that refers to the header."""
    amount: str
    tolerance: float
    decimals: int = 2
    """Of the amounts that a finding shows; they are compared as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_other(self.name, self.relation, self.foreign_key, self.amount)

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [self.column, self.key]

    def breaking_rows(self) -> str:
        """The headers that are not the sum of their details."""
        conditions = ["difference > %(tolerance)s"]
        if self.settled:
            conditions.append(self.settled.read_past.condition("updated_at"))
        found = select_findings(
            field=self.field or self.column,
            value="header::text",
            message=message_sql(self.message or f"{self.column} is {{header}}, its {{details}} details make {{total}}"),
            conditions=conditions,
            relation="summed",
        )
        return f"with summed as (\n{self._summed()}\n)\n\n{found}"

    def _summed(self) -> str:
        header, total = f"looked_at.{self.column}", f"coalesce(sum(detail.{self.amount}), 0)"
        columns = [
            "looked_at.row_key",
            "looked_at.row_slice",
            f"round({header}::numeric, {self.decimals}) as header",
            f"round({total}::numeric, {self.decimals}) as total",
            f"count(detail.{self.foreign_key}) as details",
            f"abs({header} - {total}) as difference",
        ]
        groups = ["looked_at.row_key", "looked_at.row_slice", header]
        if self.settled:
            stamp = self.settled.updated_at
            columns.append(f"greatest(looked_at.{stamp}, max(detail.{stamp})) as updated_at")
            groups.append(f"looked_at.{stamp}")
        return "\n".join(
            [
                "    select\n        " + ",\n        ".join(columns),
                f"    from looked_at\n    left join {self.relation} as detail\n"
                f"        on detail.{self.foreign_key} = looked_at.{self.key}",
                *([f"    where {self.where}"] if self.where else []),
                f"    group by {', '.join(groups)}",
            ]
        )

    @property
    def values(self) -> Mapping[str, object]:
        """What the amounts may differ by."""
        return {"tolerance": self.tolerance}


@dataclass(frozen=True, kw_only=True)
class Unique(ColumnRule):
    """Uniqueness: no two rows have the same value of `column`; a null passes. One finding for each of the rows.

    Rows that `where` leaves out are no duplicates of others either. `message` may name `times`: how many have it. Where
    duplicates may lie in different slices, the rule is to look at the whole table (`by_slice=False`).
    """

    within: Sequence[str] = ()
    """Further columns: only rows that have them alike are duplicates, such as those of one tenant."""

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [self.column, *self.within]

    @property
    def is_row_by_row(self) -> bool:
        """It asks for others."""
        return False

    def breaking_rows(self) -> str:
        """All rows of which there are several."""
        asked = f"\n        and ({self.where})" if self.where else ""
        alike = ", ".join([self.column, *self.within])
        return select_findings(
            field=self.field or self.column,
            value=f"{self.column}::text",
            message=message_sql(self.message or f"{self.column} {{{self.column}}} is that of {{times}} rows"),
            conditions=["times > 1"],
            relation=f"(\n    select\n        *,\n        count(*) over (partition by {alike}) as times\n"
            f"    from looked_at\n    where\n        {self.column} is not null{asked}\n) as counted",
        )


@dataclass(frozen=True, kw_only=True)
class NoOverlap(Rule):
    """No double booking: the spans from `starts` to `ends` of one resource do not overlap.

    The start is included, the end is not; a null on either side passes. One finding a row: of each that begins before
    all those that began earlier are over (of two that start together, the one with the greater key), and it names the
    one of them that ends last. So `n` spans at one time are n - 1 findings, and not the n (n - 1) / 2 pairs of them.
    `message` may name columns of both rows, as `earlier` and `later`; each has `starts` and `ends` besides.
    """

    starts: str
    """A column, or an SQL expression of the row."""
    ends: str
    resource: Sequence[str]
    """The columns of what cannot be at two places at once. Rows with a null in one of them overlap nothing."""
    resource_nullable: Sequence[str] = ()
    """Further such columns, in which a null equals a null."""
    where: str | None = None
    """The rows that it is asked of, as an SQL condition; all of them where left out."""
    message: str = "starts at {later.starts}, before {earlier.row_key} ends at {earlier.ends}"
    exception_type: str = "Overlap"

    @property
    def reads(self) -> Sequence[str]:
        """The columns it names."""
        return [*self.resource, *self.resource_nullable]

    def breaking_rows(self) -> str:
        """The rows that begin before the running maximum of the ends; the row that made the maximum is joined to it."""
        who = ", ".join([*self.resource, *self.resource_nullable])
        asked = f"\n    where {self.where}" if self.where else ""
        usable = ["starts is not null", "ends is not null", *(f"{column} is not null" for column in self.resource)]
        same = [
            *(f"earlier.{column} = later.{column}" for column in self.resource),
            *(f"earlier.{column} is not distinct from later.{column}" for column in self.resource_nullable),
        ]
        every, equal = "\n        and ".join(usable), "\n    and ".join(same)
        return f"""with span as (
    select
        *,
        {self.starts} as starts,
        {self.ends} as ends
    from looked_at{asked}
),

running as (
    select
        *,
        max(ends) over (
            partition by {who} order by starts, row_key rows between unbounded preceding and 1 preceding
        ) as busy_until
    from span
    where
        {every}
),

-- Numbered so that each row knows the one whose end is the maximum: the last one before it that raised it.
numbered as (
    select
        *,
        coalesce(ends > busy_until, true) as raises,
        count(*) filter (where coalesce(ends > busy_until, true)) over (
            partition by {who} order by starts, row_key rows unbounded preceding
        ) as maximum
    from running
)

select
    later.row_key,
    'overlap' as field,
    later.starts || ' in ' || earlier.row_key as value,
    {message_sql(self.message)} as message,
    later.row_slice
from numbered as later
inner join numbered as earlier
    on {equal}
    and earlier.raises
    and earlier.maximum = later.maximum - later.raises::int
where later.starts < later.busy_until"""


def _check_other(rule: str, relation: str, *columns: str) -> None:
    """Refuse what cannot be the names of another relation and of the columns that a rule reads of it."""
    wrong = [column for column in columns if not (is_relation(relation) and is_column(column))]
    if wrong:
        raise ValueError(f"{rule}: {relation}.{wrong[0]} cannot be the name of a column")


def _is_own(rule: Rule, relation: str) -> bool:
    """Whether a relation may be the rule's own table, whose schema it does not know."""
    return relation.partition(".")[2] == rule.table
