"""Growth: a least-squares line over daily samples, and the day on which it reaches what there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

LEAST_SAMPLES = 3
FITTED_DAYS = 30
_FARTHEST = 3650
"""Days ahead beyond which no day is named."""


@dataclass(frozen=True)
class Growth:
    """A straight line through the samples of the last `FITTED_DAYS` days."""

    per_day: float
    last_day: date
    """The day of the newest sample."""
    last_level: float
    """Where the line is on that day."""

    def level(self, day: date) -> float:
        """Where the line is on a day."""
        return self.last_level + self.per_day * (day - self.last_day).days

    def reaches(self, room: float) -> date | None:
        """The day on which what is free today, in the samples' unit, is used up.

        None where it does not grow, or not within ten years.
        """
        if self.per_day <= 0:
            return None
        days = room / self.per_day
        return self.last_day + timedelta(days=int(days)) if days <= _FARTHEST else None


def fit_growth(samples: Sequence[tuple[date, float]], today: date) -> Growth | None:
    """Fit a line to the samples of the last `FITTED_DAYS` days; None of fewer than `LEAST_SAMPLES`."""
    recent = [(day, value) for day, value in samples if today - timedelta(days=FITTED_DAYS) < day <= today]
    if len(recent) < LEAST_SAMPLES:
        return None
    last = max(day for day, _ in recent)
    places = [(day - last).days for day, _ in recent]
    mean_place, mean_value = sum(places) / len(recent), sum(value for _, value in recent) / len(recent)
    spread = sum((place - mean_place) ** 2 for place in places)
    per_day = (
        sum((place - mean_place) * (value - mean_value) for place, (_, value) in zip(places, recent, strict=True))
        / spread
    )
    return Growth(per_day=per_day, last_day=last, last_level=mean_value - per_day * mean_place)
