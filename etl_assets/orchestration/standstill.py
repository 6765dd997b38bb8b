"""Standstill of a source: its schedules and sensors are stopped in Dagster's records, and its runs are asked to end.

The records are written, and no code server is asked: it must work while none answers, and a daemon that is started
later finds them so.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
)

from etl_assets.declare.source import Source
from etl_assets.orchestration.code_location import code_location
from etl_assets.orchestration.jobs import everything_of, layer_jobs
from etl_assets.orchestration.launch import dagster_environment
from etl_assets.orchestration.orphaned_runs import SESSION_TAG
from etl_assets.settings import Settings, temporary_environment

USUAL_LOCATION = ("etl_assets.definitions", "__repository__")
"""The code location and repository of workspace.yaml: where no daemon has run yet, they stand in no record."""
OPEN_RUNS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@contextmanager
def dagster_records(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's records of this installation for the time of the `with` block."""
    with temporary_environment(dagster_environment(settings)), dg.DagsterInstance.get() as instance:
        yield instance


class SourceControl:
    """Stops and starts what Dagster does of a source by itself."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def stop(self, instance: dg.DagsterInstance) -> list[str]:
        """Stop every schedule and sensor of the source; returns the names of those that were not stopped before."""
        states = self._states(instance, self._instigators)
        running = [state for state in states if state.is_running]
        for state in running:
            instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
        missing = self._instigators.keys() - {state.instigator_name for state in states}
        for name in missing:
            instance.add_instigator_state(self._stopped(name))
        return sorted(missing | {state.instigator_name for state in running})

    def restart(self, instance: dg.DagsterInstance, names: Collection[str]) -> list[str]:
        """Have schedules and sensors run again as they are declared; none catches up on what it missed.

        Args:
            instance: Dagster's records.
            names: Those that may be started; others stay as they are.

        Returns:
            The names of those that were started.
        """
        started = set()
        for state in self._states(instance, self._instigators.keys() & set(names)):
            if state.is_running:
                continue
            data = state.instigator_data
            if isinstance(data, ScheduleInstigatorData):
                data = ScheduleInstigatorData(data.cron_schedule, time.time())
            declared = InstigatorState(state.origin, state.instigator_type, InstigatorStatus.DECLARED_IN_CODE, data)
            instance.update_instigator_state(declared)
            started.add(state.instigator_name)
        return sorted(started)

    def end_runs(self, instance: dg.DagsterInstance) -> dict[str, str]:
        """Ask the runs of the source that have not ended to end; returns what became of each, by its id."""
        keys = everything_of(self._source).resolve(self._repository.asset_graph)
        jobs = {self._source.name, *(job.name for job in layer_jobs(self._source))}
        found: dict[str, str] = {}
        for run in instance.get_runs(dg.RunsFilter(statuses=OPEN_RUNS)):
            if run.job_name not in jobs and not (run.asset_selection or frozenset()) & keys:
                continue
            if SESSION_TAG in run.tags and run.parent_run_id is None:
                found[run.run_id] = "is of a terminal: end it there, with Ctrl-C"
            elif instance.run_coordinator.cancel_run(run.run_id):
                found[run.run_id] = "was asked to end"
            else:
                found[run.run_id] = "could not be asked; it may have ended by itself"
        return found

    @cached_property
    def _repository(self) -> dg.RepositoryDefinition:
        return code_location([self._source]).get_repository_def()

    @cached_property
    def _instigators(self) -> dict[str, dg.ScheduleDefinition | dg.SensorDefinition]:
        """The schedules and sensors of the source; not those of all sources, such as alerts and reports."""
        found: list[dg.ScheduleDefinition | dg.SensorDefinition] = list(self._repository.schedule_defs)
        found += self._repository.sensor_defs
        return {each.name: each for each in found if each.name.startswith(f"{self._source.name}_")}

    def _states(self, instance: dg.DagsterInstance, names: Collection[str]) -> list[InstigatorState]:
        """What Dagster's records say of them, whatever the code location that they are in is called."""
        return [state for state in instance.all_instigator_state() if state.instigator_name in names]

    def _stopped(self, name: str) -> InstigatorState:
        location, repository = USUAL_LOCATION
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), repository)
        made, kind = self._instigators[name], InstigatorType.SENSOR
        data: ScheduleInstigatorData | SensorInstigatorData = SensorInstigatorData()
        if isinstance(made, dg.ScheduleDefinition):
            kind, data = InstigatorType.SCHEDULE, ScheduleInstigatorData(made.cron_schedule)
        return InstigatorState(RemoteInstigatorOrigin(origin, name), kind, InstigatorStatus.STOPPED, data)
