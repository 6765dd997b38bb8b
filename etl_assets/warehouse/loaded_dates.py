"""The dates that a load was about, of what is loaded by date."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class LoadedDates:
    """The dates that a load was about; none of what is loaded whole."""

    changed: Collection[date] = ()
    """Those of which rows were written, where no file says it."""
    left: Collection[date] = ()
    """Those that rows were moved away from, and of which nothing else is known."""
    newest: date | None = None
    """The last one that was loaded."""
    is_news: bool = True
    """False where nothing new was asked for: a file of before, an erasure, a rollback."""
