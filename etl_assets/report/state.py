"""How the tables and models of each source are: health, freshness and size, as the ledger and the catalog have it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from etl_assets.declare.source import Source
from etl_assets.quality.health import STATES, Health, expected_tables, table_health
from etl_assets.warehouse.inventory import InventoryLine, staging_inventory

EMPTY = "never loaded"


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """How one source's tables and models are."""

    source: Source
    health: Sequence[Health]
    """Of each that was ever loaded or built, the worst first."""
    tables: Sequence[InventoryLine]
    """Its staging tables that are there."""
    expected: frozenset[str]
    """The staging tables that are to be loaded again and again."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many tables and models are in each of `STATES`."""
        counted = Counter(each.state for each in self.health)
        return {state: counted[state] for state in STATES}

    @property
    def unhealthy(self) -> list[Health]:
        """Those that are not healthy, the worst first."""
        return [each for each in self.health if each.state != "healthy"]

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it was ever loaded, nor tried; a calendar is there from the first."""
        return not self.unhealthy and self.last_loaded_at is None

    @property
    def state(self) -> str:
        """The worst state of its tables and models; `EMPTY` where nothing was ever loaded."""
        return EMPTY if self.is_empty else self.health[0].state

    @property
    def records(self) -> int:
        """Of its staging tables, by the planner's estimate."""
        return sum(table.records or 0 for table in self.tables)

    @property
    def size(self) -> int:
        """Bytes of its staging tables with their indexes."""
        return sum(table.size for table in self.tables)

    @property
    def last_loaded_at(self) -> datetime | None:
        """When any of its tables was loaded last."""
        return max((table.last_loaded_at for table in self.tables if table.last_loaded_at), default=None)

    @property
    def last_changed_at(self) -> datetime | None:
        """When a load last changed any of its tables."""
        return max((table.last_changed_at for table in self.tables if table.last_changed_at), default=None)

    @property
    def oldest(self) -> InventoryLine | None:
        """The table that is to be loaded again and again, and was not for the longest time."""
        loaded = [table for table in self.tables if table.last_loaded_at and str(table.relation) in self.expected]
        return min(loaded, key=lambda table: (table.last_loaded_at, str(table.relation)), default=None)

    @property
    def newest_slice(self) -> date | None:
        """The newest date that was loaded of that table, where it is loaded by date."""
        oldest = str(self.oldest.relation) if self.oldest else None
        return next((each.newest_slice for each in self.health if each.relation == oldest), None)

    def age(self, moment: datetime) -> timedelta | None:
        """How long ago its oldest table was loaded."""
        oldest = self.oldest
        return moment - oldest.last_loaded_at if oldest and oldest.last_loaded_at else None


def source_states(connection: psycopg.Connection, sources: Sequence[Source]) -> list[SourceState]:
    """How these sources are now, in their order.

    Args:
        connection: As a role that may read the ledger.
        sources: Two of them may share a schema.
    """
    schemas = sorted({source.schema for source in sources})
    inventory = {str(line.relation): line for line in staging_inventory(connection, schemas)}
    found = []
    for source in sources:
        names = [f"{source.schema}.{table.name}" for table in source.tables]
        found.append(
            SourceState(
                source=source,
                health=table_health(connection, source),
                tables=[inventory[name] for name in names if name in inventory],
                expected=frozenset(expected_tables(connection, source)),
            )
        )
    return found
