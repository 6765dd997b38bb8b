"""Sends runs to Celery workers, whole. Named by the dagster.yaml of an installation with a broker.

It is dagster-celery's launcher, but for three things. Whether a run's process lives is asked of the warehouse, where
that holds a lock: the broker does not know of a worker that was killed. A run is terminated by a mark that its process
looks for, and not by a signal to whatever the worker does then. And a message carries the id of a run alone, and starts
no run a second time. See docs/decisions/0028-runs-on-workers.md.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import dagster as dg
from celery import Celery, Task
from celery.exceptions import OperationalError
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from etl_assets.errors import EtlError, TransientError
from etl_assets.orchestration.run_launcher import (
    NO_WORKER,
    PRELOADED,
    WORKER_TAG,
    ask_to_end,
    execute_run,
    health_by_lock,
)
from etl_assets.settings import Settings, read_settings
from etl_assets.warehouse.sessions import open_session

DEFAULT_QUEUE = "etl"
TASK = "etl_assets.execute_run"
_CONFIG: Mapping[str, Any] = {
    "task_ignore_result": True,  # Dagster's records say what became of a run
    "task_default_queue": DEFAULT_QUEUE,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,  # a busy worker holds back no run that another could begin
    "worker_max_tasks_per_child": 1,  # each run is a new fork, as on one machine
    "worker_redirect_stdouts": False,  # what a run prints is kept with its logs
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {
        "max_retries": 3,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
        "visibility_timeout": 600,  # what a worker took that was killed before it could begin comes back
    },
}
_NOT_YET_STARTED = {dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING}


class WorkerRunLauncher(CeleryRunLauncher):
    """Launches each run on a Celery worker, by the queue that the tag `dagster-celery/queue` names, or `etl`."""

    @classmethod
    def config_type(cls) -> dict[str, object]:
        """Nothing is configured in dagster.yaml: the broker's URL has a password."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "WorkerRunLauncher":
        """The launcher of this installation."""
        return cls(
            default_queue=DEFAULT_QUEUE,
            broker=_broker_url(read_settings()),
            config_source=dict(_CONFIG),
            inst_data=inst_data,
            **config_value,
        )

    def launch_run(self, context: LaunchRunContext) -> None:
        """Send the id of a run to the workers.

        Raises:
            TransientError: The broker cannot be reached.
        """
        run = context.dagster_run
        # A run that is tried again has the first one's.
        self._instance.add_run_tags(run.run_id, {WORKER_TAG: NO_WORKER})
        message = self.celery.signature(TASK, args=(run.run_id,), immutable=True)
        try:
            self._launch_celery_task_run(run=run, task_signature=message, routing_key=TASK)
        except OperationalError as error:
            raise TransientError(
                f"The broker cannot be reached, so no worker has the run: {error}. See ETL_CELERY_BROKER_URL."
            ) from None

    def terminate(self, run_id: str) -> bool:
        """Ask a run to end, whoever asks and wherever it runs: its own thread looks whether it was asked to."""
        return ask_to_end(self._instance, run_id)

    @property
    def supports_resume_run(self) -> bool:
        """A run whose process died is failed, and tried again."""
        return False

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run lives; of those that others started the ledger knows it.

        Raises:
            TransientError: The warehouse cannot be reached: nobody knows.
        """
        if DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return health_by_lock(run, f"Its process on {run.tags.get(WORKER_TAG)}")

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """The worker that has taken a run."""
        del include_container_logs
        return f"The worker that has taken it: {run.tags.get(WORKER_TAG)}"


def run_worker(settings: Settings, *, name: str, concurrency: int, queues: str) -> None:
    """Be a Celery worker, until told to stop; it then takes no other run, and waits for those under way.

    Args:
        settings: The installation.
        name: The worker's name, before the host's.
        concurrency: How many runs it has at once.
        queues: The queues that it serves, with commas between.

    Raises:
        EtlError: No broker is set.
    """
    app = Celery("etl", broker=_broker_url(settings), config_source=dict(_CONFIG))
    app.task(execute_on_worker, bind=True, name=TASK)
    for module in filter(find_spec, PRELOADED):
        import_module(module)  # a run is a fork that finds them
    words = [f"--hostname={name}@%h", f"--concurrency={concurrency}", f"--queues={queues}"]
    app.worker_main(["worker", "--pool=prefork", "--loglevel=INFO", "--without-mingle", "--without-gossip", *words])


def execute_on_worker(task: Task, run_id: str) -> None:
    """Execute a run in this process, unless it was begun or ended before its message came."""
    with dg.DagsterInstance.get() as instance:
        if not _may_start(instance, run_id):
            return
        try:
            # The lock is that of the run: who had the same message twice finds it begun.
            with open_session(read_settings(), run_id):
                if not _may_start(instance, run_id):
                    return
                instance.add_run_tags(run_id, {WORKER_TAG: str(task.request.hostname)})
                execute_run(run_id, instance.get_ref())
        except Exception as error:
            run = instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                instance.report_run_failed(run, f"Its worker could not execute it: {error}")
            raise


def _may_start(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run)
        return False
    return run is not None and run.status in _NOT_YET_STARTED


def _broker_url(settings: Settings) -> str:
    if not settings.celery_broker_url:
        raise EtlError("ETL_CELERY_BROKER_URL is not set: it names the broker, such as redis://:password@host:6379/0")
    return settings.celery_broker_url
