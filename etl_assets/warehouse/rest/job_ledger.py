"""The ledger of configured jobs: instances, runs, and the requests for each row of a parent table."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

import psycopg

from etl_assets.declare.endpoints import Job
from etl_assets.declare.job_list import check_jobs
from etl_assets.warehouse.ledger import Batch, Counts

MAX_ERROR_LENGTH = 2_000
"""Characters of an error that are kept."""
OFFERED, NOT_OFFERED, NOT_LICENSED = "offered", "not_offered", "not_licensed"
"""Whether an instance has the endpoint of a job."""


@dataclass(frozen=True, kw_only=True)
class JobOfInstance:
    """A job at one of its source's instances."""

    source: str
    job_id: int
    instance_id: int


@dataclass(frozen=True, kw_only=True)
class JobRun(JobOfInstance):
    """A run of it that is under way."""

    run_id: int


@dataclass(frozen=True, kw_only=True)
class ParentAnswer:
    """What came of one parent's request."""

    parent_key: str
    records: int = 0
    digest: UUID | None = None
    error: str | None = None
    """Why there was no answer."""


@dataclass(frozen=True, kw_only=True)
class JobTotals:
    """What a run of a job came to."""

    counts: Counts = field(default_factory=Counts)
    parents_asked: int = 0
    parents_failed: int = 0
    requests: int = 0
    """Sent, those that failed and were repeated too."""


def register_instances(
    connection: psycopg.Connection, source: str, addresses: Mapping[str, str | None]
) -> dict[str, int]:
    """Number the instances that are set up, and mark those that are no longer; returns the numbers by name."""
    connection.cursor().executemany(
        "insert into etl.source_instance as held (source, name, base_url) values (%s, %s, %s)"
        " on conflict (source, name) do update set base_url = excluded.base_url, is_active = true, updated_at = now()"
        " where (held.base_url, held.is_active) is distinct from (excluded.base_url, true)",
        [(source, name, url) for name, url in addresses.items()],
    )
    connection.execute(
        "update etl.source_instance set is_active = false, updated_at = now()"
        " where source = %s and is_active and name <> all(%s)",
        [source, list(addresses)],
    )
    return {name: number for name, number in instance_numbers(connection, source).items() if name in addresses}


def register_jobs(connection: psycopg.Connection, source: str, jobs: Sequence[Job]) -> None:
    """Write the declared jobs into the ledger: what differs, and no more."""
    check_jobs(jobs)
    first_of: dict[str, int] = {}
    for job in sorted(jobs, key=lambda each: each.id):
        first_of.setdefault(job.table, job.id)
    columns = (
        "name, source_endpoint, target_table, is_active, requires_parameters, parameter_name, parameter_source_table,"
        " parameter_source_column, parent_job_id, category, phase, why_off, replaced_by"
    )
    connection.cursor().executemany(
        f"insert into etl.job as held (source, job_id, {columns})"
        f" values ({', '.join(['%s'] * 15)}) on conflict (source, job_id) do update"
        f" set ({columns}) = row(excluded.{columns.replace(', ', ', excluded.')}), updated_at = now()"
        f" where (held.{columns.replace(', ', ', held.')})"
        f" is distinct from (excluded.{columns.replace(', ', ', excluded.')})",
        [(source, *_columns_of(job, first_of)) for job in jobs],
    )
    connection.execute(
        "delete from etl.job where source = %s and job_id <> all(%s)", [source, [job.id for job in jobs]]
    )


def _columns_of(job: Job, first_of: Mapping[str, int]) -> tuple[object, ...]:
    first = job.parameters[0] if job.has_parameters else None
    return (
        job.id, job.name, job.path, job.table, job.is_active, job.has_parameters,
        first.name if first else None, first.table if first else None, first.column if first else None,
        first_of[first.table] if first else None,
        job.category, job.phase, job.why_off or None, job.replaced_by,
    )  # fmt: skip


def active_jobs(connection: psycopg.Connection, source: str) -> set[int]:
    """The jobs that are asked: switched on, as declared or as somebody decided, and not replaced by another."""
    rows = connection.execute(
        "select job_id from etl.active_job as active inner join etl.job using (source, job_id)"
        " where source = %s and active.is_active and replaced_by is null",
        [source],
    )
    return {number for (number,) in rows}


