"""The command that is a Celery worker, on whatever machine runs are to be executed."""

import argparse

from etl_assets.cli.arguments import Commands, command
from etl_assets.settings import export_environment, read_settings


def worker(options: argparse.Namespace) -> None:
    """Execute runs as a Celery worker of the broker in ETL_CELERY_BROKER_URL, until told to stop."""
    from etl_assets.orchestration import launch  # Dagster: seconds, and the other commands do without
    from etl_assets.orchestration.celery_launcher import run_worker

    settings = read_settings()
    export_environment(launch.dagster_environment(settings))
    run_worker(settings, name=options.name, concurrency=options.concurrency, queues=options.queues)


def add_worker_command(commands: Commands) -> None:
    """The command of this room."""
    made = command(commands, "worker", worker)
    made.add_argument("--name", default="etl", help="of this worker, before the host's; two on one host need two")
    made.add_argument("--concurrency", type=int, default=1, metavar="N", help="how many runs at once")
    made.add_argument("--queues", default="etl", metavar="NAMES", help="the queues it serves, with commas between")
