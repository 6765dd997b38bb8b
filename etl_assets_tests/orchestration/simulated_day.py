"""A day of operation in a minute: the ticks of schedules and sensors at their times, and the runs they ask for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import dagster as dg
from dagster._utils.schedules import schedule_execution_time_iterator

from etl_assets.declare.source import Source
from etl_assets.orchestration.code_location import code_location
from etl_assets.orchestration.resources import WarehouseResource

LOOKS = 3
"""How often the sensors look at the most until they ask for nothing more."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class SimulatedDay:
    """An installation's day. Runs are real, and so is all that they write; only the clock of the ticks is not."""

    instance: dg.DagsterInstance
    sources: Sequence[Source]
    moment_of: dict[str, datetime] = field(default_factory=dict)
    """When each run was, by the clock of the ticks."""
    failed: list[str] = field(default_factory=list)
    ticks: int = 0
    _cursors: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.definitions = code_location(self.sources)
        self.repository = self.definitions.get_repository_def()

    def live(self, begin: datetime, happens: Mapping[int, Callable[[], None]]) -> None:
        """Go through 24 hours.

        Args:
            begin: Their first moment, in UTC.
            happens: What is done by others, by the hour; the sensors look after that, and after each schedule's tick.
        """
        for hour in range(24):
            now = begin + timedelta(hours=hour)
            if hour in happens:
                happens[hour]()
            self._look(now)
            for moment, schedule in self._due(now):
                self._tick(schedule, moment)
                self._look(moment)

    def _due(self, hour: datetime) -> list[tuple[datetime, dg.ScheduleDefinition]]:
        """The schedules' ticks within an hour, in their order."""
        due, end = [], (hour + timedelta(hours=1)).timestamp()
        for schedule in self.repository.schedule_defs:
            assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
            zone = schedule.execution_timezone or "UTC"
            times = schedule_execution_time_iterator(hour.timestamp(), schedule.cron_schedule, zone)
            within = takewhile(lambda moment: moment.timestamp() < end, times)
            due += [(moment.astimezone(UTC), schedule) for moment in within]
        return sorted(due, key=lambda each: (each[0], each[1].name))

    def _tick(self, schedule: dg.ScheduleDefinition, moment: datetime) -> None:
        self.ticks += 1
        resources = {"warehouse": WarehouseResource()} if schedule.required_resource_keys else None
        with dg.build_schedule_context(
            instance=self.instance,
            repository_def=self.repository,
            scheduled_execution_time=moment,
            resources=resources,
        ) as context:
            requests = schedule.evaluate_tick(context).run_requests or []
        for request in requests:
            self._run(self.repository.get_job(schedule.job_name), request, moment)

    def _look(self, moment: datetime) -> None:
        for _ in range(LOOKS):
            asked = [request for sensor in self.repository.sensor_defs for request in self._sense(sensor)]
            for job, request in asked:
                self._run(job, request, moment)
            if not asked:
                return
        raise AssertionError(f"{moment:%H:%M}: the sensors ask for the same again and again")

    def _sense(self, sensor: dg.SensorDefinition) -> Iterator[tuple[dg.JobDefinition, dg.RunRequest]]:
        self.ticks += 1
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursors.get(sensor.name),
            repository_def=self.repository,
            resources={"warehouse": WarehouseResource()},
        ) as context:
            found = sensor.evaluate_tick(context)
        self._cursors[sensor.name] = found.cursor
        source = sensor.name.rpartition("_")[0]
        return ((self.repository.get_job(source), request) for request in found.run_requests or [])

    def _run(self, job: dg.JobDefinition, request: dg.RunRequest, moment: datetime) -> None:
        if request.asset_selection is not None:
            checks = set(request.asset_check_keys) if request.asset_check_keys is not None else None
            job = job.get_subset(asset_selection=set(request.asset_selection), asset_check_selection=checks)
        done = job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            tags=dict(request.tags),
            run_config={**request.run_config, **QUIET},
        )
        self.moment_of[done.run_id] = moment
        if not done.success:
            self.failed.append(f"{moment:%H:%M} {job.name}")