def jobs_to_retry(connection: psycopg.Connection, source: str) -> set[tuple[int, int]]:
    """Jobs and instances of which the last run failed, or a parent's request did."""
    rows = connection.execute(
        "select job_id, instance_id from etl.parent_request where source = %(source)s and failures > 0"
        " union select job_id, instance_id from ("
        "     select distinct on (job_id, instance_id) job_id, instance_id, state, batch.status"
        "     from etl.job_run as run inner join etl.batch as batch using (batch_id) where run.source = %(source)s"
        "     order by job_id, instance_id, run.run_id desc"
        " ) as latest where state = 'failed' or (state = 'running' and status <> 'running')",
        {"source": source},
    )
    return set(rows.fetchall())


def start_run(connection: psycopg.Connection, batch: Batch, job_id: int, instance_id: int) -> JobRun:
    """Open a run of a job; the ledger shows it at once."""
    row = connection.execute(
        "insert into etl.job_run (source, job_id, instance_id, batch_id) values (%s, %s, %s, %s) returning run_id",
        [batch.source, job_id, instance_id, batch.id],
    ).fetchone()
    return JobRun(run_id=row[0] if row else 0, source=batch.source, job_id=job_id, instance_id=instance_id)


def end_run(connection: psycopg.Connection, run: JobRun, state: str, totals: JobTotals, error: str | None) -> None:
    """Close a run with what came of it."""
    counts = totals.counts
    connection.execute(
        "update etl.job_run set state = %s, ended_at = clock_timestamp(), records = %s, rows_inserted = %s,"
        " rows_updated = %s, rows_vanished = %s, parents_asked = %s, parents_failed = %s, requests = %s, error = %s"
        " where run_id = %s",
        [
            state,
            counts.rows_read,
            counts.rows_inserted,
            counts.rows_updated,
            counts.rows_vanished,
            totals.parents_asked,
            totals.parents_failed,
            totals.requests,
            error and error[:MAX_ERROR_LENGTH],
            run.run_id,
        ],
    )


def was_answered(connection: psycopg.Connection, run: JobRun) -> bool:
    """Whether an earlier run of the job was answered at this instance."""
    row = connection.execute(
        "select availability = 'offered' and asked_at is not null from etl.job_state"
        " where source = %s and job_id = %s and instance_id = %s",
        [run.source, run.job_id, run.instance_id],
    ).fetchone()
    return bool(row and row[0])


def were_loaded(connection: psycopg.Connection, run: JobRun, jobs: Collection[int]) -> bool:
    """Whether any of these jobs was ever answered at the instance of a run."""
    row = connection.execute(
        "select exists (select from etl.job_state where source = %s and job_id = any(%s) and instance_id = %s"
        " and availability = 'offered' and asked_at is not null)",
        [run.source, list(jobs), run.instance_id],
    ).fetchone()
    return bool(row and row[0])


def unavailable_jobs(connection: psycopg.Connection, source: str, instance_id: int) -> set[int]:
    """The jobs that an instance does not offer, as far as is known."""
    rows = connection.execute(
        "select job_id from etl.job_state where source = %s and instance_id = %s and availability <> 'offered'",
        [source, instance_id],
    )
    return {number for (number,) in rows}


def record_availability(connection: psycopg.Connection, run: JobRun, found: str) -> bool:
    """Note whether the instance offers the job; returns whether that is news."""
    row = connection.execute(
        "insert into etl.job_state as held (source, job_id, instance_id, availability, asked_at)"
        " values (%(source)s, %(job)s, %(instance)s, %(found)s, now())"
        " on conflict (source, job_id, instance_id) do update set asked_at = now(),"
        " since = case when held.availability = excluded.availability then held.since else now() end,"
        " availability = excluded.availability"
        " returning since = now()",
        {"source": run.source, "job": run.job_id, "instance": run.instance_id, "found": found},
    ).fetchone()
    return bool(row and row[0])


def page_size(connection: psycopg.Connection, run: JobOfInstance) -> int | None:
    """The page size that a job came to, whose longer pages timed out; None where none did."""
    row = connection.execute(
        "select page_size from etl.job_state where source = %s and job_id = %s and instance_id = %s",
        [run.source, run.job_id, run.instance_id],
    ).fetchone()
    return row[0] if row else None


def record_page_size(connection: psycopg.Connection, run: JobOfInstance, size: int) -> None:
    """Remember the page size that a job came to."""
    connection.execute(
        "insert into etl.job_state as held (source, job_id, instance_id, page_size) values (%s, %s, %s, %s)"
        " on conflict (source, job_id, instance_id) do update set page_size = excluded.page_size",
        [run.source, run.job_id, run.instance_id, size],
    )


