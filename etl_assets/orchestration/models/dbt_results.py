"""Results of dbt's nodes, as the rest of the project takes them; dbt itself is not imported for it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NodeResult:
    """What became of a model, a seed or a test."""

    unique_id: str
    kind: str
    status: str
    """dbt's: success, error, skipped; of a test pass, fail, warn, error, skipped."""
    is_current: bool
    """It was found up to date when its turn came, and passed over."""
    rows_changed: int | None
    """Rows that were written or deleted; null for a view."""
    failures: int
    message: str
    seconds: float

    @property
    def is_failure(self) -> bool:
        """Whether a model could not be built, or a test found an error: nothing is built on it."""
        return self.status in {"error", "fail", "runtime error"}
