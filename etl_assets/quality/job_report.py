"""Report on a service's jobs: what failed, what is not offered, what waits, and how old the oldest answers are."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import psycopg
from psycopg.rows import DictRow, dict_row

MAX_ERROR_LENGTH = 200

_JOBS = """
    select found.*, job.name, job.target_table, job.why_off, job.replaced_by
    from etl.job_instance as found
    inner join etl.job using (source, job_id)
    where source = %s
    order by job_id, instance
"""
_RUNS = """
    select count(*) as runs, count(*) filter (where status = 'failed') as failed,
        count(*) filter (where was_killed) as killed, coalesce(sum(records), 0) as records,
        coalesce(sum(requests), 0) as requests
    from etl.job_history
    where source = %s and started_at > %s - interval '24 hours'
"""


def job_report(connection: psycopg.Connection, source: str, moment: datetime) -> str:
    """Write the report on the jobs of a source, as text in Markdown. No record's value is in it.

    Args:
        connection: As a role that may read the ledger.
        source: Whose jobs.
        moment: As of when; runs of the day before it are counted.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        jobs = cursor.execute(_JOBS, [source]).fetchall()
        runs = cursor.execute(_RUNS, [source, moment]).fetchone() or {}
    return "\n".join(_lines(source, moment, jobs, runs)) + "\n"


def _lines(source: str, moment: datetime, jobs: Sequence[DictRow], runs: DictRow) -> Iterator[str]:
    yield f"# Jobs of {source}, {moment:%Y-%m-%d %H:%M} UTC"
    yield ""
    yield (
        f"Last 24 hours: {runs.get('runs', 0):,} runs, {runs.get('failed', 0):,} of them failed"
        f" ({runs.get('killed', 0):,} killed); {runs.get('requests', 0):,} requests,"
        f" {runs.get('records', 0):,} records."
    )
    asked = [job for job in jobs if job["is_active"]]
    yield from _section("Failed", [job for job in asked if job["last_status"] == "failed" and _is_offered(job)])
    yield from _section("Never run", [job for job in asked if job["last_status"] is None and not job["replaced_by"]])
    yield from _section("Not offered, or not licensed", [job for job in asked if not _is_offered(job)])
    yield from _section("Off", [job for job in jobs if not job["is_active"]])
    yield from _section(
        "Oldest answers",
        sorted((job for job in asked if job["oldest_answer_at"]), key=lambda job: job["oldest_answer_at"]),
    )


def _section(title: str, jobs: Sequence[DictRow]) -> Iterator[str]:
    yield ""
    yield f"## {title}: {len(jobs)}"
    yield ""
    yield from (_line(job) for job in jobs)


def _line(job: DictRow) -> str:
    words = [f"- {job['job_id']} {job['name']} -> {job['target_table']}"]
    if job["instance"]:
        words.append(f" ({job['instance']})")
    if job["last_run_at"]:
        words.append(f": {job['last_state']} at {job['last_run_at']:%Y-%m-%d %H:%M}, {job['last_records']:,} records")
    if job["oldest_answer_at"]:
        words.append(f", the oldest answer of {job['oldest_answer_at']:%Y-%m-%d %H:%M}")
    if job["last_error"] and job["last_status"] == "failed":
        words.append(f". {job['last_error'][:MAX_ERROR_LENGTH]}")
    if not job["is_active"] and job["why_off"]:
        words.append(f": {job['why_off']}")
    return "".join(words)


def _is_offered(job: DictRow) -> bool:
    return job["availability"] not in {"not_offered", "not_licensed"}
