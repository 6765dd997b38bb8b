"""Results of checks that stand: nothing that they look at has changed, so that they are no new events."""

from collections.abc import Collection

import dagster as dg


def let_results_stand(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> set[dg.AssetCheckKey]:
    """Let the latest results of these checks stand; returns the checks of which Dagster has none."""
    from etl_assets.orchestration.storage import KeptEventLogStorage  # SQLAlchemy, which the declarations do without

    storage = instance.event_log_storage
    return set(checks) - (storage.let_stand(checks) if isinstance(storage, KeptEventLogStorage) else set())
