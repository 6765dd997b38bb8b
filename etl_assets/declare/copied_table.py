"""Tables that are copied from a database: how changes are found, how important they are, what is secret."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from etl_assets.declare.privacy import TableClasses
from etl_assets.declare.staging_names import MAX_BYTES
from etl_assets.declare.tables import NAME, Full, Table

IMPORTANCES = ("critical", "important", "audit", "reference")
"""The classes of a database's tables, in the order in which they are loaded."""
_SECRET = re.compile(
    r"passw|passcode|pwd|secret(?!ar)|token|api_?key|reg_?key|prov_?key|private_?key|credential|(^|_)ssn|ssn$|cvv|pin$"
    r"|hash$|salt$|(^|_)otk|guid(?![ae])|credit_?card_?num$|cc_?num|card_?holder|masked|bank_?(number|acc)"
)


def looks_secret(name: str) -> bool:
    """Whether a column of this name may well hold what opens something: a password, a token, the number of a card."""
    return _SECRET.search(name.lower()) is not None


@dataclass(frozen=True, kw_only=True)
class Incremental:
    """Incremental load: new and changed rows are copied; full reconciliation finds what moved no cursor."""

    column: str
    """The stamp that the source moves with every change; or the key, of a table whose rows are never changed."""
    overlap: timedelta = timedelta(minutes=10)
    """How far back of the last load's moment is read again: what was being written then was not to be seen yet."""
    shrink_floor: float = 0.5
    """Least share of the rows held that must still be at the source; under it deletions are not believed."""


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """What a load of a table must keep to."""

    alert_on_failure: bool = False
    """Whether somebody hears at once that it failed; else it stands in the daily summary."""
    max_extraction_time_minutes: int = 5
    """A load that took longer was too slow, and one that still goes on is taken to hang."""
    data_quality_threshold: float = 0.95
    """Least share of the rows that must be as they are at the source; under it the check is an error."""


@dataclass(frozen=True, kw_only=True)
class CopiedTable(Table):
    """A staging table that copies one of a database's; its columns are those that the source has."""

    load: Full | Incremental
    importance: str
    why: str
    """The rule by which it has its importance."""
    batch_size: int = 10_000
    """Rows of one statement at the source."""
    size: str = "tiny"
    monitoring: Monitoring = Monitoring()
    retain_deleted: bool = False
    """Whether rows stay here that the source deletes: an audit trail outlives it."""
    event_date: str | None = None
    """The column, as staging spells it, that holds the date of what a row says; what is built by date heeds it."""
    keep_for: timedelta | None = None
    """How long after their event date rows are held: older ones stay at the source, and leave staging."""
    replaced_by: str = ""
    """The `table.column` that another version of the source has in its place, see `Catalogue`."""
    not_secret: Sequence[str] = ()
    """Columns, as staging spells them, whose names look like a secret's although they hold none."""
    classes: TableClasses | None = None
    """What may be done with each column, of a source whose columns are classified."""

    @property
    def cursor(self) -> Incremental | None:
        """How changes are found by a cursor column; None where every row is compared."""
        return self.load if isinstance(self.load, Incremental) else None

    @property
    def is_wide(self) -> bool:
        """A rule asks for few of its columns."""
        return True

    @property
    def read_again(self) -> str:
        """Every row is compared in the sweep alone."""
        return "--sweep"

    @property
    def summary(self) -> str:
        """What is said of it by hand, or why it has its importance."""
        return self.description or f"As the source has it: {self.why}."

    @property
    def tags(self) -> Mapping[str, str]:
        """Its importance."""
        return {"importance": self.importance}

    @property
    def details(self) -> Mapping[str, object]:
        """How it is copied, in the words of the catalogue's file."""
        return {
            "importance": f"{self.importance}: {self.why}",
            "size": self.size,
            "batch_size": self.batch_size,
            "keep_deleted": self.retain_deleted,
            **({"keep_for_days": self.keep_for.days} if self.keep_for else {}),
            **vars(self.monitoring),
        }

    @property
    def alerts_on_failure(self) -> bool:
        """As its monitoring says."""
        return self.monitoring.alert_on_failure

    @property
    def longest_load(self) -> timedelta:
        """As its monitoring says."""
        return timedelta(minutes=self.monitoring.max_extraction_time_minutes)

    def left_out(self, columns: Iterable[str]) -> list[str]:
        """Which of these columns of the source's table are not loaded, as staging spells them.

        Those of `never_load`, and those that look like a secret until somebody has said that they hold none; of a table
        whose columns are classified, those that nobody has.
        """
        return [name.lower() for name in columns if self.leaves_out(name.lower(), spelled=name)]

    def leaves_out(self, name: str, *, spelled: str) -> bool:
        """Whether a column that staging calls `name` is not loaded; `spelled` is how the source spells it.

        What is never loaded is so by either name: a second column may come to give the first another name in staging.
        """
        if self.classes is not None:
            return self.classes.leaves_out(name) or self.classes.leaves_out(spelled.lower())
        is_hidden = not {name, spelled.lower()}.isdisjoint(self.never_load)
        return is_hidden or (looks_secret(spelled) and name not in {*self.keys, *self.not_secret})

    def _check_columns(self) -> None:
        """Refuse an unknown importance, and names that none can have: its columns the source knows alone."""
        if len(self.name) > MAX_BYTES:
            raise ValueError(f"{self.name}: in staging a name has {MAX_BYTES} bytes; etl discover says how it is cut")
        if self.importance not in IMPORTANCES:
            raise ValueError(f"importance {self.importance!r} is none of {', '.join(IMPORTANCES)}")
        if self.keep_for and (self.event_date is None or self.retain_deleted):
            raise ValueError(f"{self.name}: keep_for needs an event_date, and a table that does not outlive its source")
        wrong = [name for name in self.personal if not NAME.match(name)]
        if wrong or not set(self.personal).isdisjoint(self.never_load):
            raise ValueError(f"{self.name}: personal are loaded columns by their names in staging, not {wrong}")
