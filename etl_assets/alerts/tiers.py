"""Tiers of alerts: how bad what is wrong is, who hears of it by which channel, and how soon.

The tiers are those of Open Dental's guide, for every source: critical, important, and audit and reference as standard.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table
from etl_assets.warehouse.database.incidents import ROLLED_BACK

DEFAULT_IMPORTANCE = "important"
"""Of tables that name none, of models, and of what runs all this."""


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Who hears of what is so important."""

    name: str
    channels: Sequence[str]
    """Where it is sent when it opens and when it is over; what has none stands in the daily summary."""
    delay: timedelta
    """How long it must last before it is sent."""
    escalates_after: timedelta
    """How long after that it is sent once more, if nobody has acknowledged it by then."""
    escalates_to: Sequence[str]


CRITICAL = Tier(
    name="critical",
    channels=("pagerduty", "email", "slack"),
    delay=timedelta(0),
    escalates_after=timedelta(minutes=15),
    escalates_to=("email", "slack"),
)
"""Told at once. PagerDuty escalates by its own policy, and the others after a quarter of an hour."""
IMPORTANT = Tier(
    name="important",
    channels=("email", "slack"),
    delay=timedelta(minutes=10),
    escalates_after=timedelta(minutes=60),
    escalates_to=("email", "slack"),
)
"""Told within a quarter of an hour: what has passed after ten minutes, nobody hears of."""
STANDARD = Tier(
    name="standard",
    channels=(),
    delay=timedelta(0),
    escalates_after=timedelta(hours=24),
    escalates_to=("email",),
)
"""Stands in the daily summary; after a day it is sent by itself."""
TIERS = (CRITICAL, IMPORTANT, STANDARD)
_BY_IMPORTANCE: Mapping[str, Tier] = dict(zip(IMPORTANCES, (CRITICAL, IMPORTANT, STANDARD, STANDARD), strict=True))


class Importance:
    """Looks up the tier of what an alert is about, by what its source declares."""

    def __init__(self, sources: Collection[Source]) -> None:
        self._tables: dict[str, Table] = {
            f"{source.schema}.{table.name}": table for source in sources for table in source.tables
        }
        self._of_source: dict[str, Tier] = {source.name: _highest(source.tables) for source in sources}

    def tier(self, source: str, kind: str, relation: str) -> Tier:
        """The tier of a table, a model, or of a whole source where `relation` is empty."""
        if kind == ROLLED_BACK:
            return CRITICAL
        table = self._tables.get(relation)
        if table is None:
            return self._of_source.get(source, IMPORTANT) if not relation else IMPORTANT
        if kind in {"failed", "hanging"} and not table.alerts_on_failure:
            return STANDARD
        return tier_of(table)

    def highest(self, source: str, kind: str, relations: Collection[str]) -> Tier:
        """The tier of an alert about several: that of the most important one."""
        return min((self.tier(source, kind, each) for each in relations), key=TIERS.index)


def tier_of(table: Table) -> Tier:
    """The tier of a table, by its importance."""
    return _BY_IMPORTANCE[table.tags.get("importance", DEFAULT_IMPORTANCE)]


def _highest(tables: Collection[Table]) -> Tier:
    return min((tier_of(table) for table in tables), key=TIERS.index, default=IMPORTANT)
