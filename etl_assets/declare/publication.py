"""Publication: marts whose numbers tell of few persons, and how they may be read with small cells suppressed.

A mart is built with exact numbers in a schema that no reader sees, and published in another one. What its columns
count, and of what, is declared here; which cells are hidden follows from that, over all marts at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

REASON = "suppressed"
"""The column of a published mart that says why something in its row is null."""


@dataclass(frozen=True)
class Count:
    """A column that counts the members of a population, or those of them that have certain values."""

    population: str
    """What is counted: `appointments`. Marts that count the same one are linked."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Dimension -> its value; of a dimension that is named so, every value must be counted somewhere."""
    persons: str | None = None
    """The column with the persons who were counted, of whom there must be enough too; it is not published. None where
    the members are persons themselves."""


@dataclass(frozen=True, kw_only=True)
class PublishedMart:
    """A mart that is published: a row for each combination of its dimensions."""

    name: str
    dimensions: Mapping[str, str]
    """Column -> the dimension of the populations that it is."""
    counts: Mapping[str, Count]
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> the counts that it follows from: it is null where one of them is."""
    growth: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Column -> the count whose growth it is, and the column of months: it tells of the month before, too."""
    averages: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Column -> the count that it is an average over, and the dimension whose values are averaged."""
    partial: tuple[str, ...] = ()
    """Dimensions of which it has not all values: it says nothing of what it does not list."""
    anonymous: tuple[str, ...] = ()
    """Columns of a row that is one person's: null where too few rows have the same values in all of them."""

    def __post_init__(self) -> None:
        for column, counts in {**self.derived, **{name: (each[0],) for name, each in self.growth.items()}}.items():
            if unknown := set(counts) - self.counts.keys():
                raise ValueError(f"{self.name}: {column} follows from {', '.join(sorted(unknown))}, which is no count")
        for column, (count, _) in self.averages.items():
            if count not in self.counts or count not in self.derived.get(column, ()):
                raise ValueError(f"{self.name}: {column} is an average over {count}, and must be derived from it")

    @cached_property
    def unpublished(self) -> frozenset[str]:
        """The columns that say how many persons there are: no reader sees them."""
        return frozenset(count.persons for count in self.counts.values() if count.persons)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart."""
        return tuple(self.dimensions)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The marts of a source that are published together: linked, so that none may be newer than another."""

    exact_schema: str
    """Where they are built."""
    schema: str
    """Where they are read."""
    marts: Sequence[PublishedMart]
    reason: str
    """Why something is null, in the words of the readers; `{k}` is the least number of persons. It does not tell a
    small cell from one that is hidden beside it, for that would tell its bounds."""
    within: Mapping[str, str] = field(default_factory=dict)
    """Population -> the mart without whose rows it has no members: a report is on an appointment."""
    k: int = 5
    """Of fewer persons nothing is shown."""
