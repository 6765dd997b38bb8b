"""The word for one of the systems that we load."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from etl_assets.spec.rules import Rule
from etl_assets.spec.table import Table


@dataclass(frozen=True, kw_only=True)
class FileDrop:
    """A source that sends files: they are found in its landing folder, and read as its feeds say."""

    feeds: Path
    """The YAML file of the feeds that we ship."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One operational system: how it is reached, what is taken from it and what must be true of that."""

    name: str
    title: str
    schema: str
    """The staging schema of the warehouse."""
    reader: FileDrop
    tables: Sequence[Table]
    rules: Sequence[Rule]
    owner: str
    """`team:name`, or an email address."""
    fresh_within: timedelta
    """How long after its last load a table is stale."""

    def __post_init__(self) -> None:
        for rule in self.rules:
            table = self.table(rule.table)
            unknown = set(rule.reads) - set(table.names) - {"load_datetime"}
            if unknown:
                raise ValueError(f"{self.name}: rule {rule.name} reads {sorted(unknown)}, which {table.name} lacks")
        checks = [(rule.table, rule.name) for rule in self.rules]
        if len(set(checks)) < len(checks):
            raise ValueError(f"{self.name}: two rules of one table have the same name")

    def table(self, name: str) -> Table:
        """The declared table of that name.

        Raises:
            KeyError: There is none.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(f"{self.name} declares no table {name!r}. It declares: {', '.join(t.name for t in self.tables)}")
