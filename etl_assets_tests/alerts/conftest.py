"""An outbox whose messages go to real listeners: a mail server, a webhook and PagerDuty's API on loopback."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from etl_assets.alerts.dispatch import Sent, send_alerts
from etl_assets.sandbox.receivers import Received, Receivers, receivers
from etl_assets.settings import Settings, read_settings
from etl_assets.sources import SOURCES
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets.warehouse.table_failures import record_load_outcomes


@dataclass
class Desk:
    """A warehouse whose alerts are sent, and the clock by which they are."""

    settings: Settings
    heard: Receivers
    passed: timedelta = timedelta(0)
    retried: set[str] = field(default_factory=set)
    """Runs that Dagster is to try again."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def look(self, minutes: float = 0) -> Sent:
        """Let time pass, and send what is due."""
        self.passed += timedelta(minutes=minutes)
        with connect(self.settings, autocommit=True) as connection:
            return send_alerts(self.settings, SOURCES, connection, self.now, retry_is_pending=self.retried.__contains__)

    def news(self) -> list[Received]:
        """What arrived since the last time, but for the daily summary."""
        found, self.heard.received = self.heard.received, []
        return [each for each in found if "daily summary" not in each.title]

    def load(self, *, failed: dict[str, str], loaded: list[str] = [], run: str | None = None) -> None:  # noqa: B006
        """A load of Open Dental, by tables' names."""
        schema = OPEN_DENTAL.schema
        with open_batch(self.settings, OPEN_DENTAL.name, "load", run_id=run) as batch:
            record_load_outcomes(
                batch,
                failed={f"{schema}.{name}": error for name, error in failed.items()},
                loaded=[f"{schema}.{name}" for name in loaded],
            )


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    with receivers() as heard:
        environment = {**dict(settings.given), **heard.settings, "ETL_HOME": str(settings.home)}
        given = read_settings(environment).given
        yield Desk(replace(settings, given=given), heard)


@pytest.fixture
def channels_of() -> Callable[[list[Received]], list[str]]:
    return lambda messages: sorted(message.channel for message in messages)
