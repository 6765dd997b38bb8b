"""What one run loaded into one table."""

from dataclasses import dataclass, field
from datetime import date

from etl_assets.errors import EtlError
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
    rows_by_slice: dict[date, int] = field(default_factory=dict)
    seconds: float = 0.0
