"""What is known of one job at one instance while a run asks for it, chunk by chunk."""

from dataclasses import dataclass, field
from datetime import datetime

from etl_assets.declare.endpoints import Job
from etl_assets.declare.source import Source
from etl_assets.loading.rest.budget import Budget
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.job_ledger import JobRun, JobTotals
from etl_assets.warehouse.rest.job_parents import ParentTable
from etl_assets.warehouse.rest.tables import document_keys


@dataclass
class JobProgress:
    """One job at one instance in one run: what was asked so far, and what came of it."""

    job: Job
    instance: str
    instance_id: int
    budget: Budget
    run: JobRun | None = None
    due: int = 0
    """Parents that are to be asked."""
    place: int = 0
    """Of these, how many have been."""
    is_over: bool = False
    was_answered: bool = False
    """Whether the service has shown, now or before, that it has the endpoint."""
    totals: JobTotals = field(default_factory=JobTotals)
    requests_before: int = 0
    """Requests that the connection had sent before the job began."""
    since: datetime | None = None
    """From which stamp on records are asked for; None where the list is read whole."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of the run."""
    first_error: str | None = None
    """What the first parent that failed failed of."""


def parent_table_of(source: Source, job: Job) -> ParentTable | None:
    """The table whose rows a job asks for; None where it asks once."""
    per = job.endpoint.per
    if per is None:
        return None
    return ParentTable(Relation(source.schema, per.parent), document_keys(source.rest_table(per.parent)))
