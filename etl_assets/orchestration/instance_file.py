"""What Dagster's instance is of this installation: the project's dagster.yaml, and what settings say besides."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from etl_assets.errors import EtlError
from etl_assets.settings import PROJECT, Settings

START_SECONDS_ON_WORKERS = 3_600
"""A run may wait for a worker to become free. One whose message was lost is failed after that, and tried again."""


def instance_config(settings: Settings) -> dict[str, Any]:
    """The content of dagster.yaml; no secret is in it.

    Raises:
        EtlError: Runs go to Celery workers, and the library is not installed.
    """
    config: dict[str, Any] = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    config["concurrency"]["runs"]["max_concurrent_runs"] = settings.max_runs
    if settings.celery_broker_url:
        if find_spec("dagster_celery") is None:
            raise EtlError(
                "ETL_CELERY_BROKER_URL is set, and Celery is not installed: pip install 'etl-assets[celery]'"
            )
        config["run_launcher"] = {
            "module": "etl_assets.orchestration.celery_launcher",
            "class": "WorkerRunLauncher",
        }
        config["run_monitoring"]["start_timeout_seconds"] = START_SECONDS_ON_WORKERS
    return config


def write_instance_file(settings: Settings, folder: Path) -> None:
    """Write dagster.yaml into a folder, unless it is there already; who reads it meanwhile reads a whole one."""
    path = folder / "dagster.yaml"
    text = "# Written by etl, from the project's dagster.yaml and settings.\n" + yaml.safe_dump(
        instance_config(settings), sort_keys=False
    )
    if not path.exists() or path.read_text() != text:
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(text)
        new.replace(path)
