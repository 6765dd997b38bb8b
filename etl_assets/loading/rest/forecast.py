"""Forecast of a service's jobs: requests, hours and nights, from what the ledger knows of the runs before.

Nothing is asked of the service. A job with parents costs what is due of them, times the requests that a parent cost; a
list costs what it did last. A job that never ran counts for one request a parent, or one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from etl_assets.declare.endpoints import Job
from etl_assets.declare.source import Source
from etl_assets.loading.rest.budget import Budget
from etl_assets.loading.rest.job_progress import parent_table_of
from etl_assets.warehouse.rest.job_ledger import JobCost, JobOfInstance, job_costs, unavailable_jobs
from etl_assets.warehouse.rest.job_parents import count_due


@dataclass(frozen=True, kw_only=True)
class JobForecast:
    """What the next run of a job is expected to cost."""

    job: Job
    parents: int
    """That are due; 0 of a list."""
    requests: int
    time: timedelta


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What the next round of an instance's jobs is expected to cost."""

    jobs: Sequence[JobForecast]
    nights: int
    """Runs until every parent was asked, by the budget."""

    @property
    def requests(self) -> int:
        """Of all jobs."""
        return sum(each.requests for each in self.jobs)

    @property
    def time(self) -> timedelta:
        """Of all jobs, one after the other."""
        return sum((each.time for each in self.jobs), timedelta())


def forecast(
    connection: psycopg.Connection, source: Source, jobs: Sequence[Job], instance_id: int, budget: Budget
) -> Forecast:
    """Forecast what a round of jobs costs at an instance.

    Args:
        connection: As the loader; the jobs' staging tables are there.
        source: Whose jobs.
        jobs: Those that are switched on.
        instance_id: The instance's number.
        budget: What may be asked of it in one run.
    """
    known = job_costs(connection, source.name, instance_id)
    away = unavailable_jobs(connection, source.name, instance_id)
    asked = [job for job in jobs if job.id not in away]
    of_instance = {job.id: JobOfInstance(source=source.name, job_id=job.id, instance_id=instance_id) for job in asked}
    parents = [(of_instance[job.id], parent) for job in asked if (parent := parent_table_of(source, job))]
    due = count_due(connection, parents)
    pace = _pace(list(known.values()))
    found = [_forecast_job(job, due.get(job.id, 0), known.get(job.id), pace) for job in asked]
    return Forecast(jobs=found, nights=_nights(found, budget))


def _forecast_job(job: Job, due: int, cost: JobCost | None, pace: float) -> JobForecast:
    if job.endpoint.per is None:
        requests = cost.requests if cost else 1
    else:
        requests = round(due * (cost.requests / cost.parents if cost and cost.parents else 1))
    seconds = requests * (cost.seconds / cost.requests if cost else pace)
    return JobForecast(
        job=job, parents=due if job.endpoint.per else 0, requests=requests, time=timedelta(seconds=seconds)
    )


def _pace(costs: Sequence[JobCost]) -> float:
    """Seconds a request, over all jobs that ran; 0 where none did."""
    requests = sum(cost.requests for cost in costs)
    return sum(cost.seconds for cost in costs) / requests if requests else 0.0


def _nights(jobs: Sequence[JobForecast], budget: Budget) -> int:
    parents = sum(each.parents for each in jobs)
    nights = 1
    if budget.requests and parents:
        nights = math.ceil(parents / budget.requests)
    if budget.time and parents:
        time = sum((each.time for each in jobs), timedelta())
        nights = max(nights, math.ceil(time / budget.time))
    return nights
