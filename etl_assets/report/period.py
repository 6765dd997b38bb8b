"""The span of a report: what it counts, and how far back its trends go."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

Kind = Literal["daily", "weekly"]
_COUNTED = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
_SHOWN = {"daily": 30, "weekly": 56}
WEEKS = 8


@dataclass(frozen=True, kw_only=True)
class ReportPeriod:
    """A report's span, which ends when it is built. Days are those of UTC."""

    kind: Kind
    moment: datetime
    """As of when it is."""

    @property
    def since(self) -> datetime:
        """From when on loads, errors and durations are counted."""
        return self.moment - _COUNTED[self.kind]

    @property
    def length(self) -> str:
        """The same in words."""
        return "24 hours" if self.kind == "daily" else "7 days"

    @property
    def today(self) -> date:
        """The day that it is of."""
        return self.moment.astimezone(UTC).date()

    @property
    def days(self) -> list[date]:
        """The days of the trends, the oldest first and today the last."""
        number = _SHOWN[self.kind]
        return [self.today - timedelta(days=number - 1 - place) for place in range(number)]

    @property
    def weeks(self) -> list[date]:
        """The Mondays of the last `WEEKS` ISO weeks, the oldest first and this week's the last."""
        monday = self.today - timedelta(days=self.today.weekday())
        return [monday - timedelta(weeks=WEEKS - 1 - place) for place in range(WEEKS)]