def begin_round(connection: psycopg.Connection, run: JobRun) -> None:
    """Begin a round of all parents, or go on with the one that was not ended."""
    connection.execute(
        "insert into etl.job_state as held (source, job_id, instance_id, round_started_at)"
        " values (%s, %s, %s, clock_timestamp())"
        " on conflict (source, job_id, instance_id) do update set round_ended_at = null, round_started_at ="
        " case when held.round_started_at is null or held.round_ended_at is not null then clock_timestamp()"
        " else held.round_started_at end",
        [run.source, run.job_id, run.instance_id],
    )


def end_round(connection: psycopg.Connection, run: JobRun) -> None:
    """Every parent was asked."""
    connection.execute(
        "update etl.job_state set round_ended_at = clock_timestamp()"
        " where source = %s and job_id = %s and instance_id = %s and round_ended_at is null",
        [run.source, run.job_id, run.instance_id],
    )


def record_answers(connection: psycopg.Connection, run: JobRun, answers: Collection[ParentAnswer]) -> None:
    """Write down what came of parents' requests, in the transaction that writes what they brought."""
    columns = [list(column) for column in zip(*map(_answer_columns, answers), strict=True)] or [[], [], [], []]
    connection.execute(
        "insert into etl.parent_request as held (source, job_id, instance_id, parent_key, asked_at, answered_at,"
        " records, digest, failures, error)"
        " select %s, %s, %s, parent_key, now(), case when error is null then now() end, records, digest,"
        " case when error is null then 0 else 1 end, error"
        " from unnest(%s::text[], %s::bigint[], %s::uuid[], %s::text[]) as said (parent_key, records, digest, error)"
        " on conflict (source, job_id, instance_id, parent_key) do update set asked_at = excluded.asked_at,"
        " answered_at = coalesce(excluded.answered_at, held.answered_at), error = excluded.error,"
        " records = case when excluded.error is null then excluded.records else held.records end,"
        " digest = coalesce(excluded.digest, held.digest),"
        " failures = case when excluded.error is null then 0 else held.failures + 1 end",
        [run.source, run.job_id, run.instance_id, *columns],
    )


def _answer_columns(answer: ParentAnswer) -> tuple[object, ...]:
    return (answer.parent_key, answer.records, answer.digest, answer.error and answer.error[:MAX_ERROR_LENGTH])


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """A job, and how it stands at each instance; where the instances differ, as it stands where it is worst."""

    job_id: int
    is_active: bool
    why: str | None
    """Why it is off; or why it is not as it is declared."""
    decided_by: str | None
    availability: str
    last_state: str | None
    last_run_at: datetime | None
    records: int
    """That the last run of each instance read."""


def job_statuses(connection: psycopg.Connection, source: str) -> dict[int, JobStatus]:
    """How each job of a source stands, by its number; none before the first load."""
    rows = connection.execute(
        "select distinct on (job_id) job_id, found.is_active, active.why, active.decided_by, availability, last_state,"
        " last_run_at, coalesce(sum(last_records) over (partition by job_id), 0)::bigint"
        " from etl.job_instance as found inner join etl.active_job as active using (source, job_id)"
        " where source = %s"
        " order by job_id, array_position(array['failed', 'running', 'success'], last_status), last_run_at",
        [source],
    )
    names = [each.name for each in fields(JobStatus)]
    return {row[0]: JobStatus(**dict(zip(names, row, strict=True))) for row in rows}


@dataclass(frozen=True, kw_only=True)
class JobCost:
    """What the last run of a job cost that was answered."""

    requests: int
    parents: int
    """That were asked; 0 of a list."""
    seconds: float


def job_costs(connection: psycopg.Connection, source: str, instance_id: int) -> dict[int, JobCost]:
    """What the jobs of an instance cost when they last ran; those that never did are left out."""
    rows = connection.execute(
        "select distinct on (job_id) job_id, requests, parents_asked, extract(epoch from ended_at - started_at)::float"
        " from etl.job_run where source = %s and instance_id = %s and state in ('success', 'paused', 'partial')"
        " and requests > 0 order by job_id, run_id desc",
        [source, instance_id],
    )
    return {
        job: JobCost(requests=requests, parents=parents, seconds=seconds) for job, requests, parents, seconds in rows
    }


def instance_numbers(connection: psycopg.Connection, source: str) -> dict[str, int]:
    """The numbers of the instances of a source that were ever loaded, by name."""
    rows = connection.execute("select name, instance_id from etl.source_instance where source = %s", [source])
    return dict(rows.fetchall())


def decide(connection: psycopg.Connection, source: str, job_id: int, *, is_active: bool, by: str, why: str) -> None:
    """Switch a job on or off, whatever is declared; the decision is kept."""
    connection.execute(
        "insert into etl.job_decision (source, job_id, is_active, decided_by, why) values (%s, %s, %s, %s, %s)",
        [source, job_id, is_active, by, why],
    )
