"""Commands for the configured jobs of a service: which there are, how they stand, and who switched them."""

import argparse
from collections.abc import Iterator, Mapping, Sequence

from etl_assets.cli.arguments import Commands, add_author, command, source_named
from etl_assets.cli.runs import migrate_quietly
from etl_assets.declare.endpoints import Job
from etl_assets.errors import EtlError
from etl_assets.settings import read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.rest.job_ledger import JobStatus, decide, job_statuses, register_jobs

NEVER_RUN = "Never run"


def list_jobs(options: argparse.Namespace) -> None:
    """List the configured jobs: what each asks and fills, whether it is asked, and its last run."""
    jobs = options.source.jobs
    if not jobs:
        name = options.source.name
        raise EtlError(f"{name} has no configured jobs; its tables are in sources/{name}/tables.py.")
    with connect(read_settings()) as connection:
        statuses = job_statuses(connection, options.source.name)
    lines = _pipe_lines if options.format == "pipe" else _text_lines
    for line in lines(jobs, statuses):
        print(line)


def _pipe_lines(jobs: Sequence[Job], statuses: Mapping[int, JobStatus]) -> Iterator[str]:
    """The lines of the old inventory, in which the jobs that stand in for others are not."""
    replacements = {job.replaced_by for job in jobs}
    for job in jobs:
        if job.id in replacements:
            continue
        status = statuses.get(job.id)
        is_active = status.is_active if status else job.is_active
        first = job.parameters[0] if job.has_parameters else None
        yield "|".join(
            [
                str(job.id),
                job.name,
                job.path,
                job.table,
                "Active" if is_active else "Disabled",
                "Yes" if job.has_parameters else "No",
                *((first.name, first.table, first.column) if first else ("-", "-", "-")),
                (status and status.last_state) or NEVER_RUN,
                str(status.records if status else 0),
            ]
        )


def _text_lines(jobs: Sequence[Job], statuses: Mapping[int, JobStatus]) -> Iterator[str]:
    on = 0
    for job in jobs:
        status = statuses.get(job.id)
        is_active = status.is_active if status else job.is_active
        on += is_active
        state = _state(job, status) if is_active else "off"
        why = (status.why if status else None) or (job.why_off if not is_active else "")
        by = f" ({status.decided_by})" if status and status.decided_by else ""
        records = f"{status.records:,}" if status else "0"
        yield f"{job.id:>4}  phase {job.phase}  {state:13} {records:>10}  {job.name} -> {job.table}" + (
            f"  {why}{by}" if why else ""
        )
    yield f"{len(jobs)} jobs: {on} on, {len(jobs) - on} off."


def _state(job: Job, status: JobStatus | None) -> str:
    if job.replaced_by:
        return f"see {job.replaced_by}"
    if status is None or status.last_state is None:
        return NEVER_RUN.lower()
    return (status.availability if status.availability.startswith("not_") else status.last_state).replace("_", " ")


def switch_job(options: argparse.Namespace) -> None:
    """Switch a job on or off, whatever jobs.csv declares: who says so, and why, is kept in the ledger."""
    source = next((each for each in SOURCES if any(job.id == options.id for job in each.jobs)), None)
    if source is None:
        raise EtlError(f"There is no job {options.id}. See etl jobs list SOURCE.")
    settings = read_settings()
    migrate_quietly(settings)
    with connect(settings) as connection:
        register_jobs(connection, source.name, source.jobs)
        decide(connection, source.name, options.id, is_active=options.on, by=options.by, why=options.why)
    print(f"Job {options.id} of {source.name} is {'on' if options.on else 'off'}.")


def add_job_commands(commands: Commands) -> None:
    """The command `jobs`."""
    jobs = commands.add_parser("jobs", help="The configured jobs of a service: list them, switch them on or off.")
    words = jobs.add_subparsers(required=True, metavar="list | enable | disable")
    made = command(words, "list", list_jobs)
    made.add_argument("source", type=source_named)
    made.add_argument("--format", choices=("text", "pipe"), default="text", help="pipe: the lines of the old inventory")
    for name, on in (("enable", True), ("disable", False)):
        made = command(words, name, switch_job)
        made.set_defaults(on=on)
        made.add_argument("id", type=int)
        add_author(made, why="the reason, for those who come after")
