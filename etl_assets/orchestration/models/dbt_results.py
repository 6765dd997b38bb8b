"""Results of dbt's nodes, as the rest of the project takes them; dbt itself is not imported for it."""

import re
from dataclasses import dataclass

_WRAPPER = re.compile(r"^(Database|Compilation|Runtime) Error in \w+ \S+ \([^)]*\) ?")
_VALUES = re.compile(r': ".*| DETAIL: .*| CONTEXT: .*| LINE \d+: .*| compiled code at .*')
"""What PostgreSQL says of rows, and where; it comes behind the reason."""
_VALUE_LINE = re.compile(r"^\s*(DETAIL|CONTEXT|LINE \d+):")


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

    @property
    def reason(self) -> str:
        """What a model failed of, in the server's words as far as they hold no value of a row."""
        return _VALUES.sub("", _WRAPPER.sub("", self.message)).strip() or self.status


def without_values(message: str) -> str:
    """A message of dbt's log as it may be shown: without the lines in which PostgreSQL quotes a row."""
    lines = [line for line in message.splitlines() if not _VALUE_LINE.match(line)]
    return "\n".join(_VALUES.sub("", line) for line in lines)
