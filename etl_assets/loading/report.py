"""What one run loaded into one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from etl_assets.errors import EtlError, OutsideHours, TransientError
from etl_assets.warehouse.ledger import Counts
from etl_assets.warehouse.relation import Relation


@dataclass
class LoadReport:
    """What one run loaded into one table."""

    relation: Relation
    counts: Counts = field(default_factory=Counts)
    files: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Files that could not be loaded, with the reason."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of a load that went through all the same."""
    failure: EtlError | None = None
    """Why the table was not loaded, or not to its end; what is counted was committed."""
    is_absent: bool = False
    """Whether the source does not have the table at all, and nothing is held of it."""
    rows_by_slice: dict[date, int] = field(default_factory=dict)
    seconds: float = 0.0
    checks: list["TableCheck"] = field(default_factory=list)
    """What was found of the table once it was loaded."""

    @property
    def is_postponed(self) -> bool:
        """Whether it was not the time of day to read it: it has not failed, and was not loaded to its end."""
        return isinstance(self.failure, OutsideHours)

    def fail(self, error: EtlError) -> None:
        """Note that the table, or one tenant's part of it, could not be loaded; what failed before is told too."""
        if self.failure is None:
            self.failure = error
        elif str(error) not in str(self.failure):
            may_pass = isinstance(error, TransientError) or isinstance(self.failure, TransientError)
            self.failure = (TransientError if may_pass else EtlError)(f"{self.failure}\n{error}")


@dataclass(frozen=True, kw_only=True)
class TableCheck:
    """One thing that must be true of a table that was loaded, and whether it is."""

    name: str
    passed: bool
    is_error: bool
    """Whether, where it did not pass, somebody must act."""
    description: str
    rows_checked: int = 0
    rows_broken: int = 0
    metadata: Mapping[str, object] = field(default_factory=dict)
