"""Metrics in the text format of Prometheus, from the one view that has them."""

from collections.abc import Iterator

import psycopg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily


class _View:
    """A collector of what the view says."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A family for each name, with a sample for each of its lines."""
        families: dict[str, GaugeMetricFamily] = {}
        rows = self._connection.execute("select name, help, labels, value from etl.metric order by name, labels")
        for name, what, labels, value in rows:
            names = sorted(labels)
            family = families.setdefault(name, GaugeMetricFamily(name, what, labels=names))
            family.add_metric([labels[each] for each in names], value)
        yield from families.values()


def metrics_text(connection: psycopg.Connection) -> str:
    """What `etl.metric` says now, a line a sample with its help and type; as a role that may read the ledger."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_View(connection))
    return generate_latest(registry).decode()
