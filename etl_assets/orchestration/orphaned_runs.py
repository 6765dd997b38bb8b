"""Orphaned runs: their process died without a word; the ledger knows of them, and Dagster may not.

A killed process leaves its run STARTED and its slots of a pool claimed. The daemon frees them where it runs and saw the
end; a run of the terminal has no daemon, and a host that went down took it along. The next run would wait for ever.
"""

import dagster as dg

from etl_assets.warehouse.connection import Connection
from etl_assets.warehouse.ledger import abandoned_runs


def fail_orphaned_runs(instance: dg.DagsterInstance, connection: Connection) -> list[str]:
    """Fail the runs of abandoned batches, and free their concurrency slots. Returns their ids."""
    dead = abandoned_runs(connection)
    runs = instance.get_runs(dg.RunsFilter(run_ids=dead)) if dead else []
    buried = [run for run in runs if not run.is_finished]
    for run in buried:
        instance.report_run_failed(run, "Its process died; what it had not committed was rolled back.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in buried]
